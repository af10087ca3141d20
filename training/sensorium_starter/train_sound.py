"""Trains the sound tower. Resumable (checkpoint in the cache) and seeded.

usage: python -m sensorium_starter.train_sound [--steps 6000 | --until 12:10]
"""
import argparse
import json
import time

import numpy as np
import torch
import torch.nn.functional as F

from . import running
from .places import CACHE
from .sound import SAMPLES, SoundTower, log_mel
from .text import embed

BATCH = 64
RATE, DECAY = 7e-4, 0.05
SHARES = {"program": 0.46, "drum": 0.12, "speech": 0.13, "synthesised": 0.29}
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


def centred(vectors, mean):
    return F.normalize(vectors - mean, dim=1)


def captions_of(entry):
    name = entry["name"]
    extra = entry["captions"]
    return [name, name] + [template.format(name) for template in TEMPLATES[:4]] + extra + [f"{name}, {word}" for word in extra[:3]]


def some(n, probability):
    return torch.rand(n) < probability


def at_speed(pcm, speed, shift):
    """Plays each row at its speed, starting `shift` samples later, with silence around."""
    position = (torch.arange(SAMPLES)[None] - shift[:, None]) * speed[:, None]
    inside = (position >= 0) & (position < SAMPLES - 1)
    position = position.clamp(0, SAMPLES - 2)
    whole = position.long()
    part = position - whole
    return (pcm.gather(1, whole) * (1 - part) + pcm.gather(1, whole + 1) * part) * inside


def reverberated(pcm):
    """Each row in a random room: exponentially decaying noise behind the direct sound."""
    n, length = len(pcm), 12000
    t = torch.arange(length) / 16000.0
    room = torch.randn(n, length) * torch.exp(-t[None] * (3 + 22 * torch.rand(n, 1))) * (0.02 + 0.06 * torch.rand(n, 1))
    room[:, 0] = 1.0
    size = SAMPLES + length
    return torch.fft.irfft(torch.fft.rfft(pcm, size) * torch.fft.rfft(room, size), size)[:, :SAMPLES]


def augmented(pcm, strength):
    """(n, 65536) f32 with peak about 0.8: speed, start, room, noise, another clip beneath, cut short. Returns also who was mixed in equally."""
    n = len(pcm)
    speed = torch.where(some(n, 0.6 * strength), torch.exp(torch.randn(n) * 0.06), 1.0)
    shift = torch.where(some(n, 0.5), torch.rand(n) * 5000 * strength, 0.0)
    moved = some(n, 0.65)
    if moved.any():
        pcm[moved] = at_speed(pcm[moved], speed[moved], shift[moved])
    wet = some(n, 0.25 * strength)
    if wet.any():
        pcm[wet] = reverberated(pcm[wet])
    pcm = pcm / pcm.abs().amax(dim=1, keepdim=True).clamp(min=1e-4)
    other = torch.randperm(n)
    beneath, equal = some(n, 0.2 * strength), some(n, 0.06 * strength) & (other != torch.arange(n))
    gain = torch.where(beneath, 10 ** (-(8 + 17 * torch.rand(n)) / 20), 0.0)
    gain = torch.where(equal, 0.6 + 0.4 * torch.rand(n), gain)
    pcm = pcm + gain[:, None] * pcm[other]
    level = torch.where(some(n, 0.5), 10 ** (-(20 + 60 * torch.rand(n)) / 20), 0.0)
    noise = torch.randn(n, SAMPLES)
    brown = some(n, 0.4)
    noise[brown, 1:] = noise[brown, 1:] + noise[brown, :-1]
    pcm = pcm + level[:, None] * noise
    stop = torch.where(some(n, 0.15 * strength), 16000 + torch.rand(n) * 45000, float(SAMPLES))
    return pcm * (torch.arange(SAMPLES)[None] < stop[:, None]), torch.where(equal, other, -1)


def spectral(mel, strength):
    """A random tilt and band and time masks, on the log-mel picture."""
    n = len(mel)
    tilt = torch.randn(n, 1, 1) * 0.3 * strength * torch.linspace(-1, 1, 64)[None, :, None]
    bumps = F.interpolate(torch.randn(n, 1, 6) * 0.12 * strength, size=64, mode="linear", align_corners=True)[:, 0, :, None]
    mel = mel + (tilt + bumps) * (mel > -1.999)
    mel = (mel - mel.amax(dim=(1, 2), keepdim=True) + 2.0).clamp(min=-2.0)
    first = (torch.rand(n) * 64).long()
    wide = (torch.rand(n) * 8 * strength).long() * some(n, 0.5)
    rows = torch.arange(64)[None]
    band = (rows >= first[:, None]) & (rows < (first + wide)[:, None])
    start = (torch.rand(n) * 256).long()
    long = (torch.rand(n) * 40 * strength).long() * some(n, 0.5)
    columns = torch.arange(256)[None]
    hole = (columns >= start[:, None]) & (columns < (start + long)[:, None])
    return mel.masked_fill(band[:, :, None] | hole[:, None, :], -2.0)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=6000)
    options.add_argument("--until", help="HH:MM: end there, whatever the speed")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--fresh", action="store_true")
    options = options.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(12)
    np.random.seed(12)

    sounds = Sounds()
    number = {name: index for index, name in enumerate(sounds.names)}
    target_of = np.array([number[entry["name"]] for entry in sounds.entries])
    prototypes = centred(sounds.own, sounds.mean)
    captions = [captions_of(entry) for entry in sounds.entries]
    embed([text for texts in captions for text in texts])
    of_kind = {kind: np.array([row for row, entry in enumerate(sounds.entries) if entry["kind"] == kind]) for kind in SHARES}
    print(len(sounds.entries), "clips", len(prototypes), "prototypes", flush=True)

    tower = SoundTower()
    tower.log_scale = torch.nn.Parameter(torch.tensor(np.log(15.0), dtype=torch.float32))
    optimizer = torch.optim.AdamW(running.groups(tower, DECAY), lr=RATE, betas=(0.9, 0.98))
    average = running.Average(tower)
    progress = running.Progress(options.steps, options.until)
    checkpoint = CACHE / "sound.pt"
    if checkpoint.exists() and not options.fresh:
        running.resume(checkpoint, tower, optimizer, average, progress)
        print("resumed at step", progress.step, flush=True)
    saved, shown, losses = time.time(), time.time(), []
    while not progress.finished:
        rate = running.cosine_rate(progress.done, RATE) * min(1.0, (progress.step + 1) / 60)
        for group in optimizer.param_groups:
            group["lr"] = rate
        strength = min(1.0, 0.2 + progress.done * 1.7)
        rows = np.concatenate([np.random.choice(of_kind[kind], round(BATCH * share)) for kind, share in SHARES.items()])
        n = len(rows)
        pcm = torch.from_numpy(sounds.pcm[[sounds.rows[row] for row in rows]].astype(np.float32) / 32768.0)
        with torch.no_grad():
            pcm, partner = augmented(pcm, strength)
            mel = spectral(log_mel(pcm), strength)
        tower.train()
        with torch.autocast("cpu", torch.bfloat16):
            out = tower.from_mel(mel)
        z = F.normalize(out.float(), dim=1)

        target = torch.from_numpy(target_of[rows])
        mixed = partner >= 0
        goal = prototypes[target]
        goal = torch.where(mixed[:, None], F.normalize(goal + prototypes[target[partner]], dim=1), goal)
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

        chosen = [np.random.choice(captions[row]) for row in rows]
        texts = centred(embed(chosen), sounds.mean)
        texts = torch.where(mixed[:, None], F.normalize(texts + texts[partner], dim=1), texts)
        alike = (texts @ texts.t() > 0.7) | (target[:, None] == target[None])
        alike |= torch.tensor([[word in captions[row] for row in rows] for word in chosen])
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
