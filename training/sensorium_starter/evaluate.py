"""Prints the model card's table: the shipped towers on everything they have not been trained on.

usage: python -m sensorium_starter.evaluate [--card]
"""
import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from . import picture, photolike, questions, sound
from .places import CACHE, SHIPPED
from .sounds import loud
from .text import embed

THEME = Path("/usr/share/sounds/freedesktop/stereo")


def pictures_to_vectors(tower, rgb):
    """rgb: (n, 64, 64, 3) u8, prepared."""
    parts = [tower(torch.from_numpy(np.ascontiguousarray(rgb[i:i + 64])).permute(0, 3, 1, 2).float() / 255.0) for i in range(0, len(rgb), 64)]
    return torch.cat(parts)


@torch.no_grad()
def sounds_to_vectors(tower, pcm):
    parts = [tower(torch.from_numpy(pcm[i:i + 64].astype(np.float32) / 32768.0)) for i in range(0, len(pcm), 64)]
    return torch.cat(parts)


def prepared(pictures):
    return np.stack([picture.prepare(one) for one in pictures])


def shrunk(rgb, share):
    side = rgb.shape[0]
    small = Image.fromarray(rgb).resize((int(side * share),) * 2, Image.BILINEAR)
    page = Image.new("RGB", (side, side), (255, 255, 255))
    page.paste(small, ((side - small.size[0]) // 2,) * 2)
    return np.asarray(page)


def on_ground(rgba, colour=(255, 255, 255)):
    alpha = rgba[..., 3:].astype(np.float32) / 255.0
    return (rgba[..., :3] * alpha + np.array(colour, np.float32) * (1 - alpha) + 0.5).astype(np.uint8)


class Centres:
    """The vectors to subtract from a query, per (query, target), as in pairs.json; none means the query as it is."""

    def __init__(self):
        self.rules = json.loads((SHIPPED / "pairs.json").read_text())["pairs"]
        self.vectors = load_file(SHIPPED / "centres.safetensors")

    def __call__(self, query, target, vectors):
        name = next(rule["subtract"] for rule in self.rules if (rule["query"], rule["target"]) == (query, target))
        return vectors if name is None else F.normalize(vectors - self.vectors[name].float(), dim=1)


def ranks(similarity, right):
    """For each row the best rank (from 1) of a right column; right: (rows, columns) bool. Ties count against."""
    best = similarity.masked_fill(~right, -9.0).amax(dim=1, keepdim=True)
    return ((similarity >= best) & ~right).sum(dim=1) + 1


def summary(rank):
    rank = rank.float()
    return len(rank), 100 * (rank <= 1).float().mean().item(), 100 * (rank <= 10).float().mean().item(), rank.median().item()


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, rank, among):
        n, first, ten, median = summary(rank)
        self.rows.append((what, n, among, f"{first:.1f}", f"{ten:.1f}", f"{median:g}"))
        print(self.line(self.rows[-1]), flush=True)

    def line(self, row):
        return "| " + " | ".join(str(cell) for cell in row) + " |"

    def text(self):
        head = ["| what | queries | among | R@1 | R@10 | median rank |", "|---|---|---|---|---|---|"]
        return "\n".join(head + [self.line(row) for row in self.rows])


def same(a, b):
    index = {name: number for number, name in enumerate(sorted(set(a) | set(b)))}
    left, right = torch.tensor([index[x] for x in a]), torch.tensor([index[x] for x in b])
    return left[:, None] == right[None]


def both_ways(table, what, names, vectors, centres, modality, text_of=lambda name: name):
    """Each name as a question, and each vector as a question among the names."""
    unique = sorted(set(names))
    texts = embed([text_of(name) for name in unique])
    right = same(unique, names)
    table.add(f"{what}: text to {modality}", ranks(centres("text", modality, texts) @ vectors.t(), right), len(names))
    table.add(f"{what}: {modality} to text", ranks(centres(modality, "text", vectors) @ texts.t(), right.t()), len(unique))


def evaluate_pictures(table, tower, centres, facts):
    listed = json.loads((CACHE / "openmoji.json").read_text())
    raw = np.load(CACHE / "openmoji.npy")
    names = [entry["name"] for entry in listed]
    seen = torch.tensor([entry["seen"] for entry in listed])
    vectors = pictures_to_vectors(tower, prepared(raw))
    seen_names = [name for name, is_seen in zip(names, seen) if is_seen]
    unseen_names = [name for name, is_seen in zip(names, seen) if not is_seen]
    both_ways(table, "openmoji (unseen style), seen concepts", seen_names, vectors[seen], centres, "image")
    both_ways(table, "openmoji, unseen concepts among themselves", unseen_names, vectors[~seen], centres, "image")
    texts = centres("text", "image", embed(names))
    table.add("openmoji, unseen concepts among all", ranks(texts[~seen] @ vectors.t(), same(unseen_names, names)), len(names))
    asked = list(questions.PICTURES)
    wanted = [questions.PICTURES[text] for text in asked]
    missing = [name for name in wanted if name not in names]
    assert not missing, missing
    asked_vectors = embed(asked)
    table.add("openmoji, free wordings: text to image", ranks(centres("text", "image", asked_vectors) @ vectors.t(), same(wanted, names)), len(names))
    table.add("(the text model's own ceiling: free wording to name)", ranks(asked_vectors @ embed(names).t(), same(wanted, names)), len(names))
    small = pictures_to_vectors(tower, prepared([shrunk(one, 0.6) for one in raw]))
    table.add("openmoji at 60 % scale, seen concepts: text to image", ranks(texts[seen] @ small[seen].t(), same(seen_names, seen_names)), len(seen_names))
    tinted = [np.where((one > 250).all(axis=2, keepdims=True), np.uint8([60, 90, 160]), one) for one in raw]
    tint = pictures_to_vectors(tower, prepared(tinted))
    table.add("openmoji on blue ground, seen concepts: text to image", ranks(texts[seen] @ tint[seen].t(), same(seen_names, seen_names)), len(seen_names))

    entries = json.loads((CACHE / "drawings.json").read_text())
    pixels = np.load(CACHE / "drawings.npy", mmap_mode="r")
    rows = [i for i, entry in enumerate(entries) if entry["split"] == "held"]
    held = pictures_to_vectors(tower, prepared([on_ground(pixels[i]) for i in rows]))
    both_ways(table, "held-out drawings of trained styles", [entries[i]["name"] for i in rows], held, centres, "image")
    styles = ("noto", "twemoji", "fluent-emoji")
    for style in styles:
        rows = [i for i, entry in enumerate(entries) if entry["split"] == "unseen" and entry["source"] == style]
        their = pictures_to_vectors(tower, prepared([on_ground(pixels[i]) for i in rows]))
        table.add(f"unseen concepts in {style}: text to image", ranks(centres("text", "image", embed(sorted({entries[i]['name'] for i in rows}))) @ their.t(),
                                                                     same(sorted({entries[i]["name"] for i in rows}), [entries[i]["name"] for i in rows])), len(rows))
    photographs = pictures_to_vectors(tower, prepared([photolike.image(seed) for seed in range(1000, 1060)]))
    best = lambda these: (these @ centres("text", "image", embed(names)).t()).amax(dim=1)
    facts["best name similarity, openmoji / photograph-like"] = f"{best(vectors).median():.3f} / {best(photographs).median():.3f}"
    gate = json.loads((SHIPPED / "calibration.json").read_text())["out_of_scope"]["image"]
    score = lambda rgb: photolike.score(photolike.features(rgb), gate)
    low = [score(one) for one in prepared(raw)]
    high = [score(picture.prepare(photolike.image(seed))) for seed in range(1000, 1100)]
    facts["out-of-scope gate: openmoji passed / photograph-like refused"] = f"{100 * np.mean(np.array(low) < 0.5):.1f} % / {100 * np.mean(np.array(high) >= 0.5):.1f} %"
    return names, vectors


def evaluate_sounds(table, tower, centres, facts):
    entries = json.loads((CACHE / "unheard.json").read_text())
    vectors = sounds_to_vectors(tower, np.load(CACHE / "unheard.npy", mmap_mode="r"))
    names = [entry["name"] for entry in entries]
    programs = [i for i, entry in enumerate(entries) if entry["kind"] == "program"]
    by_name, back = [], []
    right_family = []
    families = {entries[i]["name"]: entries[i]["family"] for i in programs}
    for turn in range(4):
        rows = programs[turn::4]
        its = [names[i] for i in rows]
        texts = embed(its)
        similarity = centres("text", "audio", texts) @ vectors[rows].t()
        by_name.append(ranks(similarity, same(its, its)))
        heard = centres("audio", "text", vectors[rows]) @ texts.t()
        back.append(ranks(heard, same(its, its)))
        right_family += [families[its[column]] == families[name] for name, column in zip(its, heard.argmax(dim=1))]
    table.add("unseen soundfont, 128 programs: text to audio (4 draws)", torch.cat(by_name), 128)
    table.add("unseen soundfont, 128 programs: audio to text (4 draws)", torch.cat(back), 128)
    facts["family of the first name right, unseen soundfont"] = f"{100 * np.mean(right_family):.0f} %"
    both_ways(table, "all unheard clips", names, vectors, centres, "audio")
    asked = list(questions.SOUNDS)
    right = torch.tensor([[name in questions.SOUNDS[text] for name in names] for text in asked])
    table.add("free wordings over all unheard clips: text to audio", ranks(centres("text", "audio", embed(asked)) @ vectors.t(), right), len(names))
    every = sorted(set(names))
    first = [every[i] for i in (centres("audio", "text", vectors) @ embed(every).t()).argmax(dim=1)]
    spoken = {"a man speaking", "a woman speaking", "a person whispering"}
    facts["speech told from the rest"] = f"{100 * np.mean([(name in spoken) == (entry['kind'] == 'speech') for name, entry in zip(first, entries)]):.1f} %"
    return entries, vectors


def recording(path):
    """A sound file as 65,536 samples at 16 kHz with its peak at 0.8."""
    raw = subprocess.run(["sox", path, "-t", "raw", "-e", "signed", "-b", "16", "-c", "1", "-r", "16000", "-"], check=True, stdout=subprocess.PIPE).stdout
    return loud(np.frombuffer(raw, np.int16))


def evaluate_recordings(table, tower, centres, entries):
    """Recordings of a desktop sound theme among the names of all sounds."""
    pcm = np.stack([recording(THEME / f"{name}.oga") for name in questions.RECORDED])
    names = sorted({entry["name"] for entry in entries})
    right = torch.tensor([[name in its for name in names] for its in questions.RECORDED.values()])
    similarity = centres("audio", "text", sounds_to_vectors(tower, pcm)) @ embed(names).t()
    spoken = torch.tensor([its == questions.SPOKEN for its in questions.RECORDED.values()])
    rank = ranks(similarity, right)
    table.add("recordings of speech (desktop sound theme): audio to text", rank[spoken], len(names))
    table.add("recordings of bells, phones, cameras, noise (the same): audio to text", rank[~spoken], len(names))


def evaluate_across(table, centres, facts, names, pictures, entries, sounds):
    heard = [entry["name"] for entry in entries]
    firsts, rows, right = [], [], []
    for name, sounds_of in questions.TOGETHER.items():
        if name in names:
            rows.append(names.index(name))
            right.append([one in sounds_of for one in heard])
            firsts.append(name)
    right = torch.tensor(right)
    rank = ranks(centres("image", "audio", pictures[rows]) @ sounds.t(), right)
    eleven = torch.tensor([name in questions.INSTRUMENTS for name in firsts])
    facts["picture to sound: instruments with a right one in the top 10"] = f"{int((rank[eleven] <= 10).sum())} of {int(eleven.sum())}"
    table.add("instruments: openmoji to unheard clips", rank[eleven], len(heard))
    table.add("instruments, animals, things: openmoji to unheard clips", rank, len(heard))
    keep = right.any(dim=0)
    back = ranks(centres("audio", "image", sounds[keep]) @ pictures[rows].t(), right.t()[keep])
    table.add("unheard clips to their openmoji", back, len(rows))


def speed(seeing, hearing, facts):
    torch.set_num_threads(1)
    rgb, pcm = torch.rand(1, 3, 64, 64), torch.randn(1, sound.SAMPLES)
    for name, tower, x in (("picture", seeing, rgb), ("sound", hearing, pcm)):
        with torch.no_grad():
            times = []
            for _ in range(30):
                start = time.process_time()
                tower(x)
                times.append(time.process_time() - start)
        facts[f"{name} tower in PyTorch f32, one thread, CPU time"] = f"{1000 * float(np.median(times)):.1f} ms"


def run():
    torch.set_num_threads(1)
    centres, table, facts = Centres(), Table(), {}
    seeing = picture.ExportedPicture(load_file(SHIPPED / "picture.safetensors"))
    hearing = sound.exported(load_file(SHIPPED / "sound.safetensors"))
    names, pictures = evaluate_pictures(table, seeing, centres, facts)
    entries, sounds = evaluate_sounds(table, hearing, centres, facts)
    evaluate_recordings(table, hearing, centres, entries)
    evaluate_across(table, centres, facts, names, pictures, entries, sounds)
    speed(seeing, hearing, facts)
    lines = [table.text(), "", "| fact | value |", "|---|---|"] + [f"| {key} | {value} |" for key, value in facts.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--card", action="store_true", help="also write the table into models/starter/README.md")
    options = options.parse_args()
    text = run()
    print(text)
    if options.card:
        card = SHIPPED / "README.md"
        before, rest = card.read_text().split("<!-- table -->\n")[0], card.read_text().split("<!-- end of table -->")[1]
        card.write_text(before + "<!-- table -->\n" + text + "\n<!-- end of table -->" + rest)
