# SPDX-License-Identifier: MIT
# Makes the .pth fixtures beside it and expected.json:  python test/golden/pth/make.py   (PyTorch 2.x, CPU; numpy)
import argparse, collections, io, json, os, pathlib, struct, zipfile
import numpy as np
import torch

here = pathlib.Path(__file__).parent


def state():
    base = torch.arange(24, dtype=torch.float32)
    s = collections.OrderedDict()
    s["conv.weight"] = (base / 7 - 1).reshape(2, 3, 2, 2)
    s["conv.bias"] = torch.nn.Parameter(torch.tensor([0.5, -0.25]))
    s["transposed"] = base.reshape(4, 6).t()  # strided
    s["window"] = base[5:11].reshape(2, 3)  # an offset into the same storage
    s["channels_last"] = (base * 2).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)
    s["half"] = torch.tensor([1.5, -2.0, 65504.0, 6e-8], dtype=torch.float16)
    s["bfloat"] = torch.tensor([1.0, -3.140625, 1e30], dtype=torch.bfloat16)
    s["double"] = torch.tensor([1e300, 0.1], dtype=torch.float64)
    s["bn.num_batches_tracked"] = torch.tensor(2**40 + 1)
    s["int32"] = torch.tensor([-7, 7], dtype=torch.int32)
    s["bytes"] = torch.tensor([0, 255], dtype=torch.uint8)
    s["mask"] = torch.tensor([True, False, True])
    s["empty"] = torch.zeros(0, 3)
    s._metadata = collections.OrderedDict([("", {"version": 1})])
    return s


def expected(s):
    def value(v):
        return str(v) if isinstance(v, int) and abs(v) > 2**31 else v
    out = {}
    for name, t in s.items():
        t = t.detach().contiguous()
        numbers = (t.float() if t.dtype in (torch.float16, torch.bfloat16) else t).flatten().tolist()
        out[name] = {"shape": list(t.shape), "values": [value(v) for v in numbers]}
    return out


s = state()
torch.save(s, here / "zip.pth")
torch.save(s, here / "legacy.pth", _use_new_zipfile_serialization=False)
torch.save(s, here / "protocol4.pth", pickle_protocol=4)
json.dump(expected(s), open(here / "expected.json", "w"), indent=0)

# A training checkpoint: the state dict is one of several things (as SAM-Med3D's files are).
checkpoint = {
    "epoch": 3, "model_state_dict": {"weight": torch.tensor([1.0, 2.0])}, "losses": [np.float64(0.25), np.float32(0.5)],
    "args": argparse.Namespace(lr=8e-4, name="run"), "device": torch.device("cpu"), "shape": torch.Size([1, 2]), "tags": {"a"},
}
torch.save(checkpoint, here / "checkpoint.pth")
torch.save({"epoch": 3}, here / "no_tensors.pth")

# As train.py of SAM-Med3D saves: optimiser and scheduler beside the weights. MultiStepLR keeps its milestones in a Counter.
layer = torch.nn.Linear(2, 1)
layer.load_state_dict({"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([3.0])})
optimiser = torch.optim.AdamW(layer.parameters(), lr=8e-4)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones=[120, 180, 180], gamma=0.1)
layer(torch.ones(1, 2)).sum().backward()
torch.save({
    "epoch": 1, "model_state_dict": layer.state_dict(), "optimizer_state_dict": optimiser.state_dict(),
    "lr_scheduler_state_dict": scheduler.state_dict(),
    "losses": [0.5], "dices": [np.float64(0.25)], "best_loss": 0.5, "best_dice": 0.25,
    "args": argparse.Namespace(task_name="union_train", device=torch.device("cpu")),
    "used_datas": ["data/a", "data/b"], "counts": collections.Counter("abba"), "groups": collections.defaultdict(list, {"a": [1]}),
    "raw": bytearray(b"abc"),
}, here / "scheduler.pth")


# The same zip deflated, and with zip64 records.
def rezip(name, **how):
    with zipfile.ZipFile(here / "zip.pth") as old, zipfile.ZipFile(here / name, "w", how.get("method", zipfile.ZIP_STORED)) as new:
        for info in old.infolist():
            with new.open(info.filename, "w", force_zip64=how.get("zip64", False)) as f:
                f.write(old.read(info))


rezip("deflated.pth", method=zipfile.ZIP_DEFLATED)


def zip64(source, target):
    """Rewrites the directory with every field in zip64 extras, as files past 4 GiB have it."""
    data = open(here / source, "rb").read()
    end = data.rindex(b"PK\5\6")
    count, size, start = struct.unpack_from("<HII", data, end + 10)
    out, at = bytearray(), start
    for _ in range(count):
        f = list(struct.unpack_from("<IHHHHHHIIIHHHHHII", data, at))
        name = data[at + 46:at + 46 + f[10]]
        extra = struct.pack("<HHQQQ", 1, 24, f[9], f[8], f[16])
        at += 46 + f[10] + f[11] + f[12]
        f[8] = f[9] = f[16] = 0xFFFFFFFF
        f[11], f[12] = len(extra), 0
        out += struct.pack("<IHHHHHHIIIHHHHHII", *f) + name + extra
    tail = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(out), start)
    tail += struct.pack("<IIQI", 0x07064B50, 0, start + len(out), 1)
    tail += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    open(here / target, "wb").write(data[:start] + out + tail)


zip64("zip.pth", "zip64.pth")


class Evil:
    def __init__(self, call, *args):
        self.how = (call, args)

    def __reduce__(self):
        return self.how


# Were one of these executed, the file "executed" would appear in the working directory.
torch.save({"weight": torch.ones(1), "x": Evil(os.system, "touch executed")}, here / "evil_system.pth")
evil = {"weight": torch.ones(1), "x": Evil(os.system, "touch executed")}
torch.save(evil, here / "evil_legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"weight": torch.ones(1), "x": Evil(eval, "open('executed', 'w')")}, here / "evil_eval.pth")
torch.save({"weight": torch.ones(1), "x": Evil(getattr, "text", "upper")}, here / "evil_getattr.pth")
torch.save(torch.nn.Linear(2, 2), here / "whole_module.pth")
