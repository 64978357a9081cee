"""RM: progressive recovery with boundary-aware attention (BAA), and the output head."""
import torch
import torch.nn.functional as F
from torch import nn

from blocks import ChannelNorm, ConvBN, l2, resize2d, scale2d


class BAA(nn.Module):
    heads = 4

    def __init__(self, cin, cr):
        super().__init__()
        self.reduce = ConvBN(cin, cr)
        self.norm = ChannelNorm(cr)
        self.tau_s, self.tau_c = nn.Parameter(torch.full((self.heads,), 10.0)), nn.Parameter(torch.ones(self.heads))
        self.fuse = ConvBN(cr, cr, 3)

    def split(self, x):
        return x.flatten(2).unflatten(1, (self.heads, -1))  # [S, nh, c, N]

    def spatial(self, boundary, interior, m_l):
        q, k, v = l2(boundary, 2), l2(interior, 2), interior
        scores = self.tau_s[:, None, None] * (q.transpose(2, 3) @ k)
        a = (scores + torch.log(m_l.flatten(1) + 1e-4)[:, None, None]).softmax(3)
        return v @ a.transpose(2, 3)

    def channel(self, boundary, interior):
        scores = self.tau_c[:, None, None] * (l2(boundary, 3) @ l2(interior, 3).transpose(2, 3))
        return scores.softmax(3) @ interior

    def forward(self, e_i, m_b, m_l):
        """e_i [S, ch, h', w'], masks [S, 1, h, w]"""
        e = self.norm(resize2d(self.reduce(e_i), m_l.shape[2:]))
        boundary, interior = self.split(e * m_b), self.split(e * m_l)
        f_s = e + m_b * self.spatial(boundary, interior, m_l).flatten(1, 2).view_as(e)
        f_c = e + self.channel(boundary, interior).flatten(1, 2).view_as(e)
        shuffled = torch.stack([f_s, f_c], 2).flatten(1, 2)
        first, second = shuffled.chunk(2, 1)
        return self.fuse(first + second)


class Recovery(nn.Module):
    def __init__(self, c, cr, classes, encoder_channels):
        super().__init__()
        self.start_l, self.start_b = ConvBN(c, cr), ConvBN(c, cr)
        self.baa = nn.ModuleList(BAA(ch, cr) for ch in reversed(encoder_channels))
        self.region = nn.ModuleList(nn.Conv2d(cr, classes, 1) for _ in range(5))
        self.boundary = nn.ModuleList(nn.Conv2d(cr, 1, 1) for _ in range(4))

    def forward(self, j3, j1, encoded):
        """encoded = (E2, E3, E4, E5) -> L_1, region logits l_5..l_1, boundary logits b_5..b_2"""
        level, edge = self.start_l(j3), self.start_b(j1)
        regions, boundaries = [], []
        for s, e in enumerate(reversed(encoded)):
            if s == 3:
                level, edge = scale2d(level, 2), scale2d(edge, 2)
            region, boundary = self.region[s](level), self.boundary[s](edge)
            m_l = 1 - region.softmax(1)[:, :1]
            level = level + self.baa[s](e, boundary.sigmoid(), m_l)
            regions.append(region)
            boundaries.append(boundary)
        return level, regions + [self.region[4](level)], boundaries


class Head(nn.Module):
    def __init__(self, stem, cr, classes, hidden=32):
        super().__init__()
        self.skip = ConvBN(stem, hidden)
        self.fuse = ConvBN(cr + hidden, hidden, 3)
        self.out = nn.Conv2d(hidden, classes, 1)

    def forward(self, l1, e1):
        return scale2d(self.out(self.fuse(torch.cat([scale2d(l1, 2), self.skip(e1)], 1))), 2)
