"""SigLIP and SigLIP 2 of fixed resolution: the towers of SiglipModel, with the sizes of Google's checkpoints.

Vocabularies are learnt here, from the inputs and, for the published sizes, from Python's own manual; those of the checkpoints are larger.
"""
import io
import json

import sentencepiece
import torch
from pydoc_data import topics
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import Siglip2Tokenizer, SiglipConfig, SiglipImageProcessorPil, SiglipModel, SiglipTokenizer

from .case import expect, spread
from .inputs import read_picture

TOKENS = 64


def lines(texts, small):
    """What vocabularies are learnt from."""
    manual = [] if small else [line for page in topics.topics.values() for line in page.splitlines() if line.strip()]
    return [line.lower() for line in [*texts, *manual]]


def siglip_tokenizer(folder, texts, small):
    """SigLIP's: spiece.model, which Transformers reads, and a tokenizer.json of the same vocabulary, which we read."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines(texts, small)), model_writer=trained, vocab_size=260 if small else 6000, model_type="unigram",
        normalization_rule_name="identity" if small else "nmt_nfkc", character_coverage=0.98, hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=1, minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(trained.getvalue())
    SiglipTokenizer(str(folder / "spiece.model"), model_input_names=["input_ids"]).save_pretrained(folder)

    model = sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in model.pieces], unk_id=2, byte_fallback=False))
    charsmap = model.normalizer_spec.precompiled_charsmap
    joined = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap), joined]) if charsmap else joined
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in ("</s>", "<unk>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    reference = SiglipTokenizer.from_pretrained(folder)
    if small:
        (folder / "spiece.model").unlink()
    return reference


def siglip2_tokenizer(folder, texts, small):
    """SigLIP 2's: Gemma's kind of vocabulary, whose file says nothing of lower case, for Siglip2Tokenizer adds that."""
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    learnt = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    learnt.normalizer = normalizers.Replace(" ", "▁")
    learnt.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trainer = trainers.BpeTrainer(vocab_size=420 if small else 8000, special_tokens=marks, show_progress=False)
    learnt.train_from_iterator(lines(texts, small), trainer)
    model = json.loads(learnt.to_str())["model"]
    Siglip2Tokenizer(
        vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]], model_max_length=TOKENS,
        padding_side="right", add_bos_token=False, add_eos_token=True, model_input_names=["input_ids"],
    ).save_pretrained(folder)
    path = folder / "tokenizer.json"
    saved = json.loads(path.read_text(encoding="utf-8"))
    saved["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    path.write_text(json.dumps(saved, ensure_ascii=False), encoding="utf-8")
    return Siglip2Tokenizer.from_pretrained(folder)


def case(tokenizer_of, tiny, side, patch, sizes=None, vocabulary=None, resample=3):
    """A case that is either `tiny` or of a published size."""
    def write(folder, inputs, small):
        if small != tiny:
            return
        texts = json.loads((inputs / "texts.json").read_text(encoding="utf-8"))
        tokenizer = tokenizer_of(folder, texts, small)
        config = SiglipConfig(
            text_config={**sizes, "vocab_size": vocabulary or len(tokenizer), "max_position_embeddings": TOKENS},
            vision_config={**sizes, "image_size": side, "patch_size": patch},
        )
        model = spread(SiglipModel(config))
        model.save_pretrained(folder)
        processor = SiglipImageProcessorPil(size={"height": side, "width": side}, resample=resample)
        processor.save_pretrained(folder)
        pictures = [read_picture(path) for path in sorted((inputs / "pictures").iterdir())]
        words = tokenizer(texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt")["input_ids"]
        pixels = processor(pictures, return_tensors="pt")["pixel_values"].float()
        with torch.no_grad():
            expect(folder, {
                "pixel_values": pixels,
                "image_features": torch.cat([model.get_image_features(picture[None]).pooler_output for picture in pixels]),
                "text_features": model.get_text_features(words).pooler_output,
            }, {"tokens": words.tolist()})
    return write


def sizes(width, inner, blocks, heads):
    return {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": blocks, "num_attention_heads": heads}


TINY, BASE, SO400M = sizes(32, 64, 2, 4), sizes(768, 3072, 12, 12), sizes(1152, 4304, 27, 16)
ONLY_SMALL = {
    "siglip-small": case(siglip_tokenizer, True, 34, 8, TINY),
    "siglip2-small": case(siglip2_tokenizer, True, 32, 8, TINY, resample=2),
}
CASES = {
    "siglip-b16-224": case(siglip_tokenizer, False, 224, 16, BASE, 32_000),
    "siglip-so400m-384": case(siglip_tokenizer, False, 384, 14, SO400M, 32_000),
    "siglip2-b32-256": case(siglip2_tokenizer, False, 256, 32, BASE, 256_000, resample=2),
    "siglip2-b16-384": case(siglip2_tokenizer, False, 384, 16, BASE, 256_000, resample=2),
}
