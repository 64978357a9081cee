"""Checks of the oracle itself: section E items 2-6 and 8-11, adjoints, gradchecks."""
import itertools

import torch
import torch.nn.functional as F

import cross
import losses
from bgc import BGC, ESG, adjacency
from blocks import l2, resize2d, resize3d
from msa import CCA, CSA, MFCA, MR, RATIOS, channel_group, channel_ungroup, dct_table, space_group, space_ungroup
from philox import philox4x32
from rm import BAA
from sam_med3d import Attention, TokenAttention, TwoWayLayer, windowed
from weights import drawn, fill

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


def close(a, b, tol=1e-12):
    assert torch.allclose(torch.as_tensor(a), torch.as_tensor(b), rtol=tol, atol=tol), (a, b)


def adjoint(f, x_shape, g=None):
    """<f x, y> = <x, f* y>, f* from autograd or given."""
    x = torch.randn(x_shape, requires_grad=True)
    fx = f(x)
    y = torch.randn_like(fx)
    back = torch.autograd.grad(fx, x, y)[0] if g is None else g(y)
    close((fx * y).sum(), (x * back).sum(), 1e-10)


def philox_vectors():
    zero = [0] * 4
    assert [int(v) for v in philox4x32(zero, (0, 0))] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = [0xFFFFFFFF] * 4
    assert [int(v) for v in philox4x32(ones, (0xFFFFFFFF, 0xFFFFFFFF))] == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
    assert [int(v) for v in philox4x32(pi, (0xA4093822, 0x299F31D0))] == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


def grouping():  # E.2, E.3
    for (hm, wm), r in itertools.product([(2, 3), (1, 2), (5, 5)], RATIOS):
        shape = (2, 8, hm * r, wm * r)
        unshuffled = (2, 8 * r * r, hm, wm)
        adjoint(lambda x: channel_group(x, r), unshuffled, lambda t: channel_ungroup(t, r, hm, wm))
        adjoint(lambda x: space_group(x, r), shape, lambda t: space_ungroup(t, r, hm, wm))
        adjoint(lambda x: F.pixel_unshuffle(x, r), shape, lambda y: F.pixel_shuffle(y, r))
        t = channel_group(torch.ones(unshuffled), r)
        assert t.shape == (2, 8, r * r + (r > 1), hm * wm)
        twice = channel_ungroup(t, r, hm, wm)[0, :, 0, 0].view(8, r * r)
        want = torch.ones(8, r * r)
        if r > 1:
            want[:-1, -1] = 2
        close(twice, want)
        t = space_group(torch.ones(shape), r)
        assert t.shape == (2, hm * wm, (r + (r > 1)) ** 2, 8)
        row = torch.ones(hm * r)
        col = torch.ones(wm * r)
        if r > 1:
            row[r - 1:-1:r], col[r - 1:-1:r] = 2, 2
        close(space_ungroup(t, r, hm, wm)[0, 0], torch.outer(row, col))


def resampling_adjoints():  # E.3, linearity is what autograd's adjoint needs
    for f, shape in [(lambda x: resize2d(x, (12, 20)), (2, 3, 5, 4)), (lambda x: resize2d(x, (3, 2)), (1, 2, 7, 5)),
                     (lambda x: resize3d(x, (8, 6, 7)), (1, 2, 3, 4, 5)), (lambda x: F.adaptive_avg_pool2d(x, 7), (2, 3, 5, 9)),
                     (lambda x: cross.put(x, "coronal", torch.tensor([4, 1]), (3, 6, 5)), (2, 2, 3, 5))]:
        adjoint(f, shape)
    v = torch.randn(2, 3, 6, 5)
    for plane, n in (("transverse", 3), ("coronal", 6)):
        close(cross.put(cross.take(v, plane, torch.arange(n)), plane, torch.arange(n), (3, 6, 5)), v)


def mfca_constant():  # E.4
    t = (torch.full((7, 7), 3.0) * dct_table()).flatten(1).mean(1)
    close(t[0], torch.tensor(3.0 / 7))
    close(t[1:], torch.zeros(15))
    m = MFCA(32)
    x = torch.randn(1, 32, 3, 5)
    stats = m.statistics(x)
    for c in range(32):  # direct loops over frequency and cell
        tm = []
        for d in dct_table():
            cells = []
            for p, q in itertools.product(range(7), range(7)):
                win = x[0, c, p * 3 // 7:-(-(p + 1) * 3 // 7), q * 5 // 7:-(-(q + 1) * 5 // 7)]
                cells.append(win.mean() * d[p, q])
            tm.append(torch.stack(cells))
        tm = torch.stack(tm)
        close(torch.stack([s[0, c] for s in stats]), torch.stack([tm.mean(1).mean(), tm.amax(1).mean(), tm.amin(1).mean()]))


def esg_split():  # E.5
    esg = ESG(8)
    fill(esg, 1)
    rows, v = torch.randn(2, 12, 8), torch.randn(2, 32, 8)
    idx = esg.nearest(rows, v)
    direct = torch.stack([torch.stack([torch.stack([esg.pair(torch.cat([v[s, k] - rows[s, n], rows[s, n]])) for k in idx[s, n]])
                                       for n in range(12)]) for s in range(2)])
    w1, w2 = esg.pair.weight.split(8, 1)
    split = (v @ w1.T)[torch.arange(2)[:, None, None], idx] + (rows @ (w2 - w1).T)[:, :, None]
    close(direct, split)
    x1 = torch.randn(2, 8, 3, 4)
    iv = 1 / esg.sigma.sigmoid()
    x = x1.flatten(2).transpose(1, 2)
    square = x.square() @ iv.square().T - 2 * x @ (esg.anchors * iv.square()).T + (esg.anchors * iv).square().sum(1)
    r = (x[:, :, None] - esg.anchors) * iv
    close(square, r.square().sum(3), 1e-10)
    nodes = esg.graph_nodes(x1)
    close(nodes.flatten(1).norm(dim=1), torch.ones(2))
    close(nodes.norm(dim=2), torch.full((2, 32), 32 ** -0.5))


def bgc_permutation():  # E.6
    bgc = BGC(8, 6, 16)
    fill(bgc, 2)
    z = torch.randn(2, 12, 16)
    a = adjacency(z, bgc.p, bgc.q, 6)
    close(a.sum(2), torch.ones(2, 12))
    e = lambda r, i, j: F.leaky_relu(bgc.p[r] @ z[0, i] + bgc.q[r] @ z[0, j], 0.2)
    row = lambda i: torch.stack([e((0 if j < 6 else 1) + (0 if i < 6 else 2), i, j) for j in range(12)]).softmax(0)
    close(a[0, 2], row(2))
    close(a[0, 9], row(9))
    x_s, x_b = torch.randn(2, 8, 3, 4), torch.randn(2, 8, 3, 4)
    before = bgc(x_s, x_b)
    perm = torch.randperm(6)
    with torch.no_grad():
        bgc.assign_s.weight.copy_(bgc.assign_s.weight[perm].clone())
        bgc.assign_s.bias.copy_(bgc.assign_s.bias[perm].clone())
    for x, y in zip(before, bgc(x_s, x_b)):
        close(x, y, 1e-10)


def level_bias():  # E.8, and the direct formula of B
    for m in (CCA(32), CSA(32)):
        fill(m, 3)
        maps = [torch.randn(1, 32, 2 * r, 3 * r) for r in RATIOS]
        out = m(maps)
        bias = m.position_bias().detach()
        with torch.no_grad():
            m.level_bias[1] += 1.0
        changed = m(maps)
        assert max((a - b).abs().max() for a, b in zip(out, changed)) > 1e-3
        scores = torch.randn(1, 4, 2, sum(m.tokens), sum(m.tokens))
        on_queries = torch.randn(4, sum(m.tokens), 1)
        close((scores + on_queries[None, :, None]).softmax(-1), scores.softmax(-1))
        side = 65 if isinstance(m, CCA) else 9
        starts = [0, *torch.tensor(m.tokens).cumsum(0).tolist()]
        for t, u in torch.randint(0, sum(m.tokens), (50, 2)).tolist():
            deltas = []
            lt, lu = (max(i for i in range(4) if starts[i] <= k) for k in (t, u))
            pos = []
            for k, lv in ((t, lt), (u, lu)):
                w, p = m.windows[lv], k - starts[lv]
                axes = [p] if isinstance(m, CCA) else [p // w, p % w]
                pos.append([(a - w // 2) * (side / w if w > 1 else 1) for a in axes])
            deltas = [a - b + side - 1 for a, b in zip(*pos)]
            size, value = 2 * side - 1, 0.0
            for corner in itertools.product((0, 1), repeat=len(deltas)):
                row, weight = 0, 1.0
                for d, c in zip(deltas, corner):
                    low = int(d // 1)
                    row, weight = row * size + min(low + c, size - 1), weight * ((d - low) if c else 1 - (d - low))
                value = value + weight * m.table[row]
            m_bias = m.level_bias[lu].clone()
            m_bias -= 1.0 if lu == 1 else 0.0
            close(bias[:, t, u], value + m_bias, 1e-10)


def l2_zero():  # E.9
    x = torch.zeros(3, 5, requires_grad=True)
    y = l2(x, 1)
    y.backward(torch.randn(3, 5))
    close(y.detach(), torch.zeros(3, 5))
    close(x.grad, torch.zeros(3, 5))
    v = torch.randn(3, 5)
    close(l2(v, 1), F.normalize(v, dim=1))


def truth_table():  # E.10
    one = torch.ones(())
    prob = lambda label, c: torch.stack([1 - torch.tensor(c), torch.tensor(c)] if label else [torch.tensor(c), 1 - torch.tensor(c)])
    for w, y3, yt, yc, c3, ct, cc in itertools.product((0, 1), (0, 1), (0, 1), (0, 1), (.6, .8, .95), (.65, .85), (.7, .9)):
        p3, pt, pc = prob(y3, c3), prob(yt, ct), prob(yc, cc)
        w2 = cross.weight_n3(one * w, one, .5, p3, pt, pc).item()
        w3 = cross.weight_n2(one * w, .5, p3, .9).item()
        if w:
            want2 = want3 = 1.0
        else:
            agree = yt == yc
            want2 = .5 if agree and not (yt != y3 and c3 > max(ct, cc)) else 0.0
            want3 = .5 if c3 > .9 else 0.0
        assert (w2, w3) == (want2, want3)


def mix_reductions():  # E.11
    shape = (4, 6, 8)
    g, pseudo = torch.randint(0, 2, shape), torch.randint(0, 2, shape)
    p = [torch.rand(2, *shape).softmax(0) for _ in range(3)]
    z = torch.randn(1, 2, *shape)
    full = torch.ones(shape)
    w2 = cross.weight_n3(full, torch.zeros(shape), .5, *p)
    close(losses.seg_loss(z, cross.mix(full, g, pseudo)[None], w2[None]), losses.seg_loss(z, g[None], full[None]))
    some = (torch.rand(shape) > .5).double()
    for w in (cross.weight_n3(some, full, 0.0, *p), cross.weight_n2(some, 0.0, p[0], .9)):
        close(losses.seg_loss(z, cross.mix(some, g, pseudo)[None], w[None]), losses.seg_loss(z, g[None], some[None]))


def partial_labels():
    z, y, w = torch.randn(2, 5, 6, 7), torch.randint(0, 5, (2, 6, 7)), torch.rand(2, 6, 7)
    p = z.softmax(1)
    merged = torch.stack([p[:, 0] + p[:, 2] + p[:, 4], p[:, 1], p[:, 3]], 1)
    y3 = torch.tensor([0, 1, 0, 2, 0])[y]
    close(losses.seg_loss(z, y, w, [2, 4]), losses.seg_loss(merged.log(), y3, w))


def boundaries():
    y = torch.zeros(1, 9, 9, dtype=torch.long)
    y[0, 3:6, 3:6] = 1
    b, v = losses.boundary_target(y, torch.ones(1, 9, 9), 2)
    want = torch.zeros(9, 9)
    want[2:7, 2:7] = 1
    want[4, 4] = 0
    close(b[0], want)
    assert v.sum() == 49 and v[0, 1:8, 1:8].sum() == 49
    w = torch.ones(1, 9, 9)
    w[0, 4] = 0
    _, v = losses.boundary_target(y, w, 2)
    assert v[0, 3:6].sum() == 0 and v.sum() == 28


def sam_attention():  # direct double loop, and padding keeps the tokens' order
    att = Attention(12, 2, 2)
    fill(att, 4)
    x = torch.randn(1, 2, 2, 2, 12)
    q, k, v = (t.view(8, 2, 6) for t in att.qkv(x.view(8, 12)).split(12, 1))
    at = [(i // 4, i // 2 % 2, i % 2) for i in range(8)]
    out = torch.zeros(8, 2, 6)
    for h, t in itertools.product(range(2), range(8)):
        s = torch.stack([q[t, h] @ k[u, h] / 6 ** .5 + sum(q[t, h] @ tab[at[t][a] - at[u][a] + 1]
                         for a, tab in enumerate((att.rel_pos_d, att.rel_pos_h, att.rel_pos_w))) for u in range(8)])
        out[t, h] = s.softmax(0) @ v[:, h]
    close(att(x).view(8, 12), att.proj(out.view(8, 12)), 1e-10)
    y = torch.randn(1, 3, 4, 5, 12)
    close(windowed(lambda t: t, y, 2), y)


def gradchecks():
    def check(module, *shapes, seed=5, call=None):
        fill(module, seed)
        inputs = [torch.randn(s, requires_grad=True) for s in shapes]
        assert torch.autograd.gradcheck(call or module, inputs, atol=1e-5, rtol=1e-4, fast_mode=True)

    check(MFCA(16), (2, 16, 3, 5))
    baa = BAA(6, 8)
    check(baa, (2, 6, 2, 3), (2, 1, 4, 6), (2, 1, 4, 6), call=lambda e, b, l: baa(e, b.sigmoid(), l.sigmoid()))
    check(BGC(8, 6, 16), (2, 8, 2, 3), (2, 8, 2, 3))
    check(MR(8), (2, 8, 4, 6))
    for m in (CCA(16), CSA(16)):
        check(m, *((1, 16, r, 2 * r) for r in RATIOS), call=lambda *maps, m=m: tuple(m(maps)))
    check(Attention(12, 2, 3), (1, 2, 3, 2, 12))
    check(TwoWayLayer(False, 16, 2, 12), (1, 3, 16), (1, 5, 16), (1, 3, 16), (1, 5, 16))
    check(TokenAttention(16, 2, 8), (1, 3, 16), (1, 5, 16), (1, 5, 16))
    esg = ESG(8)
    check(esg, (2, 8, 2, 3), (2, 8, 2, 3), (2, 1, 2, 3))
    y, w = torch.randint(0, 3, (2, 4, 5)), torch.rand(2, 4, 5)
    assert torch.autograd.gradcheck(lambda z: losses.seg_loss(z, y, w, [2]), torch.randn(2, 3, 4, 5, requires_grad=True))
    b = (torch.rand(2, 4, 5) > .6).double()
    assert torch.autograd.gradcheck(lambda z: losses.boundary_loss(z, b, w), torch.randn(2, 4, 5, requires_grad=True))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for check in (philox_vectors, grouping, resampling_adjoints, mfca_constant, esg_split, bgc_permutation, level_bias, l2_zero,
                  truth_table, mix_reductions, partial_labels, boundaries, sam_attention, gradchecks):
        check()
        print("ok", check.__name__)
