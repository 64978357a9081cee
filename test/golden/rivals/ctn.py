# SPDX-License-Identifier: MIT
"""CTN (specification 9.3), the 3D Cross Transformer Network: a residual CNN, a video-Swin branch trained with it, a gated decoder.

Where it is silent: no norm of the patches or of what the branch gives, what comes up before the skip, the head's convolutions have
biases."""
import torch
import torch.nn.functional as F
from torch import nn

from windows import swin_stage


def bn(c):
    return nn.BatchNorm3d(c, eps=1e-3, track_running_stats=False)


def conv(cin, cout, k=3, stride=1, bias=False):
    return nn.Conv3d(cin, cout, k, stride, k // 2, bias=bias)


def resize(x, size, corners=False):
    return F.interpolate(x, size=tuple(size), mode="trilinear", align_corners=corners)


class Basic(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1, self.bn1, self.conv2, self.bn2 = conv(cin, cout, 3, stride), bn(cout), conv(cout, cout), bn(cout)
        self.short = nn.Sequential(conv(cin, cout, 1, stride), bn(cout)) if stride != 1 or cin != cout else nn.Identity()

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.short(x))


class Merge(nn.Module):
    """Halves H and W alone: four phases, LN, Linear."""

    def __init__(self, c):
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * c), nn.Linear(4 * c, 2 * c, bias=False)

    def forward(self, x):
        x = F.pad(x, (0, 0, 0, x.shape[3] % 2, 0, x.shape[2] % 2))
        return self.reduce(self.norm(torch.cat([x[:, :, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)))


class Swin(nn.Module):
    def __init__(self, cin, dim, depths, heads, window):
        super().__init__()
        self.embed = nn.Conv3d(cin, dim, (2, 4, 4), (2, 4, 4))
        self.stages = nn.ModuleList(swin_stage(dim << i, n, h, window) for i, (n, h) in enumerate(zip(depths, heads)))
        self.merge = nn.ModuleList(Merge(dim << i) for i in range(3))

    def forward(self, x):
        pad = [-s % p for s, p in zip(x.shape[2:], (2, 4, 4))]
        x = self.embed(F.pad(x, (0, pad[2], 0, pad[1], 0, pad[0]))).movedim(1, -1)
        outs = []
        for i, stage in enumerate(self.stages):
            for block in stage:
                x = block(x)
            if i < 3:
                x = self.merge[i](x)
            outs.append(x.movedim(-1, 1))
        return outs


class Dec(nn.Module):
    def __init__(self, cin, mid, out):
        super().__init__()
        self.body = nn.Sequential(conv(cin, mid), bn(mid), nn.ReLU(), conv(mid, out), bn(out), nn.ReLU())
        self.gate = nn.Sequential(conv(out, 1), bn(1), nn.Sigmoid())

    def forward(self, x, skip):
        x = self.body(torch.cat([resize(x, skip.shape[2:], True), skip], 1))
        return x * self.gate(x)


class CTN(nn.Module):
    def __init__(self, cin=1, classes=2, k=24, dim=48, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), window=(2, 7, 7)):
        super().__init__()
        self.stem = nn.Sequential(conv(cin, k, 7, 2), bn(k), nn.ReLU())
        ch = [k, k, 2 * k, 4 * k, 8 * k]
        self.stages = nn.ModuleList(nn.Sequential(Basic(ch[i], ch[i + 1], 1 if i == 0 else 2), Basic(ch[i + 1], ch[i + 1], 1))
                                    for i in range(4))
        self.swin = Swin(cin, dim, depths, heads, window)
        self.couple = nn.ModuleList(conv(a, b, 1) for a, b in zip((2 * dim, 4 * dim, 8 * dim, 8 * dim), ch[1:]))
        self.dec3, self.dec2, self.dec1 = Dec(12 * k, 4 * k, k), Dec(3 * k, 2 * k, k), Dec(2 * k, 2 * k, k)
        self.head = nn.Sequential(conv(4 * k, 2 * k, bias=True), nn.ELU(), nn.Conv3d(2 * k, classes, 1))

    def forward(self, x):
        e0 = self.stem(x)
        outs, e = [], e0
        for stage, couple, s, share in zip(self.stages, self.couple, self.swin(x), (0.3, 0.3, 0.3, 0.5)):
            e = stage(e)
            e = e + share * resize(couple(s), e.shape[2:])
            outs.append(e)
        e1, e2, e3, d4 = outs
        d3 = self.dec3(d4, e3)
        d2 = self.dec2(d3, e2)
        d1 = self.dec1(d2, e1)
        full = e0.shape[2:]
        y = self.head(torch.cat([e0, d1, resize(d2, full), resize(d3, full)], 1))
        return resize(y, x.shape[2:])
