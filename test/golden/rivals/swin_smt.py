# SPDX-License-Identifier: MIT
"""Swin-SMT (specification 9.5): Swin-UNETR v2 with a soft mixture of experts in the place of the last stages' MLPs."""
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from res_blocks import ResBlock, UpBlock
from windows import Mlp, swin_stage


class RMSNorm(nn.Module):
    """x / |x| * sqrt(d) * gamma."""
    draws = {"weight": (0.5, 0.05)}  # a softmax that is not too sharp

    def __init__(self, c):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(c))

    def forward(self, x):
        return F.normalize(x, dim=-1) * len(self.weight) ** 0.5 * self.weight


class SoftMoE(nn.Module):
    def __init__(self, c, experts=4):
        super().__init__()
        self.norm, self.slot = RMSNorm(c), nn.Linear(c, experts * c, bias=False)
        self.slot_norm = RMSNorm(c)
        self.experts = nn.ModuleList(Mlp(c) for _ in range(experts))

    def forward(self, x):
        shape, e = x.shape, len(self.experts)
        x = x.flatten(1, 3)
        n = x.shape[1]
        x = self.norm(F.pad(x, (0, 0, 0, -n % e)))
        runs = x.unflatten(1, (-1, e)).mean(2)  # [B, N/E, d]
        slots = self.slot_norm(self.slot(runs).unflatten(-1, (e, -1)).transpose(1, 2))  # [B, E, N/E, d]
        logits = torch.einsum("bnd,besd->bnes", x, slots)
        taken = torch.einsum("bnd,bnes->besd", x, logits.softmax(1))
        combine = logits.flatten(2).softmax(-1)
        outs = torch.cat([f(taken[:, i]) for i, f in enumerate(self.experts)], 1)
        return (combine @ outs)[:, :n].reshape(shape)


class Merge(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(8 * c), nn.Linear(8 * c, 2 * c, bias=False)

    def forward(self, x):
        x = F.pad(x, (0, 0, 0, x.shape[3] % 2, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        return self.reduce(self.norm(torch.cat([x[:, i::2, j::2, k::2] for i, j, k in product((0, 1), repeat=3)], -1)))


class SwinSMT(nn.Module):
    def __init__(self, cin=1, classes=2, dim=48, heads=(3, 6, 12, 24), depth=2, window=(7, 7, 7), moe_stages=3, experts=4):
        super().__init__()
        dims = [dim << i for i in range(5)]
        self.embed = nn.Conv3d(cin, dim, 2, 2)
        self.before = nn.ModuleList(ResBlock(c, c) for c in dims[:4])
        mlp = lambda i: partial(SoftMoE, experts=experts) if i >= 4 - moe_stages else Mlp
        self.stages = nn.ModuleList(swin_stage(dims[i], depth, heads[i], window, mlp(i))
                                    for i in range(4))
        self.merge = nn.ModuleList(Merge(c) for c in dims[:4])
        self.skip = nn.ModuleList([ResBlock(cin, dim), *(ResBlock(c, c) for c in dims[:3])])
        self.bottom = ResBlock(dims[4], dims[4])
        steps = ((dims[4], dims[3]), (dims[3], dims[2]), (dims[2], dims[1]), (dims[1], dims[0]), (dim, dim))
        self.up = nn.ModuleList(UpBlock(a, b) for a, b in steps)
        self.head = nn.Conv3d(dim, classes, 1)

    def forward(self, x):
        hidden = lambda t: F.layer_norm(t.movedim(1, -1), t.shape[1:2]).movedim(-1, 1)
        full, y = x, self.embed(x)
        states = [hidden(y)]
        for before, stage, merge in zip(self.before, self.stages, self.merge):
            y = before(y).movedim(1, -1)
            for block in stage:
                y = block(y)
            y = merge(y).movedim(-1, 1)
            states.append(hidden(y))
        skips = [self.skip[0](full), *(f(s) for f, s in zip(self.skip[1:], states)), states[3]]
        y = self.bottom(states[4])
        for up in self.up:
            y = up(y, skips.pop())
        return self.head(y)
