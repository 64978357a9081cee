"""MSA: MFCA, cross-layer attention over channels (CCA) and over space (CSA), multi-rate convolutions (MR)."""
import math

import torch
import torch.nn.functional as F
from torch import nn

from blocks import ChannelNorm, ConvBN, l2

RATIOS = (8, 4, 2, 1)
FREQUENCIES = ((0, 0), (0, 1), (6, 0), (0, 5), (0, 2), (1, 0), (1, 2), (4, 0),
               (5, 0), (1, 6), (3, 0), (0, 4), (0, 6), (0, 3), (3, 5), (2, 2))


def dct_table(grid=7):
    """[16, grid, grid]"""
    p = torch.arange(grid, dtype=torch.float64) + 0.5
    basis = [torch.cos(math.pi * f * p / grid) / math.sqrt(grid) * (1 if f == 0 else math.sqrt(2)) for f in range(grid)]
    return torch.stack([torch.outer(basis[u], basis[v]) for u, v in FREQUENCIES])


class MFCA(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc1 = nn.Linear(c, c // 16, bias=False)
        self.fc2 = nn.Linear(c // 16, c, bias=False)

    def statistics(self, x):
        pooled = F.adaptive_avg_pool2d(x, 7)
        t = (pooled[:, None] * dct_table().to(x)[None, :, None]).flatten(3)  # [S, 16, C, 49]
        return t.mean(3).mean(1), t.amax(3).mean(1), t.amin(3).mean(1)

    def forward(self, x):
        a = sum(self.fc2(F.relu(self.fc1(s))) for s in self.statistics(x)).sigmoid()
        return x * a[:, :, None, None]


def channel_group(x, r):
    """Overlapping groups along the reconstructed channels: [S, C' r^2, hm, wm] -> [S, C', w, hm*wm]."""
    x = x.flatten(2)
    if r == 1:
        return x.unsqueeze(2)
    return F.pad(x, (0, 0, 1, 0)).unfold(1, r * r + 1, r * r).transpose(2, 3)


def channel_ungroup(t, r, hm, wm):
    """Overlap-add, the adjoint of channel_group."""
    s, groups, w, n = t.shape
    if r == 1:
        return t.reshape(s, groups, hm, wm)
    own = t[:, :, 1:]  # sub-channels c r^2 .. c r^2 + r^2 - 1
    left = F.pad(t[:, 1:, :1], (0, 0, r * r - 1, 0, 0, 1))  # first token of group c+1 lands on the last phase of c
    return (own + left).reshape(s, groups * r * r, hm, wm)


def space_group(x, r):
    """Windows around each cell of the smallest map: [S, c, h, w] -> [S, cells, side^2, c]."""
    side = r + (r > 1)
    x = F.pad(x, (1, 0, 1, 0)) if r > 1 else x
    t = F.unfold(x, side, stride=r)  # [S, c * side^2, cells]
    s, _, cells = t.shape
    return t.reshape(s, -1, side * side, cells).permute(0, 3, 2, 1)


def space_ungroup(t, r, hm, wm):
    """Overlap-add, the adjoint of space_group."""
    s, cells, area, c = t.shape
    cols = t.permute(0, 3, 2, 1).reshape(s, c * area, cells)
    if r == 1:
        return F.fold(cols, (hm, wm), 1)
    return F.fold(cols, (hm * r + 1, wm * r + 1), r + 1, stride=r)[:, :, 1:, 1:]


def coordinates(windows):
    """One axis: token coordinates of every level in the frame of the largest window."""
    out = []
    for w in windows:
        scale = windows[0] / w if w > 1 else 1.0
        out.append((torch.arange(w, dtype=torch.float64) - w // 2) * scale)
    return out


def linear_taps(coord, size):
    """delta = coord_t - coord_u + w0 - 1 as a [T, T, size] matrix of linear interpolation weights."""
    delta = (coord[:, None] - coord[None, :] + (size - 1) // 2).clamp(0, size - 1)
    low = delta.floor().clamp(max=size - 2)
    frac = delta - low
    low = low.long()
    taps = torch.zeros(*delta.shape, size, dtype=torch.float64)
    taps.scatter_(2, low[..., None], (1 - frac)[..., None])
    taps.scatter_(2, low[..., None] + 1, frac[..., None])
    return taps


def cosine_attention(q, k, v, bias):
    """[S, nh, G, T, dt]; bias [nh, T, T] shared by slices and groups; no temperature."""
    scores = l2(q, -1) @ l2(k, -1).transpose(-1, -2) + bias[None, :, None]
    return scores.softmax(-1) @ v


class Level(nn.Module):
    """What every level owns: position convolutions, projections, MLP."""

    def __init__(self, c, inner):
        super().__init__()
        self.dw1 = nn.Conv2d(c, c, 3, padding=1, groups=c)
        self.qkv = nn.Conv2d(c, 3 * inner, 1)
        self.proj = nn.Conv2d(inner, c, 1)
        self.norm1 = ChannelNorm(c)
        self.dw2 = nn.Conv2d(c, c, 3, padding=1, groups=c)
        self.norm2 = ChannelNorm(c)
        self.fc1 = nn.Linear(c, 2 * c)
        self.fc2 = nn.Linear(2 * c, c)

    def before(self, x):
        shortcut = x + F.gelu(self.dw1(x))
        return shortcut, self.qkv(shortcut).chunk(3, dim=1)

    def after(self, shortcut, o):
        z = shortcut + self.norm1(self.proj(o))
        z = z + F.gelu(self.dw2(z))
        mlp = self.fc2(F.gelu(self.fc1(self.norm2(z).movedim(1, -1))))
        return z + mlp.movedim(-1, 1)


class CrossLayerAttention(nn.Module):
    heads = 4

    def __init__(self, c, table_rows):
        super().__init__()
        self.level = nn.ModuleList(Level(c, c // 4) for _ in RATIOS)
        self.table = nn.Parameter(torch.zeros(table_rows, self.heads))
        self.level_bias = nn.Parameter(torch.zeros(len(RATIOS), self.heads))

    def position_bias(self):
        """[nh, T, T]: table sampled at the offset, plus one scalar per level of the key."""
        key_level = torch.repeat_interleave(torch.arange(len(RATIOS)), torch.tensor(self.tokens))
        table = torch.einsum("tur,rh->htu", self.taps().to(self.table), self.table)
        return table + self.level_bias[key_level].T[:, None, :]

    def forward(self, maps):
        hm, wm = maps[-1].shape[2:]
        shortcuts, qkvs = zip(*(lv.before(x) for lv, x in zip(self.level, maps)))
        q, k, v = (torch.cat([self.group(m[j], r) for m, r in zip(qkvs, RATIOS)], dim=3) for j in range(3))
        o = cosine_attention(q, k, v, self.position_bias()).split(self.tokens, dim=3)
        o = [self.ungroup(t, r, hm, wm) for t, r in zip(o, RATIOS)]
        return [lv.after(s, x) for lv, s, x in zip(self.level, shortcuts, o)]


class CCA(CrossLayerAttention):
    windows = [r * r + (r > 1) for r in RATIOS]
    tokens = windows

    def __init__(self, c):
        super().__init__(c, 2 * self.windows[0] - 1)

    def taps(self):
        return linear_taps(torch.cat(coordinates(self.windows)), 2 * self.windows[0] - 1)

    def group(self, x, r):
        t = channel_group(F.pixel_unshuffle(x, r), r)
        return t.reshape(t.shape[0], self.heads, -1, *t.shape[2:])

    def ungroup(self, t, r, hm, wm):
        return F.pixel_shuffle(channel_ungroup(t.flatten(1, 2), r, hm, wm), r)


class CSA(CrossLayerAttention):
    windows = [r + (r > 1) for r in RATIOS]
    tokens = [w * w for w in windows]

    def __init__(self, c):
        super().__init__(c, (2 * self.windows[0] - 1) ** 2)

    def taps(self):
        ys, xs = [], []
        for c in coordinates(self.windows):
            y, x = torch.meshgrid(c, c, indexing="ij")
            ys.append(y.flatten())
            xs.append(x.flatten())
        size = 2 * self.windows[0] - 1
        y, x = linear_taps(torch.cat(ys), size), linear_taps(torch.cat(xs), size)
        return (y[..., :, None] * x[..., None, :]).flatten(2)

    def group(self, x, r):
        t = space_group(x, r)
        return t.reshape(*t.shape[:3], self.heads, -1).permute(0, 3, 1, 2, 4)

    def ungroup(self, t, r, hm, wm):
        return space_ungroup(t.permute(0, 2, 3, 1, 4).flatten(3), r, hm, wm)


class MR(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.branch = nn.ModuleList(ConvBN(c, c // 4, 3, dilation=d) for d in (1, 2, 4, 8))
        self.fuse = ConvBN(c, c)

    def forward(self, x):
        return x + self.fuse(torch.cat([b(x) for b in self.branch], dim=1))


class MSA(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.mfca = nn.ModuleList(MFCA(c) for _ in RATIOS)
        self.cca = CCA(c)
        self.csa = CSA(c)
        self.mr = nn.ModuleList(MR(c) for _ in RATIOS)

    def forward(self, laterals):
        f = [m(x) for m, x in zip(self.mfca, laterals)]
        x = self.csa(self.cca(f))
        return [m(a + b) for m, a, b in zip(self.mr, f, x)]
