"""Writes what goes with the towers: centres, the rules per pair of modalities, calibration, the out-of-scope gate and the labels.

Fitted on held-out drawings and clips of the ingredients that may be trained on; the evaluation-only ones are not read here.
"""
import json
import random
import re

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from . import photolike, picture, questions, sound
from .drawings import EMOJI_STYLES, squash
from .evaluate import on_ground, pictures_to_vectors, prepared, ranks, sounds_to_vectors
from .places import SHIPPED
from .text import embed
from .train_picture import Drawings
from .train_sound import Sounds

BASE_RATE = 0.01
LABELS = 2600
PHOTOLIKE = 500


def centred(vectors, mean):
    return F.normalize(vectors - mean, dim=1)


def platt(right, wrong):
    """confidence = sigmoid(a cos + b), with the right pairs weighing BASE_RATE of all; also log loss and AUC."""
    x = np.concatenate([right, wrong]).astype(np.float64)
    y = np.concatenate([np.ones(len(right)), np.zeros(len(wrong))])
    w = np.concatenate([np.full(len(right), BASE_RATE / len(right)), np.full(len(wrong), (1 - BASE_RATE) / len(wrong))])
    a, b = 10.0, -5.0
    design = np.stack([x, np.ones_like(x)], axis=1)
    for _ in range(100):
        p = 1 / (1 + np.exp(-(a * x + b)))
        slope = design.T @ (w * (p - y)) + np.array([1e-7 * a, 0])
        bend = (design * (w * p * (1 - p))[:, None]).T @ design + np.diag([1e-7, 1e-9])
        step = np.linalg.solve(bend, slope)
        size = min(1.0, 5.0 / max(np.abs(step).max(), 1e-9))
        a, b = a - size * step[0], b - size * step[1]
        if np.abs(step).max() < 1e-8:
            break
    p = np.clip(1 / (1 + np.exp(-(a * x + b))), 1e-12, 1 - 1e-12)
    loss = -(w * (y * np.log(p) + (1 - y) * np.log(1 - p))).sum()
    order = np.argsort(x, kind="stable")
    place = np.empty(len(x))
    place[order] = np.arange(1, len(x) + 1)
    auc = (place[y == 1].sum() - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong))
    prior = -(BASE_RATE * np.log(BASE_RATE) + (1 - BASE_RATE) * np.log(1 - BASE_RATE))
    return {"a": round(float(a), 4), "b": round(float(b), 4), "right_pairs": len(right), "wrong_pairs": len(wrong),
            "log_loss": round(float(loss), 5), "log_loss_of_base_rate": round(float(prior), 5), "auc": round(float(auc), 4)}


def fit(similarity, right, skip=None, most=200_000):
    """From a similarity matrix and a bool matrix of right pairs; `skip` marks pairs that count for neither."""
    wrong = ~right if skip is None else ~right & ~skip
    wrongs = similarity[wrong].numpy()
    if len(wrongs) > most:
        wrongs = np.random.default_rng(0).choice(wrongs, most, replace=False)
    return platt(similarity[right].numpy(), wrongs)


def equal(a, b):
    return torch.tensor([[x == y for y in b] for x in a])


def near(a, b):
    """Pairs of names so alike that they are neither right nor wrong."""
    return embed(a) @ embed(b).t() > 0.7


def gate(drawings):
    """Logistic regression: is a prepared picture a drawing on a plain ground (0) or something else (1)?"""
    chance = random.Random(9)
    rows = chance.sample(drawings.rows, 1000)
    drawn = []
    for index, row in enumerate(rows):
        ground = (255, 255, 255) if index % 2 else tuple(chance.randint(0, 255) for _ in range(3))
        drawn.append(picture.prepare(on_ground(drawings.pixels[row], ground)))
    x = np.stack([photolike.features(one) for one in drawn] + [photolike.features(picture.prepare(photolike.image(20_000 + i))) for i in range(PHOTOLIKE)])
    y = np.array([0.0] * len(drawn) + [1.0] * PHOTOLIKE)
    middle, spread = x.mean(axis=0), x.std(axis=0)
    design = np.concatenate([(x - middle) / spread, np.ones((len(x), 1))], axis=1)
    weights = np.zeros(4)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (p - y) + 1.0 * weights * np.array([1, 1, 1, 0])
        bend = (design * (p * (1 - p))[:, None]).T @ design + np.diag([1.0, 1.0, 1.0, 1e-6])
        weights -= np.linalg.solve(bend, slope)
    p = 1 / (1 + np.exp(-design @ weights))
    plain = weights[:3] / spread
    return {"features": ["border_residual", "flat_share", "top_share"], "weights": [round(float(v), 5) for v in plain],
            "bias": round(float(weights[3] - (plain * middle).sum()), 5), "threshold": 0.5,
            "meaning": "at or above the threshold the picture does not look like a drawing on a plain ground: its confidences must be marked low",
            "fit": {"drawings": len(drawn), "photograph_like": PHOTOLIKE, "accuracy": round(float(((p >= 0.5) == y).mean()), 4)}}


def labels(drawings):
    """Short names for captions: every emoji name, then short icon names; and every sound name."""
    chosen, taken = [], set()

    def add(text, kind):
        key = kind + squash(text)
        if key not in taken and text:
            taken.add(key)
            chosen.append({"text": text, "kind": kind})

    for entry in drawings.entries:
        if entry["source"] in EMOJI_STYLES:
            add(entry["name"], "image")
    icons = sorted({entry["name"] for entry in drawings.entries if not entry["colour"] and re.fullmatch(r"[a-z]{3,}( [a-z]{3,})?", entry["name"])},
                   key=lambda name: (name.count(" "), len(name), name))
    for name in icons:
        if len(chosen) < LABELS:
            add(name, "image")
    for name in Sounds().names:
        add(name, "audio")
    return chosen


def main():
    torch.set_num_threads(1)
    drawings, held, clips, held_clips = Drawings(), Drawings("held"), Sounds(), Sounds("held")
    unseen = Drawings("unseen")
    seeing = picture.ExportedPicture(load_file(SHIPPED / "picture.safetensors"))
    hearing = sound.exported(load_file(SHIPPED / "sound.safetensors"))

    rows = held.rows + unseen.rows
    names = [entry["name"] for entry in held.entries + unseen.entries]
    pictures = pictures_to_vectors(seeing, prepared([on_ground(drawings.pixels[row]) for row in rows]))
    heard = [entry["name"] for entry in held_clips.entries]
    sounds = sounds_to_vectors(hearing, clips.pcm[held_clips.rows])

    some_drawings = random.Random(1).sample(range(len(drawings.rows)), 1200)
    mean_picture = pictures_to_vectors(seeing, prepared([on_ground(drawings.pixels[drawings.rows[i]]) for i in some_drawings])).mean(dim=0)
    some_clips = random.Random(2).sample(range(len(clips.rows)), 800)
    mean_sound = sounds_to_vectors(hearing, clips.pcm[[clips.rows[i] for i in some_clips]]).mean(dim=0)

    # what to subtract between pictures and sounds: tried on drawings that share a meaning with clips
    wanted = [(row, questions.TOGETHER[entry["name"]]) for row, entry in zip(drawings.rows, drawings.entries) if entry["name"] in questions.TOGETHER and entry["colour"]]
    shown = pictures_to_vectors(seeing, prepared([on_ground(drawings.pixels[row]) for row, _ in wanted]))
    chosen = [i for i, entry in enumerate(clips.entries) if any(entry["name"] in its for its in questions.TOGETHER.values())]
    chosen = random.Random(3).sample(chosen, min(500, len(chosen)))
    played = sounds_to_vectors(hearing, clips.pcm[[clips.rows[i] for i in chosen]])
    match = torch.tensor([[clips.entries[i]["name"] in its for i in chosen] for _, its in wanted])
    shift = clips.mean - drawings.mean
    candidates = {"image_to_audio": [("nothing", torch.zeros(384)), ("mean picture", mean_picture), ("difference of text means", shift),
                                     ("half of it", 0.5 * shift), ("both", mean_picture + shift), ("half mean picture", 0.5 * mean_picture)],
                  "audio_to_image": [("nothing", torch.zeros(384)), ("mean sound", mean_sound), ("difference of text means", -shift),
                                     ("half of it", -0.5 * shift), ("both", mean_sound - shift), ("half mean sound", 0.5 * mean_sound)]}
    picked = {}
    for pair, its in candidates.items():
        query, target, right = (shown, played, match) if pair == "image_to_audio" else (played, shown, match.t())
        results = []
        for words, vector in its:
            usable = right.any(dim=1)
            rank = ranks(centred(query, vector)[usable] @ target.t(), right[usable]).float()
            results.append((round((rank <= 10).float().mean().item(), 4), -rank.log().mean().item(), words, vector))
            print(pair, words, results[-1][:2])
        best = max(results, key=lambda result: result[1])
        picked[pair] = (best[2], best[3])

    centres = {"text_to_image": drawings.mean, "text_to_audio": clips.mean}
    for pair, (words, vector) in picked.items():
        if vector.abs().sum() > 0:
            centres[pair] = vector
    save_file({name: vector.float().contiguous() for name, vector in centres.items()}, SHIPPED / "centres.safetensors")
    pairs = []
    for query in ("text", "image", "audio"):
        for target in ("text", "image", "audio"):
            name = f"{query}_to_{target}"
            pairs.append({"query": query, "target": target, "subtract": name if name in centres else None})
    note = "query vector = normalise(q - centres[subtract]), or q itself where subtract is null; stored vectors are never changed"
    (SHIPPED / "pairs.json").write_text(json.dumps({"rule": note, "chosen": {pair: words for pair, (words, _) in picked.items()}, "pairs": pairs}, indent=1) + "\n")

    def turn(query, target, vectors):
        name = f"{query}_to_{target}"
        return centred(vectors, centres[name]) if name in centres else vectors

    found = {}
    unique = sorted(set(names))
    texts = embed(unique)
    right, skip = equal(unique, names), near(unique, names)
    found["text", "image"] = fit(turn("text", "image", texts) @ pictures.t(), right, skip)
    found["image", "text"] = fit(turn("image", "text", pictures) @ texts.t(), right.t(), skip.t())
    several = [i for i, name in enumerate(names) if names.count(name) > 1]
    its = [names[i] for i in several]
    other = ~torch.eye(len(its), dtype=torch.bool)
    both = pictures[several] @ pictures[several].t()
    found["image", "image"] = fit(both, equal(its, its) & other, near(its, its) & ~equal(its, its) | ~other)
    unique = sorted(set(heard))
    texts = embed(unique)
    right, skip = equal(unique, heard), near(unique, heard)
    found["text", "audio"] = fit(turn("text", "audio", texts) @ sounds.t(), right, skip)
    found["audio", "text"] = fit(turn("audio", "text", sounds) @ texts.t(), right.t(), skip.t())
    trained = random.Random(4).sample(range(len(clips.rows)), 600)
    trained_sounds = sounds_to_vectors(hearing, clips.pcm[[clips.rows[i] for i in trained]])
    trained_names = [clips.entries[i]["name"] for i in trained]
    found["audio", "audio"] = fit(sounds @ trained_sounds.t(), equal(heard, trained_names), near(heard, trained_names))
    found["image", "audio"] = fit(turn("image", "audio", shown) @ played.t(), match)
    found["audio", "image"] = fit(turn("audio", "image", played) @ shown.t(), match.t())
    keyed = sorted({(entry["name"], tag) for entry in drawings.entries if entry["colour"] for tag in entry["tags"][:3] if squash(tag) != squash(entry["name"])})
    keyed = random.Random(5).sample(keyed, 1500)
    left, right_texts = embed([name for name, _ in keyed]), embed([f"{tag}" for _, tag in keyed])
    tags_of = {}
    for entry in drawings.entries:
        tags_of.setdefault(entry["name"], set()).update(entry["tags"])
    related = torch.tensor([[tag in tags_of[name] for _, tag in keyed] for name, _ in keyed])
    found["text", "text"] = fit(left @ right_texts.t(), related)

    about = {("text", "image"): "names with drawings not trained on (3 % of each style, and 150 concepts never trained)",
             ("image", "text"): "the same pairs the other way round", ("image", "image"): "two drawings of one concept, not trained on, against drawings of others",
             ("text", "audio"): "names with clips not trained on (5 % of the played and spoken ones, other seeds of the synthesised)",
             ("audio", "text"): "the same pairs the other way round", ("audio", "audio"): "clips not trained on with trained clips of the same name, against other names",
             ("image", "audio"): "drawings and clips that share a meaning, both trained on: optimistic for others", ("audio", "image"): "the same pairs the other way round",
             ("text", "text"): "names of emoji with their keywords, against keywords of others"}
    calibration = {"confidence": "sigmoid(a * cos + b), cos after the pair's rule in pairs.json", "base_rate": BASE_RATE,
                   "pairs": [{"query": query, "target": target} | values | {"data": about[query, target]} for (query, target), values in found.items()],
                   "out_of_scope": {"image": gate(drawings), "audio": None}}
    (SHIPPED / "calibration.json").write_text(json.dumps(calibration, indent=1) + "\n")
    for (query, target), values in found.items():
        print(query, target, values)
    print(calibration["out_of_scope"])
    chosen = labels(drawings)
    (SHIPPED / "labels.json").write_text(json.dumps(chosen, indent=None, separators=(",", ":")).replace("},", "},\n") + "\n")
    save_file({"vectors": embed([label["text"] for label in chosen]).to(torch.float16).contiguous()}, SHIPPED / "labels.safetensors")
    print(len(chosen), "labels")


if __name__ == "__main__":
    main()
