"""Trains the picture tower. Resumable (checkpoint in the cache) and seeded.

usage: python -m sensorium_starter.train_picture [--steps 12000 | --until 12:15]
"""
import argparse
import json
import re
import time
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from . import augment, questions, running, scenes
from .drawings import COLOUR_ICONS
from .picture import SIZE, PictureTower, front_end, unfold
from .places import CACHE, SHIPPED
from .text import embed

BATCH = 128
RATE, DECAY = 2e-3, 0.05
RATE_ON = 1.5e-3  # of a training that begins with the shipped tower
SHARES = {"emoji": 0.67, "icon": 0.28, "scene": 0.05}
SOUNDING = 4.0  # how much more often a drawing comes up that is known to sound
SCENES = 4000
EARLY, EARLY_SIZE = 0.3, 48  # the first part of the training sees smaller pictures, at half the cost
KINDRED = 0.5  # how much of the goal of a drawing is what it sounds like, where it is known to sound
UPRIGHT = re.compile(r"\b(left|right|up|down|upward|downward|arrow|letter|digit|number|alpha|clockwise|north|south|east|west|text|button|\d+)\w*\b")
TEMPLATES = ("a picture of {}", "a drawing of {}", "{} icon", "an emoji of {}", "{}")


class Drawings:
    def __init__(self, split="train"):
        entries = json.loads((CACHE / "drawings.json").read_text())
        self.pixels = np.load(CACHE / "drawings.npy", mmap_mode="r")
        self.rows = [index for index, entry in enumerate(entries) if entry["split"] == split]
        self.entries = [entries[index] for index in self.rows]
        trained = [entry for entry in entries if entry["split"] == "train"]
        self.names = sorted({entry["name"] for entry in trained})
        self.own = embed(self.names)
        self.mean = self.own.mean(dim=0)


def centred(vectors, mean):
    return F.normalize(vectors - mean, dim=1)


def captions_of(entry):
    """The sentences that may stand for a drawing: its name in some wordings, its keywords, both."""
    name, tags = entry["name"], entry["tags"][:8]
    pick = sum(map(ord, name)) % 4
    return [name, TEMPLATES[pick].format(name)] + tags[:6] + [f"{name}, {tag}" for tag in tags[:2]] + questions.TOGETHER.get(name, [])


class Texts:
    """Centred vectors of captions, each computed once and found by row."""

    def __init__(self, lists, mean):
        unique = sorted({text for texts in lists for text in texts})
        number = {text: index for index, text in enumerate(unique)}
        self.vectors = centred(embed(unique), mean)
        self.rows = [np.array([number[text] for text in texts]) for texts in lists]

    def draw(self, chosen):
        """One random caption for each of the chosen lists, as rows of `vectors`."""
        return torch.tensor([np.random.choice(self.rows[index]) for index in chosen])


def goals_of(names, own, mean, kindred):
    """The vector to be drawn to, for each name: its own, leaning to those of the names that go with it in the other modality."""
    goals = centred(own, mean)
    for index, name in enumerate(names):
        if name in kindred:
            other = F.normalize(centred(embed(kindred[name]), mean).mean(dim=0), dim=0)
            goals[index] = F.normalize((1 - KINDRED) * goals[index] + KINDRED * other, dim=0)
    return goals


def evenly(names):
    """Chances for pictures such that a name with many pictures comes up more often than others, but not in proportion."""
    count = Counter(names)
    chances = np.array([count[name] ** -0.5 * (SOUNDING if name in questions.TOGETHER else 1.0) for name in names])
    return chances / chances.sum()


def of_one_name(entries):
    """For each drawing the rows of all that draw the same, in colour like it or without."""
    rows = {}
    for row, entry in enumerate(entries):
        rows.setdefault((entry["name"], entry["colour"]), []).append(row)
    return [rows[entry["name"], entry["colour"]] for entry in entries]


def make_scenes(drawings, count):
    """Scenes with their sentences; the objects in them are emoji with short names of the training split."""
    kept = CACHE / f"scenes-{count}.npz"
    if kept.exists():
        loaded = np.load(kept)
        return loaded["pixels"], [str(sentence) for sentence in loaded["sentences"]]
    usable = [(entry["name"], row) for entry, row in zip(drawings.entries, drawings.rows)
              if entry["colour"] and not entry["source"].endswith("-stroked") and entry["name"].isalpha() and len(entry["name"]) < 12]

    def objects(chance):
        name, row = chance.choice(usable)
        return name, np.asarray(drawings.pixels[row])

    made = [scenes.scene(10_000 + seed, objects) for seed in range(count)]
    pixels, sentences = np.stack([rgba for rgba, _ in made]), [sentence for _, sentence in made]
    np.savez(kept, pixels=pixels, sentences=np.array(sentences))
    return pixels, sentences


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=12000)
    options.add_argument("--until", help="HH:MM: end there, whatever the speed")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--fresh", action="store_true")
    options.add_argument("--rate", type=float, help="the highest learning rate")
    options.add_argument("--early", type=float, default=EARLY, help="the share of the schedule that sees smaller pictures")
    options.add_argument("--from-shipped", action="store_true", help="begin with the tower of models/starter, at a lower rate")
    options = options.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(11)
    np.random.seed(11)

    drawings = Drawings()
    number = {name: index for index, name in enumerate(drawings.names)}
    target_of = np.array([number[entry["name"]] for entry in drawings.entries])
    is_colour = np.array([entry["colour"] for entry in drawings.entries])
    upright = np.array([bool(UPRIGHT.search(entry["name"])) for entry in drawings.entries])
    prototypes = centred(drawings.own, drawings.mean)
    goals_by_name = goals_of(drawings.names, drawings.own, drawings.mean, questions.TOGETHER)
    captions = Texts([captions_of(entry) for entry in drawings.entries], drawings.mean)
    scene_pixels, sentences = make_scenes(drawings, SCENES)
    sentence_vectors = centred(embed(sentences), drawings.mean)
    pixels = torch.from_numpy(np.array(drawings.pixels[drawings.rows]))
    scene_pixels = torch.from_numpy(scene_pixels)
    is_emoji = np.array([entry["colour"] and entry["source"] not in COLOUR_ICONS for entry in drawings.entries])
    parts = [(rows, evenly([drawings.entries[row]["name"] for row in rows])) for rows in (np.flatnonzero(is_emoji), np.flatnonzero(~is_emoji))]
    peers = of_one_name(drawings.entries)
    print(len(pixels), "drawings", len(prototypes), "prototypes", len(sentences), "scenes", flush=True)

    rate_peak = options.rate or (RATE_ON if options.from_shipped else RATE)
    tower = PictureTower()
    if options.from_shipped:
        rows = np.concatenate([np.random.choice(its, 256, p=chances) for its, chances in parts])
        still = torch.from_numpy(upright[rows])
        seen = augment.augment(pixels[rows].permute(0, 3, 1, 2), torch.from_numpy(~is_colour[rows]), still, 0.5, torch.zeros(len(rows), dtype=bool), SIZE)
        tower = unfold(load_file(SHIPPED / "picture.safetensors"), front_end(seen))
    tower = tower.to(memory_format=torch.channels_last)
    log_scale = torch.nn.Parameter(torch.tensor(np.log(25.0 if options.from_shipped else 15.0), dtype=torch.float32))
    tower.register_parameter("log_scale", log_scale)
    optimizer = running.Optimizers(tower, DECAY, RATE)
    average = running.Average(tower)
    progress = running.Progress(options.steps, options.until)
    checkpoint = CACHE / "picture.pt"
    if checkpoint.exists() and not options.fresh:
        running.resume(checkpoint, tower, optimizer, average, progress)
        print("resumed at step", progress.step, flush=True)
    counts = (int(BATCH * SHARES["emoji"]), int(BATCH * SHARES["icon"]))
    counts = counts + (BATCH - sum(counts),)
    saved, shown, losses = time.time(), time.time(), []
    while not progress.finished:
        rate = running.cosine_rate(progress.done, rate_peak) * min(1.0, (progress.step + 1) / 60)
        for group in optimizer.param_groups:
            group["lr"] = rate
        strength = min(1.0, (0.6 if options.from_shipped else 0.15) + progress.done * 1.7) if progress.done < 0.9 else 0.8
        size = EARLY_SIZE if progress.done < options.early else SIZE
        rows = np.concatenate([np.random.choice(its, count, p=chances) for (its, chances), count in zip(parts, counts)])
        scene_rows = np.random.choice(len(sentences), counts[2], replace=False)
        labelled = len(rows)
        others = [np.random.choice(peers[row]) for row in rows]
        drawn, redrawn = (pixels[its].permute(0, 3, 1, 2) for its in (rows, others))
        rgba = torch.cat([augment.halves(drawn, redrawn, 0.25 * strength), scene_pixels[scene_rows].permute(0, 3, 1, 2)])
        icon = torch.from_numpy(np.concatenate([~is_colour[rows], np.zeros(counts[2], bool)]))
        scene = torch.arange(BATCH) >= labelled
        stay = torch.from_numpy(np.concatenate([upright[rows], np.ones(counts[2], bool)]))
        channels = front_end(augment.augment(rgba, icon, stay, strength, scene, size)).contiguous(memory_format=torch.channels_last)
        tower.train()
        with running.precision():
            out = tower.features(channels)
        z = F.normalize(out.float(), dim=1)

        target = torch.from_numpy(target_of[rows])
        goal = prototypes[target]
        scale = log_scale.exp().clamp(max=40.0)
        likeness = goal @ prototypes.t()
        near = likeness > 0.85
        near[torch.arange(labelled), target] = False
        logits = (scale * z[:labelled] @ prototypes.t()).masked_fill(near, -1e4)
        soft = (likeness / 0.05).masked_fill(near, -1e4).softmax(dim=1) * 0.25
        soft[torch.arange(labelled), target] += 0.75
        by_name = F.cross_entropy(logits, soft)

        texts = torch.cat([captions.vectors[captions.draw(rows)], sentence_vectors[scene_rows]])
        alike = texts @ texts.t() > 0.8
        alike[:labelled, :labelled] |= target[:, None] == target[None]
        alike.fill_diagonal_(False)
        by_text = F.cross_entropy((scale * texts @ z.t()).masked_fill(alike, -1e4), torch.arange(BATCH))
        goals = torch.cat([goals_by_name[target], sentence_vectors[scene_rows]])
        pull = (1.0 - (z * goals).sum(dim=1)).mean()
        loss = by_name + 0.5 * by_text + 2.0 * pull
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 5.0)
        optimizer.step()
        average.update(tower)
        progress.advance()
        losses.append((by_name.item(), by_text.item(), pull.item()))
        if time.time() - shown > 30 or progress.step < 3:
            means = " ".join(f"{value:.3f}" for value in np.mean(losses, axis=0))
            print(f"{time.strftime('%H:%M:%S')} step {progress.step} done {progress.done:.3f} rate {rate:.5f} "
                  f"scale {scale.item():.1f} losses {means}", flush=True)
            shown, losses = time.time(), []
        if time.time() - saved > 240:
            running.save(checkpoint, tower, optimizer, average, progress, {})
            saved = time.time()
    running.save(checkpoint, tower, optimizer, average, progress, {})
    print("finished", progress.step, flush=True)


if __name__ == "__main__":
    main()
