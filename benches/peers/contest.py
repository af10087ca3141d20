"""Whose turn it is. All sides stay loaded, one at a time works, and before each turn all have come to rest."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from safetensors.numpy import load_file

from sides import OURS, Side
from system import Broken, processor_seconds

REST_WITHIN_S = 10.0
REST_LOOK_S = 0.1
# At rest all sides together have less than this share of a core.
REST_SHARE = 0.1
# The least cosine with what PyTorch gives, for each output. In bf16 both round, each in its own way.
FLOORS = {"f32": 0.9999, "bf16": 0.995}
REFERENCE = "PyTorch"


@dataclass
class Figures:
    """Items a second of a model at one size of a batch, by side: one for each round."""

    model: str
    batch: int
    rates: dict[str, list[float]] = field(default_factory=dict)
    # How a side runs such a batch, where it has a choice.
    how: dict[str, str] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        """The median over the rounds."""
        return median(self.rates[name])

    def best_peer(self) -> str:
        """The fastest of the others."""
        return max((name for name in self.rates if name != OURS), key=self.rate)

    def ratios(self, peer: str) -> list[float]:
        """Ours by a peer's, by round."""
        return [ours / theirs for ours, theirs in zip(self.rates[OURS], self.rates[peer])]


@dataclass(frozen=True)
class Agreement:
    """How near the outputs of a side are to those of PyTorch: the least cosine over all inputs and sizes of batches."""

    model: str
    side: str
    cosine: float


class Contest:
    """The sides of one model in one precision."""

    def __init__(self, model: str, precision: str, sides: list[Side], folder: Path):
        self.model = model
        self.precision = precision
        self.sides = sides
        self.folder = folder

    def agree(self, batches: list[int]) -> tuple[list[Figures], list[Agreement]]:
        """Has all sides compute each batch once and compares. Empty figures come back, with how each side runs a batch."""
        figures, worst = [], dict.fromkeys((side.name for side in self.sides), 1.0)
        for batch in batches:
            figures.append(Figures(self.model, batch, {side.name: [] for side in self.sides}))
            given = {}
            for side in self.sides:
                path = self.folder / "outputs.safetensors"
                answer = side.ask(batch=batch, save=str(path))
                figures[-1].how[side.name] = answer.get("how", "")
                given[side.name] = load_file(path)["outputs"].reshape(batch, -1).astype(np.float64)
            for name, outputs in given.items():
                worst[name] = min(worst[name], least_cosine(outputs, given[REFERENCE]))
        for name, cosine in worst.items():
            # Not a number is no agreement either.
            if not cosine >= FLOORS[self.precision]:
                raise Broken(f"{name} gives something else than {REFERENCE} for {self.model}: cosine {cosine:.6f}")
        return figures, [Agreement(self.model, name, cosine) for name, cosine in worst.items() if name != REFERENCE]

    def measure(self, figures: list[Figures], rounds: int, seconds: float) -> None:
        """Fills the figures. In each round every side has a turn for each size, and each round another side begins."""
        for number in range(rounds):
            first = number % len(self.sides)
            for each in figures:
                for side in self.sides[first:] + self.sides[:first]:
                    self.rest()
                    answer = side.ask(batch=each.batch, seconds=seconds)
                    each.rates[side.name].append(answer["items"] / answer["seconds"])

    def rest(self) -> None:
        """Waits until no side works or spins any more."""
        for _ in range(int(REST_WITHIN_S / REST_LOOK_S)):
            before = self._spent()
            time.sleep(REST_LOOK_S)
            if self._spent() - before < REST_SHARE * REST_LOOK_S:
                return
        say("the sides are not at rest before a turn")

    def _spent(self) -> float:
        return sum(processor_seconds(side.pid, children=False) for side in self.sides)


def least_cosine(some: np.ndarray, others: np.ndarray) -> float:
    """Over rows that belong together; nothing is near what has another shape."""
    if some.shape != others.shape:
        return -1.0
    lengths = np.linalg.norm(some, axis=1) * np.linalg.norm(others, axis=1)
    return float((np.einsum("ij,ij->i", some, others) / lengths).min())


def say(text: str) -> None:
    """How far it has come, beside the tables."""
    print(f"bench-peers: {text}", file=sys.stderr, flush=True)
