# SPDX-License-Identifier: MIT
"""Asserts the parameter counts of specification 9 at (1 input, 2 classes), and says under which reading they come out."""
import torch

from convunet import ConvUNET
from ctn import CTN
from eoformer import Edge, EoFormer
from henet import HENet
from swin_smt import SwinSMT
from unet2d import UNet2D
from vnet import VNet


def count(net):
    return sum(p.numel() for p in net.parameters())


def same(what, got, want):
    assert got == want, f"{what}: got {got:,}, expected {want:,}"
    print(f"{what:40s} {got:12,}")


def main():
    with torch.device("meta"):
        same("VNet", count(VNet()), 9_448_866)
        same("U-Net, convolutions with bias", count(UNet2D()), 31_042_434)
        same("ConvUNET", count(ConvUNET()), 32_616_722)
        # 6.399 M counts the fixed stencils of 27 values a channel, which the public code holds as frozen parameters.
        eoformer = EoFormer()
        same("EoFormer, what learns", count(eoformer), 6_374_854)
        stencils = sum(27 * len(m.factor) for m in eoformer.modules() if isinstance(m, Edge))
        same("EoFormer with its stencils", count(eoformer) + stencils, 6_399_046)
        # 6.60 M counts the dual-attention head that is declared and not used: DANet's, from 192 channels to 192 over 48
        # (two conv3^3 192 -> 48, two 48 -> 48, four norms, attention 48 -> 6, 6, 48, two factors, three 1^3 outputs).
        ctn = CTN()
        unused = 2 * 27 * 192 * 48 + 2 * 27 * 48 * 48 + 4 * 96 + 2 * (48 * 6 + 6) + 48 * 48 + 48 + 2 + 3 * (48 * 192 + 192)
        same("CTN, its Swin branch", count(ctn.swin), 6_959_646)
        same("CTN, the rest, what learns", count(ctn) - count(ctn.swin), 5_946_104)
        same("CTN, the rest with the unused head", count(ctn) - count(ctn.swin) + unused, 6_599_734)
        same("HENet (about 6-7 M)", count(HENet()), 6_578_924)
        same("Swin-SMT, 4 experts in 3 stages", count(SwinSMT()), 83_622_932)


if __name__ == "__main__":
    main()
