"""CLIP: the towers of CLIPModel, with the sizes of the checkpoints of OpenAI and LAION."""
import gzip
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, trainers
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from .case import expect, spread
from .inputs import read_picture

START, END = "<|startoftext|>", "<|endoftext|>"


def letters():
    """The 256 letters that stand for bytes, in the order of CLIP's vocabulary: those that can be printed first."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + index) for index in range(len(others))]


def vocabulary(merges):
    """Letters inside a word, letters that end one, merges, marks."""
    tokens = letters() + [letter + "</w>" for letter in letters()] + ["".join(pair) for pair in merges] + [START, END]
    return {token: index for index, token in enumerate(tokens)}


def published_merges():
    """CLIP's own, as open_clip carries them."""
    import open_clip

    with gzip.open(Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    return [tuple(line.split()) for line in lines[1 : 49_152 - 256 - 2 + 1]]


def small_merges(texts):
    """A few merges learnt from the texts."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = CLIPTokenizer().backend_tokenizer.pre_tokenizer
    # The trainer also counts the letters that it finds.
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=260, end_of_word_suffix="</w>", show_progress=False))
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def write_tokenizer(folder, merges, longest, only_parts):
    """Saves CLIP's tokenizer, as tokenizer.json or as the two files of which it is made, and gives what Transformers reads from there."""
    tokens = vocabulary(merges)
    if only_parts:
        (folder / "vocab.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
        (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": longest}))
    else:
        CLIPTokenizer(vocab=tokens, merges=merges, model_max_length=longest).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def processor_of(side):
    return CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def write(folder, inputs, config, merges, processor, only_parts=False):
    """Writes the model's folder and what Transformers makes of the inputs."""
    tokenizer = write_tokenizer(folder, merges, config.text_config.max_position_embeddings, only_parts)
    model = spread(CLIPModel(config))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    texts = json.loads((inputs / "texts.json").read_text(encoding="utf-8"))
    pictures = [read_picture(path) for path in sorted((inputs / "pictures").iterdir())]
    words = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    pixels = processor(pictures, return_tensors="pt")["pixel_values"].float()
    with torch.no_grad():
        expect(folder, {
            "pixel_values": pixels,
            "image_features": torch.cat([model.get_image_features(picture[None]).pooler_output for picture in pixels]),
            "text_features": model.get_text_features(**words).pooler_output,
        }, {"tokens": tokenizer(texts, truncation=True)["input_ids"]})


def published(side, patch, vision, text, dimensions, act="quick_gelu", end=49_407):
    """A full case of a published size; `vision` and `text` are width, width between layers, blocks and heads."""
    def case(folder, inputs, small):
        if small:
            return
        names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        config = CLIPConfig(
            text_config=dict(zip(names, text), hidden_act=act, eos_token_id=end, projection_dim=dimensions),
            vision_config=dict(zip(names, vision), hidden_act=act, image_size=side, patch_size=patch, projection_dim=dimensions),
            projection_dim=dimensions,
        )
        write(folder, inputs, config, published_merges(), processor_of(side))
    return case


def tiny(act, only_parts, old_end):
    """A small case: the number of the end of a text is either the vocabulary's or the old 2."""
    def case(folder, inputs, small):
        if not small:
            return
        merges = small_merges(json.loads((inputs / "texts.json").read_text(encoding="utf-8")))
        tokens = vocabulary(merges)
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": act}
        marks = {"bos_token_id": tokens[START], "eos_token_id": 2 if old_end else tokens[END]}
        config = CLIPConfig(
            text_config={**sizes, **marks, "vocab_size": len(tokens), "max_position_embeddings": 40},
            vision_config={**sizes, "image_size": 34, "patch_size": 8},
            projection_dim=24,
        )
        write(folder, inputs, config, merges, processor_of(34), only_parts)
    return case


BASE_TEXT, LARGE_TEXT = (512, 2048, 12, 8), (768, 3072, 12, 12)
BASE_VISION, LARGE_VISION = (768, 3072, 12, 12), (1024, 4096, 24, 16)
ONLY_SMALL = {
    "clip-small": tiny("quick_gelu", only_parts=False, old_end=True),
    "clip-small-gelu": tiny("gelu", only_parts=True, old_end=False),
}
CASES = {
    "clip-b32": published(224, 32, BASE_VISION, BASE_TEXT, 512, end=2),
    "clip-b16": published(224, 16, BASE_VISION, BASE_TEXT, 512),
    "clip-l14": published(224, 14, LARGE_VISION, LARGE_TEXT, 768),
    "clip-l14-336": published(336, 14, LARGE_VISION, LARGE_TEXT, 768, end=2),
    "clip-h14": published(224, 14, (1280, 5120, 32, 16), (1024, 4096, 24, 16), 1024, act="gelu", end=2),
}
