#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Goldens of special values: python test/golden/specials/make.py [FAMILY...] (PyTorch 2, CPU; node on the PATH).

Each row's expression is evaluated by PyTorch in float64 and rounded, and in float32 (f16 rows: float16); the latter is stored besides, as
KEY.own, where the two are not one number within a few units in the last place. Gradients are those for dLoss/dOutput = UPSTREAM of form.ts:
gI.0, gI.1, ...
"""
import json
import pathlib
import subprocess
import sys

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent / 'ops'))
import helpers  # noqa: E402
from make import write  # noqa: E402

INTEGERS = {'i32': np.int32, 'u32': np.uint32}


def array(bits):
    return np.array(bits, dtype=np.uint32).view(np.float32)


def inputs_of(row, kind):
    """The inputs as leaves of one precision; integers as int64."""
    out = []
    for spec in row['inputs']:
        if 'dtype' in spec:
            bits = np.array(spec['bits'], dtype=np.uint32).view(INTEGERS[spec['dtype']])
            out.append(torch.from_numpy(bits.astype(np.int64).reshape(spec['shape'])))
            continue
        v = array(spec['bits']).astype(np.float16).astype(np.float32) if row['half'] else array(spec['bits'])
        out.append(torch.from_numpy(v.reshape(spec['shape'])).to(kind).requires_grad_())
    return out


def results(row, upstream, kind):
    found = {}
    inputs = inputs_of(row, kind)
    outs = eval(row['torch'], {**vars(helpers), **dict(zip('abcdefgh', inputs))})  # our own tables
    outs = list(outs) if isinstance(outs, (tuple, list)) else [outs]
    for i, y in enumerate(outs):
        found[f'y{i}'] = y.detach()
    active = [y for y in outs if y.requires_grad]
    wanted = row.get('grad', [i for i, t in enumerate(inputs) if t.is_floating_point()])
    for k, g in enumerate(upstream if active and wanted else []):
        grads = torch.autograd.grad(active, [inputs[i] for i in wanted], [torch.full_like(y, g) for y in active],
                                    retain_graph=True, allow_unused=True)
        for i, found_grad in zip(wanted, grads):
            found[f'g{i}.{k}'] = torch.zeros_like(inputs[i]) if found_grad is None else found_grad
    return found


def stored(t, half):
    flat = t.reshape(-1).numpy()
    if flat.dtype.kind != 'f':
        return flat.astype(np.int64).astype(np.uint32).view(np.int32)
    return flat.astype(np.float16).astype(np.float32) if half else flat.astype(np.float32)


def alike(a, b):
    if a.dtype.kind != 'f':
        return bool((a == b).all())
    with np.errstate(all='ignore'):
        near = np.abs(a - b) <= 4 * np.spacing(np.abs(a))
    return bool((near | (a == b) | (np.isnan(a) & np.isnan(b))).all())


def main():
    command = ['node', str(ROOT / 'scripts/export_cases.mjs'), 'specials']
    tables = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    upstream = array(tables['upstream'])
    np.seterr(all='ignore')
    for family in sys.argv[1:] or tables['families']:
        tensors = {}
        for row in tables['families'][family]:
            try:
                kinds = (torch.float64, torch.float16 if row['half'] else torch.float32)
                exact, single = (results(row, [float(g) for g in upstream], kind) for kind in kinds)
            except Exception as e:
                raise SystemExit(f'{row["id"]}: {e}') from e
            for key in exact:
                a, b = stored(exact[key], row['half']), stored(single[key], row['half'])
                tensors[f'{row["id"]}/{key}'] = a
                if not alike(a, b):
                    tensors[f'{row["id"]}/{key}.own'] = b
        write(HERE / f'{family}.safetensors', tensors)
        print(f'{family}: {len(tables["families"][family])} rows, {(HERE / f"{family}.safetensors").stat().st_size} bytes')


if __name__ == '__main__':
    main()
