"""Primitive blocks of section 2."""
import torch
import torch.nn.functional as F
from torch import nn


class ConvBN(nn.Module):
    """CBR k (relu=True) or CB k."""

    def __init__(self, cin, cout, k=1, dilation=1, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, k, padding=dilation * (k - 1) // 2, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(cout)
        self.relu = relu

    def forward(self, x):
        x = self.bn(self.conv(x))
        return F.relu(x) if self.relu else x


class ChannelNorm(nn.Module):
    """LNc: LayerNorm over axis 1 at each position, any number of spatial axes."""

    def __init__(self, channels, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x):
        y = F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, self.eps)
        return y.movedim(-1, 1)


def resize2d(x, size):
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def scale2d(x, factor):
    return resize2d(x, (x.shape[2] * factor, x.shape[3] * factor))


def resize3d(x, size):
    return F.interpolate(x, size=tuple(size), mode="trilinear", align_corners=False)


def l2(x, dim):
    """x / max(||x||, 1e-12); an exactly zero vector (a padded token) gives zero and takes zero gradient."""
    norm = torch.linalg.vector_norm(x, dim=dim, keepdim=True)
    empty = norm == 0
    return torch.where(empty, 0.0, x / torch.where(empty, 1.0, norm).clamp_min(1e-12))
