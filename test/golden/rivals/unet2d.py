# SPDX-License-Identifier: MIT
"""U-Net (specification 9.6): double conv3-BN-ReLU, max-pool, ConvT2 s2, concat, 1x1 head."""
import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (64, 128, 256, 512, 1024)


def double(cin, cout, bias):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=bias), nn.BatchNorm2d(cout), nn.ReLU(),
                         nn.Conv2d(cout, cout, 3, padding=1, bias=bias), nn.BatchNorm2d(cout), nn.ReLU())


class UNet2D(nn.Module):
    def __init__(self, cin=1, classes=2, widths=WIDTHS, bias=True):
        super().__init__()
        deep = len(widths) - 1
        self.encoder = nn.ModuleList(double(a, b, bias) for a, b in zip((cin, *widths), widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(widths[i + 1], widths[i], 2, 2) for i in reversed(range(deep)))
        self.decoder = nn.ModuleList(double(2 * widths[i], widths[i], bias) for i in reversed(range(deep)))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        skips = []
        for i, encode in enumerate(self.encoder):
            x = encode(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        skips.pop()
        for up, decode in zip(self.up, self.decoder):
            x = decode(torch.cat([skips.pop(), up(x)], 1))
        return self.head(x)
