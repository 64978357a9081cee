#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Losses of ten Adam steps of the small residual network of test/engine/small_resnet.ts, in float64.

python test/golden/engine/resnet_step.py writes resnet_step.json. Weights and batches are Philox numbers, so none are stored.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent / 'sanet'))
import philox  # noqa: E402

SEED, DATA, STEPS, BATCH, SIZE = 1, 2, 10, 4, 16


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)

    def forward(self, x):
        return (x + self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1, self.block1 = nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), Block(32)
        self.conv2, self.bn2, self.block2 = nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(64), Block(64)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.block1(self.bn1(self.conv1(x)).relu())
        x = self.block2(self.bn2(self.conv2(x)).relu())
        return self.head(x.mean((2, 3)))


def draw(net):
    """nn/init.ts: entry i of the sorted names takes op id i; weights are uniform within 1 / sqrt(fan in)."""
    entries = {k: v for k, v in net.state_dict().items() if 'num_batches' not in k}
    for i, name in enumerate(sorted(entries)):
        v = entries[name]
        if '.bn' in name or name.startswith('bn'):
            continue  # ones and zeros
        fan_in = net.head.in_features if name == 'head.bias' else v[0].numel()
        bound = fan_in ** -0.5
        u = philox.uniform(v.numel(), SEED, i)
        v.copy_(torch.from_numpy(np.float32(2 * bound * u - bound).astype(np.float64)).reshape(v.shape))


def main():
    net = Net().double().train()
    draw(net)
    opt = torch.optim.Adam(net.parameters(), 1e-3)
    losses = []
    # One batch again and again: with a new one each step, float32 alone moves PyTorch's own losses by 4e-4 within ten steps.
    for _ in range(STEPS):
        n = BATCH * SIZE * SIZE * 3
        x = torch.from_numpy(2 * philox.uniform(n, DATA, 0) - 1).reshape(BATCH, SIZE, SIZE, 3).permute(0, 3, 1, 2)
        target = torch.from_numpy(np.floor(10 * philox.uniform(BATCH, DATA, 1)).astype(np.int64))
        opt.zero_grad()
        loss = F.cross_entropy(net(x), target)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    (HERE / 'resnet_step.json').write_text(json.dumps({'torch': torch.__version__, 'losses': losses}) + '\n')
    print(losses)


if __name__ == '__main__':
    main()
