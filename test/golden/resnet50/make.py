"""Feature maps of torchvision's ResNet-50 at 64 x 64, weights drawn from the Philox init stream: python make.py
Weights are never stored: entry i of the sorted names takes op id i, float32(offset + scale * normal), with offset 1 and scale 0.1
for batch norm weights, 0 and 0.1 for batch norm biases, 0 and 1 / sqrt(fan in) for convolutions. Running statistics: mean 0, variance 1."""
import json
import os
import sys
import types

import numpy as np
import torch

# The module registers fakes for compiled detection ops, which a CPU build of torch may not load; ResNet needs none of them.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
from torchvision.models import resnet50

os.chdir(os.path.dirname(os.path.abspath(__file__)))
sys.path.append("../sanet")
import philox

SEED, SIZE, SAMPLES = 50, 64, 64


def drawn(shape, op, offset=0.0, scale=1.0):
    values = (offset + scale * philox.normal(int(np.prod(shape)), SEED, op)).astype(np.float32)
    return torch.from_numpy(values.astype(np.float64).reshape(shape))


@torch.no_grad()
def main():
    net = resnet50().double().eval()
    named = sorted((n, p) for n, p in net.named_parameters() if not n.startswith("fc."))
    for op, (name, p) in enumerate(named):
        norm = p.ndim == 1
        offset = 1.0 if norm and name.endswith("weight") else 0.0
        p.copy_(drawn(p.shape, op, offset, 0.1 if norm else 1 / np.sqrt(np.prod(p.shape[1:]))))
    x = drawn((1, 3, SIZE, SIZE), 10000)
    maps = {}
    x = net.relu(net.bn1(net.conv1(x)))
    maps["e1"] = x
    x = net.maxpool(x)
    for i in range(1, 5):
        x = getattr(net, f"layer{i}")(x)
        maps[f"e{i + 1}"] = x
    out = {"seed": SEED, "size": SIZE, "parameters": len(named), "maps": {}}
    for name, m in maps.items():
        flat = m.flatten()
        index = [i * len(flat) // SAMPLES for i in range(SAMPLES)]
        out["maps"][name] = {"shape": list(m.shape), "largest": float(flat.abs().max()), "samples": [float(flat[i]) for i in index]}
    with open("resnet50.json", "w") as f:
        json.dump(out, f)
        f.write("\n")


main()
