# SPDX-License-Identifier: MIT
"""What the expressions of test/cases may use besides torch and F."""
import numpy as np
import torch
import torch.nn.functional as F  # noqa: F401


def first(x):
    """Channels last to PyTorch's channels first."""
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def half(x):
    """Rounded to f16; the gradient passes."""
    return x + (x.half().double() - x).detach()


def held(x):
    return x.detach()


def first_max(x, dim):
    """argmax that names the first of equal elements, which torch does not promise."""
    return torch.from_numpy(np.argmax(x.detach().numpy(), axis=dim))


def first_min(x, dim):
    return torch.from_numpy(np.argmin(x.detach().numpy(), axis=dim))


def frequency_statistics(x, patterns):
    """Mean, maximum and minimum over places of a map's products with patterns, averaged over patterns (specification 4.2b)."""
    products = x[:, None] * patterns[None, :, :, None]
    return torch.stack([products.mean(2).mean(1), products.max(2).values.mean(1), products.min(2).values.mean(1)], 1)


def interpolate(x, size, **options):
    """F.interpolate of [1, C, ...] in which elements of weight 0 take no part, be they infinite."""
    n = x[0, 0].numel()
    weight = F.interpolate(torch.eye(n, dtype=torch.float64).reshape(n, 1, *x.shape[2:]), size, **options).flatten(1).to(x.dtype)
    y = torch.where(weight != 0, x.flatten(2).unsqueeze(-1) * weight, 0).sum(2)
    return y.reshape(1, x.shape[1], *size)


def first_topk(x, k, dim, largest=True):
    """topk that orders equal elements by index, which torch does not promise."""
    values, index = x.sort(stable=True, dim=dim, descending=largest)
    return values.narrow(dim, 0, k), index.narrow(dim, 0, k)


def global_response_norm(x, gamma, beta, eps):
    """ConvNeXt V2's, channels last: a channel's norm over positions by the mean of these norms."""
    norms = torch.linalg.vector_norm(x, dim=tuple(range(1, x.dim() - 1)), keepdim=True)
    return gamma * (x * (norms / (norms.mean(-1, keepdim=True) + eps))) + beta + x


def unit(x):
    """Rows divided by their norms; rows of zeros stay zero and pass no gradient (specification E.9)."""
    power = (x * x).sum(-1, keepdim=True)
    real = power > 0
    return x * torch.where(real, torch.where(real, power, 1).rsqrt(), 0)


def batch_norm(x, gamma, beta, mean, var, training, momentum, eps, add=None, relu=False, parts=1):
    """Parts of the batch one after another. With the running values after the call, in training."""
    mean, var = mean.detach().clone(), var.detach().clone()
    y = torch.cat([last(F.batch_norm(first(part), mean, var, gamma, beta, training, momentum, eps)) for part in x.chunk(parts)])
    y = y if add is None else y + add
    y = y.relu() if relu else y
    return (y, mean, var) if training else y


def attention(q, k, v, heads=1, scale=None, bias=None, tau=None, cosine=False, causal=False):
    """Scores scaled by the head's tau, then the bias is added; heads from channels where there are three axes."""
    flat = q.dim() == 3
    if flat:
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    scale = scale or (1 if cosine else q.shape[-1] ** -0.5)
    scores = (unit(q) @ unit(k).mT if cosine else q @ k.mT) * scale
    scores = scores if tau is None else scores * tau[:, None, None]
    scores = scores if bias is None else scores + bias
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
    y = scores.softmax(-1) @ v
    return y.transpose(1, 2).flatten(2) if flat else y


def relative_attention(qkv, d, h, w, heads, scale=None):
    grid = qkv.shape[1:4]
    q, k, v = qkv.flatten(1, 3).chunk(3, -1)
    q_heads = q.unflatten(-1, (heads, -1)).transpose(1, 2)
    places = torch.cartesian_prod(*(torch.arange(n) for n in grid))
    bias = 0
    for axis, table in enumerate((d, h, w)):
        at = places[:, axis]
        rows = table[at[:, None] - at[None, :] + grid[axis] - 1]  # [T, T, d]
        bias = bias + torch.einsum('bhtd,tud->bhtu', q_heads, rows)
    return attention(q, k, v, heads, scale, bias).unflatten(1, grid)


def window_attention(qkv, table, heads, window, shift, reach=None):
    """Swin's, token by token: which window and region of the rolled map each token is in says which pairs see each other, and at
    what score."""
    sides, axes, reach = qkv.shape[1:-1], tuple(range(1, qkv.dim() - 1)), reach or window
    rolled = qkv.roll(tuple(-s for s in shift), axes)
    places = torch.cartesian_prod(*(torch.arange(n) for n in sides)).reshape(-1, len(sides))  # [T, axes]
    cell = places // torch.tensor(window)
    region = torch.stack([torch.where(p >= n - s, 2, torch.where(p >= n - w, 1, 0)) if s else 0 * p
                          for p, n, w, s in zip(places.T, sides, window, shift)], -1)
    together = (cell[:, None] == cell[None, :]).all(-1)
    beside = (region[:, None] == region[None, :]).all(-1)
    offset = places[:, None] - places[None, :] + torch.tensor(reach) - 1
    row = 0
    for axis, r in enumerate(reach):
        row = row * (2 * r - 1) + offset[..., axis].clamp(0, 2 * r - 2)
    bias = table[row].movedim(-1, 0) + torch.where(beside, 0.0, -100.0)
    y = attention(*rolled.flatten(1, -2).chunk(3, -1), heads=heads, bias=bias.masked_fill(~together, -torch.inf))
    return y.unflatten(1, sides).roll(shift, axes)


def windows(x, window, stride, pad):
    """[N, H, W, C] with zeros before it, as windows [N, Y, X, KH, KW, C]."""
    padded = F.pad(x, (0, 0, pad[1], 0, pad[0], 0))
    return padded.unfold(1, window[0], stride[0]).unfold(2, window[1], stride[1]).permute(0, 1, 2, 4, 5, 3)


def overlap_add(w, size, stride, pad):
    n, yn, xn, kh, kw, c = w.shape
    map_ = w.new_zeros(n, size[0] + pad[0] + kh, size[1] + pad[1] + kw, c)
    for y in range(yn):
        for x in range(xn):
            map_[:, y * stride[0]:y * stride[0] + kh, x * stride[1]:x * stride[1] + kw] += w[:, y, x]
    return map_[:, pad[0]:pad[0] + size[0], pad[1]:pad[1] + size[1]]


def bilateral(z, p, q, first_graph, slope):
    """Attention coefficients of SA-Net eq. 2: one pair of vectors for each relation, rows normalised over all sources."""
    graph = (torch.arange(z.shape[1]) >= first_graph).long()
    relation = 2 * graph[:, None] + graph[None, :]  # receiver, source
    left = torch.einsum('snd,rd->snr', z, p)
    right = torch.einsum('snd,rd->snr', z, q)
    n = z.shape[1]
    i, j = torch.meshgrid(torch.arange(n), torch.arange(n), indexing='ij')
    e = F.leaky_relu(left[:, i, relation] + right[:, j, relation], slope)
    return e.softmax(-1)


def optimise(name, p, g, m, v, t, **options):
    """Parameters and moments after update number t of torch.optim's class."""
    p = torch.nn.Parameter(p.clone())
    p.grad = g.clone()
    opt = getattr(torch.optim, name)([p], **options)
    if name == 'SGD':
        opt.state[p] = {'momentum_buffer': m.clone()}
        opt.step()
        return p.detach(), opt.state[p]['momentum_buffer']
    if name == 'RMSprop':
        opt.state[p] = {'step': torch.tensor(float(t - 1)), 'square_avg': v.clone(), 'momentum_buffer': m.clone()}
        opt.step()
        return p.detach(), opt.state[p]['momentum_buffer'], opt.state[p]['square_avg']
    opt.state[p] = {'step': torch.tensor(float(t - 1)), 'exp_avg': m.clone(), 'exp_avg_sq': v.clone()}
    opt.step()
    return p.detach(), opt.state[p]['exp_avg'], opt.state[p]['exp_avg_sq']


def lion(p, g, m, lr, beta1, beta2, decay):
    """Algorithm 2 of Chen et al. 2023."""
    return p * (1 - lr * decay) - lr * (beta1 * m + (1 - beta1) * g).sign(), beta2 * m + (1 - beta2) * g


def clip_factor(ranges, bound):
    total = torch.cat([r.reshape(-1) for r in ranges]).norm()
    factor = torch.ones_like(total) if bound is None else (bound / (total + 1e-6)).clamp(max=1)
    return torch.stack([factor, total])


def loss_scale(scaled, rate, state, bound, growth):
    """[clip, hyper, state] after an iteration whose scaled gradients have this norm; beta 0.9 and 0.999."""
    scale, good, power1, power2 = state.tolist()
    norm = scaled[1].item()
    if np.isfinite(norm):
        clip = [min(1, bound / (norm / scale + 1e-6)) / scale, norm / scale]
        grows = good + 1 >= growth
        scale, good, power1, power2 = min(2 * scale, 2 ** 24) if grows else scale, 0 if grows else good + 1, power1 * 0.9, power2 * 0.999
    else:
        clip, scale, good = [-1, 0], scale / 2, 0
    return [torch.tensor(v, dtype=torch.float64) for v in (clip, [rate[0].item(), 1 - power1, 1 - power2], [scale, good, power1, power2])]


def saturated(x, low, high):
    """Truncated to an integer as Rust and WebAssembly do: the nearest one in range, 0 for NaN. C, and so PyTorch, leaves both undefined."""
    return x.double().nan_to_num(0.0, high, low).trunc().clamp(low, high).long()
