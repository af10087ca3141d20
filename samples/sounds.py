"""The sample sounds: name -> a function that gives a list of floats at 16 kHz. Everything is synthesised here."""

import math
import random

RATE = 16_000
TAU = 2 * math.pi


def seconds(length):
    return int(length * RATE)


def silence(length):
    return [0.0] * seconds(length)


def mix(into, sound, at=0.0, gain=1.0):
    """Adds `sound` into `into` at a time in seconds; what does not fit is cut."""
    start = seconds(at)
    for index, value in enumerate(sound[: max(0, len(into) - start)]):
        into[start + index] += gain * value
    return into


def note(name):
    """The frequency of a note such as C4 or F#3."""
    semitone = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[name[0]]
    sharp = name.count("#")
    return 440.0 * 2 ** ((semitone + sharp - 9) / 12 + int(name[-1]) - 4)


def low_pass(sound, hz):
    """One pole."""
    a, y, out = 1 - math.exp(-TAU * hz / RATE), 0.0, []
    for x in sound:
        y += a * (x - y)
        out.append(y)
    return out


def high_pass(sound, hz):
    return [x - y for x, y in zip(sound, low_pass(sound, hz))]


def band_pass(sound, hz, q=1.0):
    """A biquad with peak gain 1."""
    w = TAU * hz / RATE
    alpha = math.sin(w) / (2 * q)
    b, a1, a2 = alpha / (1 + alpha), -2 * math.cos(w) / (1 + alpha), (1 - alpha) / (1 + alpha)
    x1 = x2 = y1 = y2 = 0.0
    out = []
    for x in sound:
        y = b * (x - x2) - a1 * y1 - a2 * y2
        x1, x2, y1, y2 = x, x1, y, y1
        out.append(y)
    return out


def noise(length, seed):
    dice = random.Random(seed)
    return [dice.uniform(-1, 1) for _ in range(seconds(length))]


def fade(sound, attack, release):
    n, up, down = len(sound), seconds(attack), seconds(release)
    return [x * min(1.0, i / max(1, up), (n - 1 - i) / max(1, down)) for i, x in enumerate(sound)]


def room(sound, wet=0.25):
    """A small reverberation: four feedback combs after a short pause."""
    out = [0.0] * len(sound)
    for delay, back in ((0.0297, 0.77), (0.0371, 0.75), (0.0411, 0.73), (0.0437, 0.71)):
        d, line = seconds(delay), [0.0] * len(sound)
        for i, x in enumerate(sound):
            line[i] = x + (back * line[i - d] if i >= d else 0.0)
            out[i] += line[i] / 4
    return [x + wet * y for x, y in zip(sound, out)]


def harmonics(hz, length, levels, vibrato=0.0, rate=5.5, glide=0.0):
    """A sum of harmonics at the given levels, with vibrato as a share of the pitch."""
    phase, out = 0.0, []
    levels = [(k + 1, level) for k, level in enumerate(levels) if (k + 1) * hz < RATE * 0.48 and level]
    for i in range(seconds(length)):
        t = i / RATE
        wobble = vibrato * min(1.0, t / 0.35) * math.sin(TAU * rate * t)
        start = 1 - glide * math.exp(-t * 25)
        phase += TAU * hz * start * (1 + wobble) / RATE
        out.append(sum(level * math.sin(k * phase) for k, level in levels))
    return out


def struck(hz, length, partials):
    """Partials of a struck body: (ratio, level, decay rate)."""
    out = []
    for i in range(seconds(length)):
        t = i / RATE
        out.append(sum(level * math.exp(-rate * t) * math.sin(TAU * hz * ratio * t) for ratio, level, rate in partials))
    return out


# Instruments


def plucked(hz, length, seed, damping=0.996):
    """Karplus-Strong: a burst of noise goes round a string."""
    period = max(2, round(RATE / hz - 0.5))
    string = low_pass(noise((period + 1) / RATE, seed)[:period], 3800)
    out = []
    for i in range(seconds(length)):
        now = string[i % period]
        string[i % period] = damping * 0.5 * (now + string[(i + 1) % period])
        out.append(now)
    return out


def guitar():
    out = silence(3.4)
    chords = (("E2", "B2", "E3", "G#3", "B3", "E4"), ("A2", "E3", "A3", "C#4", "E4"), ("E2", "B2", "E3", "G#3", "B3", "E4"))
    for at, chord in zip((0.05, 0.95, 1.85), chords):
        for string, name in enumerate(chord):
            mix(out, plucked(note(name), 3.3 - at, f"{name}{at}"), at + 0.045 * string, 0.5)
    # The wooden body.
    body = band_pass(out, 110, 2.5)
    second = band_pass(out, 220, 2.0)
    return room([x + 0.9 * a + 0.6 * b for x, a, b in zip(out, body, second)], 0.12)


def violin():
    out = silence(3.6)
    levels = [1.0, 0.9, 0.75, 0.7, 0.6, 0.45, 0.4, 0.3, 0.26, 0.2, 0.18, 0.14, 0.11, 0.08, 0.06]
    for at, name, length in ((0.05, "A4", 0.8), (0.8, "C#5", 0.55), (1.3, "E5", 0.55), (1.8, "A5", 1.7)):
        tone = harmonics(note(name), length, levels, vibrato=0.008, rate=5.8, glide=0.03)
        bow = band_pass(noise(length, name), 3200, 0.7)
        mix(out, fade([x + 0.35 * y for x, y in zip(tone, bow)], 0.09, 0.14), at)
    bright = [a + b + 0.7 * c for a, b, c in zip(band_pass(out, 480, 1.5), band_pass(out, 1100, 1.2), band_pass(out, 2800, 1.0))]
    return room([x * 0.4 + y for x, y in zip(out, bright)], 0.3)


def piano_note(name, length, seed):
    hz, out = note(name), silence(length)
    for detune in (-0.0006, 0.0007):
        partials = []
        for k in range(1, 13):
            ratio = k * math.sqrt(1 + 0.0004 * k * k)
            if hz * ratio < 7600:
                partials.append((ratio * (1 + detune), 1 / k**1.35, (0.9 + 0.55 * k) * (hz / 260) ** 0.4))
        mix(out, struck(hz, length, partials), 0, 0.5)
    thump = band_pass(noise(0.06, seed), 350, 1.0)
    mix(out, [x * math.exp(-i / 180) for i, x in enumerate(thump)], 0, 1.2)
    return fade(out, 0.003, 0.1)


def piano():
    out = silence(3.4)
    melody = (("C4", 0.05), ("E4", 0.4), ("G4", 0.75), ("C5", 1.1), ("G4", 1.45), ("E4", 1.8), ("C4", 2.15))
    for name, at in melody:
        mix(out, piano_note(name, 3.4 - at, name), at, 0.6)
    for name in ("C3", "G3"):
        mix(out, piano_note(name, 2.0, name), 0.05, 0.5)
        mix(out, piano_note(name, 1.2, name), 2.15, 0.5)
    return room(out, 0.2)


def organ():
    out = silence(3.4)
    pipes = [1.0, 0.75, 0.35, 0.6, 0.1, 0.25, 0.05, 0.4]
    for at, length, chord in ((0.05, 1.2, ("C3", "G3", "C4", "E4")), (1.2, 1.0, ("F3", "A3", "C4", "F4")), (2.1, 1.25, ("G2", "G3", "B3", "D4"))):
        for name in chord:
            mix(out, fade(harmonics(note(name), length, pipes, vibrato=0.001), 0.05, 0.12), at, 0.3)
    return room(out, 0.6)


def flute():
    out = silence(3.4)
    levels = [1.0, 0.35, 0.12, 0.05, 0.02]
    for at, name, length in ((0.05, "D5", 0.6), (0.6, "F#5", 0.4), (0.95, "A5", 0.4), (1.3, "B5", 0.5), (1.75, "A5", 1.5)):
        tone = harmonics(note(name), length, levels, vibrato=0.006, rate=5.0, glide=0.02)
        breath = band_pass(noise(length, name + "breath"), note(name) * 1.5, 0.8)
        swell = [x * (1 + 0.15 * math.sin(TAU * 5 * i / RATE)) + 0.22 * y for i, (x, y) in enumerate(zip(tone, breath))]
        mix(out, fade(swell, 0.06, 0.1), at)
    return room(out, 0.3)


def brass(hz, length):
    """The brighter the louder: the upper harmonics come later and go earlier."""
    phase, out, n = 0.0, [], seconds(length)
    count = min(16, int(7600 / hz))
    for i in range(n):
        t = i / RATE
        loud = min(1.0, t / 0.06) * min(1.0, (n - i) / seconds(0.08))
        phase += TAU * hz * (1 - 0.03 * math.exp(-t * 40)) * (1 + 0.004 * math.sin(TAU * 5.2 * t) * min(1, t / 0.5)) / RATE
        edge = 0.35 + 0.5 * loud
        out.append(loud * sum(edge**k * math.sin(k * phase) for k in range(1, count + 1)))
    return out


def trumpet():
    out = silence(3.2)
    call = (("G4", 0.05, 0.22), ("G4", 0.32, 0.14), ("G4", 0.5, 0.14), ("C5", 0.7, 0.5), ("E5", 1.25, 0.45), ("G5", 1.75, 1.3))
    for name, at, length in call:
        mix(out, brass(note(name), length), at, 0.5)
    out = [x + 0.8 * y for x, y in zip(out, band_pass(out, 1300, 1.0))]
    return room(out, 0.25)


def saxophone():
    out = silence(3.2)
    levels = [1.0, 0.8, 0.95, 0.6, 0.55, 0.5, 0.3, 0.3, 0.2, 0.15, 0.12, 0.08]
    for at, name, length in ((0.05, "C4", 0.45), (0.45, "D#4", 0.35), (0.75, "F4", 0.35), (1.05, "F#4", 0.25), (1.25, "F4", 0.3), (1.5, "D#4", 0.4), (1.85, "C4", 1.25)):
        tone = harmonics(note(name), length, levels, vibrato=0.009, rate=5.0, glide=0.06)
        reed = band_pass(noise(length, name + "reed"), 1800, 0.8)
        mix(out, fade([x + 0.25 * y for x, y in zip(tone, reed)], 0.04, 0.09), at)
    return room([x + a + 0.8 * b for x, a, b in zip(out, band_pass(out, 600, 1.5), band_pass(out, 1500, 1.2))], 0.25)


def drums():
    out, beat = silence(3.3), 0.25

    def kick():
        return [math.exp(-9 * i / RATE) * math.sin(TAU * (48 * i / RATE + 6 * (1 - math.exp(-30 * i / RATE)))) for i in range(seconds(0.4))]

    def snare(seed):
        rattle = high_pass(noise(0.25, seed), 1200)
        return [0.8 * x * math.exp(-16 * i / RATE) + 0.6 * math.exp(-25 * i / RATE) * math.sin(TAU * 190 * i / RATE) for i, x in enumerate(rattle)]

    def hat(seed, rate):
        return [x * math.exp(-rate * i / RATE) for i, x in enumerate(high_pass(high_pass(noise(0.2, seed), 5500), 5500))]

    def tom(hz):
        return [math.exp(-8 * i / RATE) * math.sin(TAU * (hz * i / RATE + 2 * (1 - math.exp(-20 * i / RATE)))) for i in range(seconds(0.4))]

    for step in range(13):
        at = 0.05 + step * beat
        mix(out, hat(f"hat{step}", 30 if step % 4 != 3 else 14), at, 0.55)
        if step % 4 == 0 or step in (3, 7, 10):
            mix(out, kick(), at, 1.0)
        if step % 4 == 2:
            mix(out, snare(f"snare{step}"), at, 0.9)
    for index, hz in enumerate((180, 150, 120, 95)):
        mix(out, tom(hz), 2.55 + index * 0.125, 0.8)
    return room(out, 0.08)


# Things


def church_bell():
    out = silence(4.0)
    partials = ((0.5, 0.7, 0.5), (1.0, 1.0, 0.8), (1.19, 0.7, 1.2), (1.5, 0.35, 1.5), (2.0, 0.8, 2.0), (2.67, 0.3, 3.2), (3.0, 0.25, 4.0), (4.1, 0.2, 6.0))
    for at in (0.05, 1.85):
        mix(out, struck(262, 4.0 - at, partials), at)
    return fade(room(out, 0.35), 0.001, 0.2)


def ambulance_siren():
    phase, out = 0.0, []
    for i in range(seconds(3.4)):
        t = i / RATE
        phase += TAU * (440 if t % 1.1 < 0.55 else 587) / RATE
        out.append(sum(math.sin(k * phase) / k for k in (1, 2, 3, 4, 5)))
    return room(fade(out, 0.02, 0.05), 0.15)


def police_siren():
    phase, out = 0.0, []
    for i in range(seconds(3.6)):
        t = i / RATE
        sweep = 0.5 - 0.5 * math.cos(TAU * t / 1.2)
        phase += TAU * (560 + 900 * sweep) / RATE
        out.append(sum(math.sin(k * phase) / k**1.3 for k in (1, 2, 3, 4)))
    return room(fade(out, 0.02, 0.05), 0.15)


def telephone():
    """Two gongs, struck in turn 22 times a second: ring ring, pause, ring ring."""
    out = silence(3.6)
    gong = [struck(hz, 0.3, ((1, 1, 14), (2.71, 0.6, 20), (5.15, 0.25, 30))) for hz in (1180, 1420)]
    for start, end in ((0.05, 0.75), (1.0, 1.7), (2.6, 3.3)):
        for strike in range(int((end - start) * 22)):
            mix(out, gong[strike % 2], start + strike / 22, 0.5)
    return out


def clock():
    out = silence(3.6)
    for tick in range(7):
        hz = 2400 if tick % 2 == 0 else 1900
        click = band_pass(noise(0.05, f"tick{tick % 2}"), hz, 2.0)
        sound = [x * math.exp(-120 * i / RATE) for i, x in enumerate(click)]
        mix(sound, struck(hz * 0.31, 0.05, ((1, 0.25, 90), (2.4, 0.15, 120))))
        mix(out, sound, 0.05 + 0.5 * tick)
    return room(out, 0.1)


def alarm_beeps():
    out = silence(3.0)
    tone = fade([math.copysign(0.6, math.sin(TAU * 2000 * i / RATE)) for i in range(seconds(0.09))], 0.002, 0.002)
    for group in range(3):
        for beep in range(4):
            mix(out, tone, 0.05 + group * 1.0 + beep * 0.16)
    return low_pass(out, 6000)


def rain():
    dice = random.Random("rain")
    out = [0.35 * x for x in high_pass(noise(3.4, "shower"), 1100)]
    for _ in range(420):
        drop = band_pass(noise(0.02, dice.random()), dice.uniform(1500, 5500), 2.5)
        mix(out, [x * math.exp(-260 * i / RATE) for i, x in enumerate(drop)], dice.uniform(0, 3.35), dice.uniform(0.4, 2.2))
    return fade(out, 0.1, 0.15)


def thunder():
    dice = random.Random("thunder")
    length = 4.0
    rumble = low_pass(low_pass(noise(length, "rumble"), 130), 220)
    crack = low_pass(noise(length, "crack"), 1800)
    rolls = [(dice.uniform(0.3, 3.0), dice.uniform(0.15, 0.5), dice.uniform(0.4, 1.0)) for _ in range(9)]
    out = []
    for i in range(seconds(length)):
        t = i / RATE
        swell = sum(level * math.exp(-(((t - at) / width) ** 2)) for at, width, level in rolls)
        first = math.exp(-6 * (t - 0.2)) if t > 0.2 else 0.0
        out.append(9 * rumble[i] * (swell + 0.8 * first) * math.exp(-0.45 * t) + 1.6 * crack[i] * first)
    return fade(out, 0.01, 0.5)


def birdsong():
    dice, out, at = random.Random("birds"), silence(3.6), 0.1
    while at < 3.3:
        high, low = dice.uniform(4200, 6200), dice.uniform(2600, 3600)
        for _ in range(dice.randint(2, 5)):
            length, phase, chirp = dice.uniform(0.05, 0.12), 0.0, []
            n = seconds(length)
            rising = dice.random() < 0.4
            for i in range(n):
                share = i / n
                phase += TAU * (low + (high - low) * (share if rising else 1 - share) ** 1.5) / RATE
                chirp.append(math.sin(phase) * math.sin(math.pi * share) ** 0.7)
            mix(out, chirp, at, dice.uniform(0.5, 1.0))
            at += length + dice.uniform(0.02, 0.06)
        at += dice.uniform(0.15, 0.4)
    return room(out, 0.15)


def dog_barking():
    out = silence(3.2)
    for at, hz in ((0.1, 330), (0.55, 350), (1.35, 320), (1.75, 345), (2.5, 310)):
        n, phase, bark = seconds(0.19), 0.0, []
        hiss = noise(0.19, f"bark{at}")
        for i in range(n):
            share = i / n
            phase += TAU * hz * (0.75 + 0.55 * math.sin(math.pi * share**0.7)) / RATE
            saw = sum(math.sin(k * phase) / k**0.5 for k in range(1, 14))
            bark.append((saw + 2.2 * hiss[i]) * min(1, share / 0.08) * (1 - share) ** 0.7)
        throat = [a + 0.9 * b for a, b in zip(band_pass(bark, 750, 1.6), band_pass(bark, 1350, 1.8))]
        mix(out, throat, at)
    return room(out, 0.15)


def cat_meowing():
    out = silence(3.2)
    for at, length in ((0.15, 0.9), (1.65, 1.1)):
        n, phase, voice = seconds(length), 0.0, []
        for i in range(n):
            share = i / n
            phase += TAU * (430 + 330 * math.sin(math.pi * min(1, share * 1.05)) ** 0.8) / RATE
            voice.append(sum(math.sin(k * phase) / k**0.6 for k in range(1, 10)))
        closed, opened = band_pass(voice, 900, 2.5), band_pass(voice, 1800, 2.0)
        shape = [(a * (1 - math.sin(math.pi * i / n)) + b * math.sin(math.pi * i / n) + 0.5 * a) for i, (a, b) in enumerate(zip(closed, opened))]
        mix(out, fade(shape, 0.12, 0.35), at)
    return room(out, 0.12)


def applause():
    dice, out = random.Random("applause"), silence(3.6)
    claps = []
    for index in range(12):
        clap = band_pass(noise(0.05, f"clap{index}"), dice.uniform(900, 2400), 1.2)
        claps.append([x * math.exp(-90 * i / RATE) for i, x in enumerate(clap)])
    for person in range(34):
        at, pace = dice.uniform(0, 0.4), dice.uniform(0.17, 0.27)
        while at < 3.5:
            mix(out, dice.choice(claps), at, dice.uniform(0.3, 1.0))
            at += pace * dice.uniform(0.88, 1.12)
    return fade(room(out, 0.35), 0.25, 0.4)


def engine():
    phase, out, rough = 0.0, [], low_pass(noise(3.4, "exhaust"), 900)
    for i in range(seconds(3.4)):
        t = i / RATE
        rate = 26 + (22 * max(0.0, math.sin(TAU * (t - 0.8) / 2.4)) if 0.8 < t < 2.0 else 0.0)
        phase += TAU * rate / RATE
        fire = sum(math.sin(k * phase) / k**0.75 for k in range(1, 26))
        out.append(fire * (1 + 0.45 * math.sin(phase / 2)) + 2.4 * rough[i] * (1 + 0.6 * math.sin(phase)))
    return fade(low_pass(out, 2600), 0.08, 0.15)


def steam_train():
    out = [0.0] * seconds(3.6)
    at, gap, puff = 0.05, 0.34, 0
    while at < 3.4:
        burst = band_pass(noise(0.3, f"puff{puff}"), 700 if puff % 4 == 0 else 950, 0.6)
        mix(out, [x * min(1, i / 300) * math.exp(-11 * i / RATE) for i, x in enumerate(burst)], at, 1.0 if puff % 4 == 0 else 0.7)
        at, gap, puff = at + gap, gap * 0.965, puff + 1
    whistle = [0.0] * seconds(0.9)
    for hz in (740, 880, 1108):
        mix(whistle, harmonics(hz, 0.9, [1.0, 0.3, 0.12], vibrato=0.004), 0, 0.12)
    hiss = high_pass(noise(0.9, "whistle"), 2500)
    mix(out, fade([a + 0.06 * b for a, b in zip(whistle, hiss)], 0.06, 0.2), 1.9)
    rails = low_pass(noise(3.6, "rails"), 160)
    return room([x + 0.5 * y for x, y in zip(out, rails)], 0.15)


def ocean_waves():
    out, hiss, deep = [], noise(4.0, "surf"), low_pass(noise(4.0, "deep"), 500)
    soft = low_pass(hiss, 3800)
    for i in range(seconds(4.0)):
        t = i / RATE
        swell = math.sin(math.pi * ((t + 0.3) % 2.15) / 2.15) ** 3
        out.append(soft[i] * (0.06 + 0.8 * swell) + deep[i] * (0.3 + 0.5 * swell))
    return fade(out, 0.1, 0.2)


def doorbell():
    out = silence(2.6)
    bar = ((1, 1, 2.6), (2.0, 0.25, 4), (3.0, 0.12, 6), (5.4, 0.08, 12))
    mix(out, struck(note("E5"), 1.8, bar), 0.05)
    mix(out, struck(note("C5"), 1.9, bar), 0.7)
    return fade(room(out, 0.2), 0.001, 0.2)


SOUNDS = {
    "guitar": guitar,
    "violin": violin,
    "piano": piano,
    "organ": organ,
    "flute": flute,
    "trumpet": trumpet,
    "saxophone": saxophone,
    "drums": drums,
    "church-bell": church_bell,
    "ambulance-siren": ambulance_siren,
    "police-siren": police_siren,
    "telephone": telephone,
    "clock": clock,
    "alarm-beeps": alarm_beeps,
    "rain": rain,
    "thunder": thunder,
    "birdsong": birdsong,
    "dog-barking": dog_barking,
    "cat-meowing": cat_meowing,
    "applause": applause,
    "engine": engine,
    "steam-train": steam_train,
    "ocean-waves": ocean_waves,
    "doorbell": doorbell,
}
