"""The picture tower: what is done to an image, the fixed front end, the network, and its export.

The specification in words is training/README.md; this file and that page must agree.
"""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

SIZE = 64
DIM = 384
WIDTHS = (64, 128, 240, 304)
DEPTHS = (1, 1, 2, 1)
STYLED, DROPPED = 0.3, 0.05  # in training: pictures whose style is mixed, features that are left out
RING_PLAIN = 8.0
OBJECT_DIFFERENCE = 32


# --- from any picture to 64x64 RGB -------------------------------------------------------------

def on_white(rgba: np.ndarray) -> np.ndarray:
    """Composites u8 RGBA on white, rounding half up to u8 RGB."""
    alpha = rgba[..., 3:4].astype(np.float32) / 255.0
    mixed = rgba[..., :3].astype(np.float32) * alpha + 255.0 * (1.0 - alpha)
    return np.floor(mixed + 0.5).astype(np.uint8)


def ring_of(rgb: np.ndarray) -> np.ndarray:
    """The outermost ring of pixels, each once, as (n, 3) float32."""
    height, width = rgb.shape[:2]
    if height == 1 or width == 1:
        return rgb.reshape(-1, 3).astype(np.float32)
    parts = [rgb[0], rgb[-1], rgb[1:-1, 0], rgb[1:-1, -1]]
    return np.concatenate(parts).astype(np.float32)


def square_window(rgb: np.ndarray):
    """The square to look at, as (left, top, side), and the colour of whatever lies outside the picture."""
    height, width = rgb.shape[:2]
    ring = ring_of(rgb)
    colour = np.floor(ring.mean(axis=0) + 0.5)
    is_plain = np.abs(ring - colour).mean() <= RING_PLAIN
    if is_plain:
        differs = np.abs(rgb.astype(np.int16) - colour.astype(np.int16)).max(axis=2) > OBJECT_DIFFERENCE
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if len(rows):
            top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
            side = (max(right - left, bottom - top) * 9 + 7) // 8
            return (left + right - side) // 2, (top + bottom - side) // 2, side, colour.astype(np.uint8)
    side = max(width, height)
    return (width - side) // 2, (height - side) // 2, side, colour.astype(np.uint8)


def cut(rgb: np.ndarray, left: int, top: int, side: int, colour: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    out = np.empty((side, side, 3), np.uint8)
    out[:] = colour
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x1 > x0 and y1 > y0:
        out[y0 - top:y1 - top, x0 - left:x1 - left] = rgb[y0:y1, x0:x1]
    return out


def prepare(rgb: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Any u8 RGB picture to size x size u8 RGB: the object's square (or the whole, padded), then a triangle filter."""
    left, top, side, colour = square_window(rgb)
    square = Image.fromarray(cut(rgb, left, top, side, colour))
    return np.asarray(square.resize((size, size), Image.BILINEAR))


# --- the network --------------------------------------------------------------------------------

def front_end(rgb: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) in 0..1 to seven channels: ink, double-angle gradient, signed gradient."""
    ink = 2.0 * (1.0 - rgb)
    luma = 0.299 * rgb[:, 0:1] + 0.587 * rgb[:, 1:2] + 0.114 * rgb[:, 2:3]
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8.0
    kernels = torch.stack([sobel, sobel.t()])[:, None]
    gradient = F.conv2d(F.pad(luma, (1, 1, 1, 1), mode="replicate"), kernels)
    gx, gy = gradient[:, 0:1], gradient[:, 1:2]
    magnitude = (gx * gx + gy * gy + 1e-6).sqrt()
    around = F.avg_pool2d(F.pad(magnitude, (4, 4, 4, 4), mode="replicate"), 9, stride=1) + 0.02
    both = magnitude * around
    return torch.cat([ink, (gx * gx - gy * gy) / both, 2.0 * gx * gy / both, gx / around, gy / around], dim=1)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut: 1x1 with batch norm where shape changes, else the identity."""

    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = None
        if stride != 1 or width_in != width:
            self.shortcut = nn.Conv2d(width_in, width, 1, stride, 0, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(width)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut_norm(self.shortcut(x))))


def mix_styles(x):
    """MixStyle (Zhou et al., 2021): some pictures of a batch get channel means and spreads that lie between their own and another's, as what is
    early in a network tells the style of a drawing."""
    n = len(x)
    with torch.no_grad():
        variance, mean = torch.var_mean(x.float(), dim=(2, 3), keepdim=True, unbiased=False)
        spread = (variance + 1e-5).sqrt()
        own = torch.distributions.Beta(0.1, 0.1).sample((n,))
        own = torch.where(torch.rand(n) < STYLED, own, torch.ones(n))[:, None, None, None]
        other = torch.randperm(n)
        gain = own + (1 - own) * spread[other] / spread
        shift = own * mean + (1 - own) * mean[other] - mean * gain
    return x * gain.to(x.dtype) + shift.to(x.dtype)


class PictureTower(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(7, WIDTHS[0], 3, 2, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(WIDTHS[0])
        blocks, width_in = [], WIDTHS[0]
        for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS)):
            for index in range(depth):
                blocks.append(Block(width_in, width, 2 if stage > 0 and index == 0 else 1))
                width_in = width
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(width_in, DIM)

    def features(self, channels):
        x = self.styled(F.relu(self.stem_norm(self.stem(channels))))
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == 0:
                x = self.styled(x)
        return self.head(F.dropout(x.mean(dim=(2, 3)), DROPPED, self.training))

    def styled(self, x):
        return mix_styles(x) if self.training else x

    def forward(self, rgb):
        return F.normalize(self.features(front_end(rgb)).float(), dim=1)


# --- export: batch norm folded into the convolution before it ---------------------------------------

def fold(conv, norm):
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


@torch.no_grad()
def export(tower: PictureTower) -> dict:
    """The tensors of picture.safetensors, f16."""
    tensors = {}
    tensors["stem.weight"], tensors["stem.bias"] = fold(tower.stem, tower.stem_norm)
    for index, block in enumerate(tower.blocks):
        for name, conv, norm in (("conv1", block.conv1, block.norm1), ("conv2", block.conv2, block.norm2)):
            tensors[f"blocks.{index}.{name}.weight"], tensors[f"blocks.{index}.{name}.bias"] = fold(conv, norm)
        if block.shortcut is not None:
            weight, bias = fold(block.shortcut, block.shortcut_norm)
            tensors[f"blocks.{index}.shortcut.weight"], tensors[f"blocks.{index}.shortcut.bias"] = weight, bias
    tensors["head.weight"], tensors["head.bias"] = tower.head.weight, tower.head.bias
    return {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in tensors.items()}


@torch.no_grad()
def unfold(tensors: dict, channels: torch.Tensor) -> PictureTower:
    """A tower to be trained on from the shipped tensors. `channels`, a batch of training pictures behind the front end, gives each batch
    norm the mean and spread that it takes out and puts back, so that the tower computes what it did before."""
    w = {name: tensor.float() for name, tensor in tensors.items()}
    tower = PictureTower()

    def set_conv(conv, norm, name, x):
        # Batch norm makes the length of a filter meaningless; that of a fresh one keeps the learning rate what it is meant to be.
        weight, bias = w[name + ".weight"], w[name + ".bias"]
        fresh = conv.weight.flatten(1).norm(dim=1).mean()
        conv.weight.copy_(weight * (fresh / weight.flatten(1).norm(dim=1).clamp(min=1e-6))[:, None, None, None])
        y, was = conv(x), F.conv2d(x, weight, None, conv.stride, conv.padding)
        mean, variance = was.mean(dim=(0, 2, 3)), was.var(dim=(0, 2, 3), unbiased=False)
        norm.weight.copy_(variance.sqrt())
        norm.bias.copy_(mean + bias)
        norm.running_mean.copy_(y.mean(dim=(0, 2, 3)))
        norm.running_var.copy_(y.var(dim=(0, 2, 3), unbiased=False))
        return was + bias[None, :, None, None]

    x = F.relu(set_conv(tower.stem, tower.stem_norm, "stem", channels))
    for index, block in enumerate(tower.blocks):
        name = f"blocks.{index}"
        y = F.relu(set_conv(block.conv1, block.norm1, name + ".conv1", x))
        y = set_conv(block.conv2, block.norm2, name + ".conv2", y)
        shortcut = x if block.shortcut is None else set_conv(block.shortcut, block.shortcut_norm, name + ".shortcut", x)
        x = F.relu(y + shortcut)
    tower.head.weight.copy_(w["head.weight"])
    tower.head.bias.copy_(w["head.bias"])
    return tower


class ExportedPicture:
    """The tower as shipped: f16 tensors, run in f32. What a port has to match."""

    def __init__(self, tensors: dict):
        self.w = {name: tensor.float() for name, tensor in tensors.items()}

    def conv(self, x, name, stride, padding):
        return F.conv2d(x, self.w[name + ".weight"], self.w[name + ".bias"], stride, padding)

    @torch.no_grad()
    def __call__(self, rgb):
        x = F.relu(self.conv(front_end(rgb), "stem", 2, 1))
        index = 0
        for stage, depth in enumerate(DEPTHS):
            for position in range(depth):
                stride = 2 if stage > 0 and position == 0 else 1
                name = f"blocks.{index}"
                y = F.relu(self.conv(x, name + ".conv1", stride, 1))
                y = self.conv(y, name + ".conv2", 1, 1)
                shortcut = self.conv(x, name + ".shortcut", stride, 0) if name + ".shortcut.weight" in self.w else x
                x = F.relu(y + shortcut)
                index += 1
        x = F.linear(x.mean(dim=(2, 3)), self.w["head.weight"], self.w["head.bias"])
        return F.normalize(x, dim=1)


CONFIG = {
    "kind": "sensorium-picture-tower", "version": 1, "dim": DIM,
    "input": {"size": SIZE, "channels": "RGB", "range": [0, 1], "ring_plain": RING_PLAIN,
              "object_difference": OBJECT_DIFFERENCE, "object_margin": [9, 8], "resize": "triangle, antialiased"},
    "front_end": {"channels": 7, "luma": [0.299, 0.587, 0.114], "sobel_scale": 0.125, "magnitude_eps": 1e-6,
                  "mean_window": 9, "mean_offset": 0.02, "padding": "replicate"},
    "network": {"widths": WIDTHS, "depths": DEPTHS, "stem_stride": 2, "activation": "relu"},
    "output": "l2-normalised",
}
