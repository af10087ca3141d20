"""The sides, each a child process that has one model loaded and answers a line of JSON with a line of JSON."""

import contextlib
import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from system import Broken, last_words

HERE = Path(__file__).resolve().parent
LOADED_WITHIN_S = 300.0
ANSWERED_WITHIN_S = 600.0
OURS = "Sensorium"


@dataclass(frozen=True)
class Peer:
    """A library that is compared with."""

    name: str
    script: str
    # The name of its package.
    package: str
    # Precisions that it computes in on x86.
    precisions: tuple[str, ...]


PEERS = (
    Peer("PyTorch", "torch_side.py", "torch", ("f32", "bf16")),
    Peer("ONNX Runtime", "onnx_side.py", "onnxruntime", ("f32",)),
    Peer("OpenVINO", "openvino_side.py", "openvino", ("f32", "bf16")),
)


@dataclass(frozen=True)
class Load:
    """What a side is given: the model and where it is (without a file of ONNX only PyTorch has it), its inputs, its precision."""

    model: str
    folder: Path
    onnx: Path | None
    inputs: Path
    precision: str


class Side:
    """A child process. It ends when its standard input does, and so with this process."""

    def __init__(self, name: str, command: list[str], threads: int, log: Path):
        self.name = name
        self.log = log
        # Whatever a library looks at: all get as many threads.
        limits = dict.fromkeys(("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PEERS_THREADS"), str(threads))
        with open(log, "ab") as errors:
            self.child = subprocess.Popen(
                command,
                env=os.environ | limits | {"HF_HUB_OFFLINE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
            )

    @property
    def pid(self) -> int:
        """Its id."""
        return self.child.pid

    def wait_until_loaded(self) -> None:
        """Comes back when it has its model."""
        self._answer(LOADED_WITHIN_S)

    def ask(self, **request: object) -> dict:
        """One request, one answer."""
        try:
            self.child.stdin.write(json.dumps(request).encode() + b"\n")
        except OSError:
            raise Broken(f"{self.name} has ended:\n{last_words(self.log)}") from None
        return self._answer(ANSWERED_WITHIN_S)

    def _answer(self, within_s: float) -> dict:
        ready, _, _ = select.select([self.child.stdout], [], [], within_s)
        if not ready:
            raise Broken(f"{self.name} does not answer within {within_s:.0f} s:\n{last_words(self.log)}")
        line = self.child.stdout.readline()
        if not line:
            raise Broken(f"{self.name} has ended:\n{last_words(self.log)}")
        answer = json.loads(line)
        if "error" in answer:
            raise Broken(f"{self.name}: {answer['error']}")
        return answer

    def stop(self) -> None:
        """Ends it."""
        with contextlib.suppress(OSError):
            self.child.stdin.close()
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def start(load: Load, binary: Path, threads: int, folder: Path) -> list[Side]:
    """All sides that can compute in this precision, ours first. They load one after the other."""
    ends = [str(load.inputs), load.precision]
    commands = {OURS: [str(binary), load.model, str(load.folder), *ends]}
    for peer in PEERS:
        if load.precision in peer.precisions:
            source = load.folder if peer.name == "PyTorch" else load.onnx
            if source is None:
                continue
            commands[peer.name] = [sys.executable, "-B", str(HERE / peer.script), load.model, str(source), *ends]
    sides: list[Side] = []
    try:
        for name, command in commands.items():
            sides.append(Side(name, command, threads, folder / f"{name.split()[0].lower()}.log"))
            sides[-1].wait_until_loaded()
    except BaseException:
        for side in sides:
            side.stop()
        raise
    return sides
