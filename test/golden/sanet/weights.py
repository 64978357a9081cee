"""Regenerable parameters and inputs: float32(offset + scale * normal(seed, op)), op = index in sorted name order."""
import numpy as np
import torch

import philox

OFFSETS = {"tau_s": (10.0, 1.0), "tau_c": (1.0, 0.1), "anchors": (0.5, 0.3), "sigma": (0.5, 0.3),
           "table": (0.0, 0.2), "level_bias": (0.0, 0.2), "pos_embed": (0.0, 0.1),
           "rel_pos_d": (0.0, 0.1), "rel_pos_h": (0.0, 0.1), "rel_pos_w": (0.0, 0.1)}
UNIT = ("point_embeddings", "not_a_point_embed", "no_mask_embed", "iou_token", "mask_tokens", "gaussian_matrix")
TRANSPOSED = ("output_upscaling.0.weight", "output_upscaling.3.weight")


def rule(name, shape):
    """-> offset, scale"""
    last = name.rsplit(".", 1)[-1]
    if last in OFFSETS:
        return OFFSETS[last]
    if any(u in name for u in UNIT):
        return 0.0, 1.0
    if len(shape) == 1:
        return (0.0, 0.1) if last == "bias" else (1.0, 0.1)
    fan_in = shape[0] if name.endswith(TRANSPOSED) else int(np.prod(shape[1:]))
    return 0.0, 1 / np.sqrt(fan_in)


def drawn(shape, seed, op, offset=0.0, scale=1.0, stream=philox.INIT):
    """float64 tensor of float32-rounded values."""
    n = int(np.prod(shape))
    values = (offset + scale * philox.normal(n, seed, op, stream=stream)).astype(np.float32)
    return torch.from_numpy(values.astype(np.float64).reshape(shape))


def drawn_tensors(module):
    """Parameters and the Gaussian buffer, sorted by name; running statistics keep PyTorch's initial values."""
    named = dict(module.named_parameters())
    named |= {n: b for n, b in module.named_buffers() if n.endswith("gaussian_matrix")}
    return sorted(named.items())


def is_batch_norm(name):
    return ".bn" in f".{name}" or ".downsample.1." in name


def calm(name, shape):
    """The rule with BatchNorm weights 0.5 and biases 1: few ReLUs near their kink, so that float32 can follow float64 for ten steps."""
    if is_batch_norm(name):
        return (1.0, 0.1) if name.endswith("bias") else (0.5, 0.05)
    return rule(name, shape)


@torch.no_grad()
def fill(module, seed, rule=rule):
    """Fills a module in place, makes it float64; -> its table of rules."""
    module.double()
    table = []
    for op, (name, t) in enumerate(drawn_tensors(module)):
        offset, scale = rule(name, t.shape)
        t.copy_(drawn(t.shape, seed, op, offset, scale))
        table.append({"name": name, "shape": list(t.shape), "op": op, "offset": offset, "scale": float(scale)})
    return table
