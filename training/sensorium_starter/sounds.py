"""Renders the sounds to arrays.

Writes to the cache: sounds.json and sounds.npy (n, 65536 i16) for training and held-out clips, and
unheard.json, unheard.npy: another soundfont, other voices, other seeds; evaluation only.
"""
import json
import random
import subprocess
import sys
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from . import instruments, synthesis
from .places import CACHE

N, RATE = 65536, 16000
FLUID = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
MUSESCORE = "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"
UNHEARD = "/usr/share/sounds/sf2/TimGM6mb.sf2"  # csound's bank shares samples with it, so that one must not be trained on
PHRASES = {FLUID: 16, MUSESCORE: 16, UNHEARD: 4}
DRUM_PHRASES = {FLUID: 6, MUSESCORE: 6, UNHEARD: 2}
SYNTHESISED = {"train": 20, "held": 2, "unheard": 4}

LANGUAGES = {"en-us": "English", "en-gb": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "ru": "Russian",
             "pl": "Polish", "nl": "Dutch", "tr": "Turkish", "cmn": "Chinese", "hi": "Hindi", "ja": "Japanese", "ko": "Korean", "ar": "Arabic",
             "el": "Greek", "fi": "Finnish", "hu": "Hungarian", "cs": "Czech", "vi": "Vietnamese"}
UNHEARD_LANGUAGES = {"sv": "Swedish", "pt": "Portuguese", "ro": "Romanian", "en-us": "English"}
MEN, WOMEN = ("m1", "m2", "m3", "m4", "m7"), ("f1", "f2", "f3", "f5")
UNHEARD_MEN, UNHEARD_WOMEN = ("m5", "m6"), ("f4",)
SENTENCES = ["The weather is fine today and the children play in the garden.", "Please leave a message after the tone.",
             "The train to the north leaves from platform seven in ten minutes.", "I have never seen such a large library before.",
             "Could you tell me where the station is?", "She reads a book by the window every evening.",
             "We will meet again next week at the same place.", "Hello and welcome to our show.", "Attention please, the shop closes in five minutes.",
             "My name is Anna and I live near the sea.", "He bought bread, milk, cheese and six eggs.", "Once upon a time there was a small king."]


def play(soundfont, data):
    """Renders a MIDI file to mono samples."""
    with tempfile.TemporaryDirectory() as folder:
        song, out = Path(folder) / "a.mid", Path(folder) / "a.wav"
        song.write_bytes(data)
        subprocess.run(["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RATE),
                        "-o", "synth.dynamic-sample-loading=1", "-F", str(out), soundfont, str(song)],
                       check=True, timeout=600, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with wave.open(str(out)) as reader:
            samples = np.frombuffer(reader.readframes(reader.getnframes()), np.int16).reshape(-1, reader.getnchannels())
    return samples.mean(axis=1)


def slots(samples, count):
    for index in range(count):
        start = int(index * instruments.SLOT_SECONDS * RATE)
        yield loud(samples[start:start + N])


def loud(samples):
    """i16 with a peak of 0.8, or nothing if there is hardly a sound."""
    samples = np.pad(np.asarray(samples, np.float32)[:N], (0, max(0, N - len(samples))))
    peak = np.abs(samples).max()
    return None if peak < 30 else np.round(samples / peak * 26000).astype(np.int16)


def program_clips(soundfont, program, seed):
    chance = random.Random(seed * 1000 + program)
    name = instruments.PROGRAMS[program]
    phrases = [instruments.phrase(chance, name) for _ in range(PHRASES[soundfont])]
    family = program // 8
    captions = [instruments.FAMILIES[family], *instruments.WORDS[family].split(", ")]
    samples = play(soundfont, instruments.midi(program, 0, phrases))
    return [(clip, {"kind": "program", "name": name, "number": program, "family": instruments.FAMILIES[family], "captions": captions})
            for clip in slots(samples, len(phrases))]


def drum_clips(soundfont, part, seed):
    """part: a drum key 35..81, or 0 for whole beats."""
    chance = random.Random(seed * 1000 + 500 + part)
    count = DRUM_PHRASES[soundfont] if part else DRUM_PHRASES[soundfont] * 5
    phrases = [instruments.drum_phrase(chance, part) if part else instruments.beat(chance) for _ in range(count)]
    name = instruments.DRUMS[part - 35] if part else "drum beat"
    captions = ["drums", "percussion", "rhythm"] + ([] if part else ["drum kit", "drummer playing", "rock beat"])
    samples = play(soundfont, instruments.midi(0, 9, phrases))
    return [(clip, {"kind": "drum", "name": name, "number": part, "family": "drums", "captions": captions}) for clip in slots(samples, count)]


def speak(voice, text, speed, pitch, whisper=False):
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    data = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60).stdout
    at = data.index(b"data") + 8
    samples = np.frombuffer(data[at:at + (len(data) - at) // 2 * 2], np.int16).astype(np.float32)
    position = np.arange(int(len(samples) * RATE / 22050)) * 22050 / RATE
    return np.interp(position, np.arange(len(samples)), samples)


def speech_clips(languages, men, women, rounds, seed):
    chance = random.Random(seed)
    for _ in range(rounds):
        for code, language in languages.items():
            for who in ("man", "woman", "whisper" if chance.random() < 0.25 else "man", "woman"):
                variant = {"man": chance.choice(men), "woman": chance.choice(women), "whisper": "whisper"}[who]
                if language == "English":
                    text = " ".join(chance.sample(SENTENCES, 2))
                    about = []
                else:
                    text = ", ".join(str(chance.randint(1, 9999)) for _ in range(8))
                    about = ["counting numbers"] if chance.random() < 0.5 else []
                samples = speak(f"{code}+{variant}", text, chance.randint(120, 200), chance.randint(30, 70))
                start = int(chance.uniform(0, 0.5) * RATE)
                clip = loud(samples[start:start + N])
                person = {"man": "a man speaking", "woman": "a woman speaking", "whisper": "a person whispering"}[who]
                captions = ["speech", "human voice", "a person talking", "spoken words", f"speech in {language}", f"someone speaking {language}"] + about
                yield clip, {"kind": "speech", "name": person, "family": "speech", "captions": captions}


def synthesised_clips(split):
    first = {"train": 0, "held": 5000, "unheard": 9000}[split]
    for kind, (words, _) in synthesis.KINDS.items():
        for seed in range(first, first + SYNTHESISED[split]):
            clip = loud(synthesis.make(kind, seed) * 26000)
            yield clip, {"kind": "synthesised", "name": kind, "family": "effects", "captions": words.split(", "), "split": split}


def played(soundfont, seed):
    """All programs and drums of a soundfont."""
    with ThreadPoolExecutor(2) as pool:
        for part in pool.map(lambda program: program_clips(soundfont, program, seed), range(128)):
            yield from part
        for part in pool.map(lambda part: drum_clips(soundfont, part, seed), [0, *range(35, 82)]):
            yield from part


def collect(path, clips):
    kept = [(clip, entry) for clip, entry in clips if clip is not None]
    array = np.lib.format.open_memmap(CACHE / f"{path}.npy", "w+", np.int16, (len(kept), N))
    for index, (clip, _) in enumerate(kept):
        array[index] = clip
    array.flush()
    (CACHE / f"{path}.json").write_text(json.dumps([entry for _, entry in kept]))
    print(path, len(kept), flush=True)


def main():
    collect("unheard", [*played(UNHEARD, 77), *speech_clips(UNHEARD_LANGUAGES, UNHEARD_MEN, UNHEARD_WOMEN, 4, 22), *synthesised_clips("unheard")])
    chance = random.Random(3)
    clips = [*played(FLUID, 1), *played(MUSESCORE, 2), *speech_clips(LANGUAGES, MEN, WOMEN, 5, 21)]
    for _, entry in clips:
        entry["split"] = "held" if chance.random() < 0.05 else "train"
    collect("sounds", [*clips, *synthesised_clips("train"), *synthesised_clips("held")])


if __name__ == "__main__":
    sys.exit(main())
