# SPDX-License-Identifier: MIT
"""A plain residual 3D U-Net of nnU-Net's kind: InstanceNorm, LeakyReLU 0.01, one convolution a decoder stage, no deep supervision."""
import torch
import torch.nn.functional as F
from torch import nn


def conv(cin, cout, k=3, stride=1, bias=True):
    return nn.Conv3d(cin, cout, k, stride, k // 2, bias=bias)


def norm(c):
    return nn.InstanceNorm3d(c, affine=True)


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1, self.norm1 = conv(cin, cout, stride=stride), norm(cout)
        self.conv2, self.norm2 = conv(cout, cout), norm(cout)
        self.pool = nn.AvgPool3d(2) if stride == 2 else nn.Identity()
        self.project = nn.Sequential(conv(cin, cout, 1, bias=False), norm(cout)) if stride == 2 or cin != cout else nn.Identity()

    def forward(self, x):
        y = self.norm2(self.conv2(F.leaky_relu(self.norm1(self.conv1(x)), 0.01)))
        return F.leaky_relu(y + self.project(self.pool(x)), 0.01)


class UNet3D(nn.Module):
    def __init__(self, cin, classes, widths, blocks):
        super().__init__()
        self.stem = nn.Sequential(conv(cin, widths[0]), norm(widths[0]), nn.LeakyReLU(0.01))
        self.stages = nn.ModuleList()
        before = widths[0]
        for i, (w, n) in enumerate(zip(widths, blocks)):
            self.stages.append(nn.Sequential(*(Block(before if j == 0 else w, w, 2 if i and j == 0 else 1) for j in range(n))))
            before = w
        deep = list(reversed(range(len(widths) - 1)))
        self.up = nn.ModuleList(nn.ConvTranspose3d(widths[i + 1], widths[i], 2, 2) for i in deep)
        self.decoder = nn.ModuleList(nn.Sequential(conv(2 * widths[i], widths[i]), norm(widths[i]), nn.LeakyReLU(0.01)) for i in deep)
        self.head = nn.Conv3d(widths[0], classes, 1)

    def forward(self, x):
        x, skips = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        skips.pop()
        for up, decode in zip(self.up, self.decoder):
            x = decode(torch.cat([up(x), skips.pop()], 1))
        return self.head(x)
