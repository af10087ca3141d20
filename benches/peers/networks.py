"""The models of Transformers, each as a network of one tensor in and one tensor out: what PyTorch runs and what is exported."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import transformers

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
