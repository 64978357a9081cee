"""Goldens of every module of the 2D network, at the `demo` widths (C = 32), and of its ablations."""
from dataclasses import asdict, replace

import torch
from torch import nn

from bgc import BGC, ESG, TaskFeatures, project
from blocks import ConvBN
from golden import normal
from msa import CCA, CSA, MFCA, MR, MSA
from net2d import PRESETS, Net2D
from resnet import Bottleneck, ResNet
from rm import BAA, Head, Recovery

S, H, W = 2, 64, 96
C, CR, K = 32, 32, 2
MAPS = {f"x{i}": normal(S, C, H // s, W // s) for i, s in enumerate((4, 8, 16, 32))}
CHANNELS = (64, 128, 256, 512)
EIGHTH = (H // 8, W // 8)
MASK = dict(offset=0.5, scale=0.25, clip=(0.02, 0.98))


class Projection(nn.Module):
    def __init__(self):
        super().__init__()
        self.assign, self.state = nn.Conv2d(C, 32, 1), nn.Conv2d(C, 128, 1)

    def forward(self, x):
        return project(self.assign, self.state, x)


def levels(module, x0, x1, x2, x3):
    return {f"y{i}": y for i, y in enumerate(module([x0, x1, x2, x3]))}


def named(*names):
    return lambda module, **x: dict(zip(names, module(*x.values())))


def network(module, x):
    o = module(x)
    out = {"logits": o.logits, "edge": o.edge}
    out |= {f"region{i}": y for i, y in enumerate(o.region)}
    return out | {f"boundary{i}": y for i, y in enumerate(o.boundary)}


def selected(module):
    esg = module.esg if isinstance(module, Net2D) else module
    return {"selected": esg.selected} if esg is not None else {}


def write(w):
    pixels = normal(S, C, *EIGHTH)
    w.module("bottleneck", 101, Bottleneck(32, 8, 1), {"x": normal(S, 32, 8, 12)})
    w.module("bottleneck_stride", 102, Bottleneck(24, 8, 2), {"x": normal(S, 24, 8, 12)})
    w.module("encoder", 103, ResNet(16, (1, 2, 2, 1)), {"x": normal(S, 1, H, W, grad=False)}, named("e1", "e2", "e3", "e4", "e5"),
             {"width": 16, "reps": [1, 2, 2, 1]})
    w.module("lateral", 104, ConvBN(64, C), {"x": normal(S, 64, 16, 24)})
    w.module("mfca", 105, MFCA(C), {"x": normal(S, C, 16, 24)})
    w.module("mfca_small", 106, MFCA(C), {"x": normal(S, C, 2, 3)})
    w.module("cca", 107, CCA(C), MAPS, levels)
    w.module("csa", 108, CSA(C), MAPS, levels)
    w.module("mr", 109, MR(C), {"x": normal(S, C, 8, 12)})
    w.module("msa", 110, MSA(C), MAPS, levels)
    w.module("task", 111, TaskFeatures(C), MAPS, named("region", "boundary"))
    w.module("project", 112, Projection(), {"x": pixels}, named("assignment", "nodes"))
    w.module("graph", 113, BGC(C), {"h_s": normal(S, 32, 128), "h_b": normal(S, 32, 128)},
             lambda m, h_s, h_b: dict(zip(("h_s", "h_b"), m.convolve(h_s, h_b))))
    w.module("bgc", 114, BGC(C), {"x_s": pixels, "x_b": pixels}, named("j1", "j2"))
    w.module("esg", 115, ESG(C), {"j2": pixels, "j1": pixels, "eb": normal(S, 1, *EIGHTH)}, extra=selected)
    for i, (stride, ch) in enumerate(zip((32, 16, 8, 4), reversed(CHANNELS))):
        at = (H // 8, W // 8) if i < 3 else (H // 4, W // 4)
        w.module(f"baa{i}", 116 + i, BAA(ch, CR), {"e_i": normal(S, ch, H // stride, W // stride),
                 "m_b": normal(S, 1, *at, **MASK), "m_l": normal(S, 1, *at, **MASK)}, config={"step": i})
    w.module("recovery", 120, Recovery(C, CR, K, CHANNELS),
             {"j3": pixels, "j1": pixels, **{f"e{i + 2}": normal(S, ch, H >> (i + 2), W >> (i + 2)) for i, ch in enumerate(CHANNELS)}},
             lambda m, j3, j1, **e: recovered(*m(j3, j1, list(e.values()))))
    w.module("head", 121, Head(16, CR, 3), {"l1": normal(S, CR, 16, 24), "e1": normal(S, 16, 32, 48)}, config={"classes": 3})
    demo = PRESETS["demo"]
    variants = {"net2d": (145, demo), "net2d_no_msa": (138, replace(demo, msa=False)), "net2d_no_bgc": (133, replace(demo, bgc=False)),
                "net2d_no_rm": (131, replace(demo, rm=False)), "net2d_plain": (144, replace(demo, msa=False, bgc=False, rm=False))}
    for name, (seed, cfg) in variants.items():  # seeds with no ReLU or maximum near its kink: the best of twenty
        w.module(name, seed, Net2D(cfg), {"x": normal(S, 1, H, W, grad=False)}, network, asdict(cfg), extra=selected)


def recovered(l1, regions, boundaries):
    return {"l1": l1, **{f"region{i}": y for i, y in enumerate(regions)}, **{f"boundary{i}": y for i, y in enumerate(boundaries)}}
