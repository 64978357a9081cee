# SPDX-License-Identifier: MIT
"""Shifted-window attention in 3D, channels last: windows clipped to the map, padding up to whole windows, -100 across wrapped borders.

A clipped window has the true offsets of its tokens (public code indexes the table of the whole window by the first tokens instead)."""
import torch
import torch.nn.functional as F
from torch import nn


def partition(x, w):
    b, d, h, ww, c = x.shape
    x = x.reshape(b, d // w[0], w[0], h // w[1], w[1], ww // w[2], w[2], c)
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, w[0] * w[1] * w[2], c)


def unpartition(x, w, shape):
    b, d, h, ww, c = shape
    x = x.reshape(b, d // w[0], h // w[1], ww // w[2], *w, c)
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(shape)


def mask_of(size, w, shift):
    """[windows, T, T]: tokens that the roll brought together from different ends do not see each other."""
    region = torch.zeros(1, *size, 1)
    n = 0
    slices = [(slice(0, -a), slice(-a, -s), slice(-s, None)) if s else (slice(None),) for a, s in zip(w, shift)]
    for z in slices[0]:
        for y in slices[1]:
            for x in slices[2]:
                region[:, z, y, x] = n
                n += 1
    r = partition(region, w).squeeze(-1)
    return torch.where(r[:, None, :] != r[:, :, None], -100.0, 0.0)


class WindowAttention(nn.Module):
    draws = {"table": (0.0, 0.2)}

    def __init__(self, c, heads, window):
        super().__init__()
        self.heads, self.window = heads, window
        self.table = nn.Parameter(torch.zeros((2 * window[0] - 1) * (2 * window[1] - 1) * (2 * window[2] - 1), heads))
        self.qkv, self.proj = nn.Linear(c, 3 * c), nn.Linear(c, c)

    def bias(self, w):
        at = torch.stack(torch.meshgrid(*(torch.arange(n) for n in w), indexing="ij"), -1).reshape(-1, 3)
        d = at[:, None] - at[None] + torch.tensor(self.window) - 1
        index = (d[..., 0] * (2 * self.window[1] - 1) + d[..., 1]) * (2 * self.window[2] - 1) + d[..., 2]
        return self.table[index].permute(2, 0, 1)  # [heads, T, T]

    def forward(self, x, w, mask):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        a = (q * (c // self.heads) ** -0.5) @ k.transpose(-1, -2) + self.bias(w)
        if mask is not None:
            a = (a.reshape(-1, len(mask), *a.shape[1:]) + mask[:, None].to(a.dtype)).reshape(a.shape)
        return self.proj((a.softmax(-1) @ v).transpose(1, 2).reshape(n, t, c))


class Mlp(nn.Sequential):
    def __init__(self, c, ratio=4):
        super().__init__(nn.Linear(c, ratio * c), nn.GELU(), nn.Linear(ratio * c, c))


class SwinBlock(nn.Module):
    def __init__(self, c, heads, window, shift, mlp=Mlp):
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1, self.attn = nn.LayerNorm(c), WindowAttention(c, heads, window)
        self.norm2, self.mlp = nn.LayerNorm(c), mlp(c)

    def attend(self, x):
        size = x.shape[1:4]
        w = [min(a, s) for a, s in zip(self.window, size)]
        shift = [0 if s <= a else k for a, s, k in zip(self.window, size, self.shift)]
        pad = [-s % a for a, s in zip(w, size)]
        x = F.pad(x, (0, 0, 0, pad[2], 0, pad[1], 0, pad[0]))
        moved = any(shift)
        y = torch.roll(x, [-s for s in shift], (1, 2, 3)) if moved else x
        y = unpartition(self.attn(partition(y, w), w, mask_of(x.shape[1:4], w, shift) if moved else None), w, x.shape)
        y = torch.roll(y, shift, (1, 2, 3)) if moved else y
        return y[:, :size[0], :size[1], :size[2]]

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def swin_stage(c, depth, heads, window, mlp=Mlp):
    half = [a // 2 for a in window]
    return nn.ModuleList(SwinBlock(c, heads, window, [0, 0, 0] if i % 2 == 0 else half, mlp) for i in range(depth))
