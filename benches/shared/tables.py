"""Numbers and tables as they are printed."""

from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, -(-int(len(ranked) * percent) // 100) - 1)]


def short(value: float) -> str:
    """Three digits that count."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def span(values: Sequence[float]) -> str:
    """From the least to the greatest."""
    return f"{short(min(values))} to {short(max(values))}"


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> None:
    """A table in Markdown; the first `texts` columns are words, the others numbers."""
    print(f"\n{title}\n")
    print(f"| {' | '.join(head)} |")
    print("|" + "|".join("---" if column < texts else "--:" for column in range(len(head))) + "|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
