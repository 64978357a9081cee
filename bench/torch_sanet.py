# SPDX-License-Identifier: MIT
"""A training iteration of SA-Net in PyTorch: the modules of test/golden/sanet, f32, eager or through torch.compile. Reads
{preset, device, tf32, compile, iterations} from stdin, writes one JSON line {case, iterations, ms, torch}: the first three
are not in ms, and of the others are as many as fit before BENCH_UNTIL (sections.mjs). `node bench/sanet.mjs --oracle` computes
the same: one click, batch norm, pseudo labels from the chosen slices, on volumes of one size."""
import json
import os
import pathlib
import statistics
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'test/golden/sanet'))
import cross  # noqa: E402
from net2d import PRESETS, Net2D  # noqa: E402
from sam_med3d import PRESETS as SAM_PRESETS, SamMed3D  # noqa: E402

request = json.load(sys.stdin)
PRESET = request['preset']
SAM = {'tiny': 'sam-t64', 'demo': 'sam-t64', 'base': 'sam-s96', 'paper': 'sam-b128'}[PRESET]
SMALL = PRESET in ('tiny', 'demo')
SIZE, SLICES, DOUBLING = ((16, 64, 64), 8, 1) if SMALL else ((32, 64, 64), 16, 2)
torch.set_default_device(request.get('device', 'cpu'))
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = bool(request.get('tf32'))
torch.backends.cudnn.benchmark = True
torch.manual_seed(1)


def wait():
    if torch.get_default_device().type == 'cuda':
        torch.cuda.synchronize()


nets = {'n3': SamMed3D(SAM_PRESETS[SAM]), 'transverse': Net2D(PRESETS[PRESET]), 'coronal': Net2D(PRESETS[PRESET])}
if request.get('compile'):
    for net in nets.values():
        net.compile()
optimisers = {k: (cross.n3_optimiser if k == 'n3' else cross.n2_optimiser)(n) for k, n in nets.items()}
mask = torch.zeros(SIZE, dtype=torch.long)
mask[4:12, 20:44, 20:44] = 1
annotated = torch.zeros(SIZE)
annotated[::3] = 1
sample = {
    'image': torch.randn(SIZE) * 0.3 + mask, 'g': mask, 'annotated': annotated, 'click': torch.tensor([6, 30, 30]),
    'chosen': {'transverse': torch.arange(SIZE[0])[:SLICES], 'coronal': torch.arange(SIZE[1])[20:20 + SLICES]},
}
until = float(os.environ.get('BENCH_UNTIL', 'inf')) / 1e3
times = []
for i in range(request.get('iterations', 10) + 3):
    if i > 3 and time.time() + 2e-3 * times[-1] > until:
        break
    wait()
    start = time.perf_counter()
    cross.iteration(nets, optimisers, sample, 0.5, doubling=DOUBLING)
    wait()
    times.append((time.perf_counter() - start) * 1e3)
median = statistics.median(times[3:])
print(json.dumps({'case': f'sanet_{PRESET}', 'iterations': len(times), 'ms': median, 'torch': torch.__version__}))
