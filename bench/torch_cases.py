# SPDX-License-Identifier: MIT
"""The cases of cases.mjs in PyTorch. A line {case, pass, device, dtype, tf32} on stdin is answered by a line {case, pass, ms, torch}, or by
{case, pass, problem}.

Channels first, as PyTorch users write it. Median of at
least seven samples of at least 20 ms, after warm-up; forward and gradients together for `backward`, like the other engines.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

DEVICE = DTYPE = None  # as the request at hand has them
torch.backends.cudnn.benchmark = True


def wait():
    if DEVICE.type == 'cuda':
        torch.cuda.synchronize()


def first(shape):
    """[N, ..., C] -> [N, C, ...]"""
    return [shape[0], shape[-1], *shape[1:-1]]


def operation(c):
    kind = c['kind']
    if kind == 'matmul':
        return torch.matmul
    if kind == 'conv':
        conv = F.conv3d if c['rank'] == 3 else F.conv2d
        return lambda x, w: conv(x, w, stride=c['stride'], padding=c['padding'], groups=c['groups'])
    if kind == 'attention':
        return F.scaled_dot_product_attention
    if kind == 'softmax':
        return lambda x: F.softmax(x, -1)
    if kind == 'layernorm':
        return lambda x, gamma, beta: F.layer_norm(x, x.shape[-1:], gamma, beta)
    if kind == 'groupnorm':
        return lambda x, gamma, beta: F.group_norm(x, c['groups'], gamma, beta)
    if kind == 'batchnorm':
        return lambda x, gamma, beta: F.batch_norm(x, None, None, gamma, beta, training=True)
    if kind == 'maxpool':
        return lambda x: F.max_pool2d(x, c['kernel'], c['stride'], c['padding'])
    if kind == 'avgpool':
        return lambda x: F.avg_pool2d(x, c['kernel'], c['stride'], c['padding'])
    if kind == 'resize':
        return lambda x: F.interpolate(x, c['y'][1:3], mode='bilinear', align_corners=False)
    if kind == 'windows':  # [N, C, Y, X, KH, KW]
        return lambda x: x.unfold(2, c['kernel'], c['stride']).unfold(3, c['kernel'], c['stride']).contiguous()
    if kind == 'permute':
        return lambda x: x.permute(c['order']).contiguous()
    if kind == 'add':
        return torch.add
    return lambda x, z, v: F.relu(x * z + v) * 0.5 + x


def prepare(c, backward):
    spatial = c['kind'] in ('conv', 'groupnorm', 'batchnorm', 'maxpool', 'avgpool', 'resize', 'windows')
    make = lambda shape: torch.randn(first(shape) if spatial and len(shape) > 2 else shape, device=DEVICE, dtype=DTYPE)
    inputs = {name: make(spec['shape']) for name, spec in c['inputs'].items()}
    g = inputs.pop('g', None)
    f = operation(c)
    if not backward:
        def forward():
            with torch.no_grad():
                f(*inputs.values())
        return forward
    for t in inputs.values():
        t.requires_grad_(True)
    return lambda: torch.autograd.grad(f(*inputs.values()), list(inputs.values()), g)


def training_step():
    layers = [(3, 32, 1, None), (32, 32, 1, None), (32, 32, 1, 0), (32, 64, 2, None), (64, 64, 1, None), (64, 64, 1, 3)]

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = torch.nn.ModuleList(torch.nn.Conv2d(a, b, 3, s, 1, bias=False) for a, b, s, _ in layers)
            self.norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(b) for _, b, _, _ in layers)
            self.fc = torch.nn.Linear(64, 10)

        def forward(self, x):
            outs = []
            for (_, _, _, add), conv, norm in zip(layers, self.convs, self.norms):
                x = norm(conv(x))
                x = F.relu(x if add is None else x + outs[add])
                outs.append(x)
            return self.fc(x.mean((2, 3)))

    net = Net().to(DEVICE)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    x = torch.randn(8, 3, 64, 64, device=DEVICE)
    y = torch.arange(8, device=DEVICE) % 10

    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE.type, dtype=torch.float16, enabled=DTYPE == torch.float16):
            loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimiser.step()
    return step


def measure(f):
    for _ in range(3):
        f()
    wait()
    start = time.perf_counter()
    f()
    wait()
    repeat = max(1, min(1000, int(0.02 / max(1e-7, time.perf_counter() - start)) + 1))
    samples = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(repeat):
            f()
        wait()
        samples.append((time.perf_counter() - start) / repeat * 1e3)
    return statistics.median(samples)


for line in sys.stdin:
    request = json.loads(line)
    case, name = request['case'], request['pass']
    answer = {'case': case['name'], 'pass': name}
    try:
        DEVICE = torch.device(request.get('device', 'cpu'))
        DTYPE = {'f32': torch.float32, 'f16': torch.float16}[request.get('dtype', 'f32')]
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = bool(request.get('tf32'))
        run = training_step() if case['kind'] == 'step' else prepare(case, name == 'backward')
        answer |= {'ms': measure(run), 'torch': torch.__version__}
    except Exception as e:  # of this case alone
        answer['problem'] = (str(e) or type(e).__name__).splitlines()[0]
    print(json.dumps(answer), flush=True)
