"""The 2D network (N2t, N2c): encoder, MSA, BGC, RM, each of the last three switchable."""
from dataclasses import dataclass, field

import torch
from torch import nn

from bgc import BGC, ESG, TaskFeatures
from blocks import ConvBN, scale2d
from msa import MSA
from resnet import ResNet
from rm import Head, Recovery


@dataclass(frozen=True)
class Config:
    width: int = 64
    reps: tuple = (3, 4, 6, 3)
    c: int = 256
    cr: int = 64
    classes: int = 2
    msa: bool = True
    bgc: bool = True
    rm: bool = True


PRESETS = {
    "paper": Config(),
    "base": Config(c=128),
    "tiny": Config(width=16, reps=(1, 2, 2, 1), c=64),
    "demo": Config(width=16, reps=(1, 1, 1, 1), c=32, cr=32),
}


@dataclass
class Output:
    logits: torch.Tensor
    edge: torch.Tensor
    region: list = field(default_factory=list)
    boundary: list = field(default_factory=list)


class Net2D(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        channels = [cfg.width * 4 << i for i in range(4)]
        self.encoder = ResNet(cfg.width, cfg.reps)
        self.lat = nn.ModuleList(ConvBN(ch, cfg.c) for ch in channels)
        self.msa = MSA(cfg.c) if cfg.msa else None
        self.task = TaskFeatures(cfg.c)
        self.bgc = BGC(cfg.c) if cfg.bgc else None
        self.edge = nn.Conv2d(cfg.c, 1, 1)
        self.esg = ESG(cfg.c) if cfg.bgc else None
        self.rm = Recovery(cfg.c, cfg.cr, cfg.classes, channels) if cfg.rm else None
        self.head = Head(cfg.width, cfg.cr, cfg.classes) if cfg.rm else None
        self.plain_head = None if cfg.rm else nn.Conv2d(cfg.c, cfg.classes, 1)

    def forward(self, x, selected=None):
        e1, *encoded = self.encoder(x)
        o = [lat(e) for lat, e in zip(self.lat, encoded)]
        if self.msa is not None:
            o = self.msa(o)
        x_s, x_b = self.task(*o)
        j1, j2 = (x_b, x_s) if self.bgc is None else self.bgc(x_s, x_b)
        eb = self.edge(j1)
        j3 = j2 if self.esg is None else self.esg(j2, j1, eb, selected)
        if self.rm is None:
            return Output(scale2d(self.plain_head(j3), 8), eb)
        l1, regions, boundaries = self.rm(j3, j1, encoded)
        return Output(self.head(l1, e1), eb, regions, boundaries)
