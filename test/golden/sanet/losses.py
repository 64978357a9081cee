"""Losses of section 6."""
import torch
import torch.nn.functional as F

EPS = 1e-5


def marginal(logits, target, missing):
    """Log-probabilities [S, K, ...] and targets after merging the classes missing in this case into background."""
    logp = logits.log_softmax(1)
    if not missing:
        return logp, target
    merged = logp[:, [0, *missing]].logsumexp(1, keepdim=True)
    target = torch.where(torch.isin(target, torch.tensor(missing)), 0, target)
    return torch.cat([merged, logp[:, 1:]], 1), target


def weighted_ce(logp, target, weight):
    nll = -logp.gather(1, target[:, None])[:, 0]
    return (weight * nll).sum() / (weight.sum() + EPS)


def soft_dice_loss(p, g, weight):
    inter, sizes = (weight * p * g).sum(), (weight * p * p).sum() + (weight * g * g).sum()
    return 1 - (2 * inter + EPS) / (sizes + EPS)


def weighted_dice(logp, target, weight, missing=()):
    present = [c for c in range(1, logp.shape[1]) if c not in missing]
    if not present:
        return logp.sum() * 0
    terms = [soft_dice_loss(logp[:, c].exp(), (target == c).to(logp), weight) for c in present]
    return sum(terms) / len(terms)


def seg_loss(logits, target, weight, missing=()):
    """Lseg: logits [S, K, ...], target [S, ...] classes, weight [S, ...]."""
    logp, target = marginal(logits, target, missing)
    return 0.5 * (weighted_ce(logp, target, weight) + weighted_dice(logp, target, weight, missing))


def window_max(x, r):
    return F.max_pool2d(x[:, None], 2 * r + 1, 1, r)[:, 0]


def boundary_target(target, weight, classes, missing=()):
    """target, weight [S, h, w] on the native slice -> boundary 0/1 and validity 0/1"""
    r = 1 if max(target.shape[1:]) <= 128 else 2
    boundary = torch.zeros_like(weight)
    for c in range(1, classes):
        if c in missing:
            continue
        m = (target == c).to(weight)
        boundary = torch.maximum(boundary, window_max(m, r) + window_max(-m, r))  # dilate - erode
    outside = F.pad((weight <= 0).to(weight), (r, r, r, r), value=1.0)
    valid = 1 - F.max_pool2d(outside[:, None], 2 * r + 1, 1)[:, 0]
    return boundary, valid


def boundary_loss(logits, boundary, u):
    """Lb: logits, boundary, u = valid * weight, all [S, h, w]."""
    positive, negative = (u * boundary).sum(), (u * (1 - boundary)).sum()
    alpha = (boundary * negative + (1 - boundary) * positive) / (positive + negative + EPS)
    bce = F.binary_cross_entropy_with_logits(logits, boundary, reduction="none")
    return (u * alpha * bce).sum() / (u.sum() + EPS) + soft_dice_loss(logits.sigmoid(), boundary, u)
