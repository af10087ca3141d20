"""The models that are compared, and their inputs, prepared once: every side gets the same numbers."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from system import Broken, cache

ROOT = Path(__file__).resolve().parents[2]
SEED = 20_261_129


@dataclass(frozen=True)
class Model:
    """A model, and the case of the parity checks whose folder it is read from; without one it is bundled with the program."""

    name: str
    title: str
    items: str
    case: str = ""
    # The tensor of the case's expected.safetensors that has its inputs: inputs x what the model takes. Texts have none.
    features: str = ""
    # Tokens of each text. All are as long as each other, so nobody pads.
    tokens: int = 0
    # Made by chance between 0 and 1: the shape of an input.
    noise: tuple[int, ...] = ()
    precisions: tuple[str, ...] = ("f32", "bf16")
    # Whether there is an ONNX file for any size of a batch; without one, only PyTorch takes part.
    exports: bool = True


MODELS = {
    model.name: model
    for model in (
        Model("clip-vision", "CLIP B/32 vision, 224 px", "pictures", "clip-b32", features="pixel_values"),
        Model("clip-text", "CLIP B/32 text, 77 tokens", "texts", "clip-b32", tokens=77),
        Model("siglip-vision", "SigLIP 2 B/32 vision, 256 px", "pictures", "siglip2-b32-256", features="pixel_values"),
        Model("sentences", "MiniLM-L6, 128 tokens", "texts", "text-minilm-l6", tokens=128),
        Model("clap-audio", "CLAP HTSAT audio, 10 s", "sounds", "clap-htsat-unfused", features="input_features"),
        Model("whisper", "Whisper tiny encoder, 30 s", "windows", "whisper-tiny", features="features"),
        Model("starter-picture", "starter, picture of 64 px", "pictures", noise=(3, 64, 64), precisions=("f32",)),
        Model("starter-sound", "starter, sound of 4 s", "sounds", noise=(65_536,), precisions=("f32",), exports=False),
    )
}


def folder_of(model: Model) -> Path:
    """The model at its published size with seeded random weights. The parity checks write it once; it stays in the cache."""
    if not model.case:
        return ROOT / "models/starter"
    root = cache() / "peers/models"
    folder = root / model.case
    # Of a case this file comes last.
    if (folder / "expected.json").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    root.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "parity"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-B", "-m", "sensorium_parity", "full", str(root), model.case]
    written = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if written.returncode:
        raise Broken(f"{model.case} could not be written:\n{written.stderr[-2000:]}")
    return folder


def write_inputs(model: Model, folder: Path, count: int, path: Path) -> None:
    """A safetensors file with the tensor `inputs`: pixels, features, samples (f32) or numbers of tokens (i64), an input in each row."""
    if model.noise:
        # In steps of 8 bits, as pixels have them.
        levels = np.random.default_rng(SEED).integers(0, 256, (count, *model.noise))
        inputs = levels.astype(np.float32) / 255.0
    else:
        inputs = _features(model, folder, count) if model.features else _tokens(model, folder, count)
    save_file({"inputs": np.ascontiguousarray(inputs)}, path)


def _features(model: Model, folder: Path, count: int) -> np.ndarray:
    """Those that the reference made of the case's pictures and sounds, from the start again where there are fewer."""
    known = load_file(folder / "expected.safetensors")[model.features]
    return known[np.arange(count) % len(known)]


def _tokens(model: Model, folder: Path, count: int) -> np.ndarray:
    """Words by chance. CLIP's text ends at the mark of its end, which is the last of its vocabulary."""
    config = json.loads((folder / "config.json").read_text())
    vocabulary = (config.get("text_config") or config).get("vocab_size", 49_408)
    tokens = np.random.default_rng(SEED).integers(1_000, vocabulary - 2, (count, model.tokens), dtype=np.int64)
    tokens[:, 0], tokens[:, -1] = vocabulary - 2, vocabulary - 1
    return tokens
