"""Whose turn it is. Both sides stay up, one at a time is under load, and before each turn all have come to rest."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from servers import Peer, Postgres, Qdrant, Sensorium
from sides import PeerSide, SensoriumSide, Side
from system import processor_seconds

REST_WITHIN_S = 20.0
REST_LOOK_S = 0.25
# At rest the servers have less than this share of a core together.
REST_SHARE = 0.1


@dataclass
class Turn:
    """What a side did in its turn: seconds, and seconds of a core by who had them."""

    seconds: float
    cores: dict[str, float]


class Contest:
    """All that take part."""

    def __init__(self, sensorium: Sensorium, peer: Peer, qdrant: Qdrant, postgres: Postgres):
        self.sensorium = SensoriumSide(sensorium.url, sensorium.key)
        self.peer = PeerSide(peer.url)
        self.servers = {"Sensorium": sensorium.pid, "peer": peer.pid}
        self.stores = {"Qdrant": qdrant.pid, "Postgres": postgres.pid}

    async def close(self) -> None:
        """Ends all connections."""
        await self.sensorium.close()
        await self.peer.close()

    def order(self, number: int) -> list[Side]:
        """Who goes first changes with every round."""
        return [self.sensorium, self.peer] if number % 2 == 0 else [self.peer, self.sensorium]

    async def turn(self, side: Side, act: Callable[[], Awaitable[float]]) -> Turn:
        """Lets a side act; `act` gives the seconds that it took."""
        await self.rest()
        before = self._cores(side)
        seconds = await act()
        after = self._cores(side)
        return Turn(seconds, {who: after[who] - before[who] for who in after})

    def _cores(self, side: Side) -> dict[str, float]:
        pids = {"server": self.servers[side.name], **self.stores, "load generator": os.getpid()}
        return {who: processor_seconds(pid, children=pid != os.getpid()) for who, pid in pids.items()}

    async def rest(self) -> None:
        """Waits until nobody works on what the turn before has left: segments of Qdrant, ends of jobs."""
        pids = [*self.servers.values(), *self.stores.values()]
        for _ in range(int(REST_WITHIN_S / REST_LOOK_S)):
            before = sum(processor_seconds(pid) for pid in pids)
            await asyncio.sleep(REST_LOOK_S)
            if sum(processor_seconds(pid) for pid in pids) - before < REST_SHARE * REST_LOOK_S:
                return
        say("the servers are not at rest before a turn")


def say(text: str) -> None:
    """How far it has come, beside the tables."""
    print(f"bench-stack: {text}", file=sys.stderr, flush=True)


def in_parts(items: list, count: int) -> list[list]:
    """As many parts of like size."""
    bounds = [len(items) * number // count for number in range(count + 1)]
    return [items[begin:end] for begin, end in zip(bounds, bounds[1:]) if end > begin]
