"""Both sides as their users talk to them. Bodies are written before the clock runs, so that the load generator costs little."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp

from system import Broken

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=120)
LOOK_EVERY_S = 0.02
FULL_PAUSE_S = 0.05
# Too much at once, and not at the moment.
ASK_AGAIN = (429, 503)
TENANT = "default"

# An id and a text.
Document = tuple[str, str]


def body(value: object) -> bytes:
    """A request's JSON."""
    return json.dumps(value).encode()


@dataclass
class Load:
    """What came of a number of requests: seconds of all, seconds of each, and the answers in order."""

    seconds: float
    each: list[float]
    answers: list[bytes]


async def side_by_side(clients: int, bodies: Sequence[bytes], act: Callable[[bytes], Awaitable[bytes]]) -> Load:
    """Clients that each take the next as soon as they have an answer."""
    load = Load(0.0, [0.0] * len(bodies), [b""] * len(bodies))
    numbers = iter(range(len(bodies)))

    async def client() -> None:
        for number in numbers:
            asked = time.perf_counter()
            load.answers[number] = await act(bodies[number])
            load.each[number] = time.perf_counter() - asked

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    load.seconds = time.perf_counter() - begun
    return load


def in_groups(documents: Sequence[Document]) -> list[Sequence[Document]]:
    """As they go in bulk, on both sides: about as much work in each request, whatever the length of the texts."""
    size = 8 if len(documents[0][1]) > 1_000 else 32
    return [documents[begin : begin + size] for begin in range(0, len(documents), size)]


class Side:
    """What one side is asked, and how it is told of documents."""

    name = ""
    headers: dict[str, str] = {}

    def __init__(self, url: str):
        # No compression: on loopback it only costs.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"} | self.headers
        self.session = aiohttp.ClientSession(url, headers=headers, timeout=REQUEST_TIMEOUT)
        self.refused = 0

    async def close(self) -> None:
        """Ends its connections."""
        await self.session.close()

    async def post(self, path: str, sent: bytes, headers: dict[str, str] | None = None) -> bytes:
        """The body of the answer. Who has too much to do is asked again, which is counted."""
        while True:
            async with self.session.post(path, data=sent, headers=headers) as answer:
                received = await answer.read()
                if answer.status < 300:
                    return received
                if answer.status not in ASK_AGAIN:
                    raise Broken(f"{self.name}: POST {path} is answered {answer.status}: {received[:500]!r}")
            self.refused += 1
            await asyncio.sleep(FULL_PAUSE_S)

    async def add_waiting(self, documents: Sequence[Document], clients: int) -> float:
        """One document a request, each answered when it can be found. Returns seconds."""
        raise NotImplementedError

    async def add_in_bulk(self, documents: Sequence[Document], clients: int) -> float:
        """As its users add many. Returns seconds until all can be found."""
        raise NotImplementedError

    async def search(self, questions: Sequence[str], clients: int, form: dict) -> Load:
        """Searches; `form` is what Sensorium is asked beside the words."""
        raise NotImplementedError

    def first_document(self, answer: bytes) -> str | None:
        """Whose document comes first in a search's answer, by the id that it was added under."""
        raise NotImplementedError


class SensoriumSide(Side):
    """`Prefer: wait` where each document is waited for; else batches, and at the end the list of jobs."""

    name = "Sensorium"

    def __init__(self, url: str, key: str):
        self.headers = {"Authorization": f"Bearer {key}"}
        super().__init__(url)

    @staticmethod
    def _form(document: Document) -> dict:
        name, text = document
        return {"external_id": name, "parts": [{"text": text}]}

    async def add_waiting(self, documents, clients):
        wait = {"Prefer": "wait=60"}
        bodies = [body(self._form(document)) for document in documents]
        load = await side_by_side(clients, bodies, lambda sent: self.post("/v1/documents", sent, wait))
        jobs = [json.loads(answer)["job"] for answer in load.answers]
        if late := [job for job in jobs if job["state"] != "succeeded"]:
            raise Broken(f"{len(late)} documents could not be found after 60 s; the first: {late[0]}")
        return load.seconds

    async def add_in_bulk(self, documents, clients):
        bodies = [body({"documents": [self._form(document) for document in group]}) for group in in_groups(documents)]
        begun = time.perf_counter()
        load = await side_by_side(clients, bodies, lambda sent: self.post("/v1/documents/batch", sent))
        if refused := [answer for answer in map(json.loads, load.answers) if answer["refused"]]:
            raise Broken(f"documents were refused: {refused[0]}")
        while await self._jobs("queued") or await self._jobs("running"):
            await asyncio.sleep(LOOK_EVERY_S)
        seconds = time.perf_counter() - begun
        if failed := await self._jobs("failed"):
            raise Broken(f"a job failed: {failed[0]}")
        return seconds

    async def _jobs(self, state: str) -> list[dict]:
        async with self.session.get("/v1/jobs", params={"state": state, "page_size": "1"}) as answer:
            if answer.status != 200:
                raise Broken(f"GET /v1/jobs is answered {answer.status}: {await answer.text()}")
            return (await answer.json())["jobs"]

    async def search(self, questions, clients, form):
        bodies = [body({"inputs": [{"text": text}], "page_size": 10} | form) for text in questions]
        return await side_by_side(clients, bodies, lambda sent: self.post("/v1/search", sent))

    def first_document(self, answer):
        hits = json.loads(answer)["hits"]
        return hits[0]["document"]["external_id"] if hits else None


class PeerSide(Side):
    """A document a request; or many in one."""

    name = "peer"
    headers = {"X-Tenant": TENANT}

    async def add_waiting(self, documents, clients):
        bodies = [body({"id": name, "text": text}) for name, text in documents]
        return (await side_by_side(clients, bodies, lambda sent: self.post("/documents", sent))).seconds

    async def add_in_bulk(self, documents, clients):
        bodies = [body([{"id": name, "text": text} for name, text in group]) for group in in_groups(documents)]
        return (await side_by_side(clients, bodies, lambda sent: self.post("/documents/bulk", sent))).seconds

    async def search(self, questions, clients, form):
        bodies = [body({"text": text, "limit": 10}) for text in questions]
        return await side_by_side(clients, bodies, lambda sent: self.post("/search", sent))

    def first_document(self, answer):
        hits = json.loads(answer)
        return hits[0]["document"] if hits else None
