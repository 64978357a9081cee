# SPDX-License-Identifier: MIT
"""ConvUNET (specification 9.2): a depthwise convolutional backbone in the residual U-Net of MONAI's blocks."""
import torch
import torch.nn.functional as F
from torch import nn

from res_blocks import ChannelNorm, ResBlock, UpBlock


class ResponseNorm(nn.Module):
    """Global response norm: L2 over space a channel, relative to the mean over channels."""
    draws = {"gamma": (0.0, 0.5), "beta": (0.0, 0.3)}

    def __init__(self, c):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, c, 1, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, c, 1, 1, 1))

    def forward(self, x):
        g = torch.linalg.vector_norm(x, dim=(2, 3, 4), keepdim=True)
        n = g / (g.mean(1, keepdim=True) + 1e-6)
        return self.gamma * (x * n) + self.beta + x


def depthwise(c, k, **options):
    return nn.Conv3d(c, c, k, groups=c, **options)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = ChannelNorm(c)
        self.a = nn.Sequential(depthwise(c, 1), nn.GELU(), depthwise(c, 4, dilation=2, padding=3))
        self.v = depthwise(c, 1)
        self.grn = ResponseNorm(c)
        self.out = depthwise(c, 1)

    def forward(self, x):
        y = self.norm(x)
        return x + self.out(self.grn(self.a(y) * self.v(y)))


class ConvUNET(nn.Module):
    def __init__(self, cin=1, classes=2, width=36, depths=(3, 3, 3, 3)):
        super().__init__()
        ch = [width << i for i in range(len(depths))]
        self.down = nn.ModuleList([nn.Sequential(nn.Conv3d(cin, width, 4, 2, 1), ChannelNorm(width))])
        self.down.extend(nn.Sequential(ChannelNorm(c), nn.Conv3d(c, 2 * c, 4, 2, 1)) for c in ch[:-1])
        self.stages = nn.ModuleList(nn.Sequential(*(Block(c) for _ in range(n))) for c, n in zip(ch, depths))
        self.skip = nn.ModuleList([ResBlock(cin, width), *(ResBlock(c, 2 * c) for c in ch)])
        self.up = nn.ModuleList(UpBlock(2 * c, c) for c in reversed(ch))
        self.head = nn.Conv3d(width, classes, 1)

    def forward(self, x):
        skips = [self.skip[0](x)]
        for down, stage, skip in zip(self.down, self.stages, self.skip[1:]):
            x = stage(down(x))
            skips.append(skip(F.layer_norm(x.movedim(1, -1), x.shape[1:2]).movedim(-1, 1)))
        x = skips.pop()
        for up in self.up:
            x = up(x, skips.pop())
        return self.head(x)
