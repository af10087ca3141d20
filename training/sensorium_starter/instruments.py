"""The names of the General MIDI programs and drum keys, with families and keywords, and phrases to play on them."""
import random
import struct

PROGRAMS = """acoustic grand piano|bright acoustic piano|electric grand piano|honky-tonk piano|electric piano rhodes|electric piano dx|harpsichord|clavinet
celesta|glockenspiel|music box|vibraphone|marimba|xylophone|tubular bells|dulcimer
drawbar organ|percussive organ|rock organ|church organ|reed organ|accordion|harmonica|bandoneon tango accordion
nylon string acoustic guitar|steel string acoustic guitar|jazz electric guitar|clean electric guitar|muted electric guitar|overdriven electric guitar|distorted electric guitar|guitar harmonics
acoustic double bass|fingered electric bass|picked electric bass|fretless bass|slap bass|popping slap bass|synth bass|deep synth bass
violin|viola|cello|contrabass|tremolo strings|pizzicato strings|orchestral harp|timpani
string ensemble|slow string ensemble|synth strings|slow synth strings|choir aahs|voice oohs|synth voice|orchestra hit
trumpet|trombone|tuba|muted trumpet|french horn|brass section|synth brass|soft synth brass
soprano saxophone|alto saxophone|tenor saxophone|baritone saxophone|oboe|english horn|bassoon|clarinet
piccolo|flute|recorder|pan flute|blown bottle|shakuhachi|whistle|ocarina
square wave synth lead|sawtooth synth lead|calliope synth lead|chiffer synth lead|charang synth lead|solo voice synth lead|fifths synth lead|bass and lead synth
new age synth pad|warm synth pad|polysynth pad|choir synth pad|bowed glass synth pad|metallic synth pad|halo synth pad|sweep synth pad
rain synth effect|soundtrack synth effect|crystal synth effect|atmosphere synth effect|brightness synth effect|goblins synth effect|echoes synth effect|sci-fi synth effect
sitar|banjo|shamisen|koto|kalimba thumb piano|bagpipes|fiddle|shanai
tinkle bell|agogo|steel drums|woodblock|taiko drum|melodic tom|synth drum|reverse cymbal
guitar fret noise|breath noise|ocean seashore waves|bird tweet|telephone ring|helicopter|applause|gunshot"""
PROGRAMS = [name for line in PROGRAMS.split("\n") for name in line.split("|")]
FAMILIES = ["piano", "tuned percussion", "organ", "guitar", "bass guitar", "string instrument", "ensemble", "brass instrument",
            "saxophone and reed woodwind", "flute and pipe", "synthesizer lead", "synthesizer pad", "synthesizer effect",
            "world folk instrument", "drum and percussion", "sound effect"]
WORDS = ["piano, keys, keyboard", "mallets, chimes, bells", "organ, keyboard", "guitar, strummed strings", "bass, low notes",
         "strings, bowed, orchestra", "orchestra, ensemble", "brass, horn, fanfare", "woodwind, sax, reed", "woodwind, flute, pipe",
         "electronic, synth", "ambient, synth, pad", "ambient, electronic, spacey", "folk music, plucked, ethnic", "percussion, drum", "noise, effect"]
DRUMS = ["bass drum", "kick drum", "side stick", "snare drum", "hand clap", "electric snare drum", "low floor tom", "closed hi-hat", "high floor tom",
         "pedal hi-hat", "low tom drum", "open hi-hat", "low mid tom drum", "high mid tom drum", "crash cymbal", "high tom drum", "ride cymbal",
         "chinese cymbal", "ride bell", "tambourine", "splash cymbal", "cowbell", "crash cymbal", "vibraslap", "ride cymbal", "high bongo",
         "low bongo", "mute conga", "open conga", "low conga", "high timbale", "low timbale", "high agogo", "low agogo", "cabasa", "maracas",
         "short whistle", "long whistle", "short guiro", "long guiro", "claves", "high wood block", "low wood block", "mute cuica", "open cuica",
         "mute triangle", "open triangle"]
RANGES = {"bass": (30, 50), "contrabass": (30, 48), "tuba": (34, 55), "bassoon": (38, 62), "cello": (40, 67), "trombone": (42, 67), "baritone": (40, 62),
          "timpani": (40, 55), "piccolo": (72, 96), "glockenspiel": (76, 100), "celesta": (64, 96), "flute": (62, 88), "whistle": (68, 90),
          "violin": (57, 88), "fiddle": (57, 86), "xylophone": (62, 92), "music": (65, 92), "trumpet": (55, 80), "oboe": (58, 84), "taiko": (40, 60)}
SLOT_SECONDS = 5.5
TICKS = 480  # per half second (120 beats a minute)


def tick(seconds):
    return int(round(seconds * 2 * TICKS))


def pitch_range(name):
    for word, its in RANGES.items():
        if word in name:
            return its
    return 43, 84


def phrase(chance, name):
    """(start seconds, length seconds, key, velocity) of one phrase of at most about 3.9 s."""
    low, high = pitch_range(name)
    root = chance.randint(low, max(low, high - 12))
    kind = chance.choice(("long", "long", "repeat", "scale", "arpeggio", "chords", "melody", "melody"))
    velocity = chance.randint(70, 120)
    scale = chance.choice(((0, 2, 4, 5, 7, 9, 11, 12), (0, 2, 3, 5, 7, 8, 10, 12), (0, 2, 4, 7, 9, 12, 14, 16)))
    notes, at = [], chance.uniform(0.0, 0.25)
    if kind == "long":
        notes.append((at, chance.uniform(1.5, 3.5), root + chance.randint(0, 12), velocity))
    elif kind == "repeat":
        length = chance.uniform(0.3, 0.9)
        while at < 3.5:
            notes.append((at, length * 0.85, root, velocity))
            at += length
    elif kind == "chords":
        length = chance.uniform(0.8, 1.8)
        while at < 3.2:
            shift = chance.choice((0, 5, 7, 9))
            notes += [(at, length * 0.9, root + shift + part, velocity) for part in (0, 4, 7)]
            at += length
    else:
        length = chance.uniform(0.16, 0.6)
        index = 0
        while at < 3.5:
            step = {"scale": scale[index % 8], "arpeggio": (0, 4, 7, 12, 7, 4)[index % 6], "melody": chance.choice(scale)}[kind]
            its = length * (chance.choice((0.5, 1, 1, 2)) if kind == "melody" else 1)
            notes.append((at, its * 0.9, root + step, max(50, velocity + chance.randint(-12, 8))))
            at += its
            index += 1
    return notes


def drum_phrase(chance, key):
    notes, at = [], chance.uniform(0.0, 0.2)
    if chance.random() < 0.3:
        return [(at, 0.5, key, chance.randint(80, 120))]
    length = chance.choice((0.2, 0.25, 0.33, 0.5, 0.75))
    while at < 3.6:
        if chance.random() < 0.85:
            notes.append((at, 0.1, key, chance.randint(70, 120)))
        at += length
    return notes or [(0.1, 0.5, key, 100)]


def beat(chance):
    step = chance.uniform(0.11, 0.19)
    notes = []
    kick, snare, hat = chance.choice((35, 36)), chance.choice((38, 40)), chance.choice((42, 46, 51))
    for index in range(int(3.9 / step)):
        at = index * step
        if index % 8 == 0 or (index % 8 in (3, 5, 6) and chance.random() < 0.25):
            notes.append((at, 0.1, kick, 110))
        if index % 8 == 4:
            notes.append((at, 0.1, snare, 105))
        if index % 2 == 0:
            notes.append((at, 0.1, hat, 80))
    return notes


def midi(program, channel, phrases):
    """A standard MIDI file that plays each phrase in its own slot and silences everything before the next."""
    events = [(0, 0, bytes([0xC0 | channel, program]))]
    for slot, notes in enumerate(phrases):
        start = slot * SLOT_SECONDS
        for at, length, key, velocity in notes:
            key = max(0, min(127, key))
            events.append((tick(start + at), 2, bytes([0x90 | channel, key, min(127, velocity)])))
            events.append((tick(start + at + length), 1, bytes([0x80 | channel, key, 0])))
        for controller in (123, 120):
            events.append((tick(start + SLOT_SECONDS - 0.1), 3, bytes([0xB0 | channel, controller, 0])))
    events.sort(key=lambda event: event[:2])
    track, now = b"", 0
    for at, _, message in events:
        track += variable(at - now) + message
        now = at
    track += variable(TICKS) + b"\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def variable(number):
    out = bytes([number & 127])
    while number > 127:
        number >>= 7
        out = bytes([(number & 127) | 128]) + out
    return out
