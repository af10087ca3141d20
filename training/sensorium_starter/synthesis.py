"""Sounds made by formula: each function takes a numpy random generator and gives up to 4.096 s at 16 kHz."""
import numpy as np

RATE, N = 16000, 65536
T = np.arange(N) / RATE
TAU = 2 * np.pi


def phase(frequency):
    return TAU * np.cumsum(np.broadcast_to(frequency, (N,))) / RATE


def shaped(g, slope):
    """Noise with a spectrum falling by `slope` in amplitude per octave-ish (0 white, 0.5 pink, 1 brown)."""
    spectrum = np.fft.rfft(g.standard_normal(N))
    spectrum /= np.maximum(np.arange(len(spectrum)), 8) ** slope
    out = np.fft.irfft(spectrum, N)
    return out / np.abs(out).max()


def band(x, low, high):
    spectrum = np.fft.rfft(x)
    hz = np.fft.rfftfreq(len(x), 1 / RATE)
    gain = 1 / (1 + (np.maximum(low, 1) / np.maximum(hz, 1)) ** 6) / (1 + (hz / high) ** 6)
    return np.fft.irfft(spectrum * gain, len(x))


def slow(g, hz, low=0.0, high=1.0):
    """A random smooth curve between low and high that moves about `hz` times a second."""
    knots = g.random(int(4.2 * hz) + 3)
    return low + (high - low) * np.interp(T * hz, np.arange(len(knots)), knots)


def hits(g, times, make):
    out = np.zeros(N)
    for at in times:
        sound = make()
        start = int(at * RATE)
        if 0 <= start < N:
            stop = min(N, start + len(sound))
            out[start:stop] += sound[:stop - start]
    return out


def decaying(seconds, rate):
    t = np.arange(int(seconds * RATE)) / RATE
    return t, np.exp(-rate * t)


def burst(g, seconds, rate, low, high):
    t, envelope = decaying(seconds, rate)
    return band(g.standard_normal(len(t)), low, high) * envelope


def every(g, period, jitter=0.0, until=4.0):
    at, out = g.uniform(0, min(period, 0.4)), []
    while at < until:
        out.append(at)
        at += period * (1 + jitter * g.uniform(-1, 1))
    return out


def chirped(seconds, start, stop, power=1.0):
    t = np.linspace(0, 1, int(seconds * RATE))
    return np.sin(TAU * np.cumsum(start + (stop - start) * t ** power) / RATE) * np.sin(np.pi * t) ** 0.6


def partials(f, ratios, rates, seconds, g):
    t = np.arange(int(seconds * RATE)) / RATE
    return sum(np.exp(-rate * t) * np.sin(TAU * f * ratio * t + g.uniform(0, 6)) / (1 + 0.4 * i) for i, (ratio, rate) in enumerate(zip(ratios, rates)))


def gate(on, off, offset=0.0):
    return (((T + offset) % (on + off)) < on).astype(float)


def tone(g, f, shape="sine"):
    p = phase(f)
    if shape == "square":
        return np.sign(np.sin(p)) * 0.7
    if shape == "saw":
        return (p / TAU % 1) * 2 - 1
    return np.sin(p)


def buzz(f, harmonics=12, slope=1.0):
    p = phase(f)
    return sum(np.sin(k * p) / k ** slope for k in range(1, harmonics + 1))


def voice(f, formants):
    """A buzz through formant peaks, for barks, meows and the like; f is a curve."""
    x = buzz(f, 40, 0.6)
    return sum(weight * band(x, hz * 0.85, hz * 1.15) for hz, weight in formants)


def bark(g):
    f, scale = g.uniform(250, 600), g.uniform(0.8, 1.3)
    def one():
        t = np.linspace(0, 1, int(g.uniform(0.12, 0.22) * RATE))
        pitch = f * (0.7 + 0.6 * np.sin(np.pi * t))
        x = np.sign(np.sin(TAU * np.cumsum(pitch) / RATE)) + 0.8 * g.standard_normal(len(t))
        return band(x, 350 * scale, 1600 * scale) * np.sin(np.pi * t) ** 0.5
    return hits(g, every(g, g.uniform(0.35, 0.8), 0.3), one)


def animal(g, low, high, seconds, formants, gap):
    def one():
        t = np.linspace(0, 1, N)
        f = low + (high - low) * np.sin(np.pi * np.clip(T / seconds, 0, 1)) ** 0.7
        return (voice(f * (1 + 0.02 * np.sin(TAU * 6 * T)), formants) * np.sin(np.pi * np.clip(T / seconds, 0, 1)) ** 0.5)[:int(seconds * RATE)]
    return hits(g, every(g, gap, 0.2), one)


def engine(g, rate, rough):
    f = rate * (1 + 0.06 * slow(g, 2, -1, 1))
    return buzz(f, 30, 0.8) * (1 + 0.5 * np.sin(phase(f / 2))) + rough * shaped(g, 0.6) * 3


def chops(g, rate, low, high, sharp):
    envelope = np.maximum(0, np.sin(phase(rate))) ** sharp
    return band(g.standard_normal(N), low, high) * envelope


def two_tones(a, b, g):
    return np.sin(phase(a)) + np.sin(phase(b))


def keys(g):
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    def one():
        t = np.arange(int(0.15 * RATE)) / RATE
        return np.sin(TAU * g.choice(rows) * t) + np.sin(TAU * g.choice(columns) * t)
    return hits(g, every(g, g.uniform(0.22, 0.35)), one)


def morse(g):
    unit, pattern = g.uniform(0.05, 0.09), []
    while sum(pattern) * unit < 4.2:
        pattern += [g.choice((1, 3)), g.choice((1, 1, 1, 3, 7))]
    out, at, on = np.zeros(N), 0, True
    for units in pattern:
        stop = at + int(units * unit * RATE)
        out[at:min(stop, N)] = on
        at, on = stop, not on
    return out * np.sin(phase(g.uniform(500, 900)))


def melody(g, steps, length, shape):
    f = np.repeat(g.uniform(300, 600) * 2 ** (np.array(steps) / 12), int(length * RATE))[:N]
    x = tone(g, np.pad(f, (0, N - len(f)), mode="edge"), shape)
    x[len(f):] = 0
    return x


def heartbeat(g):
    times = np.array(every(g, g.uniform(0.6, 1.0)))
    first, second = (hits(g, times + delay, lambda: chirped(0.12, 70, 40)) for delay in (0.0, 0.28))
    return first + 0.7 * second


def struck(g, f, steps, gap, ratios):
    """A few notes after each other, struck and dying away."""
    out = np.zeros(N)
    for index, step in enumerate(steps):
        out += hits(g, [0.1 + index * gap], lambda: partials(f * step, ratios, (2.5, 3.5, 5), 2.0, g))
    return out


def cuckoo(g):
    f, period = g.uniform(600, 760), g.uniform(1.2, 1.6)
    starts = np.arange(g.uniform(0, 0.4), 4, period)
    high = hits(g, starts, lambda: chirped(0.3, f, f * 0.99))
    return high + hits(g, starts + 0.42, lambda: chirped(0.3, f * 0.8, f * 0.79))


def U(g, low, high):
    return g.uniform(low, high)


KINDS = {
    "white noise": ("hiss, static", lambda g: g.standard_normal(N)),
    "radio static": ("hiss, interference, noise", lambda g: band(g.standard_normal(N), U(g, 300, 900), U(g, 2500, 5000)) * slow(g, 8, 0.5, 1) + 0.4 * (g.random(N) > 0.999)),
    "pink noise": ("hiss, noise", lambda g: shaped(g, 0.5)),
    "low rumble": ("brown noise, rumbling", lambda g: shaped(g, 1.1)),
    "wind blowing": ("wind, storm, breeze, weather", lambda g: sum(band(shaped(g, 0.4), f, f * 1.5) * slow(g, 1.2) ** 2 for f in (U(g, 150, 300), U(g, 350, 700), U(g, 700, 1200)))),
    "rain falling": ("rain, rainfall, weather, water", lambda g: band(g.standard_normal(N), 1200, 7500) * 0.5 + hits(g, g.uniform(0, 4, 250), lambda: burst(g, 0.02, 250, 1500, 6000))),
    "thunder": ("thunderstorm, storm, lightning, weather", lambda g: band(shaped(g, 0.9), 25, U(g, 150, 400)) * np.exp(-((T - U(g, 0.1, 0.8)).clip(0)) * U(g, 0.6, 1.4)) * slow(g, 7, 0.2, 1) * (T > 0.05)),
    "ocean waves": ("sea, surf, beach, water", lambda g: band(g.standard_normal(N), 150, U(g, 2000, 5000)) * (0.15 + np.sin(np.pi * (T / U(g, 2.5, 5) + g.random())) ** 4)),
    "running water stream": ("river, brook, water flowing", lambda g: hits(g, g.uniform(0, 4, 350), lambda: chirped(U(g, 0.01, 0.05), U(g, 400, 1500), U(g, 600, 2500)) * g.random()) + 0.25 * band(g.standard_normal(N), 500, 4000)),
    "water dripping": ("water drops, drip, leak", lambda g: hits(g, every(g, U(g, 0.4, 1.1), 0.3), lambda: chirped(U(g, 0.04, 0.09), U(g, 600, 1000), U(g, 1300, 2400), 2))),
    "bubbles": ("bubbling, underwater, boiling", lambda g: hits(g, g.uniform(0, 4, 60), lambda: chirped(U(g, 0.03, 0.1), U(g, 200, 500), U(g, 500, 1200)) * g.random())),
    "fire crackling": ("campfire, fireplace, burning, flames", lambda g: 0.12 * band(shaped(g, 0.6), 50, 800) * 4 + hits(g, g.uniform(0, 4, 110), lambda: burst(g, 0.02, U(g, 150, 500), 800, 7000) * g.random() ** 3 * 2)),
    "police siren": ("emergency vehicle, police car, wail, alarm", lambda g: tone(g, U(g, 900, 1200) + U(g, 300, 500) * np.sin(TAU * U(g, 0.2, 4.0) * T + U(g, 0, 6)), g.choice(("sine", "square", "saw")))),
    "ambulance siren": ("emergency vehicle, two-tone siren, fire truck", lambda g: tone(g, np.where((T + g.random()) % (2 * (d := U(g, 0.4, 0.7))) < d, f := U(g, 420, 760), f * 1.33), g.choice(("sine", "square", "saw")))),
    "air raid siren": ("warning, war, alarm", lambda g: buzz(U(g, 350, 450) * (0.4 + np.minimum(T / U(g, 1.5, 3), 1)), 10)),
    "smoke alarm beeping": ("fire alarm, beep, warning", lambda g: np.sin(phase(U(g, 2800, 3400))) * gate(U(g, 0.15, 0.5), U(g, 0.1, 0.5))),
    "alarm clock": ("digital alarm, wake up, beeping", lambda g: tone(g, U(g, 1500, 2300), "square") * gate(0.08, 0.08) * gate(0.62, U(g, 0.3, 0.6), g.random())),
    "electronic beep": ("beep, computer, tone", lambda g: np.sin(phase(U(g, 600, 2000))) * gate(U(g, 0.1, 0.3), U(g, 0.4, 1.5))),
    "truck reversing beep": ("backing up, vehicle, warning beep", lambda g: tone(g, U(g, 1000, 1350), "square") * gate(0.5, 0.5)),
    "phone ringing": ("telephone, call, ringtone", lambda g: two_tones(440, 480, g) * (1 + np.sin(TAU * 20 * T)) * gate(U(g, 1.2, 2), U(g, 1, 2), g.random()) if g.random() < 0.5 else hits(g, every(g, 0.045, 0), lambda: partials(U(g, 1400, 1450), (1, 2.7), (40, 60), 0.1, g)) * gate(1.6, 1.2)),
    "dial tone": ("telephone line", lambda g: two_tones(350, 440, g)),
    "busy signal": ("telephone engaged tone", lambda g: two_tones(480, 620, g) * gate(0.5, 0.5) if g.random() < .5 else np.sin(phase(425)) * gate(.48, .48)),
    "phone keypad tones": ("dialing a number, telephone, touch tone", keys),
    "morse code": ("telegraph, radio, dots and dashes", morse),
    "sonar ping": ("submarine, radar", lambda g: hits(g, every(g, U(g, 1.2, 2.5)), lambda: partials(U(g, 900, 1600), (1, 1.001), (3, 2.5), 2.0, g))),
    "ticking clock": ("clock, watch, tick tock, time", lambda g: hits(g, every(g, U(g, 0.3, 1.0)), lambda: burst(g, 0.03, U(g, 150, 300), U(g, 1500, 3000), 6000))),
    "metronome": ("tempo, tick, beat", lambda g: hits(g, every(g, U(g, 0.35, 0.8)), lambda: partials(U(g, 900, 1800), (1, 2.3), (60, 90), 0.15, g))),
    "heartbeat": ("heart, pulse, medical", heartbeat),
    "footsteps": ("walking, steps, shoes", lambda g: hits(g, every(g, U(g, 0.35, 0.65), 0.08), lambda: burst(g, 0.12, U(g, 35, 60), 80, U(g, 500, 2000)))),
    "knocking on a door": ("knock, wood, door", lambda g: hits(g, every(g, U(g, 0.18, 0.3), 0.1, U(g, 0.8, 2)), lambda: partials(U(g, 130, 260), (1, 1.8, 2.9), (25, 40, 60), 0.2, g) + burst(g, 0.2, 90, 100, 1500))),
    "hammering": ("hammer, nail, construction, tool", lambda g: hits(g, every(g, U(g, 0.3, 0.6), 0.1), lambda: burst(g, 0.25, 70, 800, 6000) + 0.5 * partials(U(g, 900, 2500), (1, 1.6, 2.7), (20, 30, 40), 0.25, g))),
    "sawing wood": ("saw, carpentry, tool", lambda g: chops(g, U(g, 0.8, 1.6), 1200, 6000, 0.6) * (1 + 0.6 * np.sign(np.sin(phase(U(g, 60, 120)))))),
    "applause": ("clapping, audience, crowd", lambda g: hits(g, g.uniform(0, 4.05, 700), lambda: burst(g, 0.03, U(g, 90, 200), 800, 3500) * g.random())),
    "hand clapping": ("clap, applause, rhythm", lambda g: hits(g, every(g, U(g, 0.25, 0.6), 0.05), lambda: burst(g, 0.06, 80, 700, 3500))),
    "typing on a keyboard": ("computer keyboard, typewriter, keys clicking", lambda g: hits(g, every(g, U(g, 0.08, 0.17), 0.7), lambda: burst(g, 0.03, U(g, 150, 300), 1500, 7000) * U(g, 0.4, 1))),
    "church bell": ("bell tolling, church, tower", lambda g: hits(g, every(g, U(g, 1.2, 2.2)), lambda: partials(U(g, 180, 420), (0.5, 1, 1.19, 1.5, 2, 2.67, 3.0), (0.6, 0.8, 1.2, 1.5, 2, 3, 3.5), 3.5, g))),
    "small bell ringing": ("hand bell, jingle, ding", lambda g: hits(g, every(g, U(g, 0.25, 0.9), 0.1), lambda: partials(U(g, 1200, 3000), (1, 2.4, 3.9), (4, 7, 10), 1.2, g))),
    "doorbell": ("ding dong, door, chime", lambda g: struck(g, U(g, 600, 850), (1, 0.79), U(g, 0.5, 0.8), (1, 2, 3))),
    "wind chimes": ("chime, garden, metal tubes", lambda g: hits(g, g.uniform(0, 4, 12), lambda: partials(g.choice((1047, 1175, 1319, 1568, 1760, 2093)) * U(g, 0.98, 1.02), (1, 2.76, 5.4), (2.5, 5, 9), 2, g) * g.random())),
    "gong": ("cymbal, temple, metal", lambda g: partials(U(g, 70, 140), (1, 1.48, 2.1, 2.9, 3.7, 4.6, 5.9), (0.5, 0.6, 0.8, 1, 1.2, 1.5, 1.9), 4.0, g)),
    "glass breaking": ("shattering, smash, window", lambda g: hits(g, [0.2, *(0.2 + g.exponential(0.25, 40))], lambda: partials(U(g, 2000, 6500), (1, 1.3, 1.7), (15, 25, 35), 0.3, g) * g.random()) + hits(g, [0.2], lambda: burst(g, 0.4, 14, 2000, 7800) * 3)),
    "engine idling": ("car engine, motor, vehicle", lambda g: engine(g, U(g, 18, 40), 0.15)),
    "race car engine": ("motor racing, revving, vehicle", lambda g: engine(g, U(g, 70, 130) * (1 + 0.5 * np.abs(np.sin(TAU * U(g, 0.1, 0.35) * T))), 0.05)),
    "motorcycle": ("motorbike, engine, vehicle", lambda g: engine(g, U(g, 40, 75) * (1 + 0.25 * slow(g, 1.5)), 0.2)),
    "helicopter flying": ("rotor, chopper, aircraft", lambda g: chops(g, U(g, 9, 16), 40, U(g, 400, 900), 2.5) + 0.08 * buzz(U(g, 90, 140), 10)),
    "propeller airplane": ("aircraft, plane, flying", lambda g: buzz(U(g, 70, 110) * (1 + 0.01 * slow(g, 1)), 25, 0.9) + 0.5 * band(shaped(g, 0.5), 50, 1500)),
    "jet airplane": ("jet plane, airport, flying overhead", lambda g: band(shaped(g, 0.35), 150, 5000) * np.exp(-((T - U(g, 1.2, 2.8)) / 1.5) ** 2) * 3 + 0.1 * np.sin(phase(U(g, 2500, 3500) - 150 * T))),
    "steam train": ("locomotive, railway, chugging", lambda g: chops(g, U(g, 2, 4.5), 200, 3500, 1.5) + 0.3 * band(shaped(g, 0.8), 30, 200)),
    "train horn": ("railway, locomotive, honk", lambda g: sum(buzz(f * (k := U(g, 0.9, 1.1)), 8) for f in (311, 370, 415, 494)) * gate(U(g, 1.2, 3), 0.4)),
    "car horn": ("honk, traffic, vehicle", lambda g: (buzz(f := U(g, 380, 480), 14, 0.7) + buzz(f * 1.25, 14, 0.7)) * gate(U(g, 0.25, 1.5), U(g, 0.15, 0.8))),
    "ship horn": ("foghorn, boat, harbour", lambda g: buzz(U(g, 70, 130), 14, 0.9) * np.minimum(1, 4 * np.minimum(T % 3.5, 0.25)) * (T < U(g, 2.5, 4))),
    "bicycle bell": ("bike, ring", lambda g: hits(g, every(g, 0.09, 0, U(g, 0.4, 1.0)), lambda: partials(U(g, 2300, 2700), (1, 2.1), (5, 9), 0.8, g))),
    "referee whistle": ("sports whistle, coach, blow", lambda g: (np.sin(phase(U(g, 2400, 3100) + 150 * np.sign(np.sin(TAU * U(g, 25, 45) * T)))) + 0.3 * band(g.standard_normal(N), 2000, 5000)) * gate(U(g, 0.3, 1.5), U(g, 0.3, 0.8))),
    "kettle whistling": ("boiling, kitchen, steam", lambda g: np.sin(phase(U(g, 1800, 2200) + 700 * np.minimum(T / 2.5, 1) + 15 * np.sin(TAU * 7 * T))) * np.minimum(T / 1.5 + 0.2, 1) + 0.3 * band(g.standard_normal(N), 1500, 6000)),
    "bird chirping": ("birdsong, bird, tweet, nature", lambda g: hits(g, every(g, U(g, 0.12, 0.5), 0.6), lambda: chirped(U(g, 0.04, 0.16), U(g, 2500, 6000), U(g, 2500, 6500)))),
    "cuckoo": ("bird, cuckoo clock", cuckoo),
    "owl hooting": ("owl, night bird", lambda g: hits(g, every(g, U(g, 0.6, 1.4), 0.3), lambda: chirped(U(g, 0.25, 0.6), f := U(g, 320, 480), f * 0.95))),
    "duck quacking": ("duck, bird, pond", lambda g: animal(g, U(g, 180, 240), U(g, 260, 340), 0.2, ((1000, 1), (2300, 1), (3200, 0.5)), U(g, 0.35, 0.6))),
    "rooster crowing": ("cockerel, chicken, farm, morning", lambda g: animal(g, U(g, 420, 520), U(g, 800, 1050), U(g, 1.2, 1.8), ((1100, 1), (2400, 1), (3500, 0.6)), U(g, 2.0, 2.6))),
    "crickets": ("insect, night, chirping", lambda g: np.sin(phase(U(g, 3800, 5200))) * np.maximum(0, np.sin(phase(U(g, 25, 40)))) * gate(U(g, 0.12, 0.3), U(g, 0.1, 0.4))),
    "frog croaking": ("frog, toad, pond", lambda g: animal(g, U(g, 60, 90), U(g, 90, 130), U(g, 0.25, 0.5), ((600, 1), (1500, 0.7)), U(g, 0.6, 1.2))),
    "bee buzzing": ("bee, insect, fly, wasp", lambda g: buzz(U(g, 180, 260) * (1 + 0.08 * slow(g, 4, -1, 1)), 20, 0.6) * slow(g, 3, 0.4, 1)),
    "mosquito": ("insect, whine, gnat", lambda g: buzz(U(g, 500, 750) * (1 + 0.06 * slow(g, 3, -1, 1)), 10, 0.8) * slow(g, 2, 0.2, 1)),
    "dog barking": ("dog, bark, pet, animal", bark),
    "cat meowing": ("cat, meow, pet, animal", lambda g: animal(g, U(g, 350, 450), U(g, 600, 850), U(g, 0.5, 0.9), ((900, 1), (1700, 0.8), (2800, 0.3)), U(g, 1.0, 1.6))),
    "cow mooing": ("cow, cattle, farm animal", lambda g: animal(g, U(g, 90, 120), U(g, 140, 190), U(g, 1.2, 2.0), ((350, 1), (800, 0.6)), U(g, 2.2, 2.8))),
    "sheep bleating": ("sheep, goat, lamb, farm animal", lambda g: animal(g, U(g, 220, 280), U(g, 280, 350), U(g, 0.6, 1.1), ((700, 1), (1600, 0.8)), U(g, 1.2, 1.8)) * (0.6 + 0.4 * np.sin(phase(U(g, 7, 10))))),
    "wolf howling": ("wolf, howl, dog, night", lambda g: buzz(U(g, 300, 420) * (0.7 + 0.5 * np.sin(np.pi * np.clip(T / 3.6, 0, 1)) ** 0.5), 6, 1.5) * np.sin(np.pi * np.clip(T / 3.8, 0, 1)) ** 0.5),
    "laser gun": ("laser, zap, science fiction, video game", lambda g: hits(g, every(g, U(g, 0.25, 0.8), 0.2), lambda: chirped(U(g, 0.12, 0.3), U(g, 2500, 5000), U(g, 150, 500), 0.5))),
    "video game coin": ("arcade, retro game, collect", lambda g: melody(g, [12, 17, 17, 17, 17], U(g, 0.06, 0.1), "square")),
    "video game jump": ("arcade, retro game, hop", lambda g: hits(g, every(g, U(g, 0.5, 1)), lambda: np.sign(chirped(U(g, 0.15, 0.3), U(g, 200, 350), U(g, 600, 1000))) * 0.6)),
    "video game power up": ("arcade, retro game, level up, win", lambda g: melody(g, [0, 4, 7, 12, 4, 7, 12, 16, 7, 12, 16, 19], U(g, 0.06, 0.1), "square")),
    "game over jingle": ("arcade, retro game, lose", lambda g: melody(g, [12, 11, 10, 9, 5, 0, 0], U(g, 0.15, 0.25), "square")),
    "explosion": ("blast, bomb, boom", lambda g: hits(g, [U(g, 0, 0.5)], lambda: burst(g, 3, U(g, 1.2, 3), 25, U(g, 500, 1500)))),
    "gun shots": ("gunfire, shooting, pistol, weapon", lambda g: hits(g, every(g, U(g, 0.4, 1.5), 0.4), lambda: burst(g, 0.5, U(g, 10, 20), 100, 6000))),
    "machine gun": ("rapid gunfire, shooting, weapon", lambda g: hits(g, every(g, U(g, 0.08, 0.13), 0.02), lambda: burst(g, 0.12, 35, 100, 5000))),
    "fireworks": ("celebration, rocket, bang", lambda g: hits(g, g.uniform(0.8, 3.5, 3), lambda: burst(g, 0.9, 5, 60, 3000)) + hits(g, g.uniform(1.2, 4, 90), lambda: burst(g, 0.02, 200, 1500, 7500) * 0.5) + hits(g, [0.05], lambda: chirped(0.9, 900, 2600) * 0.4)),
    "sine wave tone": ("pure tone, test tone", lambda g: np.sin(phase(U(g, 150, 3000)))),
    "square wave tone": ("buzzer, chiptune tone", lambda g: tone(g, U(g, 100, 1200), "square")),
    "sawtooth wave tone": ("buzzing synth tone", lambda g: tone(g, U(g, 80, 1000), "saw")),
    "rising tone sweep": ("glide up, ascending, slide whistle", lambda g: np.sin(phase(U(g, 100, 300) * 2 ** (T * U(g, 0.6, 1.2))))),
    "falling tone sweep": ("glide down, descending, slide whistle", lambda g: np.sin(phase(U(g, 2000, 4500) * 2 ** (-T * U(g, 0.6, 1.2))))),
    "electrical hum": ("mains hum, transformer, buzz", lambda g: buzz(g.choice((50, 60)), 14, 0.7) + 0.02 * g.standard_normal(N)),
    "vinyl record crackle": ("record player, dust, old", lambda g: hits(g, g.uniform(0, 4, 120), lambda: burst(g, 0.006, 900, 1000, 7500) * g.random() ** 2 * 3) + 0.02 * g.standard_normal(N)),
    "camera shutter": ("photo, click, camera", lambda g: hits(g, [x + d for x in every(g, U(g, 0.7, 1.8)) for d in (0, U(g, 0.06, 0.14))], lambda: burst(g, 0.04, 120, 1500, 7000))),
    "vacuum cleaner": ("household appliance, motor, hoover", lambda g: band(g.standard_normal(N), 200, 5000) + 0.5 * buzz(U(g, 180, 320), 12, 0.7)),
    "electric drill": ("power tool, drilling, construction", lambda g: buzz(U(g, 120, 260) * np.minimum(1, 0.4 + T), 25, 0.5) + 0.6 * band(g.standard_normal(N), 1500, 6000)),
    "spaceship hum": ("science fiction, engine, drone", lambda g: buzz((f := U(g, 45, 90)), 10, 1) + buzz(f * 1.007, 10, 1) + 0.1 * shaped(g, 1)),
    "ghostly moan": ("spooky, theremin, haunted", lambda g: np.sin(phase(U(g, 300, 700) * 2 ** (0.5 * np.sin(TAU * U(g, 0.2, 0.5) * T)) * (1 + 0.015 * np.sin(TAU * 6 * T))))),
    "snoring": ("sleep, breathing", lambda g: chops(g, U(g, 0.3, 0.5), 80, 700, 1.0) * (1 + 0.8 * np.sign(np.sin(phase(U(g, 28, 45)))))),
    "breathing": ("breath, inhale, exhale", lambda g: chops(g, U(g, 0.4, 0.9), 400, 3500, 1.2)),
}


def make(kind, seed):
    """Float32, peak 1."""
    g = np.random.default_rng(seed)
    x = np.nan_to_num(KINDS[kind][1](g).astype(np.float64))[:N]
    x = np.pad(x, (0, N - len(x)))
    return (x / max(np.abs(x).max(), 1e-6)).astype(np.float32)
