"""What the figures are measured on, and with."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

from sides import PEERS
from system import processor

OTHER_VERSIONS = ("transformers", "onnx")
# What a processor that multiplies in bf16 says of itself.
BF16_FLAGS = {"avx512_bf16", "amx_bf16"}
VECTOR_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


def cores() -> int:
    """Cores that this process may use: those that it may run on, and no more than its control group has time on."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return allowed if quota == "max" else max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError):
        return allowed


def has_bf16() -> bool:
    """Whether the processor multiplies in bf16."""
    return bool(BF16_FLAGS & set(processor("flags").split()))


def print_machine(threads: int) -> None:
    """Processor, cores, memory, load, versions."""
    flags = set(processor("flags").split())
    vectors = " ".join(flag for flag in VECTOR_FLAGS if flag in flags) or "no vector extension that counts"
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = processor("model name") or platform.machine()
    print(f"{name} ({vectors}), {threads} cores, {gib:.0f} GiB, Linux; {datetime.date.today()}; {load()} before the start.")
    packages = [peer.package for peer in PEERS] + list(OTHER_VERSIONS)
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    print(f"Peers: {versions}. Every side has {threads} threads. PyTorch runs eagerly; torch.compile was not tried.")


def load() -> str:
    """How many wanted a core in the last minute."""
    return f"load {os.getloadavg()[0]:.1f}"
