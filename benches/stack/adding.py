"""Documents a second, until all can be found."""

import statistics
from dataclasses import dataclass, field

from contest import Contest, Turn, in_parts, say
from sides import Document
from tables import print_table, short, span
from texts import Texts

CLIENTS = 16
# Four chunks of up to 200 tokens.
LONG_SENTENCES = 54
NAME = {False: "one a request, each waited for", True: "in bulk"}


@dataclass
class Row:
    """Documents that were added in one way: turns by side, one for each round."""

    what: str
    in_bulk: bool
    count: int
    aim: str
    turns: dict[str, list[Turn]] = field(default_factory=lambda: {"Sensorium": [], "peer": []})

    def rate(self, name: str) -> float:
        """Documents a second over all rounds."""
        return self.count / sum(turn.seconds for turn in self.turns[name])

    def ratios(self) -> list[float]:
        """Documents a second of Sensorium by those of the peer, by round."""
        return [peer.seconds / ours.seconds for ours, peer in zip(self.turns["Sensorium"], self.turns["peer"])]

    def core_ms(self, name: str, who: str) -> float:
        """Milliseconds of a core for a document."""
        return 1_000 * sum(turn.cores[who] for turn in self.turns[name]) / self.count


async def warm_up(contest: Contest, texts: Texts) -> None:
    """What comes first is slower on both sides and is not counted."""
    documents = [(f"warm-{number}", texts.sentence()) for number in range(64)]
    documents += [(f"warm-long-{number}", texts.long(LONG_SENTENCES)) for number in range(4)]
    for side in contest.order(0):
        await side.add_waiting(documents, CLIENTS)
        await side.search([texts.question() for _ in range(50)], 8, {})


@dataclass
class New:
    """Rows of texts that were new, and the short ones among them."""

    rows: list[Row] = field(default_factory=list)
    short: list[Document] = field(default_factory=list)


async def measure_new(new: New, contest: Contest, texts: Texts, short_count: int, long_count: int, rounds: int) -> None:
    """Texts that neither side has seen, each kind in both ways."""
    kinds = (
        ("label, three words", texts.label, short_count, "aim >= 3"),
        ("short, one sentence", texts.sentence, short_count, "aim >= 3"),
        ("long, four chunks", lambda: texts.long(LONG_SENTENCES), long_count, "aim >= 1"),
    )
    for what, make, count, aim in kinds:
        for in_bulk in (False, True):
            documents = [(f"{what.split(',')[0]}-{in_bulk}-{number}", make()) for number in range(count)]
            new.rows.append(await _add(contest, what, documents, rounds, in_bulk, aim))
            if make == texts.sentence and not in_bulk:
                new.short = documents


async def measure_again(contest: Contest, documents: list[Document], rounds: int) -> list[Row]:
    """Texts that are there, under other ids. Sensorium keeps vectors by content; the peer encodes again."""
    rows = []
    for in_bulk in (False, True):
        renamed = [(f"again-{in_bulk}-{name}", text) for name, text in documents]
        rows.append(await _add(contest, "short, there under another id", renamed, rounds, in_bulk, ""))
    return rows


async def _add(contest: Contest, what: str, documents: list[Document], rounds: int, in_bulk: bool, aim: str) -> Row:
    say(f"adding {len(documents)} documents: {what}, {NAME[in_bulk]}")
    row = Row(what, in_bulk, len(documents), aim)
    for number, part in enumerate(in_parts(documents, rounds)):
        for side in contest.order(number):
            add = side.add_in_bulk if in_bulk else side.add_waiting
            row.turns[side.name].append(await contest.turn(side, lambda: add(part, CLIENTS)))
    return row


def print_rows(rows: list[Row]) -> None:
    """The figures, and where the cores' time went."""
    head = ["documents", "how", "n", "Sensorium, documents/s", "peer, documents/s", "Sensorium / peer", "by round", "aim"]
    table = []
    for row in rows:
        ours, theirs = row.rate("Sensorium"), row.rate("peer")
        figures = [f"{row.count:,}", short(ours), short(theirs), f"**{short(ours / theirs)}**", span(row.ratios()), row.aim]
        table.append([row.what, NAME[row.in_bulk], *figures])
    print_table(f"Adding, {CLIENTS} clients", head, table, texts=2)

    head = ["documents", "how", "side", "server", "Qdrant", "Postgres", "load generator", "seconds of a round, median"]
    table = []
    for row in rows:
        for name, turns in row.turns.items():
            spent = [short(row.core_ms(name, who)) for who in ("server", "Qdrant", "Postgres", "load generator")]
            seconds = statistics.median(turn.seconds for turn in turns)
            table.append([row.what, NAME[row.in_bulk], name, *spent, short(seconds)])
    print_table("Milliseconds of a core for a document, by who had them", head, table, texts=3)
