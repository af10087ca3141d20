"""How a case is written: a model folder in the hub's layout, and beside it what the reference says.

A case is a function `case(folder, inputs, small)` that builds a Transformers model with seeded random weights (see `spread`), saves it
with its processor files by `save_pretrained`, and calls `expect` with what came out. `small` asks for a model of a few hundred kB, whose folder is
committed under crates/models/tests/parity/small; otherwise the published sizes are built.
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file


def spread(model, seed=7, scale=1.0):
    """Random weights under which outputs differ between inputs: matrices at 1/sqrt(fan-in), norms near one, biases small."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2:
                fan_in = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=chance) * (scale / fan_in**0.5))
            elif "norm" in name.lower() and name.endswith("weight"):
                parameter.copy_(1.0 + 0.1 * torch.randn(parameter.shape, generator=chance))
            elif parameter.ndim == 1:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=chance))
    return model.eval()


def expect(folder, tensors, facts=None):
    """Writes expected.safetensors (f32 or i64, first dimension: the inputs in order) and expected.json."""
    folder = Path(folder)
    save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(facts or {}, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
