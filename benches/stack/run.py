"""The same library through Sensorium and through the stack that is written today, side by side: `make bench-stack`.

Sensorium runs on Postgres and Qdrant; the peer (peer.py) is FastAPI, Transformers on PyTorch and qdrant-client with the same model
on the same Qdrant server. Both stay up and take turns (contest.py). Nothing is judged: aims stand beside the figures, and the exit
status tells only of what broke.
"""

import argparse
import asyncio
import datetime
import importlib.metadata
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import adding
import searching
from contest import Contest, say
from servers import (
    Memory,
    Peer,
    Postgres,
    Qdrant,
    Sensorium,
    memory,
    remove,
    resident_of_gpu_libraries,
    share_of_memory,
)
from system import Broken, cache, last_words, processor
from tables import print_table, short
from texts import Texts

# Nobody waits longer for all of it.
MOST_S = 1_200
SEED = 20_261_128
VERSIONS = ("fastapi", "uvicorn", "torch", "transformers", "qdrant-client")


@dataclass
class Plan:
    """How much is measured."""

    short: int
    long: int
    searches: int
    rounds: int
    starts: int

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Plan":
        """As the command line asks."""
        plan = cls(160, 16, 100, 2, 1) if arguments.quick else cls(800, 60, 1_000, 4, 3)
        for name in vars(plan):
            if (value := getattr(arguments, name)) is not None:
                setattr(plan, name, value)
        plan.rounds = min(plan.rounds, plan.short, plan.long, plan.searches)
        return plan


def start_both(plan: Plan, program: Path, folder: Path, postgres: Postgres, qdrant: Qdrant) -> tuple[Sensorium, Peer]:
    """Starts both by turns, some times, and prints how that went. The last ones stay; the first made their stores."""
    starts: dict[str, list[Sensorium | Peer]] = {"Sensorium": [], "peer": []}
    for number in range(plan.starts):
        say(f"start {number + 1} of {plan.starts}")
        for before in (both[-1] for both in starts.values() if both):
            before.stop()
        starts["Sensorium"].append(Sensorium(program, folder, postgres, qdrant))
        starts["peer"].append(Peer(folder, qdrant))
    ours, theirs = starts["Sensorium"], starts["peer"]
    rows = [
        ["start to ready, s", *compared([each.ready_after_s for each in ours], [each.ready_after_s for each in theirs]), ""]
    ]
    for what, name, aim in (
        ("resident at ready (VmRSS), MiB", "resident", "aim <= 0.5"),
        ("most from start to ready (VmHWM), MiB", "peak", "aim <= 0.5"),
        ("at ready without mapped files (RssAnon), MiB", "anonymous", ""),
    ):
        figures = [[getattr(each.at_ready, name) for each in both] for both in (ours, theirs)]
        rows.append([what, *compared(*figures), aim])
    head = ["start, memory", "Sensorium", "peer", "Sensorium / peer", "aim"]
    print_table(f"Start and memory, median of {plan.starts}", head, rows)
    idle = resident_of_gpu_libraries(theirs[-1].pid)
    print(f"\nOf the peer's resident memory {idle:.0f} MiB are libraries for GPUs; a build of PyTorch for the CPU alone is without them.")
    return ours[-1], theirs[-1]


def compared(ours: list[float], theirs: list[float]) -> list[str]:
    """Medians of both, and their ratio."""
    one, other = statistics.median(ours), statistics.median(theirs)
    return [short(one), short(other), f"**{short(one / other)}**"]


def print_memory_after(ours: Memory, theirs: Memory, postgres: Postgres, qdrant: Qdrant) -> None:
    """What both take after the load."""
    rows = [
        ["resident after the load (VmRSS), MiB", *compared([ours.resident], [theirs.resident])],
        ["most until then (VmHWM), MiB", *compared([ours.peak], [theirs.peak])],
        ["after the load without mapped files (RssAnon), MiB", *compared([ours.anonymous], [theirs.anonymous])],
    ]
    print_table("Memory after all of this", ["memory", "Sensorium", "peer", "Sensorium / peer"], rows)
    stores = [f"{share_of_memory(pid):.0f} MiB" for pid in (postgres.pid, qdrant.pid)]
    print(f"\nPostgres, which only Sensorium uses, takes {stores[0]} beside that (Pss); Qdrant, with the points of both, {stores[1]}.")


async def load_both(plan: Plan, sensorium: Sensorium, peer: Peer, qdrant: Qdrant, postgres: Postgres) -> None:
    """The library goes in, is searched, and its short texts go in again."""
    texts = Texts(SEED)
    contest = Contest(sensorium, peer, qdrant, postgres)
    try:
        await adding.warm_up(contest, texts)
        new = adding.New()
        try:
            await adding.measure_new(new, contest, texts, plan.short, plan.long, plan.rounds)
        finally:
            # What is there is told even if a later row breaks.
            adding.print_rows(new.rows)
        await searching.measure(contest, texts, plan.searches, plan.rounds)
        adding.print_rows(await adding.measure_again(contest, new.short, plan.rounds))
        refused = {side.name: side.refused for side in contest.order(0) if side.refused}
        if refused:
            print(f"\nAnswered 429 or 503 and asked again: {refused}.")
    finally:
        await contest.close()


def print_machine(program: Path) -> None:
    """What the figures were measured on, and with."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = processor("model name") or platform.machine()
    machine = f"{name}, {os.cpu_count()} cores, {gib:.0f} GiB, Linux"
    print(f"{machine}; {datetime.date.today()}; load {os.getloadavg()[0]:.1f} before the start.")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    theirs = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    print(f"{version or program.name} ({program.parent.name}) beside {theirs}; all-MiniLM-L6-v2, f32 on both sides.")
    if threads := os.environ.get("PEER_THREADS"):
        print(f"The peer has {threads} threads of PyTorch.")


def measure(plan: Plan, program: Path) -> None:
    """All of it, on stores of its own."""
    print_machine(program)
    folder = Path(tempfile.mkdtemp(prefix="sensorium-bench-stack-"))
    started: list = []
    try:
        postgres = Postgres()
        started.append(postgres)
        qdrant = Qdrant(folder)
        started.append(qdrant)
        sensorium, peer = start_both(plan, program, folder, postgres, qdrant)
        started += [sensorium, peer]
        try:
            asyncio.run(asyncio.wait_for(load_both(plan, sensorium, peer, qdrant, postgres), MOST_S))
        except (Broken, TimeoutError):
            for each in (sensorium, peer):
                print(f"bench-stack: the last words of {each.name}:\n{last_words(each.log)}", file=sys.stderr)
            raise
        print_memory_after(memory(sensorium.pid), memory(peer.pid), postgres, qdrant)
        counts = [f"{name} {count:,}" for name, count in qdrant.points().items()]
        print(f"Points in Qdrant: {', '.join(counts)}.")
    finally:
        for each in reversed(started):
            each.stop()
        remove(folder)


def main() -> int:
    """Reads the command line and measures."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or cache() / "target")
    parser = argparse.ArgumentParser(description="Sensorium and the stack that is written today, side by side.")
    parser.add_argument("--quick", action="store_true", help="fewer of everything")
    parser.add_argument("--binary", type=Path, default=target / "release/sensorium", help="the program to measure")
    for name, what in (
        ("short", "labels and short texts, of each"),
        ("long", "long texts"),
        ("searches", "searches of each kind"),
        ("rounds", "turns of each side"),
        ("starts", "starts of each side"),
    ):
        parser.add_argument(f"--{name}", type=int, choices=range(1, 10_001), metavar="N", help=what)
    arguments = parser.parse_args()
    if not os.access(arguments.binary, os.X_OK):
        print(f"bench-stack: there is no {arguments.binary}; use: make bench-stack", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        measure(Plan.of(arguments), arguments.binary.resolve())
    except (Broken, TimeoutError, OSError, subprocess.CalledProcessError) as error:
        print(f"bench-stack: {error or 'it takes too long'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
