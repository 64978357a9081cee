"""Goldens at full size: the 2D network at C = 256 and sam-b128."""
from dataclasses import asdict

import torch

from cases_net2d import network, selected
from golden import normal
from net2d import PRESETS, Net2D
from sam_med3d import PRESETS as SAM_PRESETS
from sam_med3d import SamMed3D


def one_click(module, volume):
    z, low = module(volume, torch.tensor([[[15, 30, 35]]]), torch.tensor([[1]]))
    return {"logits": z, "low": low}


def write(w):
    paper, b128 = PRESETS["paper"], SAM_PRESETS["sam-b128"]
    w.module("net2d_paper", 501, Net2D(paper), {"x": normal(2, 1, 64, 96, grad=False)}, network, asdict(paper), selected, brief=True)
    w.module("sam_b128", 502, SamMed3D(b128), {"volume": normal(1, 1, 32, 64, 64, grad=False)}, one_click,
             {**asdict(b128), "clicks": [[15, 30, 35]], "labels": [1]}, brief=True)
