"""Tokenizers of the kinds that models have, trained on the texts and filled up to a published size with words that no text has."""
import json
import random
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from . import inputs

TRAINED = 400


def numbered(specials, words, size):
    """A vocabulary of `size`: specials at their numbers, the words spread over the rest, filler between them."""
    vocabulary = dict(specials)
    free = [number for number in range(size) if number not in specials.values()]
    words = [word for word in words if word not in specials]
    step = len(free) / len(words)
    places = [free[int(index * step)] for index in range(len(words))]
    vocabulary.update(zip(words, places))
    taken = set(vocabulary.values())
    vocabulary.update({f"[unused{number}]": number for number in range(size) if number not in taken})
    return dict(sorted(vocabulary.items(), key=lambda entry: entry[1]))


def framed(tokenizer, cls, sep, pair, mask):
    """Adds the special tokens and what stands around texts."""
    number = tokenizer.token_to_id
    tokenizer.add_special_tokens([token for token in (cls, sep, *mask) if number(token) is not None])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=pair, special_tokens=[(cls, number(cls)), (sep, number(sep))])
    return tokenizer


def word_piece(size=None, mpnet=False):
    """As BERT and MPNet have it."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(inputs.texts(), trainers.WordPieceTrainer(vocab_size=TRAINED, special_tokens=["[UNK]"], show_progress=False))
    if mpnet:
        specials = {"<s>": 0, "<pad>": 1, "</s>": 2, "[UNK]": 104 if size else 3, "<mask>": size - 1 if size else 4}
        cls, sep, pair, rest = "<s>", "</s>", "<s> $A </s> </s> $B </s>", ["<pad>", "[UNK]", "<mask>"]
    else:
        specials = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103} if size else \
            {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
        cls, sep, pair, rest = "[CLS]", "[SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ["[PAD]", "[UNK]", "[MASK]"]
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    vocabulary = numbered(specials, words, size or len(set(words) | set(specials)))
    whole = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    whole.normalizer, whole.pre_tokenizer, whole.decoder = normalizer, pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return framed(whole, cls, sep, pair, rest)


def byte_pairs(size=None, modern=False):
    """As RoBERTa and ModernBERT have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        inputs.texts(), trainers.BpeTrainer(vocab_size=TRAINED, initial_alphabet=alphabet, special_tokens=[], show_progress=False))
    trained = json.loads(tokenizer.to_str())["model"]
    if modern:
        top = size or 405
        specials = {"[UNK]": top - 5, "[CLS]": top - 4, "[SEP]": top - 3, "[PAD]": top - 2, "[MASK]": top - 1}
        cls, sep, pair, rest = "[CLS]", "[SEP]", "[CLS] $A [SEP] $B [SEP]", ["[UNK]", "[PAD]", "[MASK]"]
    else:
        specials = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": (size or 405) - 1}
        cls, sep, pair, rest = "<s>", "</s>", "<s> $A </s> </s> $B </s>", ["<pad>", "<unk>", "<mask>"]
    words = sorted(trained["vocab"], key=trained["vocab"].get)
    vocabulary = numbered(specials, words, size or len(words) + 5)
    whole = Tokenizer(models.BPE(vocabulary, [tuple(merge) for merge in trained["merges"]]))
    whole.pre_tokenizer, whole.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    if modern:
        whole.normalizer = normalizers.NFC()
    return framed(whole, cls, sep, pair, rest)


def unigram(size=None, charsmap=True, one_piece=False):
    """As XLM-R has it. `one_piece`: as repositories that collapse spaces by a pattern instead of splitting there."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(inputs.texts(), trainers.UnigramTrainer(
        vocab_size=TRAINED, special_tokens=specials, unk_token="<unk>", show_progress=False))
    trained = [tuple(entry) for entry in json.loads(tokenizer.to_str())["model"]["vocab"]][len(specials):]
    entries = trained + [(f"▁zq{number}", -20.0) for number in range((size or 0) - len(trained) - len(specials) - 1)]
    random.Random(5).shuffle(entries)
    whole = Tokenizer(models.Unigram([(token, 0.0) for token in specials] + entries + [("<mask>", 0.0)], unk_id=3))
    steps = [normalizers.Precompiled(nfkc_charsmap()) if charsmap else normalizers.NFKC()]
    if one_piece:
        whole.normalizer = normalizers.Sequence(steps + [normalizers.Replace(Regex(" {2,}"), " ")])
        whole.pre_tokenizer = pre_tokenizers.Metaspace()
    else:
        whole.normalizer = steps[0]
        whole.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    whole.decoder = decoders.Metaspace()
    return framed(whole, "<s>", "</s>", "<s> $A </s> </s> $B </s>", ["<pad>", "<unk>", "<mask>"])


def nfkc_charsmap():
    """The normalisation that sentencepiece calls nmt_nfkc, from a model that it trains."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "m"
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(inputs.texts()), model_prefix=str(prefix), vocab_size=150, hard_vocab_limit=False, minloglevel=2)
        model = prefix.with_suffix(".model").read_bytes()
    normalizer_spec = field(model, 3)
    return field(normalizer_spec, 2)


def field(message, wanted):
    """A field of a protocol buffer that has a length."""
    def varint(at):
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value, at
    at = 0
    while at < len(message):
        tag, at = varint(at)
        kind, length = tag & 7, {1: 8, 5: 4}.get(tag & 7, 0)
        if kind == 2:
            length, at = varint(at)
            if tag >> 3 == wanted:
                return message[at:at + length]
        elif kind == 0:
            _, at = varint(at)
        at += length
    raise ValueError(f"no field {wanted}")
