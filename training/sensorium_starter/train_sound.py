"""Trains the sound tower. Resumable (checkpoint in the cache) and seeded.

usage: python -m sensorium_starter.train_sound [--steps 6000 | --until 12:10]
"""
import argparse
import json
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from . import questions, running
from .augment_sound import augmented
from .places import CACHE, SHIPPED
from .sound import FRAMES, MELS, SoundTower, exported, mel_decibels
from .text import embed
from .train_picture import Texts, centred, goals_of

BATCH = 96
RATE, DECAY = 1e-3, 0.05
RATE_ON = 4e-4  # of a training that begins with the shipped tower
SHARES = {"program": 0.52, "drum": 0.10, "speech": 0.11, "synthesised": 0.27}
TEMPLATES = ("the sound of {}", "{} sound", "{} playing", "a recording of {}", "{}")


class Sounds:
    def __init__(self, split="train"):
        entries = json.loads((CACHE / "sounds.json").read_text())
        self.pcm = np.load(CACHE / "sounds.npy", mmap_mode="r")
        self.rows = [index for index, entry in enumerate(entries) if entry["split"] == split]
        self.entries = [entries[index] for index in self.rows]
        self.names = sorted({entry["name"] for entry in entries if entry["split"] == "train"})
        self.own = embed(self.names)
        self.mean = self.own.mean(dim=0)


DRAWN_AS = {}  # the names of drawings that go with a sound's name
for drawing, sounds_of in questions.TOGETHER.items():
    for heard in sounds_of:
        DRAWN_AS.setdefault(heard, []).append(drawing)


def captions_of(entry):
    name = entry["name"]
    extra = entry["captions"] + DRAWN_AS.get(name, [])
    return [name, name] + [template.format(name) for template in TEMPLATES[:4]] + extra + [f"{name}, {word}" for word in extra[:3]]


def decibels(sounds):
    """(n, 64, 256) f16: mel power of the split's clips in decibels, computed once."""
    kept = CACHE / "sounds-mel.npy"
    if not kept.exists() or kept.stat().st_mtime < (CACHE / "sounds.npy").stat().st_mtime:
        out = np.empty((len(sounds.rows), MELS, FRAMES), np.float16)
        for start in range(0, len(out), 64):
            pcm = torch.from_numpy(sounds.pcm[sounds.rows[start:start + 64]].astype(np.float32) / 32768.0)
            out[start:start + 64] = mel_decibels(pcm).numpy()
        np.save(kept, out)
    return torch.from_numpy(np.load(kept))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=6000)
    options.add_argument("--until", help="HH:MM: end there, whatever the speed")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--fresh", action="store_true")
    options.add_argument("--from-shipped", action="store_true", help="begin with the tower of models/starter, at a lower rate")
    options = options.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(12)
    np.random.seed(12)

    sounds = Sounds()
    number = {name: index for index, name in enumerate(sounds.names)}
    target_of = np.array([number[entry["name"]] for entry in sounds.entries])
    prototypes = centred(sounds.own, sounds.mean)
    goals_by_name = goals_of(sounds.names, sounds.own, sounds.mean, DRAWN_AS)
    captions = Texts([captions_of(entry) for entry in sounds.entries], sounds.mean)
    mels = decibels(sounds)
    of_kind = {kind: np.array([row for row, entry in enumerate(sounds.entries) if entry["kind"] == kind]) for kind in SHARES}
    print(len(sounds.entries), "clips", len(prototypes), "prototypes", flush=True)

    rate_peak = RATE_ON if options.from_shipped else RATE
    tower = exported(load_file(SHIPPED / "sound.safetensors")) if options.from_shipped else SoundTower()
    tower.log_scale = torch.nn.Parameter(torch.tensor(np.log(25.0 if options.from_shipped else 15.0), dtype=torch.float32))
    optimizer = torch.optim.AdamW(running.groups(tower.parameters(), DECAY), lr=RATE, betas=(0.9, 0.98))
    average = running.Average(tower)
    progress = running.Progress(options.steps, options.until)
    checkpoint = CACHE / "sound.pt"
    if checkpoint.exists() and not options.fresh:
        running.resume(checkpoint, tower, optimizer, average, progress)
        print("resumed at step", progress.step, flush=True)
    saved, shown, losses = time.time(), time.time(), []
    while not progress.finished:
        rate = running.cosine_rate(progress.done, rate_peak) * min(1.0, (progress.step + 1) / 60)
        for group in optimizer.param_groups:
            group["lr"] = rate
        strength = min(1.0, (0.6 if options.from_shipped else 0.2) + progress.done * 1.7)
        rows = np.concatenate([np.random.choice(of_kind[kind], round(BATCH * share)) for kind, share in SHARES.items()])
        n = len(rows)
        mel, partner = augmented(mels[rows].float(), strength)
        tower.train()
        with running.precision():
            out = tower.from_mel(mel)
        z = F.normalize(out.float(), dim=1)

        target = torch.from_numpy(target_of[rows])
        mixed = partner >= 0
        goal = goals_by_name[target]
        goal = torch.where(mixed[:, None], F.normalize(goal + goal[partner], dim=1), goal)
        scale = tower.log_scale.exp().clamp(max=40.0)
        likeness = prototypes[target] @ prototypes.t()
        near = likeness > 0.9
        near[torch.arange(n), target] = False
        near[torch.arange(n)[mixed], target[partner][mixed]] = False
        soft = (likeness / 0.05).masked_fill(near, -1e4).softmax(dim=1) * 0.25
        share = torch.where(mixed, 0.375, 0.75)
        soft[torch.arange(n), target] += share
        soft[torch.arange(n)[mixed], target[partner][mixed]] += 0.375
        by_name = F.cross_entropy((scale * z @ prototypes.t()).masked_fill(near, -1e4), soft)

        drawn = captions.draw(rows)
        texts = captions.vectors[drawn]
        texts = torch.where(mixed[:, None], F.normalize(texts + texts[partner], dim=1), texts)
        alike = (texts @ texts.t() > 0.7) | (target[:, None] == target[None])
        alike |= torch.from_numpy(np.stack([np.isin(drawn.numpy(), captions.rows[row]) for row in rows], axis=1))
        alike.fill_diagonal_(False)
        by_text = F.cross_entropy((scale * texts @ z.t()).masked_fill(alike, -1e4), torch.arange(n))
        pull = (1.0 - (z * goal).sum(dim=1)).mean()
        loss = by_name + 0.5 * by_text + 2.0 * pull
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
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
