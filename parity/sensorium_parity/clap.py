"""CLAP (Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion", 2022).

The reference draws cuts of long sounds at random; here it draws the middle of every range, which is what the server does. It also fuses one
random sound of a batch that has no long one, so every sound is given to it alone and fused. Sounds are the input files and the second
followed by the first, which in the small cases is the only one that is longer than the model takes.
"""
import base64
import json
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor, RobertaTokenizer

from . import inputs
from .case import expect, spread

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def trained_vocabulary(texts, size):
    """A byte-level BPE of so many tokens, trained on the texts."""
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(texts, vocab_size=size - 1, min_frequency=1, special_tokens=SPECIAL, show_progress=False)
    model = json.loads(trained.to_str())["model"]
    return {**model["vocab"], "<mask>": len(model["vocab"])}, [tuple(pair) for pair in model["merges"]]


def published_vocabulary():
    """The 50,265 tokens of RoBERTa: GPT-2's merges, which openai-whisper carries as ranks of byte strings, between RoBERTa's special tokens."""
    import whisper

    ranks = {}
    for line in (Path(whisper.__file__).parent / "assets/gpt2.tiktoken").read_text().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    letters.update({byte: chr(256 + place) for place, byte in enumerate(byte for byte in range(256) if byte not in letters)})

    def spelled(token):
        return "".join(letters[byte] for byte in token)

    merges = [tuple(map(spelled, last_pair(token, ranks))) for token in sorted(ranks, key=ranks.get) if len(token) > 1]
    vocabulary = {token: place for place, token in enumerate(SPECIAL)}
    vocabulary.update({spelled(token): 4 + rank for token, rank in ranks.items()})
    for name in ("madeupword0000", "madeupword0001", "madeupword0002", "<mask>"):
        vocabulary[name] = len(vocabulary)
    return vocabulary, merges


def last_pair(token, ranks):
    """The two parts whose merge gave the token: merges of lower rank are applied to its bytes until two parts are left."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        best = min(range(len(parts) - 1), key=lambda place: ranks.get(parts[place] + parts[place + 1], 1 << 30))
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts


def tokenizer(folder, vocabulary, merges, longest, as_json):
    """Saves it as tokenizer.json, or as vocab.json and merges.txt as older repositories have it."""
    made = RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=longest)
    made.save_pretrained(folder)
    if not as_json:
        (folder / "tokenizer.json").unlink()
        (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
        (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    return made


def middle(choices):
    """Stands for numpy's choice from a range, and for its draw below a bound."""
    return choices[(len(choices) - 1) // 2]


def fill_statistics(model):
    """What batch normalisation has seen; decibels lie far from zero."""
    chance = torch.Generator().manual_seed(11)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            width = module.running_mean.shape
            decibels = name.endswith("audio_encoder.batch_norm")
            with torch.no_grad():
                module.weight.copy_(1 + 0.1 * torch.randn(width, generator=chance))
                module.running_mean.copy_((10 if decibels else 0.3) * torch.randn(width, generator=chance) - (30 if decibels else 0))
                module.running_var.copy_((400 if decibels else 1) * (0.5 + torch.rand(width, generator=chance)))


def case(small, full):
    """Each is the configuration of the model, that of its features, and how its tokenizer is saved."""

    def write(folder, given, is_small):
        config, extractor, as_json = small if is_small else full
        texts = json.loads((given / "texts.json").read_text())
        vocabulary, merges = trained_vocabulary(texts, 320) if is_small else published_vocabulary()
        longest = config["text_config"].get("max_position_embeddings", 514) - 2
        words = tokenizer(folder, vocabulary, merges, longest, as_json)
        features = ClapFeatureExtractor(sampling_rate=inputs.SOUND_RATE_HZ, **extractor)
        features.save_pretrained(folder)
        model = ClapModel(ClapConfig(**config))
        fill_statistics(spread(model, scale=2.0))
        model.save_pretrained(folder)
        sounds = [inputs.read_sound(path) for path in sorted((given / "sounds").iterdir())]
        sounds.append(np.concatenate([sounds[1], sounds[0]]))
        tokens = [words(text, truncation=True)["input_ids"] for text in texts]
        with torch.no_grad(), mock.patch("numpy.random.choice", middle), mock.patch("numpy.random.randint", lambda low, high: (high - 1) // 2):
            mels = [features(sound, sampling_rate=inputs.SOUND_RATE_HZ, return_tensors="pt")["input_features"] for sound in sounds]
            fused = torch.tensor([[True]])
            audio = [model.get_audio_features(input_features=mel, is_longer=fused).pooler_output for mel in mels]
            text = [model.get_text_features(input_ids=torch.tensor([ids])).pooler_output for ids in tokens]
        expect(folder, {"input_features": torch.cat(mels), "audio": torch.cat(audio), "text": torch.cat(text)}, {"tokens": tokens})

    return write


def published(depths, width, fused=False):
    """What the published configurations say beside the defaults."""
    audio = {"depths": depths, "patch_embeds_hidden_size": width, "hidden_size": 8 * width, "enable_fusion": fused}
    return {"text_config": {}, "audio_config": audio, "projection_dim": 512}


def tiny(depths, heads, spec_size, mel_bins, fused=False):
    audio = {"depths": depths, "patch_embeds_hidden_size": 8, "hidden_size": 8 << (len(depths) - 1), "enable_fusion": fused,
             "num_attention_heads": heads, "num_hidden_layers": len(depths), "window_size": 4, "spec_size": spec_size, "num_mel_bins": mel_bins}
    text = {"vocab_size": 320, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
            "max_position_embeddings": 66}
    return {"text_config": text, "audio_config": audio, "projection_dim": 32}


UNFUSED = {"truncation": "rand_trunc", "frequency_min": 50}
SHORT = {**UNFUSED, "max_length_s": 1, "feature_size": 16}

CASES = {
    "clap-htsat-unfused": case(
        (tiny([2, 2], [2, 4], 64, 16), {**SHORT, "padding": "repeat"}, True),
        (published([2, 2, 6, 2], 96), UNFUSED, True),
    ),
    "clap-htsat-fused": case(
        (tiny([2, 2], [2, 4], 128, 64, fused=True), {"truncation": "fusion", "max_length_s": 1, "hop_length": 960}, False),
        (published([2, 2, 6, 2], 96, fused=True), {"truncation": "fusion"}, False),
    ),
    "clap-larger-general": case(
        (tiny([2, 1, 2], [1, 2, 4], 64, 16), {**SHORT, "padding": "pad"}, True),
        (published([2, 2, 12, 2], 128), UNFUSED, True),
    ),
}
