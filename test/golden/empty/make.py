#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What PyTorch makes of empty inputs: python test/golden/empty/make.py (PyTorch 2, CPU; node on the PATH).

Every row of test/cases with each axis of each input 0 in turn, and with all axes of one size 0 together (a batch, channels). empty.json
holds, by row and shapes, what evaluating the row's expression gives: the shapes of the outputs and gradients of sum(output * direction),
with their values where there are any (null is NaN), or the word of the error that refuses it. Inputs are the row's first numbers.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / 'ops'))
import make  # noqa: E402

VALUES = 64


def variants(shapes):
    """Distinct lists of shapes, in the order of test/golden/empty.test.ts."""
    out = []
    for size in dict.fromkeys(d for s in shapes for d in s):
        out.append([[0 if d == size else d for d in s] for s in shapes])
    for i, s in enumerate(shapes):
        for axis in range(len(s)):
            out.append([[0 if (k, a) == (i, axis) else d for a, d in enumerate(t)] for k, t in enumerate(shapes)])
    return list({json.dumps(v): v for v in out}.values())


def seen(t):
    flat = t.detach().reshape(-1).to(torch.float64).numpy()
    kept = flat if flat.size <= VALUES else [float(flat.sum()), float(np.abs(flat).sum())]
    return {'shape': list(t.shape), **({'values': [None if np.isnan(v) else float(f'{v:.7g}') for v in kept]} if flat.size else {})}


def outcome(row, shapes):
    seed = make.seed_of(f"{row['op']}: {row['name']}")
    specs = [{**spec, 'shape': shape, **({'values': spec['values'][:int(np.prod(shape))]} if 'values' in spec else {})}
             for spec, shape in zip(row['inputs'], shapes)]
    try:
        inputs = [make.values({**row, 'inputs': specs}, seed, i) for i in range(len(specs))]
        wanted = row.get('grad', [i for i, t in enumerate(inputs) if t.is_floating_point()])
        for i in wanted:
            inputs[i].requires_grad_()
        outs = make.evaluate(row, inputs)
        weights = lambda op, n: torch.from_numpy(2 * make.uniform(n, seed, 1, op) - 1)
        terms = [(y.reshape(-1) * weights(i, y.numel())).sum() for i, y in enumerate(outs) if y.requires_grad]
        grads = torch.autograd.grad(sum(terms), [inputs[i] for i in wanted], allow_unused=True) if wanted and terms else []
        return {'y': [seen(y) for y in outs], 'g': [None if g is None else seen(g) for g in grads]}
    except Exception as e:
        return type(e).__name__


def main():
    script = ['node', str(make.ROOT / 'scripts/export_cases.mjs')]
    tables = json.loads(subprocess.run(script, check=True, capture_output=True, text=True).stdout)
    lines = []
    for rows in tables.values():
        for row in rows:
            if row['half'] or sum(int(np.prod(i['shape'])) for i in row['inputs']) > 20000:
                continue
            found = {json.dumps(s, separators=(',', ':')): outcome(row, s) for s in variants([i['shape'] for i in row['inputs']])}
            if found:
                text = json.dumps(found, separators=(',', ':')).replace('Infinity', '1e999')  # which JSON reads as infinity
                lines.append(f"{json.dumps(row['id'])}:{text}")
    (HERE / 'empty.json').write_text('{\n' + ',\n'.join(lines) + '\n}\n')
    print(f'{len(lines)} rows, {(HERE / "empty.json").stat().st_size} bytes')


if __name__ == '__main__':
    main()
