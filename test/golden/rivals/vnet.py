# SPDX-License-Identifier: MIT
"""VNet (specification 9.6): stages of n conv3-BN-ReLU, down by conv2 s2, up by ConvT2 s2, skips by addition; every convolution has a
bias."""
from torch import nn

WIDTHS, DEPTHS = (16, 32, 64, 128, 256), (1, 2, 3, 3, 3)


def step(conv):
    return [conv, nn.BatchNorm3d(conv.out_channels), nn.ReLU()]


def stage(cin, cout, n):
    return nn.Sequential(*(layer for i in range(n) for layer in step(nn.Conv3d(cin if i == 0 else cout, cout, 3, padding=1))))


class VNet(nn.Module):
    def __init__(self, cin=1, classes=2, widths=WIDTHS, depths=DEPTHS):
        super().__init__()
        deep = len(widths) - 1
        self.encoder = nn.ModuleList(stage(cin if i == 0 else w, w, n) for i, (w, n) in enumerate(zip(widths, depths)))
        self.down = nn.ModuleList(nn.Sequential(*step(nn.Conv3d(widths[i], widths[i + 1], 2, 2))) for i in range(deep))
        self.up = nn.ModuleList(nn.Sequential(*step(nn.ConvTranspose3d(widths[i + 1], widths[i], 2, 2))) for i in reversed(range(deep)))
        self.decoder = nn.ModuleList(stage(widths[i], widths[i], depths[i]) for i in reversed(range(deep)))
        self.head = nn.Conv3d(widths[0], classes, 1)

    def forward(self, x):
        skips = []
        for i, encode in enumerate(self.encoder):
            x = encode(self.down[i - 1](x) if i else x)
            skips.append(x)
        skips.pop()
        for up, decode in zip(self.up, self.decoder):
            x = decode(up(x) + skips.pop())
        return self.head(x)


COUNT = lambda: VNet(), 9_448_866
