"""The frozen text model (all-MiniLM-L6-v2) in plain PyTorch, with vectors kept in the cache."""
import hashlib
import json
import os

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

from .places import CACHE, MINILM

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WIDTH, EPS = 6, 12, 384, 1e-12


class TextModel:
    def __init__(self):
        path = MINILM / "model.safetensors"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256, "not the expected text model"
        self.w = {name: tensor.float() for name, tensor in load_file(path).items() if tensor.is_floating_point()}
        self.tokenizer = Tokenizer.from_file(str(MINILM / "tokenizer.json"))
        self.tokenizer.enable_truncation(64)
        self.tokenizer.enable_padding()

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, (WIDTH,), self.w[name + ".weight"], self.w[name + ".bias"], EPS)

    @torch.no_grad()
    def batch(self, texts):
        encoded = self.tokenizer.encode_batch(texts)
        ids = torch.tensor([e.ids for e in encoded])
        mask = torch.tensor([e.attention_mask for e in encoded])
        n, length = ids.shape
        x = self.w["embeddings.word_embeddings.weight"][ids] + self.w["embeddings.position_embeddings.weight"][:length]
        x = self.norm(x + self.w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        seen = mask[:, None, None, :].bool()
        for index in range(LAYERS):
            at = f"encoder.layer.{index}."
            q, k, v = (self.linear(x, at + "attention.self." + which).view(n, length, HEADS, -1).transpose(1, 2)
                       for which in ("query", "key", "value"))
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).reshape(n, length, WIDTH)
            x = self.norm(x + self.linear(mixed, at + "attention.output.dense"), at + "attention.output.LayerNorm")
            inner = self.linear(F.gelu(self.linear(x, at + "intermediate.dense")), at + "output.dense")
            x = self.norm(x + inner, at + "output.LayerNorm")
        weight = mask[..., None].float()
        return F.normalize((x * weight).sum(1) / weight.sum(1), dim=1)


_model = None
_memory = None


def store(names, vectors):
    """Written beside and moved into place, as two trainings may share the file."""
    fresh = vectors.with_suffix(f".{os.getpid()}.npy")
    np.save(fresh, np.stack(list(_memory.values())).astype(np.float32))
    listing = names.with_suffix(f".{os.getpid()}.json")
    listing.write_text(json.dumps(list(_memory)))
    os.replace(fresh, vectors)
    os.replace(listing, names)


def embed(texts, size=256) -> torch.Tensor:
    """(n, 384) unit vectors; new texts are computed, all are remembered on disk."""
    global _model, _memory
    names, vectors = CACHE / "texts.json", CACHE / "texts.npy"
    if _memory is None:
        _memory = {}
        if names.exists():
            _memory = dict(zip(json.loads(names.read_text()), np.load(vectors)))
    missing = sorted({text for text in texts if text not in _memory}, key=lambda text: (len(text), text))
    if missing:
        _model = _model or TextModel()
        for start in range(0, len(missing), size):
            part = missing[start:start + size]
            _memory.update(zip(part, _model.batch(part).numpy()))
        if len(missing) > 200:
            store(names, vectors)
    return torch.from_numpy(np.stack([_memory[text] for text in texts]).astype(np.float32))


if __name__ == "__main__":
    a, b, c, d = TextModel().batch(["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"])
    print([round(float(a @ other), 3) for other in (b, c, d)], "expected 0.695, 0.943, 0.257")
