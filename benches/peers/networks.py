"""The models of Transformers, each as a network of one tensor in and one tensor out: what PyTorch runs and what is exported."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

# The starter's towers are defined where they are trained.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))
from sensorium_starter import picture, sound  # noqa: E402

# A folder has more weights than a tower reads, which is no news.
transformers.logging.set_verbosity_error()


@dataclass(frozen=True)
class Recipe:
    """Which class reads a model's folder, what it calls its inputs, and which of its outputs counts."""

    read: Callable
    argument: str
    output: Callable


def bert(folder: str, **options: object) -> torch.nn.Module:
    """BERT without the layer that sentence encoders do not use."""
    return transformers.BertModel.from_pretrained(folder, add_pooling_layer=False, **options)


def whisper_encoder(folder: str, **options: object) -> torch.nn.Module:
    """The half of Whisper that listens."""
    return transformers.WhisperModel.from_pretrained(folder, **options).get_encoder()


class StarterPicture(torch.nn.Module):
    """The starter's picture tower as it is shipped, in f32."""

    def __init__(self, folder: str, **_: object):
        super().__init__()
        self.tower = picture.ExportedPicture(load_file(f"{folder}/picture.safetensors"))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Pictures as channels, rows, columns between 0 and 1."""
        return self.tower(rgb)


def starter_sound(folder: str, **_: object) -> torch.nn.Module:
    """The starter's sound tower, in f32; its spectrum is a part of it."""
    return sound.exported(load_file(f"{folder}/sound.safetensors"))


# Outputs: inputs x dimensions, and for Whisper windows x positions x width. The names are those of models.py.
RECIPES = {
    "clip-vision": Recipe(
        transformers.CLIPVisionModelWithProjection.from_pretrained, "pixel_values", lambda given: given.image_embeds
    ),
    "clip-text": Recipe(
        transformers.CLIPTextModelWithProjection.from_pretrained, "input_ids", lambda given: given.text_embeds
    ),
    "siglip-vision": Recipe(
        transformers.SiglipVisionModel.from_pretrained, "pixel_values", lambda given: given.pooler_output
    ),
    # The mean over the tokens, all of which count.
    "sentences": Recipe(bert, "input_ids", lambda given: given.last_hidden_state.mean(dim=1)),
    "clap-audio": Recipe(
        transformers.ClapAudioModelWithProjection.from_pretrained, "input_features", lambda given: given.audio_embeds
    ),
    "whisper": Recipe(whisper_encoder, "input_features", lambda given: given.last_hidden_state),
    "starter-picture": Recipe(StarterPicture, "rgb", lambda given: given),
    "starter-sound": Recipe(starter_sound, "pcm", lambda given: given),
}


class Network(torch.nn.Module):
    """Inputs to outputs."""

    def __init__(self, name: str, folder: str, precision: str = "f32"):
        super().__init__()
        self.recipe = RECIPES[name]
        self.dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
        self.model = self.recipe.read(folder, dtype=self.dtype).eval()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """An input in each row, an output in each row."""
        return self.recipe.output(self.model(**{self.recipe.argument: inputs}))
