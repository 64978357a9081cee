"""Ten iterations of all three networks at ramp r = 1, lr 1e-3, no warm-up: python ten_iterations.py
Writes ten_iterations.json (losses, clicks, slices) and ten_iterations.safetensors (images, masks, ESG's nodes)."""
import json
import os

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

import cross
import philox
from net2d import PRESETS, Net2D
from sam_med3d import PRESETS as SAM_PRESETS, SamMed3D
from weights import calm, fill

ITERATIONS, LAM, SIZE, SLICES = 10, 0.5, (16, 64, 64), 8
SEEDS = {"n3": 411, "transverse": 412, "coronal": 413}
DATA_SEED = 404
CASES = [  # centre and radii (D, H, W) in voxels, phase of the annotated transverse and coronal slices (every third)
    {"centre": (7.5, 33.0, 30.0), "radii": (5.0, 12.0, 10.0), "transverse": 1, "coronal": 2},
    {"centre": (8.0, 28.0, 35.0), "radii": (4.0, 9.0, 13.0), "transverse": 0, "coronal": None},
]


# Flips of D, H, W; quarter turns of H-W as numpy.rot90; then image * (1 + scale) + shift. Five, so that each meets both cases, in an order
# in which float32 takes the decisions of float64 on every pseudo label (others let N3's gradient jump to 9 in the fourth iteration).
AUGMENTATIONS = [
    {"flips": [True, True, False], "turns": 2, "scale": -0.04, "shift": 0.03},
    {"flips": [False, True, True], "turns": 0, "scale": 0.0, "shift": -0.06},
    {"flips": [False, False, False], "turns": 1, "scale": 0.0, "shift": 0.0},
    {"flips": [True, False, False], "turns": 0, "scale": 0.08, "shift": 0.0},
    {"flips": [False, False, True], "turns": 3, "scale": 0.05, "shift": 0.02},
]


def moved(volume, a):
    """Flips, then turns, of an array [D, H, W]."""
    flipped = np.flip(volume, [axis for axis, flip in enumerate(a["flips"]) if flip])
    return np.ascontiguousarray(np.rot90(flipped, a["turns"], (1, 2)))


def phantom(case, op):
    """-> image and mask, uint8: soft ellipsoid on low-frequency and white noise"""
    z, y, x = np.meshgrid(*(np.arange(n) for n in SIZE), indexing="ij")
    d = sum(((a - c) / r) ** 2 for a, c, r in zip((z, y, x), case["centre"], case["radii"]))
    coarse = torch.from_numpy(philox.normal(4 * 8 * 8, DATA_SEED, op).reshape(1, 1, 4, 8, 8))
    smooth = F.interpolate(coarse, SIZE, mode="trilinear", align_corners=False)[0, 0].numpy()
    noise = philox.normal(z.size, DATA_SEED, op + 1).reshape(SIZE)
    value = 80 + 90 / (1 + np.exp(-4 * (1 - d))) + 14 * smooth + 12 * noise
    return np.clip(np.round(value), 0, 255).astype(np.uint8), (d < 1).astype(np.uint8)


def annotated(case):
    w = torch.zeros(SIZE, dtype=torch.float64)
    w[case["transverse"]::3] = 1
    if case["coronal"] is not None:
        w[:, case["coronal"]::3] = 1
    return w


def order(n, it, op):
    return np.argsort(philox.uniform(n, DATA_SEED, op, step=it, stream=philox.ORDER), kind="stable")


def choose(whole, it, op):
    """Eight slices, half of them annotated where the plane has any. whole: which slices are annotated throughout."""
    drawn = order(len(whole), it, op)
    if not whole.any():
        return sorted(int(i) for i in drawn[:SLICES])
    known, rest = [i for i in drawn if whole[i]], [i for i in drawn if not whole[i]]
    return sorted(int(i) for i in known[:SLICES // 2] + rest[:SLICES // 2])


def plan(masks):
    """Per iteration: case, augmentation, click, chosen slices (both after it)."""
    rows = []
    for it in range(ITERATIONS):
        c, a = it % len(CASES), AUGMENTATIONS[it % len(AUGMENTATIONS)]
        known = moved(annotated(CASES[c]).numpy(), a) > 0
        inside = np.argwhere((moved(masks[c], a) > 0) & known)
        pick = int(philox.uniform(1, DATA_SEED, 0, step=it, stream=philox.CLICK)[0] * len(inside))
        rows.append({"case": c, "augmentation": a, "click": inside[pick].tolist(), "transverse": choose(known.all((1, 2)), it, 0),
                     "coronal": choose(known.all((0, 2)), it, 1)})
    return rows


def networks(dtype):
    demo = PRESETS["demo"]
    nets = {"n3": SamMed3D(SAM_PRESETS["sam-t64"]), "transverse": Net2D(demo), "coronal": Net2D(demo)}
    for name, net in nets.items():
        fill(net, SEEDS[name], calm)
        net.to(dtype).train()
    return nets


def run(images, masks, rows, dtype=torch.float64, selected=None):
    """-> one record per iteration, ESG's nodes per iteration and plane"""
    nets = networks(dtype)
    optimisers = {k: (cross.n3_optimiser if k == "n3" else cross.n2_optimiser)(n) for k, n in nets.items()}
    records, used = [], []
    for it, row in enumerate(rows):
        c = row["case"]
        a = row["augmentation"]
        pixels = moved((images[c].astype(np.float64) / 127.5 - 1).astype(np.float32), a) * (1 + a["scale"]) + a["shift"]
        sample = {"image": torch.from_numpy(pixels.astype(np.float32)).to(dtype),
                  "g": torch.from_numpy(moved(masks[c], a).astype(np.int64)),
                  "annotated": torch.from_numpy(moved(annotated(CASES[c]).numpy(), a)).to(dtype), "click": torch.tensor(row["click"]),
                  "chosen": {p: torch.tensor(row[p]) for p in ("transverse", "coronal")}}
        records.append(cross.iteration(nets, optimisers, sample, LAM, selected=None if selected is None else selected[it]))
        used.append({p: nets[p].esg.selected for p in ("transverse", "coronal")})
    return records, used


def main():
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    volumes = [phantom(case, 2 * i) for i, case in enumerate(CASES)]
    images, masks = zip(*volumes)
    rows = plan(masks)
    records, used = run(images, masks, rows)
    single, _ = run(images, masks, rows, torch.float32, used)
    for it, (row, record, f32) in enumerate(zip(rows, records, single)):
        row |= record
        gaps = {k: abs(f32["losses"][k] / v - 1) for k, v in record["losses"].items()}
        print(it, {k: f"{v:.6f} ({gaps[k]:.0e})" for k, v in record["losses"].items()}, f"quality {record['quality']:.3f}",
              f"w2 {record['w2']:.0f}", {k: round(v, 1) for k, v in record["norms"].items()})
        row["f32"] = {k: float(f"{v:.1e}") for k, v in gaps.items()}
    arrays = {f"case{i}/{name}": a for i, pair in enumerate(volumes) for name, a in zip(("image", "mask"), pair)}
    arrays |= {f"selected/{it}/{p}": s.numpy().astype(np.uint8) for it, u in enumerate(used) for p, s in u.items()}
    save_file(arrays, "ten_iterations.safetensors")
    os.chmod("ten_iterations.safetensors", 0o644)
    header = {"seeds": SEEDS, "lam": LAM, "size": SIZE, "cases": CASES}
    with open("ten_iterations.json", "w") as f:
        lines = ",\n".join(json.dumps(r) for r in rows)
        f.write(json.dumps(header)[:-1] + f', "iterations": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
