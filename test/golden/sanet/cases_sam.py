"""Goldens of SAM-Med3D: attention (global, resampled tables, windowed with padding), neck, prompts, decoder, whole network."""
from dataclasses import asdict

import torch

from golden import normal
from sam_med3d import (PRESETS, PROMPT, Attention, Block, Config, MaskDecoder, PromptEncoder, SamMed3D, TwoWayLayer, neck)

T64 = PRESETS["sam-t64"]
LABELS = torch.tensor([[1, 0], [0, 1]])


def prompts(module, coords, mask):
    sparse, dense = module(coords, LABELS, mask)
    return {"sparse": sparse, "dense": dense, "no_mask": module.dense(None, 1), "dense_pe": module.dense_pe()}


def layer(module, tokens, image, token_pe, image_pe):
    return dict(zip(("tokens", "image"), module(tokens, image, token_pe, image_pe)))


def whole(module, volume):
    """Two clicks: positive with a zero mask, then negative with the detached logits of the first as mask prompt."""
    clicks, labels = torch.tensor([[[7, 30, 35]]]), torch.tensor([[1]])
    z, low = module(volume, clicks, labels)
    z2, low2 = module(volume, torch.tensor([[[3, 50, 11]]]), torch.tensor([[0]]), low.detach())
    return {"logits1": z, "low1": low, "logits2": z2, "low2": low2}


def whole_official(module, volume):
    z, low = module(volume, torch.tensor([[[7, 30, 35]]]), torch.tensor([[1]]))
    z2, low2 = module(volume, torch.tensor([[[3, 10, 41]]]), torch.tensor([[0]]), low.detach())
    return {"logits1": z, "low1": low, "logits2": z2, "low2": low2}


def write(w):
    w.module("attention", 201, Attention(48, 3, 4), {"x": normal(2, 4, 4, 4, 48)}, config={"dim": 48, "heads": 3, "length": 4})
    w.module("attention_resampled", 202, Attention(48, 3, 4), {"x": normal(1, 3, 4, 5, 48)}, config={"dim": 48, "heads": 3, "length": 4})
    w.module("block", 203, Block(48, 3, 4, 0), {"x": normal(1, 4, 4, 4, 48)}, config={"dim": 48, "heads": 3, "grid": 4, "window": 0})
    w.module("block_windowed", 204, Block(48, 3, 5, 3), {"x": normal(1, 5, 5, 5, 48)},
             config={"dim": 48, "heads": 3, "grid": 5, "window": 3})
    w.module("block_window14", 205, Block(32, 2, 4, 14), {"x": normal(1, 4, 4, 4, 32)},
             config={"dim": 32, "heads": 2, "grid": 4, "window": 14})
    w.module("attention_official", 212, Attention(32, 2, 3, True), {"x": normal(2, 3, 3, 3, 32)},
             config={"dim": 32, "heads": 2, "length": 3})
    w.module("neck", 206, neck(48), {"x": normal(1, 48, 4, 4, 4)}, lambda m, x: {"y": m(x)})
    w.module("prompt", 207, PromptEncoder(T64),
             {"coords": normal(2, 2, 3, offset=0.5, scale=0.25, clip=(0.02, 0.98), grad=False), "mask": normal(2, 1, 16, 16, 16)},
             prompts, {"grid": 4, "labels": LABELS.tolist()})
    tokens, image = normal(2, 7, PROMPT), normal(2, 27, PROMPT)
    for i, name in enumerate(("two_way_first", "two_way_second")):
        w.module(name, 208 + i, TwoWayLayer(i == 0), {"tokens": tokens, "image": image, "token_pe": tokens, "image_pe": image},
                 layer, {"first": i == 0})
    grid = normal(1, PROMPT, 3, 3, 3)
    w.module("decoder", 210, MaskDecoder(), {"embedding": grid, "dense_pe": grid, "sparse": normal(1, 3, PROMPT), "dense": grid})
    official = Config(size=48, dim=96, depth=3, heads=2, window=5, official=True)
    w.module("sam_official", 213, SamMed3D(official), {"volume": normal(1, 1, 12, 40, 56, grad=False)}, whole_official,
             {**asdict(official), "clicks": [[7, 30, 35], [3, 10, 41]], "labels": [1, 0]})
    w.module("sam", 211, SamMed3D(T64), {"volume": normal(1, 1, 16, 64, 64, grad=False)}, whole,
             {**asdict(T64), "clicks": [[7, 30, 35], [3, 50, 11]], "labels": [1, 0]})
