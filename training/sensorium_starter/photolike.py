"""Is this a drawing at all? Features of a prepared 64x64 picture, and made-up photograph-like pictures to fit them on.

No photograph is used: the pictures are "dead leaves" (overlapping textured patches of all sizes), whose statistics are close
to those of photographs, with uneven light, blur and grain.
"""
import numpy as np
from PIL import Image

SIDE = 96


def texture(g, slope):
    spectrum = np.fft.rfft2(g.standard_normal((SIDE, SIDE)))
    fy, fx = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    out = np.fft.irfft2(spectrum / np.maximum(np.hypot(fy, fx), 0.01) ** slope, (SIDE, SIDE))
    return (out - out.mean()) / (out.std() + 1e-9)


def image(seed):
    """(96, 96, 3) u8, deterministic by seed."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    palette = g.random((4, 3)) * 0.8 + 0.1
    out = np.ones((SIDE, SIDE, 3)) * palette[0]
    if g.random() < 0.6:
        out += (y / SIDE - 0.5)[..., None] * g.uniform(-0.5, 0.5, 3)
    out += texture(g, g.uniform(1.0, 2.2))[..., None] * g.uniform(0.02, 0.15) * g.uniform(0.5, 1, 3)
    grain = [texture(g, slope) for slope in (0.8, 1.2, 1.6, 2.0)]
    count = int(g.integers(0, 120)) if g.random() < 0.85 else int(g.integers(0, 5))
    for _ in range(count):
        r = min(SIDE * 0.6, 2.0 / max(g.random(), 0.02) ** 0.9)
        cx, cy, turn, flat = g.uniform(0, SIDE), g.uniform(0, SIDE), g.uniform(0, np.pi), g.uniform(0.4, 1)
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = ((y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)) / flat
        inside = (np.maximum(abs(u), abs(v)) if g.random() < 0.3 else np.hypot(u, v)) < r
        colour = palette[g.integers(0, 4)] + g.normal(0, 0.12, 3)
        shade = 1 + g.uniform(-0.4, 0.4) * u / r
        out[inside] = (colour * shade[inside][:, None]) + grain[g.integers(0, 4)][inside][:, None] * g.uniform(0, 0.08)
    light = 1 + g.uniform(-0.3, 0.3) * (x / SIDE - 0.5) + g.uniform(-0.3, 0.3) * (y / SIDE - 0.5)
    out = out * light[..., None] + g.normal(0, g.uniform(0.002, 0.03), out.shape)
    rgb = (np.clip(out, 0, 1) * 255 + 0.5).astype(np.uint8)
    if g.random() < 0.5:
        small = int(SIDE * g.uniform(0.5, 0.9))
        rgb = np.asarray(Image.fromarray(rgb).resize((small, small), Image.BILINEAR).resize((SIDE, SIDE), Image.BILINEAR))
    return rgb


def features(rgb):
    """rgb: (64, 64, 3) u8, prepared. Three numbers; README.md of training says the same in words."""
    ring = np.concatenate([rgb[0], rgb[-1], rgb[1:-1, 0], rgb[1:-1, -1]]).astype(np.int16)
    middle = np.sort(ring, axis=0)[len(ring) // 2]
    border_residual = np.abs(ring - middle).mean() / 255.0
    wide = rgb.astype(np.int16)
    across = np.abs(wide[:, 1:] - wide[:, :-1]).max(axis=2)[:-1]
    down = np.abs(wide[1:] - wide[:-1]).max(axis=2)[:, :-1]
    flat_share = (np.maximum(across, down) <= 2).mean()
    level = wide // 16
    counts = np.bincount((level[..., 0] * 256 + level[..., 1] * 16 + level[..., 2]).ravel(), minlength=4096)
    top_share = np.sort(counts)[-4:].sum() / counts.sum()
    return np.array([border_residual, flat_share, top_share])


def score(values, gate):
    z = gate["bias"] + sum(weight * value for weight, value in zip(gate["weights"], values))
    return 1.0 / (1.0 + np.exp(-z))
