# SPDX-License-Identifier: MIT
"""EoFormer (specification 9.1): a ConvFormer and efficient-attention encoder, a decoder with fixed edge stencils."""
import torch
import torch.nn.functional as F
from torch import nn

from res_blocks import ChannelNorm


def norm(c):
    return ChannelNorm(c, eps=1e-6, bias=False)


def linear(cin, cout, bias=False):
    return nn.Conv3d(cin, cout, 1, bias=bias)


class StarReLU(nn.Module):
    draws = {"scale": (1.0, 0.1), "bias": (0.0, 0.1)}

    def __init__(self):
        super().__init__()
        self.scale, self.bias = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return self.scale * F.relu(x) ** 2 + self.bias


class SepConv(nn.Sequential):
    def __init__(self, c):
        super().__init__(linear(c, 2 * c), StarReLU(), nn.Conv3d(2 * c, 2 * c, 3, padding=1, groups=2 * c, bias=False), linear(2 * c, c))


class Attention(nn.Module):
    """Linear attention: q a softmax over the channels of a head, k over positions."""

    def __init__(self, c, head=32):
        super().__init__()
        self.heads = c // head
        self.q, self.k, self.v, self.out = (linear(c, c, True) for _ in range(4))

    def forward(self, x):
        split = lambda t: t.flatten(2).unflatten(1, (self.heads, -1))  # [B, heads, dh, N]
        q, k, v = split(self.q(x)).softmax(2), split(self.k(x)).softmax(3), split(self.v(x))
        context = k @ v.transpose(2, 3)  # [B, heads, dk, dv]
        return self.out((context.transpose(2, 3) @ q).reshape(x.shape))


A, B = torch.tensor([1.0, 2, 1]), torch.tensor([-1.0, 0, 1])
outer = lambda z, y, x: torch.einsum("i,j,k->ijk", z, y, x)
SOBEL = [outer(A, A, B), outer(A, B, A), outer(B, A, A)]  # x, y, z
LAPLACE = torch.zeros(3, 3, 3)
for at in ((0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2)):
    LAPLACE[at] = 1.0
LAPLACE[1, 1, 1] = -6.0


class Edge(nn.Module):
    """1^3 convolution, a frame of its bias, a fixed stencil times a factor per channel, a bias per channel."""
    draws = {"factor": (0.0, 0.3), "bias": (0.0, 0.1)}

    def __init__(self, c, stencil):
        super().__init__()
        self.conv = linear(c, c, True)
        self.factor, self.bias = nn.Parameter(1e-3 * torch.randn(c)), nn.Parameter(1e-3 * torch.randn(c))
        self.stencil = stencil.double()

    def forward(self, x):
        y = self.conv(x)
        frame = self.conv.bias.reshape(1, -1, 1, 1, 1)
        y = F.pad(y - frame, (1,) * 6) + frame
        weight = self.factor.reshape(-1, 1, 1, 1, 1) * self.stencil.to(x.dtype)
        return F.conv3d(y, weight, self.bias, groups=x.shape[1])


class EdgeMixer(nn.Module):
    def __init__(self, c, stencils):
        super().__init__()
        self.conv = nn.Conv3d(c, c, 3, padding=1)
        self.edges = nn.ModuleList(Edge(c, s) for s in stencils)
        self.norm = ChannelNorm(c, scale=False, bias=False)
        self.act = nn.PReLU(c)

    def forward(self, x):
        return self.act(self.norm(self.conv(x) + sum(e(x) for e in self.edges) + x))


class Block(nn.Module):
    draws = {"rs1": (1.0, 0.1), "rs2": (1.0, 0.1)}

    def __init__(self, c, mixer, scaled=False):
        super().__init__()
        self.norm1, self.mixer = norm(c), mixer
        self.norm2, self.mlp = norm(c), nn.Sequential(linear(c, 4 * c), StarReLU(), linear(4 * c, c))
        self.rs1, self.rs2 = ((nn.Parameter(torch.ones(1, c, 1, 1, 1)) for _ in range(2)) if scaled else (None, None))

    def forward(self, x):
        x = (x if self.rs1 is None else self.rs1 * x) + self.mixer(self.norm1(x))
        return (x if self.rs2 is None else self.rs2 * x) + self.mlp(self.norm2(x))


class Up(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.norm, self.up = nn.GroupNorm(1, cin), nn.ConvTranspose3d(cin, cout, 2, 2, bias=False)

    def forward(self, x):
        return self.up(self.norm(x))


class EoFormer(nn.Module):
    def __init__(self, cin=1, classes=2, dims=(32, 64, 128, 256), head=32, last=16):
        super().__init__()
        down = lambda a, b: nn.Conv3d(a, b, 3, 2, 1)
        self.down = nn.ModuleList([nn.Sequential(down(cin, dims[0]), norm(dims[0]))])
        self.down.extend(nn.Sequential(norm(a), down(a, b)) for a, b in zip(dims, dims[1:]))
        self.stages = nn.ModuleList(nn.Sequential(*(Block(c, SepConv(c) if i < 2 else Attention(c, head), i >= 2) for _ in range(2)))
                                    for i, c in enumerate(dims))
        pairs = list(zip(reversed(dims[1:]), reversed(dims[:-1])))
        self.up = nn.ModuleList(Up(a, b) for a, b in pairs)
        self.fuse = nn.ModuleList(nn.Conv3d(2 * b, b, 3, padding=1, bias=False) for _, b in pairs)
        self.decoder = nn.ModuleList(nn.Sequential(Block(b, EdgeMixer(b, SOBEL)), Block(b, EdgeMixer(b, [LAPLACE]))) for _, b in pairs)
        self.last = Up(dims[0], last)
        self.head = nn.Conv3d(last, classes, 1)

    def forward(self, x):
        skips = []
        for down, stage in zip(self.down, self.stages):
            x = stage(down(x))
            skips.append(x)
        skips.pop()
        for up, fuse, decode in zip(self.up, self.fuse, self.decoder):
            x = decode(fuse(torch.cat([up(x), skips.pop()], 1)))
        return self.head(self.last(x))
