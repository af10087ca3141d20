"""Searches: each question is asked once, so that no cache answers."""

from dataclasses import dataclass, field

from contest import Contest, in_parts, say
from sides import Load, Side
from tables import percentile, print_table, short
from texts import Texts

CLIENTS = (1, 8)
# What Sensorium is asked beside the words. The first is what the peer does: the ten nearest chunks of text by their vectors.
SEARCHES = {
    "as the peer: by vectors, ten chunks": {"spaces": ["shared"], "targets": ["text"], "group_by": "none", "depth": 10},
    "by vectors, else default": {"spaces": ["shared"]},
    "default: vectors and BM25, by document": {},
}


@dataclass
class Asked:
    """Searches of one kind, by one number of clients."""

    side: Side
    what: str
    form: dict
    questions: list[str]
    seconds: float = 0.0
    each: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    def take(self, load: Load) -> None:
        """Adds what came of a round."""
        self.seconds += load.seconds
        self.each += load.each
        self.answers += load.answers

    def ms(self, percent: float) -> float:
        """A percentile in milliseconds."""
        return 1_000 * percentile(self.each, percent)

    def rate(self) -> float:
        """Searches a second."""
        return len(self.each) / self.seconds


async def measure(contest: Contest, texts: Texts, count: int, rounds: int) -> None:
    """Asks and prints."""
    table, alike = [], 0
    for clients in CLIENTS:
        say(f"searching: {count} questions of each kind, {clients} at a time")
        # The peer is asked what the kind that is like it is asked; the others have questions of their own.
        kinds = [Asked(contest.sensorium, what, form, questions(texts, count)) for what, form in SEARCHES.items()]
        peer = Asked(contest.peer, "", {}, kinds[0].questions)
        for number in range(rounds):
            turns = [*kinds, peer]
            for asked in turns[number % len(turns) :] + turns[: number % len(turns)]:
                part = in_parts(asked.questions, rounds)[number]
                await contest.rest()
                asked.take(await asked.side.search(part, clients, asked.form))
        alike += same_first_document(kinds[0], peer)
        for asked in kinds:
            ms = [asked.ms(50), peer.ms(50), asked.ms(99), peer.ms(99)]
            rates = [asked.rate(), peer.rate()]
            table.append([asked.what, str(clients), *map(short, ms + rates), short(ms[0] / ms[1]), short(ms[2] / ms[3])])
    head = ["search", "clients", "Sensorium p50 ms", "peer p50 ms", "Sensorium p99 ms", "peer p99 ms"]
    head += ["Sensorium searches/s", "peer searches/s", "p50: Sensorium / peer", "p99: Sensorium / peer"]
    print_table(f"Searching, {count:,} questions a row", head, table)
    share = 100 * alike / (count * len(CLIENTS))
    print(f"\nThe first document is the same on both sides for {share:.1f} % of the questions of the first kind.")


def questions(texts: Texts, count: int) -> list[str]:
    """Questions that nobody has asked."""
    return [texts.question() for _ in range(count)]


def same_first_document(one: Asked, other: Asked) -> int:
    """Questions whose first document is the same. Rounds were asked in one order, so answers stand side by side."""
    pairs = zip(one.answers, other.answers)
    return sum(one.side.first_document(ours) == other.side.first_document(theirs) for ours, theirs in pairs)
