"""How a peer answers (crates/models/examples/peer_side.rs does the same).

It says {"loaded": true} and then answers lines of JSON:
    {"batch": 8, "save": "FILE"}      runs once and writes the tensor `outputs`; {"how": "..."} says how it runs such a batch
    {"batch": 8, "seconds": 1.5}      runs for about so long; {"items": 128, "seconds": 1.52}
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load_file, save_file

# A forward on inputs that are prepared. What it gives is only looked at when it is saved.
Forward = Callable[[], object]


@dataclass
class Batch:
    """How a batch is run."""

    forward: Forward
    # What the forward gives as f32, an output in each row.
    outputs: Callable[[object], np.ndarray]
    how: str = ""


def threads() -> int:
    """As many as every side has."""
    return int(os.environ["PEERS_THREADS"])


def read_inputs(path: str) -> np.ndarray:
    """An input in each row."""
    return load_file(path)["inputs"]


def measure(forward: Forward, seconds: float) -> tuple[int, float]:
    """Runs for about so long; how often, and seconds. A first run is not counted: caches belong to whoever ran before."""
    forward()
    runs, begun = 0, time.perf_counter()
    while True:
        forward()
        runs += 1
        passed = time.perf_counter() - begun
        if passed >= seconds:
            return runs, passed


def serve(prepare: Callable[[int], Batch]) -> None:
    """Answers until the standard input ends. `prepare` is asked once for each size of a batch."""
    # The answers have the standard output to themselves, whatever libraries print.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    batches: dict[int, Batch] = {}
    print(json.dumps({"loaded": True}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        size = request["batch"]
        if size not in batches:
            batches[size] = prepare(size)
        batch = batches[size]
        if path := request.get("save"):
            outputs = batch.outputs(batch.forward())
            save_file({"outputs": np.ascontiguousarray(outputs, dtype=np.float32)}, path)
            answer = {"how": batch.how}
        else:
            runs, seconds = measure(batch.forward, request["seconds"])
            answer = {"items": runs * size, "seconds": seconds}
        print(json.dumps(answer), file=answers)
