"""The forward of our models beside PyTorch, ONNX Runtime and OpenVINO, on the processor: `make bench-peers`.

Every side is a child process with the same weights, the same inputs, the same precision and as many threads. One works at a time, by
turns (contest.py). Before anything is measured, all must have given the same outputs. Aims stand beside the figures and are not
judged: the exit status tells only of what broke, or of a side that computes something else.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from contest import FLOORS, Agreement, Contest, Figures, say
from figures import print_agreements, print_choices, print_rates, print_ratios
from machine import cores, has_bf16, load, print_machine
from models import MODELS, Model, folder_of, write_inputs
from sides import OURS, Load, start
from system import Broken, cache

HERE = Path(__file__).resolve().parent


@dataclass
class Plan:
    """What is measured, and how long."""

    models: list[str]
    batches: list[int]
    precisions: list[str]
    rounds: int
    seconds: float
    binary: Path
    threads: int

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Plan":
        """As the command line asks."""
        rounds, seconds = (2, 0.5) if arguments.quick else (5, 1.5)
        can = ["f32", "bf16"] if has_bf16() else ["f32"]
        return cls(
            models=list(dict.fromkeys(arguments.models)),
            batches=sorted(set(arguments.batches)),
            precisions=[precision for precision in can if arguments.precision in (precision, "all")],
            rounds=arguments.rounds or rounds,
            seconds=arguments.seconds or seconds,
            binary=arguments.binary.resolve(),
            threads=arguments.threads or cores(),
        )


@dataclass
class Results:
    """All of one precision."""

    figures: list[Figures]
    agreements: list[Agreement]


def export(model: Model, folder: Path, inputs: Path, file: Path) -> None:
    """Writes the ONNX file of a model, in a process of its own."""
    command = [sys.executable, "-B", str(HERE / "export.py"), model.name, str(folder), str(inputs), str(file)]
    done = subprocess.run(command, env=os.environ | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"{model.name} could not be exported to ONNX:\n{done.stderr[-2000:]}")


def measure(plan: Plan, model: Model, folder: Path, results: dict[str, Results]) -> None:
    """One model in all precisions, by files in a folder of its own."""
    say(f"{model.name}: weights, inputs, ONNX")
    weights, inputs, onnx = folder_of(model), folder / "inputs.safetensors", folder / "model.onnx"
    write_inputs(model, weights, max(plan.batches), inputs)
    if model.exports:
        export(model, weights, inputs, onnx)
    for precision in (precision for precision in plan.precisions if precision in model.precisions):
        say(f"{model.name} in {precision}: loading")
        sides = start(Load(model.name, weights, onnx if model.exports else None, inputs, precision), plan.binary, plan.threads, folder)
        try:
            contest = Contest(model.name, precision, sides, folder)
            figures, agreements = contest.agree(plan.batches)
            say(f"{model.name} in {precision}: all agree, {plan.rounds} rounds")
            contest.measure(figures, plan.rounds, plan.seconds)
        finally:
            for side in sides:
                side.stop()
        results[precision].figures += figures
        results[precision].agreements += agreements


def run(plan: Plan) -> None:
    """All models, then the tables."""
    print_machine(plan.threads)
    if not has_bf16():
        print("The processor has neither AVX512-BF16 nor AMX: bf16 is not measured.")
    elif "bf16" in plan.precisions:
        print("In bf16 ONNX Runtime takes no part: it has no such kernels for x86.")
    print(f"{plan.rounds} rounds of turns of {plan.seconds} s for each side and size of a batch; random weights at published sizes.")
    results = {precision: Results([], []) for precision in plan.precisions}
    try:
        for name in plan.models:
            with tempfile.TemporaryDirectory(prefix="sensorium-bench-peers-") as folder:
                measure(plan, MODELS[name], Path(folder), results)
    finally:
        # What is there is told even if a later model breaks.
        print_results(results)
    print(f"\nAfter all of this: {load()}, of which up to {plan.threads} are its own.")


def print_results(results: dict[str, Results]) -> None:
    """The tables."""
    for precision, found in results.items():
        if found.figures:
            print_rates(precision, found.figures)
            print_ratios(precision, found.figures)
            print_choices(found.figures)
            print_agreements(precision, FLOORS[precision], found.agreements)


def main() -> int:
    """Reads the command line and measures."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or cache() / "target")
    parser = argparse.ArgumentParser(description=f"{OURS}'s models beside PyTorch, ONNX Runtime and OpenVINO.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS), metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--batches", nargs="+", type=int, choices=range(1, 257), default=[1, 8, 32], metavar="N", help="inputs at once")
    parser.add_argument("--precision", choices=("f32", "bf16", "all"), default="all", help="all that the processor has, by default")
    parser.add_argument("--rounds", type=int, choices=range(1, 101), metavar="N", help="turns of each side")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of a turn")
    parser.add_argument("--threads", type=int, choices=range(1, 257), metavar="N", help="of each side; as many as there are cores by default")
    parser.add_argument("--binary", type=Path, default=target / "release/examples/peer_side", help="our side")
    arguments = parser.parse_args()
    if not os.access(arguments.binary, os.X_OK):
        print(f"bench-peers: there is no {arguments.binary}; use: make bench-peers", file=sys.stderr)
        return 1
    plan = Plan.of(arguments)
    if not plan.precisions:
        print("bench-peers: the processor has neither AVX512-BF16 nor AMX, so bf16 is not measured", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(plan)
    except (Broken, OSError, ValueError) as error:
        print(f"bench-peers: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
