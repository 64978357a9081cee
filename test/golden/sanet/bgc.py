"""BGC: task features, projection, bilateral graph convolution, re-projection, ESG-Conv."""
import torch
import torch.nn.functional as F
from torch import nn

from blocks import ConvBN, l2, scale2d

NODES, WIDTH, NEIGHBOURS = 32, 128, 5


class TaskFeatures(nn.Module):
    """X_s and X_b at stride 8."""

    def __init__(self, c):
        super().__init__()
        self.region = ConvBN(3 * c, c, 3)
        self.boundary = nn.Sequential(ConvBN(4 * c, c, 3), ConvBN(c, c))

    def forward(self, o2, o3, o4, o5):
        deep = [o3, scale2d(o4, 2), scale2d(o5, 4)]
        return self.region(torch.cat(deep, 1)), self.boundary(torch.cat([F.avg_pool2d(o2, 2), *deep], 1))


def project(assign, state, x):
    """-> Q [S, Kn, N], nodes [S, Kn, d]"""
    q = assign(x).flatten(2).softmax(1)
    phi = state(x).flatten(2)
    return q, (q @ phi.transpose(1, 2)) / (q.sum(2, keepdim=True) + 1e-6)


def adjacency(z, p, q, nodes):
    """Joint row softmax of additive scores over the blocks [[ss, bs], [sb, bb]]; rows receive."""
    receive = (z @ p.T).unflatten(1, (2, nodes))  # [S, graph, Kn, relation]
    source = (z @ q.T).unflatten(1, (2, nodes))
    rows = []
    for to in range(2):
        blocks = []
        for frm in range(2):
            r = 2 * to + frm  # ss, bs, sb, bb
            blocks.append(F.leaky_relu(receive[:, to, :, r, None] + source[:, frm, None, :, r], 0.2))
        rows.append(torch.cat(blocks, 2))
    return torch.cat(rows, 1).softmax(2)


class BGC(nn.Module):
    def __init__(self, c, nodes=NODES, d=WIDTH):
        super().__init__()
        self.nodes = nodes
        self.assign_s, self.assign_b = nn.Conv2d(c, nodes, 1), nn.Conv2d(c, nodes, 1)
        self.state_s, self.state_b = nn.Conv2d(c, d, 1), nn.Conv2d(c, d, 1)
        self.w_s, self.w_b = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
        self.p, self.q = nn.Parameter(torch.zeros(4, d)), nn.Parameter(torch.zeros(4, d))
        self.update_s, self.update_b = nn.Linear(2 * d, d), nn.Linear(2 * d, d)
        self.norm_s, self.norm_b = nn.LayerNorm(d), nn.LayerNorm(d)
        self.back_s, self.back_b = ConvBN(d, c, relu=False), ConvBN(d, c, relu=False)

    def convolve(self, h_s, h_b):
        z = torch.cat([self.w_s(h_s), self.w_b(h_b)], 1)
        message = F.relu(adjacency(z, self.p, self.q, self.nodes) @ z)
        m_s, m_b = message.split(self.nodes, 1)
        return (self.norm_s(h_s + self.update_s(torch.cat([h_s, m_s], 2))),
                self.norm_b(h_b + self.update_b(torch.cat([h_b, m_b], 2))))

    def forward(self, x_s, x_b):
        q_s, h_s = project(self.assign_s, self.state_s, x_s)
        q_b, h_b = project(self.assign_b, self.state_b, x_b)
        h_s, h_b = self.convolve(h_s, h_b)
        size = x_s.shape[2:]
        y_s = self.back_s((h_s.transpose(1, 2) @ q_s).unflatten(2, size))
        y_b = self.back_b((h_b.transpose(1, 2) @ q_b).unflatten(2, size))
        return F.relu(x_b + y_b), F.relu(x_s + y_s)  # J1, J2


class ESG(nn.Module):
    def __init__(self, c, nodes=NODES):
        super().__init__()
        self.mix, self.gate = ConvBN(c, c), ConvBN(c, c)
        self.anchors, self.sigma = nn.Parameter(torch.zeros(nodes, c)), nn.Parameter(torch.zeros(nodes, c))
        self.pair = nn.Linear(2 * c, c, bias=False)
        self.bn = nn.BatchNorm2d(c)

    def graph_nodes(self, x1):
        """Anchored nodes V [S, Kn, C] of x1 [S, C, h, w]."""
        iv = 1 / self.sigma.sigmoid()
        r = (x1.flatten(2).transpose(1, 2)[:, :, None] - self.anchors) * iv  # [S, N, Kn, C]
        q = (-0.5 * r.square().sum(3)).softmax(2)
        v = (q[..., None] * r).sum(1) / (q.sum(1)[..., None] + 1e-9)
        return l2(l2(v, 2).flatten(1), 1).view_as(v)

    def nearest(self, x, v):
        """x [S, N, C] -> [S, N, 5] node indices, nearest first, without gradient."""
        with torch.no_grad():
            distance = (x[:, :, None] - v[:, None]).square().sum(3)
            return distance.sort(dim=2, stable=True).indices[..., :NEIGHBOURS]

    def forward(self, j2, j1, eb, selected=None):
        """selected [S, N, 5] replaces the search; the indices used are kept in self.selected."""
        x = self.mix(j2 + j1)
        v = self.graph_nodes(self.gate(eb.sigmoid() * x))
        rows = x.flatten(2).transpose(1, 2)
        self.selected = self.nearest(rows, v) if selected is None else selected
        slices = torch.arange(len(rows))[:, None, None]
        near = v[slices, self.selected]  # [S, N, 5, C]
        here = rows[:, :, None].expand_as(near)
        pairs = self.pair(torch.cat([near - here, here], 3))
        y = F.relu(self.bn(pairs.permute(0, 3, 1, 2))).amax(3)
        return x + y.view_as(x)
