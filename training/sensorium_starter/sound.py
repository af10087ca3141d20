"""The sound tower: from PCM to a log-mel picture, the network, and its export.

The specification in words is training/README.md; this file and that page must agree.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

RATE = 16000
SAMPLES = 65536
N_FFT = 1024
HOP = 256
FRAMES = 256
MELS = 64
LOW_HZ, HIGH_HZ = 40.0, 8000.0
RANGE_DB = 80.0
DIM = 384
WIDTH, LAYERS, HEADS, INNER, PATCH, SIDE = 256, 5, 4, 960, 16, 128
EPS = 1e-5


# --- from PCM to the log-mel picture ---------------------------------------------------------------

def hz_to_mel(hz):
    return 2595.0 * math.log10(1.0 + hz / 700.0)


def mel_filters() -> torch.Tensor:
    """(64, 513) triangles of peak 1, equally spaced on the HTK mel scale from 40 to 8000 Hz."""
    low, high = hz_to_mel(LOW_HZ), hz_to_mel(HIGH_HZ)
    edges = [700.0 * (10.0 ** ((low + (high - low) * i / (MELS + 1)) / 2595.0) - 1.0) for i in range(MELS + 2)]
    hz = torch.arange(N_FFT // 2 + 1, dtype=torch.float64) * RATE / N_FFT
    rows = []
    for left, centre, right in zip(edges, edges[1:], edges[2:]):
        rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
        rows.append(torch.minimum(rising, falling).clamp(min=0.0))
    return torch.stack(rows).float()


_FILTERS = mel_filters()
_WINDOW = torch.hann_window(N_FFT, periodic=True)


def mel_decibels(pcm: torch.Tensor) -> torch.Tensor:
    """(n, 65536) at 16 kHz to the power of (n, 64 mel bands, 256 frames) in decibels."""
    padded = F.pad(pcm, (384, 384))
    frames = padded.unfold(1, N_FFT, HOP) * _WINDOW
    spectrum = torch.fft.rfft(frames, dim=2)
    power = spectrum.real.square() + spectrum.imag.square()
    mel = power @ _FILTERS.t()
    return (10.0 * torch.log10(mel + 1e-10)).transpose(1, 2)


def log_mel(pcm: torch.Tensor) -> torch.Tensor:
    """(n, 65536) at 16 kHz to (n, 64, 256) in about -2..2, loudest = 2."""
    db = mel_decibels(pcm)
    db = db - db.amax(dim=(1, 2), keepdim=True)
    return (db.clamp(min=-RANGE_DB) + 40.0) / 20.0


def stack_halves(mel: torch.Tensor) -> torch.Tensor:
    """(n, 64, 256) to (n, 1, 128, 128): rows 0-63 are the first 128 frames, rows 64-127 the last 128."""
    return torch.cat([mel[:, :, :128], mel[:, :, 128:]], dim=1)[:, None]


# --- the network, with the parameter names of the common CLIP vision layout --------------------------

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.v_proj, self.out_proj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        n, tokens, _ = x.shape
        q, k, v = (proj(x).view(n, tokens, HEADS, WIDTH // HEADS).transpose(1, 2)
                   for proj in (self.q_proj, self.k_proj, self.v_proj))
        # written out: on a CPU the fused kernel is much slower backwards
        shares = ((q * (WIDTH // HEADS) ** -0.5) @ k.transpose(2, 3)).float().softmax(dim=3)
        mixed = shares.to(v.dtype) @ v
        return self.out_proj(mixed.transpose(1, 2).reshape(n, tokens, WIDTH))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_norm1, self.self_attn = nn.LayerNorm(WIDTH, eps=EPS), Attention()
        self.layer_norm2, self.mlp = nn.LayerNorm(WIDTH, eps=EPS), Mlp()

    def forward(self, x):
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Embeddings(nn.Module):
    def __init__(self):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.patch_embedding = nn.Conv2d(1, WIDTH, PATCH, PATCH, bias=False)
        self.position_embedding = nn.Embedding((SIDE // PATCH) ** 2 + 1, WIDTH)
        nn.init.normal_(self.position_embedding.weight, std=0.02)

    def forward(self, picture):
        patches = self.patch_embedding(picture).flatten(2).transpose(1, 2)
        start = self.class_embedding.to(patches.dtype).expand(len(patches), 1, WIDTH)
        return torch.cat([start, patches], dim=1) + self.position_embedding.weight


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))


class VisionModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = Embeddings()
        self.pre_layrnorm = nn.LayerNorm(WIDTH, eps=EPS)
        self.encoder = Encoder()
        self.post_layernorm = nn.LayerNorm(WIDTH, eps=EPS)

    def forward(self, picture):
        x = self.pre_layrnorm(self.embeddings(picture))
        for layer in self.encoder.layers:
            x = layer(x)
        return self.post_layernorm(x[:, 0])


class SoundTower(nn.Module):
    def __init__(self):
        super().__init__()
        self.vision_model = VisionModel()
        self.visual_projection = nn.Linear(WIDTH, DIM, bias=False)

    def from_mel(self, mel):
        return self.visual_projection(self.vision_model(stack_halves(mel)))

    def forward(self, pcm):
        return F.normalize(self.from_mel(log_mel(pcm)).float(), dim=1)


def export(tower: SoundTower) -> dict:
    """The tensors of sound.safetensors, f16."""
    return {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in tower.state_dict().items()}


def exported(tensors: dict) -> SoundTower:
    """The tower as shipped: f16 tensors, run in f32. What a port has to match."""
    tower = SoundTower()
    tower.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return tower.eval()


CONFIG = {
    "kind": "sensorium-sound-tower", "version": 1, "dim": DIM,
    "input": {"sample_rate": RATE, "samples": SAMPLES, "padding": "zeros at the end"},
    "log_mel": {"n_fft": N_FFT, "hop": HOP, "pad": 384, "frames": FRAMES, "window": "hann, periodic", "power": 2,
                "mels": MELS, "scale": "htk", "filter_norm": "peak 1", "low_hz": LOW_HZ, "high_hz": HIGH_HZ,
                "log_offset": 1e-10, "range_db": RANGE_DB, "shift_db": 40.0, "divide_db": 20.0},
    "network": {"image_size": SIDE, "patch_size": PATCH, "num_channels": 1, "hidden_size": WIDTH,
                "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
                "hidden_act": "gelu", "layer_norm_eps": EPS, "projection_dim": DIM},
    "output": "l2-normalised",
}
