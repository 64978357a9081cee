"""Asserts the parameter and token counts of sections B.1, 3.1, 4.4 and E.1-E.2."""
from net2d import PRESETS, Net2D
from sam_med3d import PRESETS as SAM_PRESETS, SamMed3D

import torch


def count(module):
    return sum(p.numel() for p in module.parameters())


def same(what, got, want):
    assert got == want, f"{what}: got {got}, expected {want}"


def net2d():
    with torch.device("meta"):
        n = Net2D(PRESETS["paper"])
        small = {k: count(Net2D(PRESETS[k])) for k in ("base", "tiny", "demo")}
    parts = {
        "net": (n, 35_010_841), "encoder": (n.encoder, 23_501_760), "laterals": (n.lat, 985_088),
        "mfca": (n.msa.mfca, 32_768), "cca": (n.msa.cca, 1_340_692), "csa": (n.msa.csa, 1_341_332), "mr": (n.msa.mr, 2_625_536),
        "region features": (n.task.region, 1_769_984), "boundary features": (n.task.boundary, 2_425_856),
        "bgc": (n.bgc, 248_896), "esg": (n.esg, 280_064), "edge": (n.edge, 257),
        "start l": (n.rm.start_l, 16_512), "start b": (n.rm.start_b, 16_512), "baa": (n.rm.baa, 394_784),
        "region heads": (n.rm.region, 650), "boundary heads": (n.rm.boundary, 260), "head": (n.head, 2_112 + 27_778),
    }
    for name, (module, want) in parts.items():
        same(name, count(module), want)
    same("MSA with laterals", count(n.msa) + count(n.lat), 6_325_416)
    for baa, want in zip(n.rm.baa, (168_328, 102_792, 70_024, 53_640)):
        same("baa", count(baa), want)
    same("presets", small, {"base": 27_087_257, "tiny": 1_671_305, "demo": 909_033})
    same("CCA windows", n.msa.cca.tokens, [65, 17, 5, 1])
    same("CSA windows", n.msa.csa.windows, [9, 5, 3, 1])
    same("tokens", (sum(n.msa.cca.tokens), sum(n.msa.csa.tokens)), (88, 116))


def sam():
    wanted = {"sam-b128-w14": 92_924_928, "sam-b128": 92_906_496, "sam-s128": 27_228_000, "sam-s96": 27_105_000, "sam-t64": 7_533_000}
    for name, want in wanted.items():
        with torch.device("meta"):
            s = SamMed3D(SAM_PRESETS[name])
        got = count(s.image_encoder)
        if want % 1000:
            same(name, got, want)
        else:
            assert abs(got - want) <= 1000, f"{name}: got {got}, expected about {want}"
        same("prompt encoder", count(s.prompt_encoder), 8_668)
        same("mask decoder", count(s.mask_decoder), 7_575_636)


if __name__ == "__main__":
    net2d()
    sam()
    print("all counts agree")
