"""Sentence encoders, by sentence-transformers from the same folders; the configurations are the published ones."""
import json

import torch
import transformers

from . import _tokenizers as made
from .case import expect, spread

TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
SHARED = {"hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02}
MINI = BASE | {"hidden_size": 384, "intermediate_size": 1536}


def put(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def bert(sizes, vocabulary, **more):
    return {"architectures": ["BertModel"], "model_type": "bert", **SHARED, **sizes, "layer_norm_eps": 1e-12, "max_position_embeddings": 512,
            "pad_token_id": 0, "position_embedding_type": "absolute", "type_vocab_size": 2, "use_cache": True, "vocab_size": vocabulary, **more}


def roberta(sizes, vocabulary, kind="roberta", **more):
    return {"architectures": ["RobertaModel" if kind == "roberta" else "XLMRobertaModel"], "model_type": kind, **SHARED, **sizes,
            "layer_norm_eps": 1e-5, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "max_position_embeddings": 514,
            "position_embedding_type": "absolute", "type_vocab_size": 1, "use_cache": True, "vocab_size": vocabulary, **more}


def mpnet(sizes, vocabulary, **more):
    return {"architectures": ["MPNetModel"], "model_type": "mpnet", **SHARED, **sizes, "layer_norm_eps": 1e-5, "bos_token_id": 0,
            "eos_token_id": 2, "pad_token_id": 1, "max_position_embeddings": 514, "relative_attention_num_buckets": 32,
            "vocab_size": vocabulary, **more}


def modern(sizes, vocabulary, **more):
    return {"architectures": ["ModernBertModel"], "model_type": "modernbert", **sizes, "attention_bias": False, "attention_dropout": 0.0,
            "bos_token_id": vocabulary - 4, "cls_token_id": vocabulary - 4, "eos_token_id": vocabulary - 3, "sep_token_id": vocabulary - 3,
            "pad_token_id": vocabulary - 2, "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0,
            "local_attention": 128, "hidden_activation": "gelu", "initializer_range": 0.02, "layer_norm_eps": 1e-5, "norm_eps": 1e-5,
            "norm_bias": False, "mlp_bias": False, "max_position_embeddings": 8192, "vocab_size": vocabulary, **more}


def save_tokenizer(folder, tokenizer, kind, only_vocabulary=False, **more):
    """tokenizer.json, or the older files with nothing but the vocabulary."""
    if only_vocabulary:
        model = json.loads(tokenizer.to_str())["model"]
        words = sorted(model["vocab"], key=model["vocab"].get)
        if "merges" in model:
            put(folder / "vocab.json", model["vocab"])
            (folder / "merges.txt").write_text("\n".join(["#version: 0.2"] + [" ".join(merge) for merge in model["merges"]]) + "\n")
        else:
            (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    else:
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] if tokenizer.token_to_id("[CLS]") is not None else \
        ["<pad>", "[UNK]" if tokenizer.token_to_id("[UNK]") is not None else "<unk>", "<s>", "</s>", "<mask>"]
    roles = dict(zip(["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"], names))
    put(folder / "tokenizer_config.json", {"tokenizer_class": kind, **roles, **more})


def save_network(folder, config, seed=7):
    """Random weights of the published shapes, under the published config.json."""
    architecture = config["architectures"][0]
    network = getattr(transformers, architecture)(transformers.AutoConfig.for_model(**config))
    spread(network, seed).save_pretrained(folder)
    put(folder / "config.json", config)


def save_sentence(folder, width, pooling, max_tokens, normalize=True, dense=None, lower_case=False, root=None):
    """The files around the network."""
    kind = "sentence_transformers.models"
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    put(folder / "1_Pooling/config.json", pooling if isinstance(pooling, dict) else {
        "word_embedding_dimension": width, "pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean",
        "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})
    if dense:
        modules.append(("2_Dense", "Dense"))
    if normalize:
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
    put(folder / "modules.json",
        [{"idx": index, "name": str(index), "path": path, "type": f"{kind}.{name}"} for index, (path, name) in enumerate(modules)])
    put(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": lower_case})
    put(folder / "config_sentence_transformers.json", root or {"__version__": {"sentence_transformers": "2.0.0"}})


def encode(folder, given, prompts=None):
    """What the reference makes of the texts, as queries and as passages."""
    from sentence_transformers import SentenceTransformer
    texts = json.loads((given / "texts.json").read_text())
    # Texts of their own length, so that padding cannot take part.
    model = SentenceTransformer(str(folder), device="cpu", prompts=prompts)
    alone = {"batch_size": 1, "convert_to_tensor": True, "normalize_embeddings": True, "show_progress_bar": False}
    facts = {"tokens": [model.preprocess([text])["input_ids"][0].tolist() for text in texts]}
    if prompts:
        facts["query_prompt"], facts["passage_prompt"] = prompts["query"], prompts["document"]
    expect(folder, {"query": model.encode_query(texts, **alone), "passage": model.encode_document(texts, **alone)}, facts)


def minilm(folder, given, small):
    tokenizer = made.word_piece(None if small else 30522)
    sizes = TINY if small else MINI | {"num_hidden_layers": 6}
    more = {"max_position_embeddings": 64} if small else {}
    save_network(folder, bert(sizes, tokenizer.get_vocab_size(), **more))
    save_tokenizer(folder, tokenizer, "BertTokenizer", model_max_length=512, do_lower_case=True)
    save_sentence(folder, sizes["hidden_size"], "mean", 24 if small else 256)
    encode(folder, given)


def e5_small(folder, given, small):
    tokenizer = made.unigram(None if small else 250002, charsmap=not small)
    sizes = TINY if small else MINI
    save_network(folder, bert(sizes, tokenizer.get_vocab_size() if small else 250037, tokenizer_class="XLMRobertaTokenizer"))
    save_tokenizer(folder, tokenizer, "PreTrainedTokenizerFast" if small else "XLMRobertaTokenizer", model_max_length=512,
                   model_input_names=["input_ids", "attention_mask"])
    save_sentence(folder, sizes["hidden_size"], "mean", 512)
    encode(folder, given, {"query": "query: ", "document": "passage: "})


def bge_base(folder, given, small):
    tokenizer = made.word_piece(None if small else 30522)
    sizes = TINY if small else BASE
    save_network(folder, bert(sizes, tokenizer.get_vocab_size()))
    save_tokenizer(folder, tokenizer, "BertTokenizer", only_vocabulary=small, model_max_length=512, do_lower_case=True)
    save_sentence(folder, sizes["hidden_size"], "cls", 512, lower_case=True)
    encode(folder, given, {"query": "Represent this sentence for searching relevant passages: ", "document": ""})


def mpnet_base(folder, given, small):
    tokenizer = made.word_piece(None if small else 30527, mpnet=True)
    sizes = TINY if small else BASE
    save_network(folder, mpnet(sizes, tokenizer.get_vocab_size()))
    save_tokenizer(folder, tokenizer, "MPNetTokenizer", model_max_length=512, do_lower_case=True)
    save_sentence(folder, sizes["hidden_size"], "mean", 384)
    encode(folder, given)


def distilroberta(folder, given, small):
    tokenizer = made.byte_pairs(None if small else 50265)
    sizes = TINY if small else BASE | {"num_hidden_layers": 6}
    save_network(folder, roberta(sizes, tokenizer.get_vocab_size()))
    save_tokenizer(folder, tokenizer, "RobertaTokenizer", only_vocabulary=small, model_max_length=512)
    save_sentence(folder, sizes["hidden_size"], "mean", 512)
    encode(folder, given)


def xlmr_base(folder, given, small):
    tokenizer = made.unigram(None if small else 250002)
    sizes = TINY if small else BASE
    save_network(folder, roberta(sizes, tokenizer.get_vocab_size(), "xlm-roberta", output_past=True))
    save_tokenizer(folder, tokenizer, "XLMRobertaTokenizer", model_max_length=512)
    save_sentence(folder, sizes["hidden_size"], "mean", 512)
    encode(folder, given, {"query": "query: ", "document": "passage: "})


def bge_m3(folder, given, small):
    tokenizer = made.unigram(None if small else 250002, charsmap=not small, one_piece=True)
    sizes = TINY if small else {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    save_network(folder, roberta(sizes, tokenizer.get_vocab_size(), "xlm-roberta", max_position_embeddings=130 if small else 8194))
    save_tokenizer(folder, tokenizer, "PreTrainedTokenizerFast", model_max_length=8192, model_input_names=["input_ids", "attention_mask"])
    save_sentence(folder, sizes["hidden_size"], "cls", 8192)
    encode(folder, given)


def gte_modernbert(folder, given, small):
    tokenizer = made.byte_pairs(None if small else 50368, modern=True)
    sizes = TINY | {"num_hidden_layers": 4} if small else BASE | {"intermediate_size": 1152, "num_hidden_layers": 22}
    more = {"local_attention": 8, "max_position_embeddings": 512} if small else {}
    save_network(folder, modern(sizes, tokenizer.get_vocab_size(), **more))
    save_tokenizer(folder, tokenizer, "PreTrainedTokenizerFast", model_max_length=8192, model_input_names=["input_ids", "attention_mask"])
    save_sentence(folder, sizes["hidden_size"], "cls", 8192, normalize=False,
                  root={"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"})
    encode(folder, given)


def dense(folder, given, small):
    """Prompts in the files, the newer form of pooling, and a layer after it."""
    from safetensors.torch import save_file
    tokenizer = made.word_piece()
    save_network(folder, bert(TINY, tokenizer.get_vocab_size()), seed=11)
    save_tokenizer(folder, tokenizer, "BertTokenizer", model_max_length=512, do_lower_case=True)
    save_sentence(folder, 32, {"embedding_dimension": 32, "pooling_mode": "weightedmean", "include_prompt": True}, 512, dense=True,
                  root={"prompts": {"query": "find: ", "document": "text: "}, "default_prompt_name": None, "similarity_fn_name": "dot"})
    put(folder / "2_Dense/config.json",
        {"in_features": 32, "out_features": 16, "bias": True, "activation_function": "torch.nn.modules.activation.Tanh"})
    chance = torch.Generator().manual_seed(3)
    save_file({"linear.weight": torch.randn(16, 32, generator=chance) / 32**0.5, "linear.bias": torch.randn(16, generator=chance)},
              folder / "2_Dense/model.safetensors")
    encode(folder, given)


CASES = {"text-minilm-l6": minilm, "text-e5-small": e5_small, "text-bge-base": bge_base, "text-mpnet-base": mpnet_base,
         "text-distilroberta": distilroberta, "text-xlmr-base": xlmr_base, "text-bge-m3": bge_m3,
         "text-gte-modernbert": gte_modernbert}
ONLY_SMALL = {"text-dense": dense}
