"""Cross-encoders, by sentence-transformers from the same folders; the configurations are the published ones."""
import json

import torch

from . import _tokenizers as made
from .case import expect
from .text import BASE, MINI, TINY, bert, roberta, save_network, save_tokenizer

QUERY = "how do I reset my password?"


def score(folder, given):
    """The raw numbers of every text for two queries: a short one, and one that is too long itself."""
    from sentence_transformers import CrossEncoder
    texts = json.loads((given / "texts.json").read_text())
    queries = [QUERY, texts[-1]]
    model = CrossEncoder(str(folder), device="cpu")
    pairs = [(query, text) for query in queries for text in texts]
    scores = model.predict(pairs, batch_size=1, activation_fn=torch.nn.Identity(), convert_to_tensor=True, show_progress_bar=False)
    tokens = [model.tokenizer([query], [text], truncation="longest_first") for query, text in pairs]
    facts = {"queries": queries, "activation": type(model.activation_fn).__name__, "tokens": [pair["input_ids"][0] for pair in tokens],
             "segments": [pair["token_type_ids"][0] for pair in tokens] if "token_type_ids" in tokens[0] else None}
    # How far the reference itself gets in bf16 says what can be asked of half precision: scores of random weights are close together.
    half = model.bfloat16().predict(pairs, batch_size=1, activation_fn=torch.nn.Identity(), convert_to_tensor=True, show_progress_bar=False)
    expect(folder, {"scores": scores.reshape(-1, 1), "scores_in_bf16": half.float().reshape(-1, 1)}, facts)


def head(config, name, **more):
    return config | {"architectures": [name], "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, **more}


def minilm(folder, given, small):
    tokenizer = made.word_piece(None if small else 30522)
    sizes = TINY if small else MINI | {"num_hidden_layers": 6}
    identity = {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0.dev0"}}
    more = {"max_position_embeddings": 40} if small else {}
    save_network(folder, head(bert(sizes, tokenizer.get_vocab_size(), **more), "BertForSequenceClassification", **identity))
    save_tokenizer(folder, tokenizer, "BertTokenizer", model_max_length=512, do_lower_case=True)
    score(folder, given)


def xlmr_base(folder, given, small):
    tokenizer = made.unigram(None if small else 250002, charsmap=not small)
    sizes = TINY if small else BASE
    save_network(folder, head(roberta(sizes, tokenizer.get_vocab_size(), "xlm-roberta"), "XLMRobertaForSequenceClassification"))
    save_tokenizer(folder, tokenizer, "PreTrainedTokenizerFast" if small else "XLMRobertaTokenizer", model_max_length=40 if small else 512,
                   model_input_names=["input_ids", "attention_mask"])
    score(folder, given)


CASES = {"rerank-minilm": minilm, "rerank-xlmr-base": xlmr_base}
