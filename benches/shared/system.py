"""What the benches ask the system: processes and their time, the processor, files of /proc, the cache."""

import contextlib
import os
from pathlib import Path


class Broken(Exception):
    """Something does not work, so that there are no figures."""


def cache() -> Path:
    """Where the project keeps what it has made or fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sensorium"


def last_words(log: Path) -> str:
    """The end of a program's log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def processor(field: str) -> str:
    """What the first processor says of itself; empty where the system does not tell."""
    lines = read("/proc/cpuinfo").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), "")


def family(pid: int) -> list[int]:
    """A process and all that come from it."""
    children = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return [pid] + [member for child in children for member in family(child)]


def processor_seconds(pid: int, children: bool = True) -> float:
    """Seconds on a core that a process has had; with its children unless told otherwise."""
    total = 0
    for member in family(pid) if children else [pid]:
        fields = read(f"/proc/{member}/stat").rpartition(")")[2].split()
        # Its own, by user and system; then those of children that have ended.
        total += sum(int(field) for field in fields[11 : 15 if children else 13])
    return total / os.sysconf("SC_CLK_TCK")


def read(path: str) -> str:
    """A file of /proc; empty when its process has gone."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
