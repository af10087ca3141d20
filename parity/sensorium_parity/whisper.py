"""Whisper: WhisperForConditionalGeneration with its feature extractor and its generate(), short and long.

Full-size cases carry the real vocabulary, as the package openai-whisper brings it; the small one has a byte-level BPE of its own.
Sounds are written into the case's folder at 16 kHz, so that both sides read the same samples.
"""
import json
import wave
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES, _combine_tokens_into_words

from . import inputs as made
from .case import expect, spread

RATE_HZ = 16_000

# width, encoder layers, decoder layers, heads, mel bands, alignment heads (layer, head) of the published generation_config.json
SIZES = {
    "whisper-tiny": (384, 4, 4, 6, 80, [[2, 2], [3, 0], [3, 2], [3, 3], [3, 4], [3, 5]]),
    "whisper-base": (512, 6, 6, 8, 80, [[3, 1], [4, 2], [4, 3], [4, 7], [5, 1], [5, 2], [5, 4], [5, 6]]),
    "whisper-small": (768, 12, 12, 12, 80, [[5, 3], [5, 9], [8, 0], [8, 4], [8, 7], [8, 8], [9, 0], [9, 7], [9, 9], [10, 5]]),
    "whisper-large-v3-turbo": (1280, 32, 4, 20, 128, [[2, 4], [2, 11], [3, 3], [3, 6], [3, 11], [3, 14]]),
}


def specials(languages, last_seconds):
    names = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in languages), "<|translate|>", "<|transcribe|>",
             "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    return names + [f"<|{index * 0.02:.2f}|>" for index in range(round(last_seconds / 0.02) + 1)]


def tokenizer_of(words, merges, names):
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=merges, fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(names)
    return tokenizer


def small_tokenizer():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trained.train_from_iterator(made.texts(), trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    return tokenizer_of(model["vocab"], [tuple(pair) for pair in model["merges"]], specials(["en", "de", "fr", "ja"], 2.0))


def real_tokenizer(languages):
    """The byte pairs and language codes that the package of the authors carries."""
    import whisper
    from transformers.convert_slow_tokenizer import TikTokenConverter

    ranks = Path(whisper.__file__).parent / "assets" / "multilingual.tiktoken"
    words, merges = TikTokenConverter(str(ranks)).extract_vocab_merges_from_model(str(ranks))
    return tokenizer_of(words, merges, specials(languages, 30.0))


def resampled(samples):
    """48 kHz to 16 kHz by cutting the spectrum, and to 16 bits."""
    count = len(samples) // 3
    low = np.fft.irfft(np.fft.rfft(samples[: count * 3])[: count // 2 + 1], count) / 3
    return (np.clip(low, -1, 1) * 32767).round().astype("<i2")


def write_sound(path, samples):
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(samples.tobytes())


def enliven(model, eos, strength):
    """Random layers repeat themselves for ever. Here attention to the sound is sharpened, what is heard and the place in the text weigh more than
    the word before, and the later the place the more it leans towards the end of text: so outputs differ between sounds, and end."""
    with torch.no_grad():
        decoder = model.model.decoder
        decoder.embed_positions.weight.mul_(strength["positions"])
        for layer in decoder.layers:
            layer.encoder_attn.q_proj.weight.mul_(strength["cross"])
            layer.encoder_attn.out_proj.weight.mul_(strength["heard"])
        decoder.layer_norm.weight.mul_(strength["logits"])
        direction = decoder.embed_tokens.weight[eos]
        places = torch.arange(len(decoder.embed_positions.weight))[:, None] / strength["places"]
        decoder.embed_positions.weight.add_(strength["end"] * places * direction / direction.norm())
    return model


LIVELY = {"positions": 6.0, "cross": 4.0, "heard": 0.7, "logits": 2.0, "end": 4.0, "places": 20}


def build(folder, small, size, languages, strength):
    width, encoder_layers, decoder_layers, heads, mels, alignment = size
    tokenizer = small_tokenizer() if small else real_tokenizer(languages)
    of = tokenizer.token_to_id
    seconds = 2 if small else 30
    eos, last = of("<|endoftext|>"), of(f"<|{seconds:.2f}|>")
    config = WhisperConfig(
        vocab_size=last + 1, num_mel_bins=mels, d_model=width, encoder_layers=encoder_layers, decoder_layers=decoder_layers,
        encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width,
        max_source_positions=seconds * 50, max_target_positions=64 if small else 448, pad_token_id=eos, bos_token_id=eos, eos_token_id=eos,
        decoder_start_token_id=of("<|startoftranscript|>"), suppress_tokens=None, begin_suppress_tokens=None, median_filter_width=7,
    )
    torch.manual_seed(0)
    model = enliven(spread(WhisperForConditionalGeneration(config)), eos, strength)
    words = [of(word) for word in ("Ġ", "(", ")", "[", "]", "*", "#")]
    model.generation_config = GenerationConfig(
        alignment_heads=alignment, begin_suppress_tokens=[of("Ġ"), eos], bos_token_id=eos, decoder_start_token_id=of("<|startoftranscript|>"),
        eos_token_id=eos, is_multilingual=True, lang_to_id={f"<|{code}|>": of(f"<|{code}|>") for code in languages},
        max_initial_timestamp_index=50, max_length=config.max_target_positions, no_timestamps_token_id=of("<|notimestamps|>"),
        pad_token_id=eos, prev_sot_token_id=of("<|startofprev|>"), return_timestamps=False,
        suppress_tokens=sorted(words[1:] + [of(name) for name in ("<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>",
                                                                   "<|startofprev|>", "<|nospeech|>")]),
        task_to_id={"transcribe": of("<|transcribe|>"), "translate": of("<|translate|>")},
    )
    extractor = WhisperFeatureExtractor(feature_size=mels, chunk_length=seconds)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return model, extractor, tokenizer


class Spelling:
    """What grouping tokens to words asks of a tokenizer."""

    def __init__(self, tokenizer):
        self.tokenizer, self.eos_token_id = tokenizer, tokenizer.token_to_id("<|endoftext|>")

    def decode(self, tokens, decode_with_timestamps=False):
        return self.tokenizer.decode([token for token in tokens if token < self.eos_token_id], skip_special_tokens=False)


class Reference:
    """Runs generate() on sounds and writes down what it said."""

    def __init__(self, model, extractor, tokenizer):
        self.model, self.extractor, self.spelling = model, extractor, Spelling(tokenizer)
        self.runs = []

    def features(self, samples):
        whole = len(samples) > self.extractor.n_samples
        how = {"truncation": False, "padding": "longest"} if whole else {}
        return self.extractor(samples, sampling_rate=RATE_HZ, return_tensors="pt", return_attention_mask=True, **how)

    def run(self, sound, beams=1, timestamps=True, words=False, language=None, task="transcribe", prompt=None, condition=False, english=False,
            thresholds=None):
        """Of a sound within one window only the first window is asked for: what is beyond the sound's end is padding, into which the reference
        would go on."""
        name, samples = sound
        given = self.features(samples)
        short = given.input_features.shape[-1] <= self.extractor.nb_max_frames
        asked = {} if english else {"language": language, "task": task}
        asked.update(thresholds or {})
        if prompt:
            tokens = self.spelling.tokenizer.encode(" " + prompt, add_special_tokens=False).ids
            asked["prompt_ids"] = torch.tensor([self.spelling.tokenizer.token_to_id("<|startofprev|>")] + tokens)
        if thresholds:
            asked["temperature"] = (0.0,)
        if short:
            asked["force_unique_generate_call"] = True
        else:
            asked["condition_on_prev_tokens"] = condition
        if timestamps:
            asked["return_segments"] = True
        if words:
            asked["return_token_timestamps"] = True
        with torch.no_grad():
            out = self.model.generate(given.input_features, attention_mask=given.attention_mask, num_beams=beams,
                                      return_timestamps=timestamps, **asked)
        if timestamps:
            segments = out["segments"][0]
        else:
            prompt_end = out[0].tolist().index(self.model.generation_config.no_timestamps_token_id) + 1
            segments = [{"tokens": out[0][prompt_end:]}]
        self.runs.append({
            "sound": name, "beams": beams, "timestamps": timestamps, "words": words, "language": language, "task": task, "prompt": prompt,
            "condition": condition, "english": english, "thresholds": thresholds, "first_window_only": short and timestamps,
            "segments": [self.segment(segment, language or "en", words) for segment in segments],
        })
        return self.runs[-1]

    def segment(self, segment, language, words):
        tokens = [token for token in segment["tokens"].tolist() if token != self.spelling.eos_token_id]
        text = [token for token in tokens if token < self.spelling.eos_token_id]
        said = {"tokens": tokens, "text": self.spelling.decode(text).strip()}
        if "start" in segment:
            said["start"], said["end"] = round(float(segment["start"]), 3), round(float(segment["end"]), 3)
        if words:
            first, times = segment["idxs"][0], segment["result"]["token_timestamps"]
            offset = float(segment["token_timestamps"][0] - times[first])
            places = [first + place for place, token in enumerate(tokens) if token < self.spelling.eos_token_id]
            grouped, _, indices = _combine_tokens_into_words(self.spelling, text, LANGUAGES[language])
            said["words"] = [[word, round(float(times[places[of[0]] - 1]) + offset, 3), round(float(times[places[of[-1]]]) + offset, 3)]
                             for word, of in zip(grouped, indices)]
        return said


def sounds_of(folder, inputs, small):
    """Two short sounds and a long one of several windows, written into the case's folder."""
    given = sorted((inputs / "sounds").iterdir())
    shorts = [given[0], given[1]] if small else [given[1], given[6]]
    named = {path.stem: resampled(made.read_sound(path)) for path in shorts}
    named["long"] = resampled(made.sound(3))[: 5 * RATE_HZ] if small else np.concatenate([resampled(made.sound(index)) for index in (5, 7, 8)])
    for name, samples in named.items():
        write_sound(folder / "sounds" / f"{name}.wav", samples)
    return [(name, samples.astype(np.float32) / 32768) for name, samples in named.items()]


def case(folder, inputs, small, size, languages):
    model, extractor, tokenizer = build(folder, small, size, languages, LIVELY)
    if not small:
        check_against_the_authors(extractor, tokenizer)
    reference = Reference(model, extractor, tokenizer)
    *shorts, long = sounds = sounds_of(folder, inputs, small)
    for sound in shorts:
        reference.run(sound, timestamps=False)
        reference.run(sound, timestamps=False, beams=3, language="de", task="translate")
        reference.run(sound, words=True, language="fr")
    reference.run(shorts[1], beams=4)
    reference.run(long)
    reference.run(long, condition=True, words=True, language="ja")
    reference.run(long, condition=True, prompt="two red bicycles")
    reference.run(long, beams=2, condition=True, words=True, language="en")
    # Every text is too improbable: silence, where no speech is likely enough, or else taken for want of a better one.
    reference.run(long, thresholds={"logprob_threshold": 0.0, "no_speech_threshold": 0.0})
    reference.run(long, thresholds={"logprob_threshold": 0.0, "no_speech_threshold": 1.0})
    windows = [reference.features(samples).input_features[..., : extractor.nb_max_frames] for _, samples in sounds]
    detected = languages_of(model, windows, languages)
    if small:
        generation = model.generation_config
        generation.is_multilingual = False
        del generation.lang_to_id, generation.task_to_id
        reference.run(shorts[1], timestamps=False, english=True)
        reference.run(long, condition=True, english=True)
    features = torch.cat(windows[: len(shorts)])
    with torch.no_grad():
        states = model.model.encoder(features).last_hidden_state
    facts = {"runs": reference.runs, "detected": dict(zip([name for name, _ in sounds], detected))}
    expect(folder, {"features": features, "states": states}, facts)


def languages_of(model, features, languages):
    """The likeliest language of each window, and its probability among all of them."""
    ids = [model.generation_config.lang_to_id[f"<|{code}|>"] for code in languages]
    found = []
    for window in features:
        with torch.no_grad():
            start = torch.tensor([[model.generation_config.decoder_start_token_id]])
            logits = model(window, decoder_input_ids=start).logits[0, -1, ids]
        assert model.detect_language(window).item() == ids[logits.argmax()]
        found.append([languages[logits.argmax()], round(float(logits.softmax(-1).max()), 5)])
    return found


def check_against_the_authors(extractor, tokenizer):
    """Mel filters and tokens as the package of the authors carries them."""
    import whisper
    from whisper.tokenizer import get_tokenizer

    bands = whisper.audio.mel_filters("cpu", extractor.feature_size).numpy()
    assert np.abs(bands - extractor.mel_filters.T).max() < 1e-6
    theirs = get_tokenizer(True, num_languages=tokenizer.token_to_id("<|translate|>") - tokenizer.token_to_id("<|en|>"))
    for text in made.texts():
        tokens = tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids
        assert tokens == theirs.encode(" " + text.strip()), text
        assert tokenizer.decode(tokens, skip_special_tokens=False) == theirs.decode(tokens)
    for name in ("<|startofprev|>", "<|nospeech|>", "<|notimestamps|>", "<|transcribe|>", "<|30.00|>"):
        assert tokenizer.token_to_id(name) == theirs.special_tokens[name], name


def published_languages(count):
    from whisper.tokenizer import LANGUAGES

    return list(LANGUAGES)[:count]


MINI = ((32, 2, 2, 2, 80, [[0, 1], [1, 0], [1, 1]]), ["en", "de", "fr", "ja"])


def mini(folder, inputs, _small):
    """One size only: it is the small version of all the others."""
    case(folder, inputs, True, *MINI)


def published(name):
    def write(folder, inputs, small):
        if small:
            folder.rmdir()
        else:
            case(folder, inputs, False, SIZES[name], published_languages(100 if "v3" in name else 99))

    return write


ONLY_SMALL = {"whisper-mini": mini}
CASES = {name: published(name) for name in SIZES}
