# SPDX-License-Identifier: MIT
"""Goldens of the compared networks: python test/golden/rivals/make.py [NAME...] (PyTorch 2, CPU). --seeds N NAME: the calmest of N seeds.
paper: the sizes of the preset `paper`, as NAME_paper (ten minutes).

The modules are written from docs/method.md (specification 9) without reading the TypeScript; counts.py asserts their sizes. Float64;
`f32` is the
distance of the same module run in float32: the least one can expect."""
import sys

import torch

import golden
from convunet import ConvUNET
from ctn import CTN
from eoformer import EoFormer
from henet import HENet
from swin_smt import SwinSMT
from unet2d import UNet2D
from unet3d import UNet3D
from vnet import VNet

# Seeds: the best of a few, in whose float32 run no ReLU or maximum changes sides. Two inputs where a 1^3 convolution is normalised: of
# one input
# its weight would be without effect, its gradient rounding alone.
CASES = {
    "vnet": (VNet, dict(widths=[4, 8, 16, 32, 64]), (2, 1, 16, 32, 32), 7, True),
    "unet2d": (UNet2D, dict(widths=[8, 16, 32, 64, 128]), (2, 1, 32, 48), 1, True),
    "unet3d": (UNet3D, dict(cin=1, classes=3, widths=[8, 16, 32, 64], blocks=[1, 2, 2, 1]), (2, 1, 8, 16, 32), 1, False),
    "convunet": (ConvUNET, dict(cin=2, width=4, depths=[2, 2, 2]), (1, 2, 16, 16, 32), 3, False),
    "eoformer": (EoFormer, dict(dims=[8, 16, 32, 64], classes=3, last=4), (2, 1, 16, 32, 32), 1, False),
    "ctn": (CTN, dict(k=4, dim=8, depths=[2, 2, 2, 2], heads=[1, 2, 4, 8]), (2, 1, 16, 64, 64), 1, False),
    "henet": (HENet, dict(widths=[4, 8, 16, 32], inner=16), (2, 1, 16, 32, 48), 2, False),
    "swin_smt": (SwinSMT, dict(cin=2, dim=8, heads=[1, 2, 4, 8]), (1, 2, 32, 64, 64), 2, False),
}

LUNA16 = (1, 1, 32, 64, 64)
PAPER = {
    "vnet": (VNet, {}, LUNA16), "unet2d": (UNet2D, {}, (4, 1, 64, 64)),
    "unet3d": (UNet3D, dict(cin=1, classes=2, widths=[32, 64, 128, 256, 320], blocks=[1, 3, 4, 6, 6]), LUNA16),
    "convunet": (ConvUNET, {}, LUNA16), "eoformer": (EoFormer, {}, LUNA16), "ctn": (CTN, {}, LUNA16), "henet": (HENet, {}, LUNA16),
    "swin_smt": (SwinSMT, {}, LUNA16),
}
CASES |= {f"{name}_paper": (*case, 1, False) for name, case in PAPER.items()}


def main(names, seeds):
    torch.set_num_threads(1)
    if names == ["paper"]:
        names = [name for name in CASES if name.endswith("_paper")]
    for name in names or [name for name in CASES if not name.endswith("_paper")]:
        make, config, shape, seed, evaluation = CASES[name]
        found = [golden.golden(name, make, config, shape, s, evaluation) for s in (range(1, seeds + 1) if seeds else [seed])]
        tensors, facts, worst = min(found, key=lambda f: f[1]["f32"]["gradients"])
        print(name, "seed", facts["seed"], {k: f"{v:.1e}" for k, v in facts["f32"].items()}, worst)
        golden.write(name, tensors, facts)


if __name__ == "__main__":
    given = sys.argv[1:]
    seeds = int(given.pop(given.index("--seeds") + 1)) if "--seeds" in given else 0
    main([g for g in given if not g.startswith("--")], seeds)
