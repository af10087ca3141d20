"""The files that both sides encode: made by formula, the same on every machine. Nothing here is downloaded.

`texts()`, `pictures(folder)` and `sounds(folder)` give what the cases feed to the reference; `write(folder)` puts the same as
files where the Rust side reads them: texts.json, pictures/*, sounds/*.wav.
"""
import json
import math
import wave
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

COUNT = 20
SOUND_RATE_HZ = 48_000


def texts():
    """Short, long, empty-ish, upper-case, punctuated, accented, other scripts, digits and emoji."""
    return [
        "a photo of a cat",
        "A Photo Of A CAT!",
        "two red bicycles leaning on a wall",
        "the sound of rain on a tin roof",
        "how do I reset my password?",
        "query: what is the capital of france",
        "Ein Haus am See, früh am Morgen",
        "un café très chaud, s'il vous plaît",
        "красный велосипед у стены",
        "赤い自転車が壁にもたれている",
        "مرحبا بالعالم",
        "3.14159, 2.71828 and 42",
        "e-mail: someone@example.org",
        "emoji 🚲🐈 and — dashes…",
        "hello     world",
        "don't, can't; won't: it's",
        "x",
        "the quick brown fox jumps over the lazy dog near the river bank",
        "word " * 30,
        "a rather long passage about the history of bridges, " * 40,
    ]


def drawing(index):
    """A picture of its own size and content: gradients, shapes and fine texture, so that resizing matters."""
    chance = np.random.default_rng(1000 + index)
    width, height = int(chance.integers(40, 700)), int(chance.integers(40, 700))
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = [0.5 + 0.5 * np.sin(2 * math.pi * (f * across + g * down + p)) for f, g, p in chance.uniform(0.5, 40, (3, 3))]
    pixels = np.stack(waves, axis=-1) * 255
    picture = Image.fromarray(pixels.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y = int(chance.integers(0, width)), int(chance.integers(0, height))
        size = int(chance.integers(5, 5 + max(width, height) // 2))
        colour = tuple(int(value) for value in chance.integers(0, 256, 3))
        (pen.ellipse if chance.random() < 0.5 else pen.rectangle)((x, y, x + size, y + size), fill=colour)
    return picture


def write_pictures(folder):
    """Pictures in the formats and modes that files come in; names say which. All of them opaque."""
    folder.mkdir(parents=True, exist_ok=True)
    forms = ["rgb.png", "rgb.jpg", "grey.png", "grey.jpg", "palette.png", "opaque-rgba.png", "cmyk.jpg", "sixteen.png",
             "turned-3.jpg", "turned-6.jpg", "turned-8.jpg", "lossless.webp", "one.gif", "rgb.bmp", "rgb.tiff", "tiny.png",
             "wide.png", "tall.png", "rgb-420.jpg", "progressive.jpg"]
    for index, form in enumerate(forms):
        picture, path = drawing(index), folder / f"{index:02}-{form}"
        kind = form.rsplit(".")[0]
        if kind.startswith("turned"):
            exif = Image.Exif()
            exif[0x0112] = int(kind.split("-")[1])
            picture.save(path, quality=95, subsampling=0, exif=exif)
        elif kind == "grey":
            picture.convert("L").save(path)
        elif kind in ("palette", "one"):
            picture.convert("P", palette=Image.ADAPTIVE).save(path)
        elif kind == "opaque-rgba":
            picture.convert("RGBA").save(path)
        elif kind == "cmyk":
            picture.convert("CMYK").save(path, quality=95, subsampling=0)
        elif kind == "sixteen":
            Image.fromarray((np.asarray(picture.convert("L")).astype(np.uint16) * 257)).save(path)
        elif kind == "lossless":
            picture.save(path, lossless=True)
        elif kind == "tiny":
            picture.resize((9, 7)).save(path)
        elif kind == "wide":
            picture.resize((900, 30)).save(path)
        elif kind == "tall":
            picture.resize((25, 800)).save(path)
        elif kind == "rgb-420":
            picture.save(path.with_suffix(".jpg"), quality=90)
        elif kind == "progressive":
            picture.save(path, quality=95, subsampling=0, progressive=True)
        else:
            picture.save(path, **({"quality": 95, "subsampling": 0} if form.endswith(".jpg") else {}))
    return sorted(folder.iterdir())


def read_picture(path):
    """The pixels of a file as every decoder of pictures gives them: upright, 8 bits, red, green and blue."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    return picture.convert("RGB")


def sound(index):
    """Mono samples in [-1, 1] at 48 kHz: 0.3 to 16 s of tones, sweeps, noise and silence."""
    chance = np.random.default_rng(2000 + index)
    seconds = [0.3, 1.0, 2.5, 5.0, 9.9, 10.0, 10.1, 12.0, 16.0, 4.0][index % 10]
    time = np.arange(int(seconds * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    signal = np.zeros_like(time)
    for _ in range(4):
        base, drift = chance.uniform(60, 6000), chance.uniform(-200, 200)
        signal += chance.uniform(0.05, 0.3) * np.sin(2 * math.pi * (base + drift * time) * time)
    signal += chance.uniform(0, 0.1) * chance.standard_normal(len(time))
    signal *= 0.5 + 0.5 * np.sin(2 * math.pi * chance.uniform(0.3, 4) * time)
    return np.clip(signal, -1, 1)


def write_sounds(folder):
    """16-bit WAV files at 48 kHz."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(COUNT):
        with wave.open(str(folder / f"{index:02}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(SOUND_RATE_HZ)
            out.writeframes((sound(index) * 32767).round().astype("<i2").tobytes())
    return sorted(folder.iterdir())


def read_sound(path):
    """The samples of a file as f32 in [-1, 1), as every decoder of 16-bit sound gives them."""
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def write_small(folder):
    """A handful for the committed cases: small files, short sounds."""
    folder = Path(folder)
    if not (folder / "texts.json").exists():
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        (folder / "sounds").mkdir(parents=True, exist_ok=True)
        for index, (size, form) in enumerate([((90, 60), "rgb.png"), ((50, 120), "grey.png"), ((64, 64), "palette.png"), ((100, 75), "turned-6.jpg")]):
            picture, path = drawing(index).resize(size), folder / "pictures" / f"{index:02}-{form}"
            exif = Image.Exif()
            if form.startswith("turned"):
                exif[0x0112] = 6
                picture.save(path, quality=95, subsampling=0, exif=exif)
            else:
                picture.convert({"grey.png": "L", "palette.png": "P"}.get(form, "RGB")).save(path)
        for index, seconds in enumerate([0.2, 1.0]):
            samples = sound(index)[: int(seconds * SOUND_RATE_HZ)]
            with wave.open(str(folder / "sounds" / f"{index:02}.wav"), "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(SOUND_RATE_HZ)
                out.writeframes((samples * 32767).round().astype("<i2").tobytes())
        (folder / "texts.json").write_text(json.dumps(texts()[:12] + texts()[18:19], ensure_ascii=False))
    return folder


def write(folder):
    """All of it, once."""
    folder = Path(folder)
    if not (folder / "texts.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_pictures(folder / "pictures")
        write_sounds(folder / "sounds")
        (folder / "texts.json").write_text(json.dumps(texts(), ensure_ascii=False))
    return folder
