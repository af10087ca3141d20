"""Augmentation of drawings, on whole batches: RGBA 80x80 to RGB 64x64 (or another size), from plain (strength 0) to strong (1)."""
import math

import torch
import torch.nn.functional as F

SIZE = 64


def some(n, probability):
    return torch.rand(n) < probability


def pick(mask, yes, no):
    return torch.where(mask.view(-1, *[1] * (yes.ndim - 1)), yes, no)


def hue_turn(n, strength):
    """A random rotation about the grey axis, with saturation, as (n, 3, 3)."""
    angle = torch.randn(n) * 0.3 * strength
    angle = torch.where(some(n, 0.08 * strength), torch.rand(n) * 2 * math.pi, angle)
    saturation = 1.0 + (torch.rand(n) * 1.1 - 0.6) * strength
    saturation = torch.where(some(n, 0.10 * strength), torch.zeros(n), saturation)
    grey = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    around = torch.eye(3) - grey
    matrix = torch.cos(angle)[:, None, None] * around + torch.sin(angle)[:, None, None] * cross
    return grey + saturation[:, None, None] * matrix


def light_or_dark(n, dark):
    """Random colours: dark ones where `dark`, light ones elsewhere."""
    colour = torch.rand(n, 3)
    return torch.where(dark[:, None], colour * 0.55, 0.5 + colour * 0.5)


def recolour(rgb, is_icon, strength):
    """Icons are ink on nothing: random ink (black, or dark on light, or light on dark). Others turn in hue."""
    n = len(rgb)
    turned = torch.einsum("nij,njhw->nihw", hue_turn(n, strength), rgb)
    gain = 1.0 + (torch.rand(n, 1, 1, 1) - 0.5) * 0.5 * strength
    shift = (torch.rand(n, 1, 1, 1) - 0.5) * 0.2 * strength
    turned = ((turned - 0.5) * gain + 0.5 + shift).clamp(0, 1)
    levels = torch.randint(2, 6, (n, 1, 1, 1)).float()
    turned = pick(some(n, 0.2 * strength), (turned * levels).round() / levels, turned)
    dark_ink = some(n, 0.8)
    ink = torch.where(some(n, 0.45)[:, None], torch.zeros(n, 3) + (~dark_ink)[:, None], light_or_dark(n, dark_ink))
    icons = ink[:, :, None, None].expand_as(rgb)
    return pick(is_icon, icons, turned), dark_ink


def inner_lines(rgb, alpha):
    """Dark lines where the drawing's own colours change, as in outlined styles."""
    grey = (rgb * alpha).mean(dim=1, keepdim=True) + (1 - alpha)
    dx = F.pad((grey[..., 1:] - grey[..., :-1]).abs(), (0, 1))
    dy = F.pad((grey[..., 1:, :] - grey[..., :-1, :]).abs(), (0, 0, 0, 1))
    edges = F.max_pool2d(dx + dy, 3, 1, 1)
    return ((edges - 0.10) * 6).clamp(0, 1)


def grounds(n, is_icon, dark_ink, strength, size):
    """(n, 3, size, size) grounds: mostly white, else plain, graded or blotchy; dark behind light ink."""
    white = torch.ones(n, 3)
    light = torch.where(some(n, 0.5)[:, None], light_or_dark(n, torch.zeros(n, dtype=torch.bool)), torch.rand(n, 3))
    dark = torch.where(some(n, 0.4)[:, None], torch.zeros(n, 3), light_or_dark(n, torch.ones(n, dtype=torch.bool)))
    colour = torch.where(some(n, 0.35 * strength)[:, None], light, white)
    icon_ground = torch.where(some(n, 0.35 * strength)[:, None], light_or_dark(n, torch.zeros(n, dtype=torch.bool)), white)
    colour = torch.where(is_icon[:, None], torch.where(dark_ink[:, None], icon_ground, dark), colour)
    ground = colour[:, :, None, None].expand(n, 3, size, size)
    coarse = torch.rand(n, 3, 4, 4)
    soft = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True)
    amount = 0.1 + 0.5 * torch.rand(n, 1, 1, 1)
    return pick(some(n, 0.12 * strength) & ~is_icon, ground * (1 - amount) + soft * amount, ground)


def warp(n, strength, upright, may_flip):
    cropped = some(n, 1.0 - 0.2 * strength)  # on a plain ground the tower always sees the object's own square
    scale = torch.where(cropped, 0.93 + 0.14 * torch.rand(n), 0.5 + 0.5 * torch.rand(n))
    spread = torch.where(cropped, torch.full((n,), 0.04), 1.0 - scale)
    angle = torch.randn(n) * 0.12 * strength
    angle = torch.where(some(n, 0.15 * strength) & ~upright, (torch.rand(n) - 0.5) * 1.6, angle)
    stretch = 1.0 + (torch.rand(n) - 0.5) * 0.24 * strength
    flip = torch.where(some(n, 0.35) & may_flip, -1.0, 1.0)
    shear = torch.randn(n) * 0.06 * strength
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * flip * stretch, sin + shear
    theta[:, 1, 0], theta[:, 1, 1] = -sin * flip, cos / stretch
    theta[:, :, 2] = (torch.rand(n, 2) * 2 - 1) * spread[:, None] / scale[:, None]
    return theta, scale


def bends(n, strength, size):
    """Shifts for a sampling grid, as of a drawing on rubber: other hands draw other proportions. (n, size, size, 2), in halves of a side."""
    amount = torch.where(some(n, 0.7), torch.rand(n), torch.zeros(n)) * 0.055 * strength
    coarse = torch.randn(n, 2, 5, 5) * amount[:, None, None, None]
    return F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)


def erase(out, probability, size):
    """Covers a rectangle of some pictures, white or with a random colour: a drawing is to be known by more than its best part."""
    chosen = some(len(out), probability).nonzero()[:, 0]
    n = len(chosen)
    if n:
        side = torch.arange(size).float() / size
        extent = 0.12 + 0.28 * torch.rand(n, 2)
        corner = torch.rand(n, 2) * (1.0 - extent)
        rows, columns = ((side >= corner[:, axis, None]) & (side < (corner + extent)[:, axis, None]) for axis in (0, 1))
        colour = torch.where(some(n, 0.6)[:, None], torch.ones(n, 3), torch.rand(n, 3))[:, :, None, None]
        out[chosen] = torch.where(rows[:, None, :, None] & columns[:, None, None, :], colour, out[chosen])
    return out


@torch.no_grad()
def halves(rgba, others, probability):
    """Some pictures get what lies beyond a random line from `others`, which draw the same in another style."""
    n, _, height, width = rgba.shape
    angle, shift = torch.rand(n) * 2 * math.pi, torch.randn(n) * 0.15
    x = torch.linspace(-1, 1, width)[None, None, :] * torch.cos(angle)[:, None, None]
    y = torch.linspace(-1, 1, height)[None, :, None] * torch.sin(angle)[:, None, None]
    beyond = (x + y > shift[:, None, None]) & some(n, probability)[:, None, None]
    return torch.where(beyond[:, None], others, rgba)


@torch.no_grad()
def augment(rgba, is_icon, upright, strength, is_scene, size=SIZE):
    """rgba: (n, 4, 80, 80) u8. upright: keeps its turn (arrows, letters); is_scene: keeps colours and sides too."""
    n = len(rgba)
    x = rgba.float() / 255.0
    rgb, alpha = x[:, :3], x[:, 3:].clone()
    changed, dark_ink = recolour(rgb, is_icon, strength)
    rgb = pick(is_scene, rgb, changed)
    coloured = ~is_icon & ~is_scene
    lined = (some(n, 0.22 * strength) & coloured).nonzero()[:, 0]
    rgb[lined] = rgb[lined] * (1 - inner_lines(rgb[lined], alpha[lined]))
    premultiplied = rgb * alpha
    outlined = (some(n, 0.3 * strength) & coloured).nonzero()[:, 0]
    if len(outlined):
        thin = alpha[outlined]
        wide = pick(some(len(thin), 0.5), F.max_pool2d(thin, 3, 1, 1), F.max_pool2d(thin, 5, 1, 2))
        colour = torch.where(some(len(thin), 0.75), 0.0, 1.0)[:, None, None, None]
        premultiplied[outlined] += colour * (wide - thin)
        alpha[outlined] = wide
    layers = torch.cat([premultiplied, alpha], dim=1)
    theta, scale = warp(n, strength, upright | is_scene, ~upright & ~is_scene)
    small = (scale < 0.8).nonzero()[:, 0]
    if len(small):
        layers[small] = F.interpolate(F.avg_pool2d(layers[small], 2), scale_factor=2, mode="bilinear", align_corners=False)
    grid = F.affine_grid(theta, (n, 4, size, size), align_corners=False) + bends(n, strength, size)
    layers = F.grid_sample(layers, grid, align_corners=False)
    out = layers[:, :3] + (1 - layers[:, 3:]) * grounds(n, is_icon, dark_ink, strength, size)
    out = erase(out, 0.2 * strength, size)
    soft = some(n, 0.2 * strength).nonzero()[:, 0]
    if len(soft):
        out[soft] = F.avg_pool2d(F.pad(out[soft], (1, 1, 1, 1), mode="replicate"), 3, 1)
    grainy = some(n, 0.4).nonzero()[:, 0]
    if len(grainy):
        out[grainy] += torch.randn(len(grainy), 1, 1, 1).abs() * 0.02 * strength * torch.randn(len(grainy), 3, size, size)
    return out.clamp(0, 1)
