"""Writes the towers with their configs and the parity goldens to models/starter/."""
import argparse
import json
import math

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from . import picture, sound
from .places import CACHE
from .places import SHIPPED as OUT

PICTURE_FORMULAS = [
    ("ramp", "((x*7 + y*13 + c*29) % 256) / 255", lambda x, y, c: ((x * 7 + y * 13 + c * 29) % 256) / 255),
    ("disc", "1 if (x-32)^2 + (y-30)^2 > 400 else [0.9, 0.1, 0.2][c]",
     lambda x, y, c: 1.0 if (x - 32) ** 2 + (y - 30) ** 2 > 400 else (0.9, 0.1, 0.2)[c]),
    ("bars", "((x / 8 + c) % 2) * 0.8 + 0.1, integer division",
     lambda x, y, c: ((x // 8 + c) % 2) * 0.8 + 0.1),
    ("white", "1", lambda x, y, c: 1.0),
    ("noise", "((x*x*31 + y*y*17 + x*y*7 + c*101) % 256) / 255",
     lambda x, y, c: ((x * x * 31 + y * y * 17 + x * y * 7 + c * 101) % 256) / 255),
    ("frame", "0.2 if (x or y in 10..14 or 50..54, both in 10..54) else [1, 0.95, 0.8][c]",
     lambda x, y, c: 0.2 if (10 <= x <= 54 and 10 <= y <= 54
                             and (x <= 14 or x >= 50 or y <= 14 or y >= 50)) else (1.0, 0.95, 0.8)[c]),
]

TAU = 2.0 * math.pi
# f64 throughout, cast to f32 at the end; t = i / 16000
SOUND_FORMULAS = [
    ("a440", "0.5 sin(2 pi 440 t)", lambda i, t: 0.5 * np.sin(TAU * 440 * t)),
    ("chord", "0.2 sin(2 pi 220 t) + 0.2 sin(2 pi 277.18 t) + 0.2 sin(2 pi 329.63 t)",
     lambda i, t: 0.2 * np.sin(TAU * 220 * t) + 0.2 * np.sin(TAU * 277.18 * t) + 0.2 * np.sin(TAU * 329.63 * t)),
    ("pluck", "0.8 exp(-3 t) sin(2 pi 330 t) + 0.4 exp(-5 t) sin(2 pi 660 t)",
     lambda i, t: 0.8 * np.exp(-3 * t) * np.sin(TAU * 330 * t) + 0.4 * np.exp(-5 * t) * np.sin(TAU * 660 * t)),
    ("sweep", "0.5 sin(2 pi (200 t + 400 t^2))", lambda i, t: 0.5 * np.sin(TAU * (200 * t + 400 * t * t))),
    ("noise", "((i * 1103515245 + 12345) mod 2^31 >> 8 & 65535) / 32768 - 1, u64, times 0.3",
     lambda i, t: 0.3 * ((((i.astype(np.uint64) * np.uint64(1103515245) + np.uint64(12345)) % np.uint64(2 ** 31)
                           >> np.uint64(8)) & np.uint64(65535)).astype(np.float64) / 32768.0 - 1.0)),
    ("clicks", "0.9 if i % 4000 < 40 else 0", lambda i, t: np.where(i % 4000 < 40, 0.9, 0.0)),
]


def golden_picture(formula) -> torch.Tensor:
    pixels = [[[formula(x, y, c) for x in range(64)] for y in range(64)] for c in range(3)]
    return torch.tensor(pixels, dtype=torch.float32)[None]


def golden_sound(formula) -> torch.Tensor:
    i = np.arange(sound.SAMPLES, dtype=np.int64)
    return torch.from_numpy(formula(i, i / 16000.0).astype(np.float32))[None]


@torch.no_grad()
def write_goldens():
    seeing = picture.ExportedPicture(load_file(OUT / "picture.safetensors"))
    hearing = sound.exported(load_file(OUT / "sound.safetensors"))
    numbers = lambda tensor: [round(float(value), 7) for value in tensor[0]]
    goldens = {
        "what": "f16 weights run in f32 by PyTorch; a port must reach cosine >= 0.9999 with each",
        "pictures": [{"name": name, "formula": "rgb[c][y][x] = " + words, "embedding": numbers(seeing(golden_picture(f)))}
                     for name, words, f in PICTURE_FORMULAS],
        "sounds": [{"name": name, "formula": "pcm[i] = " + words + ", t = i / 16000",
                    "embedding": numbers(hearing(golden_sound(f)))} for name, words, f in SOUND_FORMULAS],
    }
    (OUT / "goldens.json").write_text(json.dumps(goldens, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")


def write_towers(seeing=None, hearing=None):
    OUT.mkdir(parents=True, exist_ok=True)
    if seeing is not None:
        save_file(picture.export(seeing.eval()), OUT / "picture.safetensors")
    if hearing is not None:
        save_file(sound.export(hearing.eval()), OUT / "sound.safetensors")
    (OUT / "picture.json").write_text(json.dumps(picture.CONFIG, indent=1) + "\n")
    (OUT / "sound.json").write_text(json.dumps(sound.CONFIG, indent=1) + "\n")
    complete()


def complete():
    """What goes with new weights: everybody may read them, and the vectors that a port has to reach."""
    for path in OUT.glob("*.safetensors"):
        path.chmod(0o644)
    write_goldens()


def trained(kind):
    """The moving average of a training's weights, or nothing if it has not been saved yet."""
    path = CACHE / f"{kind}.pt"
    if not path.exists():
        return None
    state = torch.load(path, weights_only=False)
    tower = picture.PictureTower() if kind == "picture" else sound.SoundTower()
    weights = {name: tensor for name, tensor in state["average"].items() if name != "log_scale"}
    tower.load_state_dict(weights)
    print(kind, "at step", state["step"], f"({state['done']:.0%} of the schedule)")
    return tower


def average_pictures(other, share):
    """The shipped picture tower becomes the mean of itself, which counts for `share`, and of another: of the ends of trainings of which each began where the
    last one ended."""
    its, others = load_file(OUT / "picture.safetensors"), load_file(other)
    mean = {name: share * its[name].float() + (1.0 - share) * others[name].float() for name in its}
    save_file({name: tensor.to(torch.float16).contiguous() for name, tensor in mean.items()}, OUT / "picture.safetensors")
    complete()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--average-with", help="a picture tower: the shipped one becomes the mean of both")
    options.add_argument("--share", type=float, default=0.5, help="how much the shipped one counts for in that mean")
    options.add_argument("--untrained", action="store_true", help="towers of chance, for trying the formats")
    options = options.parse_args()
    torch.manual_seed(4)
    if options.average_with:
        average_pictures(options.average_with, options.share)
    elif options.untrained:
        write_towers(picture.PictureTower(), sound.SoundTower())
    else:
        write_towers(trained("picture"), trained("sound"))
