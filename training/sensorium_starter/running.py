"""What both trainings share: the schedule (by steps or by a deadline), the moving average, saving and resuming."""
import copy
import math
import os
import random
import time
from datetime import datetime

import numpy as np
import torch


class Progress:
    """How far a training is, 0..1: by a number of steps, or by the time left until HH:MM (then the speed may vary)."""

    LONGEST = 30.0  # seconds a step may count for; what is longer was a pause

    def __init__(self, steps, until=None):
        self.steps, self.end, self.step, self.done = steps, None, 0, 0.0
        if until:
            hour, minute = map(int, until.split(":"))
            self.end = datetime.now().replace(hour=hour, minute=minute, second=0).timestamp()
        self.last = time.time()

    def advance(self):
        now = time.time()
        self.step += 1
        if self.end is None:
            self.done = self.step / self.steps
        else:
            left = max(self.end - now, 0.0)
            spent = min(now - self.last, self.LONGEST)
            self.done += (1.0 - self.done) * min(1.0, spent / max(spent + left, 1e-3))
        self.last = now

    @property
    def finished(self):
        if self.end is None:
            return self.step >= self.steps
        return time.time() >= self.end or self.done >= 0.9995


def precision():
    """bf16 where the processor multiplies it; elsewhere it would be computed in f32 and rounded again and again."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported())


def cosine_rate(progress, peak, warmup=0.03):
    if progress < warmup:
        return peak * (progress + 1e-4) / warmup
    along = (progress - warmup) / (1.0 - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * along)))


class Average:
    """An exponential moving average of weights and buffers, quick at the start."""

    def __init__(self, model, decay=0.998):
        self.model, self.decay, self.count = copy.deepcopy(model).eval(), decay, 0

    @torch.no_grad()
    def update(self, model):
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for mine, theirs in zip(self.model.state_dict().values(), model.state_dict().values()):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1.0 - decay)
            else:
                mine.copy_(theirs)


def groups(parameters, decay):
    """AdamW groups: weight decay on matrices and kernels only."""
    parameters = list(parameters)
    heavy = [p for p in parameters if p.ndim >= 2]
    light = [p for p in parameters if p.ndim < 2]
    return [{"params": heavy, "weight_decay": decay}, {"params": light, "weight_decay": 0.0}]


class Optimizers:
    """Muon for the kernels of the convolutions between the first and the head, each as a matrix of its outputs; AdamW for everything else.
    One rate serves both, as Muon's step is scaled to the size of AdamW's."""

    def __init__(self, model, decay, rate):
        kernels = [p for name, p in model.named_parameters() if p.ndim == 4 and not name.startswith("stem")]
        # Parameters of two dimensions that share the memory of the kernels, which lie channels last.
        self.kernels = [(kernel, torch.nn.Parameter(kernel.detach().permute(0, 2, 3, 1).flatten(1))) for kernel in kernels]
        assert all(kernel.data_ptr() == matrix.data_ptr() for kernel, matrix in self.kernels), "a kernel is not channels last"
        taken = {id(kernel) for kernel in kernels}
        rest = (p for p in model.parameters() if id(p) not in taken)
        self.muon = torch.optim.Muon([matrix for _, matrix in self.kernels], lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        self.adamw = torch.optim.AdamW(groups(rest, decay), lr=rate, betas=(0.9, 0.98))

    @property
    def param_groups(self):
        return self.muon.param_groups + self.adamw.param_groups

    def zero_grad(self, set_to_none=True):
        self.adamw.zero_grad(set_to_none=set_to_none)
        for kernel, _ in self.kernels:
            kernel.grad = None

    def step(self):
        for kernel, matrix in self.kernels:
            matrix.grad = kernel.grad.permute(0, 2, 3, 1).flatten(1)
        self.muon.step()
        self.adamw.step()

    def state_dict(self):
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state):
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])


def save(path, model, optimizer, average, progress, extra):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": average.model.state_dict(),
             "count": average.count, "step": progress.step, "done": progress.done, "extra": extra,
             "random": (random.getstate(), np.random.get_state(), torch.get_rng_state())}
    torch.save(state, str(path) + ".new")
    os.replace(str(path) + ".new", path)


def resume(path, model, optimizer, average, progress):
    state = torch.load(path, weights_only=False)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    average.model.load_state_dict(state["average"])
    average.count, progress.step, progress.done = state["count"], state["step"], state["done"]
    python, numpy, pytorch = state["random"]
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(pytorch)
    return state["extra"]
