# SPDX-License-Identifier: MIT
"""MONAI's residual and up blocks: convolutions without bias, InstanceNorm without parameters, LeakyReLU 0.01."""
import torch
import torch.nn.functional as F
from torch import nn


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of a map; affine, with the scale alone, or without parameters."""

    def __init__(self, c, eps=1e-5, scale=True, bias=True):
        super().__init__()
        self.c, self.eps = c, eps
        self.weight = nn.Parameter(torch.ones(c)) if scale else None
        self.bias = nn.Parameter(torch.zeros(c)) if bias else None

    def forward(self, x):
        return F.layer_norm(x.movedim(1, -1), (self.c,), self.weight, self.bias, self.eps).movedim(-1, 1)


class ResBlock(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv1 = nn.Conv3d(cin, cout, 3, padding=1, bias=False)
        self.conv2 = nn.Conv3d(cout, cout, 3, padding=1, bias=False)
        self.conv3 = nn.Conv3d(cin, cout, 1, bias=False) if cin != cout else None

    def forward(self, x):
        y = F.instance_norm(self.conv2(F.leaky_relu(F.instance_norm(self.conv1(x)), 0.01)))
        return F.leaky_relu(y + (F.instance_norm(self.conv3(x)) if self.conv3 else x), 0.01)


class UpBlock(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.up = nn.ConvTranspose3d(cin, cout, 2, 2, bias=False)
        self.block = ResBlock(2 * cout, cout)

    def forward(self, x, skip):
        return self.block(torch.cat([self.up(x), skip], 1))
