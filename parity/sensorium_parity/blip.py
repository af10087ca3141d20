"""BLIP: captions (BlipForConditionalGeneration) and answers (BlipForQuestionAnswering) with the sizes of Salesforce's checkpoints, beside generate().

The tokenizer is BERT's with a vocabulary learnt here; as in the checkpoints it lacks the two tokens that the model knows beyond it. Runs of several
pictures go through the reference at once; questions go one by one, because of a shorter one in a batch the reference looks at the padding.
"""
import torch
from safetensors.torch import load_file, save_file
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipForQuestionAnswering, BlipImageProcessorPil

from . import _tokenizers as made
from .case import expect, spread
from .inputs import read_picture

PICTURES = 6
QUESTIONS = ["how many red bicycles are there?", "what is this?", "is the cat on the wall or near the river bank?", "What colour is it?"]
STRENGTH = {"sharp": 3.0, "seen": 0.8, "places": 4.0, "end": 6.0, "bias": 1.5}


def sizes(width, inner, blocks, heads):
    return {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": blocks, "num_attention_heads": heads}


def enliven(model, end):
    """Random layers repeat themselves for ever. Here what is seen and the place in the text weigh more than the words before, the output layer looks
    at states more or less as they are, and the later the place the more it leans towards the end: so texts differ between pictures, and end."""
    with torch.no_grad():
        decoder = model.text_decoder
        for layer in decoder.bert.encoder.layer:
            layer.crossattention.self.query.weight.mul_(STRENGTH["sharp"])
            layer.crossattention.output.dense.weight.mul_(STRENGTH["seen"])
        transform = decoder.cls.predictions.transform
        transform.dense.weight.mul_(0.3).add_(torch.eye(len(transform.dense.weight)))
        decoder.cls.predictions.bias[end] += STRENGTH["bias"]
        embeddings = decoder.bert.embeddings
        direction = embeddings.word_embeddings.weight[end]
        places = embeddings.position_embeddings.weight
        lean = torch.arange(len(places))[:, None] / 20 * direction / direction.norm()
        places.mul_(STRENGTH["places"]).add_(STRENGTH["end"] * lean)
    return model


def tokenizer_of(folder, small, only_vocabulary, clean):
    """Its files as the checkpoints have them, or nothing but the list of words."""
    vocabulary = made.word_piece(None if small else 30522).get_vocab()
    tokenizer = BertTokenizer(vocab=vocabulary, model_max_length=512, clean_up_tokenization_spaces=clean)
    tokenizer.save_pretrained(folder)
    if only_vocabulary:
        (folder / "tokenizer.json").unlink()
        (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in sorted(vocabulary, key=vocabulary.get)), encoding="utf-8")
    return tokenizer


def build(folder, kind, small, side, vision, text, tokenizer):
    count = len(tokenizer)
    config = BlipConfig(
        vision_config={**vision, "image_size": side, "patch_size": 8 if small else 16},
        text_config={**text, "vocab_size": count + 2, "max_position_embeddings": 48 if small else 512, "bos_token_id": count,
                     "sep_token_id": tokenizer.sep_token_id, "pad_token_id": tokenizer.pad_token_id, "eos_token_id": 2},
    )
    torch.manual_seed(0)
    model = enliven(spread(kind(config)), tokenizer.sep_token_id)
    # The committed file is half as long, and the reference computes with what is in it.
    (model.half() if small else model).save_pretrained(folder)
    return model.float()


def under_the_other_names(folder):
    """What the table of words and the output layer share is stored under the output layer's names, as files made by other tools have it."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    head = "text_decoder.cls.predictions."
    tensors[f"{head}decoder.weight"] = tensors.pop("text_decoder.bert.embeddings.word_embeddings.weight")
    tensors[f"{head}decoder.bias"] = tensors.pop(f"{head}bias")
    save_file(tensors, path, metadata={"format": "pt"})


def written(out, end, prompt):
    """Tokens without start and end, and the mean log-probability of those after the prompt, for each row."""
    found = []
    for row, sequence in enumerate(out.sequences.tolist()):
        said = sequence[prompt:]
        said = said[: said.index(end) + 1] if end in said else said
        if out.get("sequences_scores") is not None:
            score = float(out.sequences_scores[row])
        else:
            score = sum(float(out.scores[step][row].log_softmax(-1)[token]) for step, token in enumerate(said)) / len(said)
        found.append((sequence[1:prompt] + [token for token in said if token != end], round(score, 6)))
    return found


class Reference:
    def __init__(self, model, tokenizer):
        self.model, self.tokenizer, self.runs = model, tokenizer, []
        self.end = model.config.text_config.sep_token_id

    def run(self, pixels, prompt=None, questions=None, **asked):
        """All pictures, with a prompt for all or a question for each."""
        given = {"return_dict_in_generate": True, "output_scores": True, **asked}
        with torch.no_grad():
            if questions:
                found = []
                for picture, question in zip(pixels, questions):
                    tokens = self.tokenizer(question, return_tensors="pt")
                    out = self.model.generate(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=picture[None], **given)
                    found += written(out, self.end, 1)
            else:
                tokens = self.tokenizer([prompt] * len(pixels), return_tensors="pt") if prompt is not None else None
                words = {"input_ids": tokens.input_ids, "attention_mask": tokens.attention_mask} if tokens else {}
                length = tokens.input_ids.shape[1] - 1 if tokens else 1
                found = written(self.model.generate(pixel_values=pixels, **words, **given), self.end, length)
        # A penalty for repetition changes what the reference adds up, so that its score is no mean of probabilities any more.
        scored = asked.get("repetition_penalty") is None and asked.get("length_penalty", 1.0) == 1.0
        self.runs.append({
            "prompt": prompt, "questions": questions, "asked": asked, "scored": scored,
            "tokens": [tokens for tokens, _ in found], "scores": [score for _, score in found],
            "texts": [self.tokenizer.decode(tokens, skip_special_tokens=True) for tokens, _ in found],
        })


def caption_runs(reference, pixels):
    reference.run(pixels)
    reference.run(pixels, num_beams=3)
    reference.run(pixels, num_beams=5, max_new_tokens=12)
    reference.run(pixels, num_beams=4, early_stopping=True, length_penalty=2.0, max_length=16)
    reference.run(pixels, num_beams=3, early_stopping="never", length_penalty=0.5, min_new_tokens=4)
    reference.run(pixels, prompt="a photo of")
    reference.run(pixels, prompt="the sound of rain", num_beams=3, max_length=14)
    reference.run(pixels, prompt="a photo of a cat", repetition_penalty=1.5, max_new_tokens=9)
    reference.run(pixels, num_beams=3, repetition_penalty=1.3)


def answer_runs(reference, pixels):
    count = len(pixels)
    questions = [QUESTIONS[index % len(QUESTIONS)] for index in range(count)]
    reference.run(pixels, questions=questions)
    reference.run(pixels, questions=questions[::-1])
    reference.run(pixels, questions=questions, num_beams=3)
    reference.run(pixels, questions=questions[1:] + questions[:1], num_beams=4, max_new_tokens=5)


def case(kind, tiny, side, vision, text, only_vocabulary=False, clean=False, other_names=False):
    """A case that is either `tiny` or of a published size."""
    def write(folder, inputs, small):
        if small != tiny:
            return
        tokenizer = tokenizer_of(folder, small, only_vocabulary, clean)
        processor = BlipImageProcessorPil(size={"height": side, "width": side})
        processor.save_pretrained(folder)
        model = build(folder, kind, small, side, vision, text, tokenizer)
        if other_names:
            under_the_other_names(folder)
            model = kind.from_pretrained(folder, dtype=torch.float32).eval()
        pictures = [read_picture(path) for path in sorted((inputs / "pictures").iterdir())][:PICTURES]
        pixels = processor(pictures, return_tensors="pt")["pixel_values"].float()
        reference = Reference(model, tokenizer)
        (caption_runs if kind is BlipForConditionalGeneration else answer_runs)(reference, pixels)
        with torch.no_grad():
            features = model.vision_model(pixels).last_hidden_state
        expect(folder, {"pixel_values": pixels, "image_features": features}, {"runs": reference.runs})
    return write


CAPTIONS, ANSWERS = BlipForConditionalGeneration, BlipForQuestionAnswering
TINY = sizes(24, 48, 2, 4)
BASE_VISION, LARGE_VISION, TEXT = sizes(768, 3072, 12, 12), sizes(1024, 4096, 24, 16), sizes(768, 3072, 12, 12)
ONLY_SMALL = {
    "blip-small": case(CAPTIONS, True, 32, TINY, TINY),
    "blip-small-large": case(CAPTIONS, True, 32, sizes(30, 48, 3, 5), TINY, clean=True, other_names=True),
    "blip-small-vqa": case(ANSWERS, True, 32, TINY, TINY, only_vocabulary=True),
}
CASES = {
    "blip-caption-base": case(CAPTIONS, False, 384, BASE_VISION, TEXT),
    "blip-caption-large": case(CAPTIONS, False, 384, LARGE_VISION, TEXT),
    "blip-vqa-base": case(ANSWERS, False, 384, BASE_VISION, TEXT),
}
