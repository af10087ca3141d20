"""Augmentation of sounds, on whole batches of mel power pictures (n, 64, 256), from plain (strength 0) to strong (1).

All of it works on power per mel band and frame, where mixing is a sum and a room is a decay along time: a hundred times cheaper
than on samples, and close to it, as the tower sees nothing finer.
"""
import torch
import torch.nn.functional as F

from .sound import FRAMES, HIGH_HZ, LOW_HZ, MELS, RANGE_DB, RATE, HOP, mel_filters

SILENCE = 1e-10
ROOM_FRAMES = 80
LOW_MEL, HIGH_MEL = 2595.0 * torch.log10(1.0 + torch.tensor([LOW_HZ, HIGH_HZ]) / 700.0)
BANDWIDTH = mel_filters().sum(dim=1)


def some(n, probability):
    return torch.rand(n) < probability


def played_at(db, speed, shift):
    """Each row at its speed, starting `shift` frames later: time shrinks and every frequency rises by the speed. Silence around."""
    n = len(db)
    place = LOW_MEL + (HIGH_MEL - LOW_MEL) * (torch.arange(MELS) + 1) / (MELS + 1)
    hz = 700.0 * (10.0 ** (place / 2595.0) - 1.0)
    source = 2595.0 * torch.log10(1.0 + hz[None] / speed[:, None] / 700.0)
    row = (source - LOW_MEL) / (HIGH_MEL - LOW_MEL) * (MELS + 1) - 1
    column = (torch.arange(FRAMES)[None] - shift[:, None]) * speed[:, None]
    grid = torch.empty(n, MELS, FRAMES, 2)
    grid[..., 0] = ((2 * column + 1) / FRAMES - 1)[:, None, :]
    grid[..., 1] = ((2 * row + 1) / MELS - 1)[:, :, None]
    lifted = db + 10.0 * RANGE_DB  # what lies outside becomes far below silence
    return F.grid_sample(lifted[:, None], grid, align_corners=False)[:, 0] - 10.0 * RANGE_DB


def in_a_room(power):
    """Every band rings on with an exponential decay, as in a room of random size and hardness."""
    n = len(power)
    seconds = torch.arange(ROOM_FRAMES) * HOP / RATE
    decay = 3.0 + 22.0 * torch.rand(n, 1)
    kernel = torch.exp(-2.0 * decay * seconds) * (0.02 + 0.25 * torch.rand(n, 1) ** 2)
    kernel[:, 0] = 1.0
    padded = F.pad(power.transpose(0, 1), (ROOM_FRAMES - 1, 0))
    return F.conv1d(padded, kernel.flip(1)[:, None], groups=n).transpose(0, 1)


def noise(n):
    """Power of a noise with a random slope over frequency, peak about 1."""
    slope = torch.exp(torch.randn(n, 1) * 1.2 * torch.linspace(1, -1, MELS)[None]) * BANDWIDTH[None]
    slope = slope / slope.amax(dim=1, keepdim=True)
    spread = 0.9 / BANDWIDTH.clamp(min=1.0).sqrt()
    return slope[:, :, None] * (1.0 + spread[None, :, None] * torch.randn(n, MELS, FRAMES)).clamp(min=0.03)


def faded(n, strength):
    """Gains over time (n, 1, 256): a swell at the start, a dying away, or neither."""
    frames = torch.arange(FRAMES)[None]
    rise = torch.where(some(n, 0.15 * strength), 4.0 + 50.0 * torch.rand(n), 1e-3)
    fall = torch.where(some(n, 0.2 * strength), 0.03 * torch.rand(n), 0.0)
    return ((frames / rise[:, None]).clamp(max=1.0).square() * torch.exp(-fall[:, None] * frames)).clamp(min=1e-8)[:, None]


@torch.no_grad()
def augmented(db, strength):
    """(n, 64, 256) decibels of clips to what the tower sees (as `sound.log_mel`). Returns also whose clip was mixed in as an equal, or -1."""
    n = len(db)
    speed = torch.where(some(n, 0.6 * strength), torch.exp(torch.randn(n) * 0.05), 1.0)
    shift = torch.where(some(n, 0.6), torch.rand(n) * 25 * strength, 0.0) - torch.where(some(n, 0.2 * strength), torch.rand(n) * 60, 0.0)
    power = 10.0 ** (played_at(db, speed, shift) / 10.0)
    power = power * faded(n, strength)
    wet = some(n, 0.35 * strength)
    if wet.any():
        power[wet] = in_a_room(power[wet])
    power = power / power.amax(dim=(1, 2), keepdim=True).clamp(min=SILENCE)
    other = torch.randperm(n)
    beneath, equal = some(n, 0.2 * strength), some(n, 0.05 * strength) & (other != torch.arange(n))
    gain = torch.where(beneath, 10 ** (-(8 + 17 * torch.rand(n)) / 10), 0.0)
    gain = torch.where(equal, (0.6 + 0.4 * torch.rand(n)) ** 2, gain)
    power = power + gain[:, None, None] * power[other]
    stop = torch.where(some(n, 0.15 * strength), 60 + torch.rand(n) * 180, float(FRAMES))
    power = power * (torch.arange(FRAMES)[None] < stop[:, None])[:, None]
    level = torch.where(some(n, 0.55), 10 ** (-(22 + 55 * torch.rand(n)) / 10), 0.0)
    power = power + level[:, None, None] * noise(n)
    # colour of the line: a tilt, bumps, and for some a narrow band
    tilt = torch.randn(n, 1, 1) * 5.0 * strength * torch.linspace(-1, 1, MELS)[None, :, None]
    bumps = F.interpolate(torch.randn(n, 1, 7) * 2.5 * strength, size=MELS, mode="linear", align_corners=True)[:, 0, :, None]
    low = torch.where(some(n, 0.08 * strength), 4 + 10 * torch.rand(n), 0.0)[:, None]
    high = torch.where(some(n, 0.15 * strength), 40 + 24 * torch.rand(n), float(MELS))[:, None]
    rows = torch.arange(MELS)[None]
    outside = (low - rows).clamp(min=0) + (rows - high).clamp(min=0)
    out = 10.0 * torch.log10(power + SILENCE) + tilt + bumps - 4.0 * outside[:, :, None]
    # masks over bands and times
    first, wide = torch.rand(n) * MELS, torch.rand(n) * 8 * strength * some(n, 0.5)
    band = (rows >= first[:, None]) & (rows < (first + wide)[:, None])
    start, long = torch.rand(n) * FRAMES, torch.rand(n) * 40 * strength * some(n, 0.5)
    columns = torch.arange(FRAMES)[None]
    hole = (columns >= start[:, None]) & (columns < (start + long)[:, None])
    out = out.masked_fill(band[:, :, None] | hole[:, None, :], -200.0)
    out = out - out.amax(dim=(1, 2), keepdim=True)
    return (out.clamp(min=-RANGE_DB) + 40.0) / 20.0, torch.where(equal, other, -1)
