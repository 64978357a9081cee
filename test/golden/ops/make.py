#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Goldens of every op row: python test/golden/ops/make.py [FAMILY...] (PyTorch 2, CPU; node on the PATH).

Reads the tables of test/cases, evaluates each row's expression in float64, has torch.autograd.gradcheck judge it (above 20,000
elements a central difference along one direction), and stores outputs and gradients of sum(output * direction) in
FAMILY.safetensors. Inputs are not stored: they are Philox numbers seeded by the row's name. Above 4,096 elements a golden holds 64 entries
and [product with the direction, norm].
"""
import json
import pathlib
import struct
import subprocess
import sys

import numpy as np
import torch

import helpers


HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
STREAM, WHOLE, SAMPLES = 7, 4096, 64
LOW = np.uint64(0xFFFFFFFF)


def philox(n, seed, step, op):
    """n u32: Philox4x32-10 with key (seed, stream) and counter (step, op, element / 4, 0)."""
    quads = np.arange((n + 3) // 4, dtype=np.uint64)
    zero = np.zeros_like(quads)
    c, k0, k1 = [zero + np.uint64(step), zero + np.uint64(op), quads, zero], np.uint64(seed), np.uint64(STREAM)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k0, p1 & LOW, (p0 >> np.uint64(32)) ^ c[3] ^ k1, p0 & LOW]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & LOW, (k1 + np.uint64(0xBB67AE85)) & LOW
    return np.stack(c, axis=1).reshape(-1)[:n]


def uniform(n, seed, step, op):
    return (philox(n, seed, step, op) >> np.uint64(8)).astype(np.float64) * 2.0 ** -24


def seed_of(name):
    h = 0x811C9DC5
    for byte in name.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def values(row, seed, at):
    """Input `at` in float64, with exactly the values that the tests upload."""
    spec = row['inputs'][at]
    shape = spec['shape']
    n = int(np.prod(shape))
    u = uniform(n, seed, 0, at)
    if 'values' in spec:
        v = np.float32(spec['values']).astype(np.float64)
    elif 'below' in spec:
        v = np.floor(u * spec['below'])
    else:
        v = np.float32(spec.get('offset', 0) + spec.get('scale', 1) * (2 * u - 1)).astype(np.float64)
    v[:spec.get('zeroRows', 0) * (shape[-1] if shape else 1)] = 0
    if row['half'] and 'dtype' not in spec and not spec.get('wide'):
        v = v.astype(np.float16).astype(np.float64)
    t = torch.from_numpy(v.reshape(shape))
    return t.to(torch.int64) if spec.get('dtype') in ('i32', 'u32') else t


def evaluate(row, inputs):
    names = dict(zip('abcdefgh', inputs))
    out = eval(row['torch'], {**vars(helpers), **names})  # our own tables
    return list(out) if isinstance(out, (tuple, list)) else [out]


def store(tensors, key, t, weights, picks):
    flat = t.detach().reshape(-1).numpy()
    kind = np.float32 if flat.dtype.kind == 'f' else np.int32
    if flat.size > WHOLE:
        exact = flat.astype(np.float64)
        tensors[key + '.dot'] = np.array([exact @ weights(flat.size), np.linalg.norm(exact)])
        flat = flat[picks(flat.size)]
    tensors[key] = flat.astype(kind)


def golden(row, tensors):
    seed = seed_of(f"{row['op']}: {row['name']}")
    inputs = [values(row, seed, i) for i in range(len(row['inputs']))]
    wanted = row.get('grad', [i for i, t in enumerate(inputs) if t.is_floating_point()])
    for i in wanted:
        inputs[i].requires_grad_()
    outs = evaluate(row, inputs)
    weights = lambda op: lambda n: 2 * uniform(n, seed, 1, op) - 1
    picks = lambda key: lambda n: philox(SAMPLES, seed, 2, key).astype(np.uint64) * np.uint64(n) >> np.uint64(32)
    for i, y in enumerate(outs):
        assert not y.is_floating_point() or bool(y.isfinite().all()), f'{row["id"]}: output {i} is not finite'
        store(tensors, f'{row["id"]}/y{i}', y, weights(i), picks(i))
    if not wanted:
        return
    active = [i for i, y in enumerate(outs) if y.requires_grad]
    loss = sum((outs[i].reshape(-1) * torch.from_numpy(weights(i)(outs[i].numel()))).sum() for i in active)
    grads = torch.autograd.grad(loss, [inputs[i] for i in wanted])
    for i, g in zip(wanted, grads):
        assert bool(g.isfinite().all()), f'{row["id"]}: gradient {i} is not finite'
        store(tensors, f'{row["id"]}/g{i}', g, weights(100 + i), picks(100 + i))
    if not row['half'] and not row.get('jumps'):
        check(row, inputs, wanted, active)


def check(row, inputs, wanted, active):
    def f(*given):
        full = list(inputs)
        for i, t in zip(wanted, given):
            full[i] = t
        outs = evaluate(row, full)
        return tuple(outs[i] for i in active)
    given = [inputs[i] for i in wanted]
    size = sum(t.numel() for t in given)
    if size <= 20000:
        torch.autograd.gradcheck(f, given, eps=1e-6, atol=1e-5, rtol=1e-3, fast_mode=size > 150)
        return
    # Larger ones along one direction: the slope of a weighted sum against its central difference.
    weights = [torch.randn_like(y) for y in f(*given)]
    loss = lambda *given: sum((w * y).sum() for w, y in zip(weights, f(*given)))
    directions = [torch.randn_like(t) for t in given]
    slope = sum(float((g * d).sum()) for g, d in zip(torch.autograd.grad(loss(*given), given), directions))
    with torch.no_grad():
        above, below = (loss(*(t + h * d for t, d in zip(given, directions))) for h in (1e-6, -1e-6))
    difference = float(above - below) / 2e-6
    assert abs(slope - difference) <= 1e-5 + 1e-3 * abs(difference), f'slope {slope}, difference {difference}'


def write(path, tensors):
    """safetensors by hand: u64 header length, JSON, raw little-endian values."""
    header, at = {'__metadata__': {'torch': torch.__version__}}, 0
    names = {np.dtype(np.float32): 'F32', np.dtype(np.int32): 'I32', np.dtype(np.float64): 'F64'}
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))  # aligned
    for key, v in tensors.items():
        header[key] = {'dtype': names[v.dtype], 'shape': list(v.shape), 'data_offsets': [at, at + v.nbytes]}
        at += v.nbytes
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    path.write_bytes(struct.pack('<Q', len(text)) + text + b''.join(v.tobytes() for v in tensors.values()))


def main():
    tables = json.loads(subprocess.run(['node', str(ROOT / 'scripts/export_cases.mjs')], check=True, capture_output=True, text=True).stdout)
    torch.manual_seed(0)
    for family in sys.argv[1:] or tables:
        tensors = {}
        for row in tables[family]:
            try:
                golden(row, tensors)
            except Exception as e:
                raise SystemExit(f'{row["id"]}: {e}') from e
        write(HERE / f'{family}.safetensors', tensors)
        print(f'{family}: {len(tables[family])} rows, {(HERE / f"{family}.safetensors").stat().st_size} bytes')


if __name__ == '__main__':
    main()
