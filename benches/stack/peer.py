"""Search over documents as it is written today: FastAPI, Transformers on PyTorch, qdrant-client.

The other side of `make bench-stack`, and meant to do well there. What its libraries advise is done: one process with the
model, batches of what concurrent requests bring, the encoder in a thread of its own under `inference_mode` with a thread of
PyTorch for each core, texts of a batch of like length, Qdrant over gRPC with batches of points, an index on the tenant's field.
Texts are cut as Sensorium cuts them: whole sentences, up to 200 tokens, 30 of them shared by neighbours.

Settings come from the environment: PEER_MODEL (a folder), PEER_QDRANT_HTTP and PEER_QDRANT_GRPC (ports on loopback), and
PEER_THREADS (of PyTorch; as many as there are cores when it is not set).
"""

import asyncio
import os
import re
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any

import torch
from fastapi import Depends, FastAPI, Header, Request
from pydantic import BaseModel, Field
from qdrant_client import AsyncQdrantClient, models
from transformers import AutoModel, AutoTokenizer

COLLECTION = "peer"
DIMENSIONS = 384
# Tokens of a text that the model reads (its `max_seq_length`); of a chunk, beside [CLS] and [SEP]; and those that neighbours share.
MODEL_TOKENS = 256
CHUNK_TOKENS = 200
OVERLAP_TOKENS = 30
# Texts that are encoded at once, and points that are written at once.
ENCODE_BATCH = 32
UPSERT_BATCH = 64
ID_SPACE = uuid.UUID("6f2d3f5e-7f0b-4a37-9d0e-2f8f6d0c9b11")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class Encoder:
    """all-MiniLM-L6-v2: the mean over the tokens, scaled to length 1."""

    def __init__(self, folder: str):
        torch.set_num_threads(int(os.environ.get("PEER_THREADS") or os.cpu_count() or 1))
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        # Of its own: one that pads and cuts off changes its settings, and refuses to while another thread uses it.
        self.counter = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.encode(["the first call is slower than those that follow"])

    def encode(self, texts: list[str]) -> list[list[float]]:
        """Vectors in the order of the texts. Texts of like length go together, so that little is padded."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        vectors: list[Any] = [None] * len(texts)
        for begin in range(0, len(order), ENCODE_BATCH):
            batch = order[begin : begin + ENCODE_BATCH]
            for number, vector in zip(batch, self._forward([texts[number] for number in batch])):
                vectors[number] = vector
        return vectors

    @torch.inference_mode()
    def _forward(self, texts: list[str]) -> list[list[float]]:
        inputs = self.tokenizer(texts, padding=True, truncation=True, max_length=MODEL_TOKENS, return_tensors="pt")
        hidden = self.model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.normalize(mean, dim=1).tolist()

    def chunks(self, text: str) -> list[str]:
        """Runs of whole sentences that fit a chunk; each begins with the last sentences of the one before."""
        if len(text) <= CHUNK_TOKENS:  # a token has at least one character
            return [text]
        sentences = SENTENCE_END.split(text)
        lengths = [len(ids) for ids in self.counter(sentences, add_special_tokens=False)["input_ids"]]
        chunks, begin = [], 0
        while True:
            end, tokens = begin, 0
            while end < len(sentences) and (end == begin or tokens + lengths[end] <= CHUNK_TOKENS):
                tokens += lengths[end]
                end += 1
            chunks.append(" ".join(sentences[begin:end]))
            if end == len(sentences):
                return chunks
            shared, following = 0, end
            while following - 1 > begin and shared + lengths[following - 1] <= OVERLAP_TOKENS:
                following -= 1
                shared += lengths[following]
            begin = following


class Batcher:
    """Does together what concurrent requests ask for: a batch is what has come while the one before was at work.

    There is no timer: under load batches are full, and a request that is alone does not wait.
    """

    def __init__(self, work: Callable[[list], Awaitable[list]], most: int):
        self.work = work
        self.most = most
        self.waiting: deque[tuple[list, asyncio.Future]] = deque()
        self.arrived = asyncio.Event()

    async def submit(self, items: list) -> list:
        """What `work` gives for the items, in their order."""
        answer = asyncio.get_running_loop().create_future()
        self.waiting.append((items, answer))
        self.arrived.set()
        return await answer

    def _next_batch(self) -> list[tuple[list, asyncio.Future]]:
        """Whole requests up to `most` items; a larger request goes alone."""
        batch, size = [], 0
        while self.waiting and (not batch or size + len(self.waiting[0][0]) <= self.most):
            batch.append(self.waiting.popleft())
            size += len(batch[-1][0])
        return batch

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            await self.arrived.wait()
            batch = self._next_batch()
            if not self.waiting:
                self.arrived.clear()
            if not batch:
                continue
            try:
                results = await self.work([item for items, _ in batch for item in items])
            except Exception as error:  # the requests of this batch are told; others go on
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            begin = 0
            for items, answer in batch:
                if not answer.done():
                    answer.set_result(results[begin : begin + len(items)])
                begin += len(items)


class Stack:
    """The model, the store, and the batches before them."""

    def __init__(self, encoder: Encoder, store: AsyncQdrantClient):
        self.encoder = encoder
        self.store = store
        self.thread = ThreadPoolExecutor(max_workers=1)
        self.encoding = Batcher(self._encode, ENCODE_BATCH)
        self.writing = Batcher(self._write, UPSERT_BATCH)

    async def _encode(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.get_running_loop().run_in_executor(self.thread, self.encoder.encode, texts)

    async def _write(self, points: list[models.PointStruct]) -> list[None]:
        await self.store.upsert(COLLECTION, points=points, wait=True)
        return [None] * len(points)

    async def add(self, tenant: str, documents: list["Document"]) -> int:
        """Adds documents; they can be found when this returns. Returns the number of chunks."""
        pieces = [
            (document.id, number, chunk)
            for document in documents
            for number, chunk in enumerate(self.encoder.chunks(document.text))
        ]
        vectors = await self.encoding.submit([chunk for _, _, chunk in pieces])
        points = [
            models.PointStruct(
                id=str(uuid.uuid5(ID_SPACE, f"{tenant}/{document}/{number}")),
                vector=vector,
                payload={"tenant": tenant, "document": document, "chunk": number, "text": chunk},
            )
            for (document, number, chunk), vector in zip(pieces, vectors)
        ]
        batches = [points[begin : begin + UPSERT_BATCH] for begin in range(0, len(points), UPSERT_BATCH)]
        await asyncio.gather(*(self.writing.submit(batch) for batch in batches))
        return len(pieces)

    async def search(self, tenant: str, text: str, limit: int) -> list["Hit"]:
        """The chunks of a tenant that are nearest to the text."""
        (vector,) = await self.encoding.submit([text])
        of_tenant = models.FieldCondition(key="tenant", match=models.MatchValue(value=tenant))
        answer = await self.store.query_points(
            COLLECTION, query=vector, query_filter=models.Filter(must=[of_tenant]), limit=limit, with_payload=True
        )
        return [
            Hit(score=point.score, **{name: point.payload[name] for name in ("document", "chunk", "text")})
            for point in answer.points
        ]


class Document(BaseModel):
    """A document of text, under the caller's id."""

    id: str = Field(max_length=1000)
    text: str = Field(min_length=1, max_length=16_777_216)


class Added(BaseModel):
    """What was added and can be found."""

    documents: int
    chunks: int


class Question(BaseModel):
    """What is looked for."""

    text: str = Field(min_length=1, max_length=20_000)
    limit: int = Field(default=10, ge=1, le=200)


class Hit(BaseModel):
    """A chunk that answers."""

    score: float
    document: str
    chunk: int
    text: str


async def make_collection(store: AsyncQdrantClient) -> None:
    """The collection with the index on the tenant, where it is missing."""
    if await store.collection_exists(COLLECTION):
        return
    size = models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)
    await store.create_collection(COLLECTION, vectors_config=size)
    by_tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    await store.create_payload_index(COLLECTION, "tenant", field_schema=by_tenant, wait=True)


@asynccontextmanager
async def lifespan(app: FastAPI):
    """Loads the model, makes the collection, and keeps the batches going."""
    http, grpc = (int(os.environ[name]) for name in ("PEER_QDRANT_HTTP", "PEER_QDRANT_GRPC"))
    store = AsyncQdrantClient(host="127.0.0.1", port=http, grpc_port=grpc, prefer_grpc=True, https=False, timeout=30)
    await make_collection(store)
    stack = Stack(Encoder(os.environ["PEER_MODEL"]), store)
    app.state.stack = stack
    workers = [asyncio.create_task(batcher.run()) for batcher in (stack.encoding, stack.writing)]
    yield
    for worker in workers:
        worker.cancel()
    await store.close()


def the_stack(request: Request) -> Stack:
    """The stack of this process."""
    return request.app.state.stack


async def the_tenant(x_tenant: Annotated[str, Header(max_length=100)]) -> str:
    """Whose documents these are. Who calls is checked in front of this server."""
    return x_tenant


OfTenant = Annotated[str, Depends(the_tenant)]
app = FastAPI(lifespan=lifespan)


@app.get("/ready")
async def ready(request: Request) -> dict[str, str]:
    """The store answers and the model gives a vector."""
    stack = the_stack(request)
    await stack.store.get_collection(COLLECTION)
    await stack.encoding.submit(["ready"])
    return {"status": "ok"}


@app.post("/documents")
async def add_document(request: Request, tenant: OfTenant, document: Document) -> Added:
    """Adds one document; answered when it can be found."""
    return Added(documents=1, chunks=await the_stack(request).add(tenant, [document]))


@app.post("/documents/bulk")
async def add_documents(
    request: Request, tenant: OfTenant, documents: Annotated[list[Document], Field(min_length=1, max_length=256)]
) -> Added:
    """Adds many documents at once; answered when all can be found."""
    return Added(documents=len(documents), chunks=await the_stack(request).add(tenant, documents))


@app.post("/search")
async def search(request: Request, tenant: OfTenant, question: Question) -> list[Hit]:
    """Finds chunks by meaning."""
    return await the_stack(request).search(tenant, question.text, question.limit)
