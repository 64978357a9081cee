# SPDX-License-Identifier: MIT
"""HENet (specification 9.4, inferred there): a 3D U-Net behind a learned contrast window, with a cross-scale non-local block.

Where it is silent: norms without parameters (A.2), the skip before what comes up, keys and values the pooled projections as they are."""
import torch
import torch.nn.functional as F
from torch import nn


def step(cin, cout, stride=1):
    return [nn.Conv3d(cin, cout, 3, stride, 1, bias=False), nn.InstanceNorm3d(cout), nn.LeakyReLU(0.01)]


def double(cin, cout):
    return nn.Sequential(*step(cin, cout), *step(cout, cout))


class Contrast(nn.Module):
    """ACE: centre and width from the image; x' = sigmoid(4 (x - c) / w)."""

    def __init__(self, cin):
        super().__init__()
        self.features = nn.Sequential(*step(cin, 8, 2), *step(8, 16, 2))
        self.fc = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x):
        c, w = self.fc(self.features(x).mean((2, 3, 4))).reshape(-1, 2, 1, 1, 1, 1).unbind(1)
        return torch.cat([x, torch.sigmoid(4 * (x - c.tanh()) / (F.softplus(w) + 0.1))], 1)


class CrossScale(nn.Module):
    """CSNB: queries of the bottleneck, keys and values of three levels pooled to `grid`^3 tokens each."""

    def __init__(self, widths, inner, grid):
        super().__init__()
        self.grid = grid
        self.reduce = nn.ModuleList(nn.Conv3d(w, inner, 1) for w in widths)
        self.out = nn.Conv3d(inner, widths[-1], 1)
        self.local = nn.Conv3d(inner, widths[-1], 3, padding=1)

    def forward(self, maps):
        x = maps[-1]
        small = [r(m) for r, m in zip(self.reduce, maps)]
        kv = torch.cat([F.adaptive_avg_pool3d(m, self.grid).flatten(2) for m in small], 2)  # [B, inner, tokens]
        q = small[-1].flatten(2)
        a = (q.transpose(1, 2) @ kv * q.shape[1] ** -0.5).softmax(-1)
        y = (a @ kv.transpose(1, 2)).transpose(1, 2).reshape(small[-1].shape)
        local = sum(F.interpolate(m, size=x.shape[2:], mode="trilinear", align_corners=False) for m in small)
        return x + self.out(y) + self.local(local)


class HENet(nn.Module):
    def __init__(self, cin=1, classes=2, widths=(32, 64, 128, 256), inner=128, grid=4):
        super().__init__()
        self.ace = Contrast(cin)
        self.encoder = nn.ModuleList(double(a, b) for a, b in zip((2 * cin, *widths), widths))
        self.csnb = CrossScale(widths[1:], inner, grid)
        deep = list(reversed(range(len(widths) - 1)))
        self.up = nn.ModuleList(nn.ConvTranspose3d(widths[i + 1], widths[i], 2, 2) for i in deep)
        self.decoder = nn.ModuleList(double(2 * widths[i], widths[i]) for i in deep)
        self.head = nn.Conv3d(widths[0], classes, 1)

    def forward(self, x):
        x, maps = self.ace(x), []
        for i, encode in enumerate(self.encoder):
            x = encode(F.max_pool3d(x, 2) if i else x)
            maps.append(x)
        x = self.csnb(maps[1:])
        maps.pop()
        for up, decode in zip(self.up, self.decoder):
            x = decode(torch.cat([maps.pop(), up(x)], 1))
        return self.head(x)
