"""Cross supervision of section 5: slices, MIX, thresholds, ramp, optimisers, one iteration."""
import math

import torch
import torch.nn.functional as F

from blocks import resize2d
from losses import boundary_loss, boundary_target, seg_loss

AUX, EDGE = 0.4, 0.3
HARD, SOFT = 0.9, 0.7


# ---- slices ------------------------------------------------------------------------------------------------------

def take(volume, plane, indices):
    """volume [..., D, H, W] -> slices first: [S, ..., h, w]"""
    axis = -3 if plane == "transverse" else -2
    return volume.index_select(axis, indices).movedim(axis, 0)


def put(slices, plane, indices, size):
    """slices [S, ..., h, w] -> volume [..., D, H, W], zero on the slices not given"""
    axis = -3 if plane == "transverse" else -2
    moved = slices.movedim(0, axis)
    shape = list(moved.shape)
    shape[axis] = size[axis]
    return moved.new_zeros(shape).index_copy(axis, indices, moved)


def padding(h, w):
    """left, right, top, bottom to multiples of 32, symmetric (the odd pixel goes last)"""
    dh, dw = -h % 32, -w % 32
    return dw // 2, dw - dw // 2, dh // 2, dh - dh // 2


def to_network(slices, doubling=1):
    """[S, 1, h, w] -> resized and edge-padded network input"""
    h, w = slices.shape[2:]
    if doubling > 1:
        slices = resize2d(slices, (h * doubling, w * doubling))
    return F.pad(slices, padding(*slices.shape[2:]), mode="replicate")


def to_native(logits, h, w, doubling=1):
    """Logits of any resolution -> resized to the padded input, cropped, resized to the native slice"""
    hh, ww = h * doubling, w * doubling
    left, right, top, bottom = padding(hh, ww)
    full = (hh + top + bottom, ww + left + right)
    if logits.shape[2:] != full:
        logits = resize2d(logits, full)
    logits = logits[:, :, top:top + hh, left:left + ww]
    return logits if doubling == 1 else resize2d(logits, (h, w))


# ---- pseudo labels -----------------------------------------------------------------------------------------------

def ramp(it, stage0, n, lam_max):
    if it < stage0:
        return 0.0
    r = min(max((it - stage0) / (n - stage0), 0.0), 1.0)
    return lam_max * math.exp(-5 * (1 - r) ** 2)


def quality(y3, g, annotated, classes):
    """Dice (K = 2) or accuracy of N3's labels on the annotated voxels"""
    a = annotated > 0
    if classes > 2:
        return ((y3 == g) & a).sum().item() / max(a.sum().item(), 1)
    p, t = (y3 == 1) & a, (g == 1) & a
    both = (p.sum() + t.sum()).item()
    return 1.0 if both == 0 else 2 * (p & t).sum().item() / both


def threshold(q, bar):
    return SOFT if q >= bar else HARD


def weight_n3(annotated, chosen, lam, p3, pt, pc):
    """w2: probabilities [K, ...]; agreement of the 2D networks unless N3 contradicts with the highest confidence"""
    (c3, y3), (ct, yt), (cc, yc) = (p.max(0) for p in (p3, pt, pc))
    vetoed = (yt != y3) & (c3 > ct) & (c3 > cc)
    pseudo = lam * ((yt == yc) & ~vetoed & (chosen > 0)).to(annotated)
    return torch.where(annotated > 0, torch.ones_like(annotated), pseudo)


def weight_n2(annotated, lam, p3, t):
    """w3"""
    pseudo = lam * (p3.amax(0) > t).to(annotated)
    return torch.where(annotated > 0, torch.ones_like(annotated), pseudo)


def mix(annotated, g, pseudo):
    return torch.where(annotated > 0, g, pseudo)


# ---- losses of the networks ----------------------------------------------------------------------------------------

def class_logits(z):
    """N3's mask logit(s) [B, K-1, ...] -> [0, z]"""
    return torch.cat([torch.zeros_like(z[:, :1]), z], 1)


def n2_loss(out, target, weight, classes, doubling=1, missing=()):
    """-> total and its parts; target, weight [S, h, w] native"""
    h, w = target.shape[1:]
    boundary, valid = boundary_target(target, weight, classes, missing)

    def seg(z):
        return seg_loss(to_native(z, h, w, doubling), target, weight, missing)

    def edge(z):
        return boundary_loss(to_native(z, h, w, doubling)[:, 0], boundary, valid * weight)

    parts = {"final": seg(out.logits), "edge": edge(out.edge)}
    zero = parts["final"] * 0
    parts["aux"] = sum(map(seg, out.region)) / len(out.region) if out.region else zero
    parts["boundary"] = sum(map(edge, out.boundary)) / len(out.boundary) if out.boundary else zero
    return parts["final"] + AUX * parts["aux"] + EDGE * (parts["edge"] + parts["boundary"]), parts


# ---- optimisers ----------------------------------------------------------------------------------------------------

NO_DECAY = ("tau_s", "tau_c", "table", "level_bias")


def n2_optimiser(net, lr=1e-3, decay=1e-4):
    """Adam with decoupled decay on everything but norms, biases, tau and position tables"""
    exempt = lambda name, p: p.ndim <= 1 or name.endswith(NO_DECAY)
    named = list(net.named_parameters())
    groups = [{"params": [p for n, p in named if not exempt(n, p)], "weight_decay": decay},
              {"params": [p for n, p in named if exempt(n, p)], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.999), eps=1e-8)


def n3_optimiser(sam, lr=1e-3, decay=0.01):
    """AdamW; prompt encoder and decoder at a tenth of the rate; decay on every parameter"""
    groups = [{"params": list(sam.image_encoder.parameters()), "lr": lr},
              {"params": [*sam.prompt_encoder.parameters(), *sam.mask_decoder.parameters()], "lr": 0.1 * lr}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay)


def step(loss, net, optimiser, clip=10.0):
    """-> gradient norm before clipping"""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
    optimiser.step()
    return norm.item()


# ---- one iteration, pseudo labels from the chosen slices ------------------------------------------------------------

def iteration(nets, optimisers, sample, lam, bar=0.85, doubling=1, selected=None):
    """nets, optimisers: n3, transverse, coronal. sample: image, g, annotated [D, H, W], click [3], chosen {plane: [S]}.
    selected: {plane: ESG's nearest nodes} to replay. -> losses and what to debug them with"""
    image, g, annotated, size = sample["image"], sample["g"], sample["annotated"], sample["image"].shape
    z, _ = nets["n3"](image[None, None], sample["click"][None, None], torch.ones(1, 1, dtype=torch.long))
    z3 = class_logits(z)
    outs, probs, chosen = {}, {}, torch.ones_like(annotated)
    for plane, indices in sample["chosen"].items():
        slices = take(image, plane, indices)[:, None]
        h, w = slices.shape[2:]
        outs[plane] = nets[plane](to_network(slices, doubling), None if selected is None else selected[plane])
        p = to_native(outs[plane].logits, h, w, doubling).detach().softmax(1)
        probs[plane] = put(p, plane, indices, size)
        chosen = chosen * put(torch.ones(len(indices), h, w).to(image), plane, indices, size)

    p3 = z3.detach()[0].softmax(0)
    y3 = p3.argmax(0)
    q = quality(y3, g, annotated, len(p3))
    w2 = weight_n3(annotated, chosen, lam, p3, probs["transverse"], probs["coronal"])
    w3 = weight_n2(annotated, lam, p3, threshold(q, bar))
    target2, target3 = mix(annotated, g, probs["transverse"].argmax(0)), mix(annotated, g, y3)

    loss3 = seg_loss(z3, target2[None], w2[None])
    record = {"losses": {"n3": loss3.item()}, "norms": {}, "parts": {}, "quality": q, "w2": w2.sum().item(), "w3": {}}
    record["norms"]["n3"] = step(loss3, nets["n3"], optimisers["n3"])
    for plane, indices in sample["chosen"].items():
        weight = take(w3, plane, indices)
        loss, parts = n2_loss(outs[plane], take(target3, plane, indices), weight, len(p3), doubling)
        record["losses"][plane] = loss.item()
        record["parts"][plane] = {k: v.item() for k, v in parts.items()}
        record["w3"][plane] = weight.sum().item()
        record["norms"][plane] = step(loss, nets[plane], optimisers[plane])
    return record
