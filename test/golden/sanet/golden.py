"""Writes goldens: one case = a module, drawn inputs, its outputs and gradients along drawn directions. Rules in NAMES.md."""
import json
import os

import numpy as np
import torch
from safetensors.numpy import save_file

import philox
from weights import drawn, fill

FULL, SAMPLES = 256, 64
INPUT_OP, DIRECTION_OP, CHECK_OP = 10_000, 20_000, 30_000


def normal(*shape, offset=0.0, scale=1.0, clip=None, grad=True):
    return {"kind": "normal", "shape": list(shape), "offset": offset, "scale": scale, "clip": clip, "grad": grad}


def choice(values, *shape):
    """Each entry is values[floor(uniform * len(values))]."""
    return {"kind": "choice", "shape": list(shape), "values": list(values), "grad": False}


def draw(spec, seed, op):
    if spec["kind"] == "normal":
        t = drawn(spec["shape"], seed, op, spec["offset"], spec["scale"])
        if spec["clip"]:
            t = t.clamp(*(float(np.float32(v)) for v in spec["clip"]))
        return t.requires_grad_(spec["grad"])
    u = philox.uniform(int(np.prod(spec["shape"])), seed, op)
    values = torch.tensor(np.array(spec["values"], dtype=np.float32).astype(np.float64))
    picked = values[torch.from_numpy(np.floor(u * len(values)).astype(np.int64))].reshape(spec["shape"])
    return picked.long() if all(isinstance(v, int) for v in spec["values"]) else picked


def sample_indices(n):
    i = np.arange(SAMPLES)
    return i * n // SAMPLES + (i * 37) % (n // SAMPLES)


class Writer:
    def __init__(self):
        self.tensors, self.cases = {}, []

    def facts(self, name, rows):
        """A case of plain numbers."""
        self.cases.append({"name": name, "rows": rows})

    def check(self, case, key, value, single=None):
        """Stores one tensor: whole up to 256 elements, else 64 entries, the L2 norm and the product with a drawn direction."""
        op = CHECK_OP + len(case["checks"])
        t = value.detach().double()
        flat = t.reshape(-1).numpy()
        entry = {"key": key, "shape": list(t.shape), "norm": float(np.linalg.norm(flat))}
        if flat.size > FULL:
            entry |= {"op": op, "dot": float(flat @ philox.normal(flat.size, case["seed"], op).astype(np.float32).astype(np.float64))}
            stored = flat[sample_indices(flat.size)]
        else:
            stored = flat
        if entry["norm"] < 1e-9:
            entry["zero"] = True  # zero in exact arithmetic: compare with an absolute bound
        elif single is not None:
            gap = np.linalg.norm(single.detach().double().reshape(-1).numpy() - flat)
            entry["f32"] = float(f"{(gap / entry['norm']) ** 2:.1e}")
        self.tensors[f"{case['name']}/{key}"] = stored.astype(np.float32)
        case["checks"].append(entry)

    def integers(self, case, key, value):
        self.tensors[f"{case['name']}/{key}"] = value.numpy().astype(np.int32)

    def module(self, name, seed, module, inputs, call=None, config=None, extra=None, brief=False):
        """call(module, **inputs) -> {output name: tensor}; gradients of sum(output * direction).
        extra(module) -> integer tensors to keep. brief: no float32 run, no statistics."""
        table = fill(module, seed)
        specs = {n: dict(s, op=INPUT_OP + i) for i, (n, s) in enumerate(inputs.items())}
        case = {"name": name, "seed": seed, "config": config or {}, "params": table, "inputs": specs, "checks": []}
        state = {k: v.clone() for k, v in module.state_dict().items()}
        results = []
        for dtype in (torch.float64,) if brief else (torch.float64, torch.float32):
            module.load_state_dict(state)
            module.to(dtype).train().requires_grad_(True).zero_grad(set_to_none=True)
            values = {n: draw(s, seed, s["op"]) for n, s in specs.items()}
            values = {n: v.to(dtype).detach().requires_grad_(v.requires_grad) if v.is_floating_point() else v for n, v in values.items()}
            results.append(self.run(module, values, call, seed, dtype))
            if dtype == torch.float64 and extra:
                for key, value in extra(module).items():
                    self.integers(case, key, value)
        for key, value in results[0].items():
            if not (brief and key.startswith("buffer/")):
                self.check(case, key, value, None if brief else results[1][key])
        self.cases.append(case)
        worst = max((e["f32"], e["key"]) for e in case["checks"] if "f32" in e) if not brief else ""
        print(f"{name:24s} {len(case['checks']):4d} checks", worst)

    @staticmethod
    def run(module, values, call, seed, dtype):
        out = call(module, **values) if call else {"y": module(**values)}
        total = 0
        for i, y in enumerate(out.values()):
            total = total + (y * drawn(y.shape, seed, DIRECTION_OP + i).to(dtype)).sum()
        total.backward()
        found = {f"out/{n}": y for n, y in out.items()}
        found |= {f"dinput/{n}": v.grad for n, v in values.items() if v.requires_grad}
        found |= {f"dparam/{n}": p.grad for n, p in sorted(module.named_parameters()) if p.grad is not None}
        found |= {f"buffer/{n}": b.clone() for n, b in sorted(module.named_buffers()) if n.endswith(("running_mean", "running_var"))}
        return found

    def save(self, stem):
        save_file(self.tensors, f"{stem}.safetensors")
        os.chmod(f"{stem}.safetensors", 0o644)
        rows = ",\n".join(json.dumps(c, separators=(",", ":")) for c in self.cases)
        with open(f"{stem}.json", "w") as f:
            f.write(f"[\n{rows}\n]\n")
