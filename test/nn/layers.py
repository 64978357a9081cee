#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Goldens of the layers: python test/nn/layers.py (PyTorch 2, CPU), into layers.safetensors.

Each module's state dict is random; outputs, and the gradients of sum(output * direction) by inputs and parameters, are computed in float64.
Maps are stored channels last, parameters as PyTorch has them. NAME/x0 ..., NAME/p.PARAMETER, NAME/y0 ..., NAME/d0 ... (directions),
NAME/gx0 ..., NAME/g.PARAMETER,
NAME/after.BUFFER (running statistics afterwards).
"""
import pathlib
import sys

import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / 'golden/ops'))
from make import write  # noqa: E402

tensors = {}
torch.manual_seed(13)


def last(t):
    return t.movedim(1, -1)


def case(name, module, shapes, call=None, maps=True, integers=(), more=None):
    """`maps`: inputs and outputs are [N, C, ...]. `integers`: the inputs that are indices, and what they count."""
    module = module.double()
    inputs = []
    for i, shape in enumerate(shapes):
        below = dict(integers).get(i)
        inputs.append(torch.randn(shape, dtype=torch.float64).float().double().requires_grad_() if below is None
                      else torch.randint(below, shape))
    with torch.no_grad():
        for key, t in module.state_dict().items():
            if t.is_floating_point():
                t.copy_((torch.rand_like(t) + 0.5 if 'running_var' in key else 0.5 * torch.randn_like(t)).float())
                tensors[f'{name}/p.{key}'] = t.clone()
    order = last if maps else (lambda t: t)
    out = call(module, *inputs) if call else module(*inputs)
    outs = list(out) if isinstance(out, (tuple, list)) else [out]
    loss = 0
    for i, y in enumerate(outs):
        d = torch.randn_like(y).float().double()
        loss = loss + (y * d).sum()
        tensors[f'{name}/y{i}'], tensors[f'{name}/d{i}'] = order(y), order(d)
    floats = [(i, t) for i, t in enumerate(inputs) if t.is_floating_point()]
    params = list(module.named_parameters())
    grads = torch.autograd.grad(loss, [t for _, t in floats] + [p for _, p in params], allow_unused=True)
    for i, t in enumerate(inputs):
        tensors[f'{name}/x{i}'] = order(t) if t.is_floating_point() else t
    for (i, _), g in zip(floats, grads):
        if g is not None:  # a mask
            tensors[f'{name}/gx{i}'] = order(g)
    for (key, _), g in zip(params, grads[len(floats):]):
        tensors[f'{name}/g.{key}'] = g
    for key, t in module.named_buffers():
        if t.is_floating_point():
            tensors[f'{name}/after.{key}'] = t
    for key, t in (more or {}).items():
        tensors[f'{name}/{key}'] = t


case('conv1d', nn.Conv1d(4, 6, 5, stride=2, padding=3, dilation=2, groups=2), [(2, 4, 17)])
case('conv1d same', nn.Conv1d(3, 4, 4, padding='same', bias=False), [(2, 3, 11)])
case('conv2d', nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), [(2, 3, 9, 8)])
case('conv2d same', nn.Conv2d(3, 4, (4, 3), padding='same', dilation=(1, 2)), [(2, 3, 6, 7)])
case('conv3d', nn.Conv3d(2, 3, (1, 3, 2), padding=(0, 1, 1), stride=(1, 2, 1)), [(2, 2, 3, 5, 4)])
case('transposed 1d', nn.ConvTranspose1d(4, 6, 4, stride=3, padding=1, output_padding=2, groups=2), [(2, 4, 7)])
case('transposed 2d', nn.ConvTranspose2d(3, 5, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(2, 1)), [(2, 3, 4, 5)])
case('transposed 3d', nn.ConvTranspose3d(2, 3, (1, 2, 3), stride=(1, 2, 2), bias=False), [(1, 2, 3, 3, 4)])
case('maxpool1d', nn.MaxPool1d(3, 2, padding=1), [(2, 3, 10)])
case('maxpool2d', nn.MaxPool2d((3, 2), stride=2, ceil_mode=True), [(2, 3, 8, 7)])
case('maxpool3d', nn.MaxPool3d(2), [(1, 2, 4, 6, 5)])
case('avgpool1d', nn.AvgPool1d(3, 2, padding=1, count_include_pad=False), [(2, 3, 10)])
case('avgpool2d', nn.AvgPool2d(3, padding=1), [(2, 3, 8, 7)])
case('avgpool3d', nn.AvgPool3d(2), [(1, 2, 4, 6, 5)])
case('adaptive1d', nn.AdaptiveAvgPool1d(4), [(2, 3, 10)])
case('adaptive2d', nn.AdaptiveAvgPool2d((3, 2)), [(2, 3, 8, 7)])
case('adaptive3d', nn.AdaptiveAvgPool3d(2), [(1, 2, 4, 6, 5)])
case('upsample nearest', nn.Upsample(scale_factor=2), [(2, 3, 4, 5)])
case('upsample linear', nn.Upsample(scale_factor=(1.5, 2.5), mode='bilinear'), [(2, 3, 5, 5)])
case('upsample aligned', nn.Upsample(size=(3, 7, 5), mode='trilinear', align_corners=True), [(1, 2, 2, 4, 3)])
for name, module in {
    'ReLU': nn.ReLU(), 'SiLU': nn.SiLU(), 'Sigmoid': nn.Sigmoid(), 'Tanh': nn.Tanh(), 'Softplus': nn.Softplus(), 'Softsign': nn.Softsign(),
    'Hardsigmoid': nn.Hardsigmoid(), 'Hardswish': nn.Hardswish(), 'Mish': nn.Mish(), 'SELU': nn.SELU(),
    'LeakyReLU': nn.LeakyReLU(0.2), 'ELU': nn.ELU(1.5),
    'CELU': nn.CELU(2), 'GELU': nn.GELU(), 'GELU tanh': nn.GELU(approximate='tanh'),
    'Softmax': nn.Softmax(-1), 'LogSoftmax': nn.LogSoftmax(0),
}.items():
    case(name, module, [(4, 6)], maps=False)
case('batch norm', nn.BatchNorm2d(3, eps=0.1, momentum=0.3), [(2, 3, 4, 5)])
case('batch norm in evaluation', nn.BatchNorm1d(3, eps=0.1).eval(), [(4, 3)])
case('embedding', nn.Embedding(7, 5, padding_idx=2), [(3, 4)], maps=False, integers=[(0, 7)])
case('flatten', nn.Flatten(1, 2), [(2, 3, 4, 5)], maps=False)

own = nn.MultiheadAttention(8, 2, batch_first=True)
case('attention', own, [(2, 5, 8)], lambda m, x: m(x, x, x, need_weights=False)[0], maps=False)
case('attention, causal', nn.MultiheadAttention(8, 2, batch_first=True, bias=False), [(2, 5, 8)],
     lambda m, x: m(x, x, x, attn_mask=torch.ones(5, 5).triu(1).bool())[0], maps=False)
padding = torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 1, 0, 0, 0]])
case('attention, keys of their own', nn.MultiheadAttention(8, 2, batch_first=True), [(2, 5, 8), (2, 6, 8), (2, 6, 8), (5, 6)],
     lambda m, q, k, v, b: m(q, k, v, key_padding_mask=padding.double() * -1e30, attn_mask=b.detach())[0],
     maps=False, more={'padding': padding})
case('attention, other widths', nn.MultiheadAttention(8, 4, kdim=6, vdim=3, batch_first=True), [(2, 5, 8), (2, 6, 6), (2, 6, 3)],
     lambda m, q, k, v: m(q, k, v)[0], maps=False)
case('encoder layer', nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True), [(2, 5, 8)], maps=False)
case('encoder layer, norms first',
     nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, activation='gelu', norm_first=True, layer_norm_eps=1e-3, batch_first=True),
     [(2, 5, 8)], lambda m, x: m(x, src_key_padding_mask=torch.tensor([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]).double() * -1e30), maps=False)
case('GRU', nn.GRU(4, 3, batch_first=True), [(2, 6, 4)], maps=False)
case('GRU, two layers both ways', nn.GRU(4, 3, num_layers=2, bidirectional=True, batch_first=True),
     [(2, 5, 4), (4, 2, 3)], maps=False)
case('LSTM', nn.LSTM(4, 3, batch_first=True), [(2, 6, 4)], lambda m, x: (lambda y, s: (y, *s))(*m(x)), maps=False)
case('LSTM, two layers both ways', nn.LSTM(4, 3, num_layers=2, bias=False, bidirectional=True, batch_first=True),
     [(2, 5, 4), (4, 2, 3), (4, 2, 3)],
     lambda m, x, h, c: (lambda y, s: (y, *s))(*m(x, (h, c))), maps=False)

kind = lambda t: 'float32' if t.is_floating_point() else 'int32'
write(HERE / 'layers.safetensors', {key: t.detach().contiguous().numpy().astype(kind(t)) for key, t in tensors.items()})
print(len(tensors), 'tensors,', (HERE / 'layers.safetensors').stat().st_size, 'bytes')
