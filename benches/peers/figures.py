"""The tables of the contest."""

from contest import Agreement, Figures
from models import MODELS
from sides import OURS
from tables import print_table, short, span

# Of the ratio to the best peer, by precision: for one input, and for more.
AIMS = {"f32": (1.3, 1.1), "bf16": (1.7, 1.0)}


def sides_of(figures: list[Figures]) -> list[str]:
    """All sides that took part in some of it."""
    return list(dict.fromkeys(name for each in figures for name in each.rates))


def print_rates(precision: str, figures: list[Figures]) -> None:
    """Items a second of every side, and ours by the best of the others."""
    names = sides_of(figures)
    head = ["model", "items", "batch", *names, f"{OURS} / best peer", "by round", "aim", "best peer"]
    rows = []
    for each in figures:
        best, model = each.best_peer(), MODELS[each.model]
        aim = AIMS[precision][0 if each.batch == 1 else 1]
        ratio = f"**{each.rate(OURS) / each.rate(best):.2f}**"
        rates = [short(each.rate(name)) if name in each.rates else "" for name in names]
        row = [model.title, model.items, str(each.batch), *rates, ratio, span(each.ratios(best)), f"aim >= {aim}", best]
        rows.append(row)
    print_table(f"Items a second in {precision}, median of the rounds", head, rows, texts=2)


def print_ratios(precision: str, figures: list[Figures]) -> None:
    """Ours by each of the others, with the least and the greatest of a round."""
    peers = [name for name in sides_of(figures) if name != OURS]
    head = ["model", "batch", *(f"{OURS} / {peer}" for peer in peers), *(f"{name}, items/s" for name in (OURS, *peers))]
    rows = []
    for each in figures:
        ratios = [f"{each.rate(OURS) / each.rate(peer):.2f} ({span(each.ratios(peer))})" if peer in each.rates else "" for peer in peers]
        spans = [span(each.rates[name]) if name in each.rates else "" for name in (OURS, *peers)]
        rows.append([MODELS[each.model].title, str(each.batch), *ratios, *spans])
    print_table(f"{OURS} by each peer in {precision}, and the least and the most of a round", head, rows)


def print_agreements(precision: str, floor: float, agreements: list[Agreement]) -> None:
    """How near the sides are to PyTorch."""
    sides = list(dict.fromkeys(each.side for each in agreements))
    cosines = {(each.model, each.side): f"{each.cosine:.7f}" for each in agreements}
    models = list(dict.fromkeys(each.model for each in agreements))
    rows = [[MODELS[model].title, *(cosines.get((model, side), "") for side in sides)] for model in models]
    print_table(f"Least cosine with PyTorch's outputs in {precision}; below {floor} there are no figures", ["model", *sides], rows)


def print_choices(figures: list[Figures]) -> None:
    """How peers that have a choice ran each batch."""
    for side in sides_of(figures):
        chosen = [f"{MODELS[each.model].title} x {each.batch}: {each.how[side]}" for each in figures if each.how.get(side)]
        if chosen:
            print(f"\n{side}, the faster of what was tried: {'; '.join(chosen)}.")
