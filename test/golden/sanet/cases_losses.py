"""Goldens of the losses, slices, pseudo-label weights, ramp and optimisers."""
import itertools

import torch
from torch import nn

import cross
import losses
from golden import choice, draw, normal
from net2d import Output
from weights import drawn


class Nothing(nn.Module):
    """A case without parameters."""


WEIGHTS = (0.0, 0.1, 1.0, 1.0)


def segmentation(k, shape, missing):
    def call(_, logits, target, weight):
        logp, y = losses.marginal(logits, target, missing)
        return {"ce": losses.weighted_ce(logp, y, weight), "dice": losses.weighted_dice(logp, y, weight, missing),
                "seg": losses.seg_loss(logits, target, weight, missing)}

    return ({"logits": normal(2, k, *shape), "target": choice(range(k), 2, *shape), "weight": choice(WEIGHTS, 2, *shape)}, call,
            {"classes": k, "missing": missing})


def edges(_, logits, target, weight):
    b, v = losses.boundary_target(target, weight, 3)
    return {"loss": losses.boundary_loss(logits, b, v * weight)}


def edge_masks(w, case):
    """Stores boundary and validity of the `edge` case."""
    target, weight = (draw(case["inputs"][n], case["seed"], case["inputs"][n]["op"]) for n in ("target", "weight"))
    b, v = losses.boundary_target(target, weight, 3)
    w.integers(case, "boundary", b)
    w.integers(case, "valid", v)


def n2(doubling):
    def call(_, target, weight, **z):
        out = Output(z["logits"], z["edge"], [z[f"region{i}"] for i in range(5)], [z[f"boundary{i}"] for i in range(4)])
        total, parts = cross.n2_loss(out, target, weight, 2, doubling)
        return {"total": total, **parts}

    s, h, w = 3, 16, 64
    hh, ww = (32, 64) if doubling == 1 else (32, 128)
    inputs = {"target": choice((0, 0, 0, 1), s, h, w), "weight": choice((0.5, 1.0, 1.0, 1.0), s, h, w),
              "logits": normal(s, 2, hh, ww), "edge": normal(s, 1, hh // 8, ww // 8)}
    inputs |= {f"region{i}": normal(s, 2, hh // r, ww // r) for i, r in enumerate((8, 8, 8, 4, 4))}
    inputs |= {f"boundary{i}": normal(s, 1, hh // r, ww // r) for i, r in enumerate((8, 8, 8, 4))}
    return inputs, call, {"doubling": doubling}


def slices(_, volume):
    c = cross.take(volume, "coronal", torch.tensor([2, 5, 1]))[:, None]
    t = cross.take(volume, "transverse", torch.tensor([0, 9]))[:, None]
    return {"coronal": cross.to_network(c), "coronal_doubled": cross.to_network(c, 2), "transverse": cross.to_network(t)}


def native(_, eighth, quarter):
    return {"eighth": cross.to_native(eighth, 13, 40), "quarter_doubled": cross.to_native(quarter, 16, 24, 2)}


def pair(label, confidence):
    c = torch.tensor(confidence, dtype=torch.float64)
    return torch.stack([c, 1 - c] if label == 0 else [1 - c, c])


def truth_table():
    """w2, w3 of one voxel: annotated, both slices chosen, labels and confidences of the three networks; lam 0.5, t 0.9."""
    rows = []
    labels = itertools.product((0, 1), repeat=3)
    for (y3, yt, yc), c3, ct, cc, w, chosen in itertools.product(labels, (.6, .8, .95), (.65, .85), (.7, .92), (0, 1), (0, 1)):
        one = torch.ones((), dtype=torch.float64)
        p3, pt, pc = pair(y3, c3), pair(yt, ct), pair(yc, cc)
        rows.append({"annotated": w, "chosen": chosen, "y3": y3, "yt": yt, "yc": yc, "c3": c3, "ct": ct, "cc": cc,
                     "w2": cross.weight_n3(one * w, one * chosen, .5, p3, pt, pc).item(),
                     "w3": cross.weight_n2(one * w, .5, p3, .9).item()})
    return rows


def ramps():
    runs = [(6000, 1000, .1), (120, 20, .5), (1000, 0, .5)]
    return [{"n": n, "stage0": s, "lamMax": m, "it": it, "lam": cross.ramp(it, s, n, m)}
            for n, s, m in runs for it in (0, s - 1, s, s + 1, (n + s) // 2, n - 1, n, n + 5)]


def qualities():
    g = torch.tensor([0, 0, 1, 1, 1, 2, 2, 0])
    a = torch.tensor([1., 1, 1, 1, 0, 1, 1, 0])
    out = []
    for y, k in (([0, 1, 1, 0, 0, 0, 0, 1], 2), ([0, 0, 1, 1, 0, 0, 0, 1], 2), ([0, 0, 1, 1, 1, 2, 1, 0], 3)):
        truth = g if k == 3 else (g == 1).long()
        q = cross.quality(torch.tensor(y), truth, a, k)
        out.append({"classes": k, "y3": y, "g": truth.tolist(), "annotated": a.tolist(), "quality": q,
                    "threshold": cross.threshold(q, .85)})
    return out


class Weights(nn.Module):
    """Decayed and undecayed parameters of the 2D optimiser."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(7, 5)
        self.table = nn.Parameter(torch.zeros(9, 4))
        self.tau_s = nn.Parameter(torch.zeros(4))


def descent(m):
    """Three clipped steps; gradient of parameter j at step s = 20 * normal(op 40000 + 100 s + j), norms before clipping."""
    optimiser = cross.n2_optimiser(m, lr=1e-2, decay=0.1)
    norms = []
    for s in range(3):
        for j, (_, p) in enumerate(sorted(m.named_parameters())):
            p.grad = drawn(p.shape, 304, 40_000 + 100 * s + j, 0.0, 20.0 if s < 2 else 0.1).to(p)
        norms.append(torch.nn.utils.clip_grad_norm_(m.parameters(), 10.0))
        optimiser.step()
    return norms


def optimised(m, x):
    norms = descent(m)
    m.zero_grad()
    return {"norms": torch.stack(norms) + 0 * x.sum(), **{n: p.detach() + 0 * x.sum() for n, p in sorted(m.named_parameters())}}


def write(w):
    for i, (name, args) in enumerate({"seg2": (2, (20, 24), []), "seg5": (5, (10, 12), []), "seg5_partial": (5, (10, 12), [2, 4]),
                                      "seg_volume": (2, (4, 10, 12), [])}.items()):
        inputs, call, config = segmentation(*args)
        w.module(name, 300 + i, Nothing(), inputs, call, config)
    w.module("optimiser", 304, Weights(), {"x": normal(1)}, optimised, {"lr": 1e-2, "decay": 0.1, "clip": 10, "steps": 3})
    w.module("edge", 305, Nothing(), {"logits": normal(2, 20, 24), "target": choice((0, 0, 0, 1, 2), 2, 20, 24),
             "weight": choice((0.0,) + (0.5, 1.0) * 20, 2, 20, 24)}, edges, {"classes": 3})
    edge_masks(w, w.cases[-1])
    for i, doubling in enumerate((1, 2)):
        inputs, call, config = n2(doubling)
        w.module(f"n2_loss_x{doubling}", 306 + i, Nothing(), inputs, call, config)
    w.module("to_network", 308, Nothing(), {"volume": normal(10, 7, 40)}, slices, {"coronal": [2, 5, 1], "transverse": [0, 9]})
    w.module("to_native", 309, Nothing(), {"eighth": normal(2, 2, 4, 8), "quarter": normal(2, 2, 8, 16)}, native,
             {"eighth": [13, 40, 1], "quarter_doubled": [16, 24, 2]})
    w.facts("truth_table", truth_table())
    w.facts("ramp", ramps())
    w.facts("quality", qualities())
