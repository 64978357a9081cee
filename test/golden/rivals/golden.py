# SPDX-License-Identifier: MIT
"""One golden: a network with drawn weights and input, its logits, and gradients of sum(logits * direction) reduced to two numbers each.

Drawn as in ../sanet (NAMES.md section 4: Philox, stream 0; float32(offset + scale * normal)): parameter i in the order of definition has
op i,
the input op 10000, the logits' direction 20000, the gradient of parameter i 30000 + i, that of the input 40000, samples of the logits none:
entry j of 512 is at floor(j n / 512) + (37 j mod floor(n / 512)). Names, shapes, offsets and scales are in the file's metadata."""
import json
import pathlib
import struct
import sys

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "sanet"))
from weights import drawn  # noqa: E402

INPUT, DIRECTION, GRADIENT, INPUT_GRADIENT, SAMPLES = 10_000, 20_000, 30_000, 40_000, 512
CALM = (nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm3d)


def rule(module, name, p):
    """-> offset, scale. Norms before a ReLU have weights 0.5 and biases 1: few values near the kink."""
    if name in getattr(module, "draws", {}):
        return module.draws[name]
    if isinstance(module, nn.PReLU):
        return 0.25, 0.1
    if p.ndim == 1 and name == "weight":
        return (0.5, 0.05) if isinstance(module, CALM) else (1.0, 0.1)
    if p.ndim == 1:
        return (1.0 if isinstance(module, CALM) else 0.0), 0.1
    transposed = isinstance(module, (nn.ConvTranspose2d, nn.ConvTranspose3d))
    return 0.0, float(1 / np.sqrt(p.shape[0] if transposed else np.prod(p.shape[1:])))


@torch.no_grad()
def fill(net, seed):
    owners = {f"{path}.{name}".lstrip("."): (m, name) for path, m in net.named_modules() for name in m._parameters}
    table = []
    for op, (name, p) in enumerate(net.named_parameters()):
        offset, scale = rule(*owners[name], p)
        p.copy_(drawn(p.shape, seed, op, offset, scale))
        table.append([name, list(p.shape), offset, scale])
    return table


def run(net, shape, seed, dtype):
    """-> logits, gradient of the input, gradients of the parameters: float64 vectors."""
    net.to(dtype).zero_grad(set_to_none=True)
    x = drawn(shape, seed, INPUT).to(dtype).requires_grad_()
    y = net(x)
    (y * drawn(y.shape, seed, DIRECTION).to(dtype)).sum().backward()
    return y.detach(), *(t.grad.double().numpy().reshape(-1) for t in (x, *net.parameters()))


def gap(a, b):
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-300))


def sampled(v):
    n, j = v.size, np.arange(SAMPLES)
    return v if n <= SAMPLES else v[j * n // SAMPLES + (37 * j) % (n // SAMPLES)]


def gradient(v, seed, op):
    """product with a drawn direction, norm"""
    return [float(v @ drawn((v.size,), seed, op).numpy()), float(np.linalg.norm(v))]


def golden(name, make, config, shape, seed, evaluation=False):
    net = make(**config).double().train()
    table = fill(net, seed)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    y, *grads = run(net, shape, seed, torch.float64)
    logits = y.numpy().reshape(-1)
    tensors = {"logits": sampled(logits), "norm": np.array([np.linalg.norm(logits)]),
               "input": np.array(gradient(grads[0], seed, INPUT_GRADIENT)),
               "gradients": np.array([gradient(g, seed, GRADIENT + i) for i, g in enumerate(grads[1:])])}
    if evaluation:  # by the running statistics that the forward pass above has left
        with torch.no_grad():
            tensors["eval"] = sampled(net.eval()(drawn(shape, seed, INPUT)).numpy().reshape(-1))
        net.train()
    net.load_state_dict(state)
    y32, *grads32 = run(net, shape, seed, torch.float32)
    worst = np.linalg.norm(tensors["gradients"][:, 1]) * 1e-9  # smaller ones are zero in exact arithmetic
    gaps = sorted((gap(a, b), t[0]) for a, b, t in zip(grads32[1:], grads[1:], table) if np.linalg.norm(b) > worst)
    f32 = {"logits": gap(y32.double().numpy().reshape(-1), logits), "input": gap(grads32[0], grads[0]),
           "gradients": gaps[-1][0], "median": gaps[len(gaps) // 2][0]}
    return tensors, dict(config=config, shape=list(shape), output=list(y.shape), seed=seed, f32=f32, parameters=table), gaps[-1][1]


def write(name, tensors, facts):
    """safetensors: u64 header length, JSON, raw little-endian values; doubles first, so that all are aligned."""
    whole = ("logits", "eval")
    tensors = {k: np.ascontiguousarray(v, np.float32 if k in whole else np.float64)
               for k, v in sorted(tensors.items(), key=lambda item: item[0] in whole)}
    header, at = {"__metadata__": {"facts": json.dumps(facts, separators=(",", ":"))}}, 0
    for key, v in tensors.items():
        header[key] = {"dtype": "F32" if v.dtype == np.float32 else "F64", "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
        at += v.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (HERE / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in tensors.values()))
