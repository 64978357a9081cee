// SPDX-License-Identifier: MIT
// Layers against PyTorch's modules: a state dict of theirs loads by name, and outputs, gradients and running statistics are theirs
// (layers.py).
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { parseSafetensors, type HostTensor } from '../../src/files/safetensors.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import * as activations from '../../src/nn/activations.ts';
import { Embedding } from '../../src/nn/embedding.ts';
import { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from '../../src/nn/convolution.ts';
import { BatchNorm } from '../../src/nn/layers.ts';
import type { Module } from '../../src/nn/module.ts';
import * as pooling from '../../src/nn/pooling.ts';
import { GRU, LSTM } from '../../src/nn/recurrent.ts';
import { MultiheadAttention, TransformerEncoderLayer } from '../../src/nn/transformer.ts';
import { add, mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const { tensors } = parseSafetensors(readFileSync(new URL('layers.safetensors', import.meta.url)));
const of = (name: string): Map<string, HostTensor> =>
  new Map([...tensors].flatMap(([key, t]) => (key.startsWith(`${name}/`) ? [[key.slice(name.length + 1), t] as const] : [])));
const upload = ({ shape, data, dtype }: HostTensor, integer: 'u32' | 'i32' = 'u32'): Tensor =>
  tensor(data as Float32Array, { shape, dtype: dtype === 'I32' ? integer : 'f32' });

interface Layer {
  readonly make: () => Module;
  /** Default: forward of the inputs. */
  readonly call?: (net: never, ...inputs: Tensor[]) => Tensor | Tensor[];
}
const plain = (make: () => Module): Layer => ({ make });
const encoded = of('attention, keys of their own').get('padding')!;
const LAYERS: Readonly<Record<string, Layer>> = {
  conv1d: plain(() => new Conv1d(4, 6, 5, { stride: 2, padding: 3, dilation: 2, groups: 2, bias: true })),
  'conv1d same': plain(() => new Conv1d(3, 4, 4, { padding: 'same' })),
  conv2d: plain(() => new Conv2d(3, 5, [3, 2], { stride: [2, 1], padding: [1, 0], dilation: [1, 2], bias: true })),
  'conv2d same': plain(() => new Conv2d(3, 4, [4, 3], { padding: 'same', dilation: [1, 2], bias: true })),
  conv3d: plain(() => new Conv3d(2, 3, [1, 3, 2], { padding: [0, 1, 1], stride: [1, 2, 1], bias: true })),
  'transposed 1d': plain(() => new ConvTranspose1d(4, 6, 4, { stride: 3, padding: 1, outputPadding: 2, groups: 2 })),
  'transposed 2d': plain(() => new ConvTranspose2d(3, 5, [3, 2], { stride: [2, 1], padding: [1, 0], dilation: [2, 1] })),
  'transposed 3d': plain(() => new ConvTranspose3d(2, 3, [1, 2, 3], { stride: [1, 2, 2], bias: false })),
  maxpool1d: plain(() => new pooling.MaxPool1d(3, { stride: 2, padding: 1 })),
  maxpool2d: plain(() => new pooling.MaxPool2d([3, 2], { stride: 2, ceilMode: true })),
  maxpool3d: plain(() => new pooling.MaxPool3d(2)),
  avgpool1d: plain(() => new pooling.AvgPool1d(3, { stride: 2, padding: 1, countIncludePad: false })),
  avgpool2d: plain(() => new pooling.AvgPool2d(3, { padding: 1 })),
  avgpool3d: plain(() => new pooling.AvgPool3d(2)),
  adaptive1d: plain(() => new pooling.AdaptiveAvgPool1d(4)),
  adaptive2d: plain(() => new pooling.AdaptiveAvgPool2d([3, 2])),
  adaptive3d: plain(() => new pooling.AdaptiveAvgPool3d(2)),
  'upsample nearest': plain(() => new pooling.Upsample({ scale: 2 })),
  'upsample linear': plain(() => new pooling.Upsample({ scale: [1.5, 2.5], mode: 'linear' })),
  'upsample aligned': plain(() => new pooling.Upsample({ size: [3, 7, 5], mode: 'linear', alignCorners: true })),
  ...Object.fromEntries(
    (
      ['ReLU', 'SiLU', 'Sigmoid', 'Tanh', 'Softplus', 'Softsign', 'Hardsigmoid', 'Hardswish', 'Mish', 'SELU', 'GELU', 'Softmax'] as const
    ).map((name) => [name, plain(() => new activations[name]())]),
  ),
  LeakyReLU: plain(() => new activations.LeakyReLU(0.2)),
  ELU: plain(() => new activations.ELU(1.5)),
  CELU: plain(() => new activations.CELU(2)),
  'GELU tanh': plain(() => new activations.GELU({ approximate: 'tanh' })),
  LogSoftmax: plain(() => new activations.LogSoftmax(0)),
  'batch norm': plain(() => new BatchNorm(3, { eps: 0.1, momentum: 0.3 })),
  'batch norm in evaluation': plain(() => new BatchNorm(3, { eps: 0.1 }).eval()),
  embedding: plain(() => new Embedding(7, 5, { paddingIndex: 2 })),
  flatten: plain(() => new pooling.Flatten(1, 2)),
  attention: plain(() => new MultiheadAttention(8, 2)),
  'attention, causal': {
    make: () => new MultiheadAttention(8, 2, { bias: false }),
    call: (net: MultiheadAttention, x) => net.forward(x, x, x, { causal: true }),
  },
  'attention, keys of their own': {
    make: () => new MultiheadAttention(8, 2),
    call: (net: MultiheadAttention, q, k, v, mask) => net.forward(q, k, v, { mask: mask, keyPadding: upload(encoded) }),
  },
  'attention, other widths': plain(() => new MultiheadAttention(8, 4, { keyWidth: 6, valueWidth: 3 })),
  'encoder layer': plain(() => new TransformerEncoderLayer(8, 2, { feedForward: 12, dropout: 0 })),
  'encoder layer, norms first': {
    make: () => new TransformerEncoderLayer(8, 2, { feedForward: 12, dropout: 0, activation: 'gelu', normFirst: true, eps: 1e-3 }),
    call: (net: TransformerEncoderLayer, x) =>
      net.forward(x, { keyPadding: tensor([0, 0, 0, 0, 1, 0, 0, 0, 0, 0], { shape: [2, 5], dtype: 'u32' }) }),
  },
  GRU: { make: () => new GRU(4, 3), call: (net: GRU, x) => Object.values(net.forward(x)) },
  'GRU, two layers both ways': {
    make: () => new GRU(4, 3, { layers: 2, bidirectional: true }),
    call: (net: GRU, x, h) => Object.values(net.forward(x, h)),
  },
  LSTM: { make: () => new LSTM(4, 3), call: (net: LSTM, x) => Object.values(net.forward(x)) },
  'LSTM, two layers both ways': {
    make: () => new LSTM(4, 3, { layers: 2, bias: false, bidirectional: true }),
    call: (net: LSTM, x, h, c) => Object.values(net.forward(x, { h, c })),
  },
};

function expectNear(what: string, got: ArrayLike<number>, want: ArrayLike<number>): void {
  expect(got.length, what).toBe(want.length);
  const scale = Math.max(1e-3, ...Array.from(want, Math.abs));
  const worst = Math.max(0, ...Array.from(got, (v, i) => Math.abs(v - want[i])));
  expect(worst / scale, what).toBeLessThan(5e-6);
}

it('has a row for every golden', () =>
  expect([...new Set([...tensors.keys()].map((k) => k.split('/')[0]))].sort()).toEqual(Object.keys(LAYERS).sort()));

it.each(Object.keys(LAYERS))('%s is as in PyTorch', async (name) => {
  const golden = of(name);
  const { make, call } = LAYERS[name];
  const part = (prefix: string): [string, HostTensor][] =>
    [...golden].flatMap(([key, t]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), t] as [string, HostTensor]] : []));
  const fresh = (): Module => {
    const net = make();
    net.loadStateDict(new Map(part('p.').map(([key, { shape, data }]) => [key, { shape, data: data as Float32Array }])));
    return net;
  };
  const inputs = [0, 1, 2, 3].flatMap((i) => golden.get(`x${i}`) ?? []).map((t) => upload(t));
  const run = (net: Module): Record<string, Tensor> => {
    const made = call ? call(net as never, ...inputs) : (net as unknown as { forward(...x: Tensor[]): Tensor }).forward(...inputs);
    const outs = [made].flat();
    const loss = outs.map((y, i) => sum(mul(y, upload(golden.get(`d${i}`)!)))).reduce(add);
    const floats = inputs.filter((x) => x.dtype === 'f32');
    const grads = backward(loss, [...floats, ...net.parameters()]);
    return Object.fromEntries([
      ...outs.map((y, i) => [`y${i}`, y]),
      ...inputs.flatMap((x, i) => (grads.get(x) ? [[`gx${i}`, grads.get(x)!]] : [])),
      ...[...net.namedParameters()].flatMap(([key, p]) => (grads.get(p) ? [[`g.${key}`, grads.get(p)!]] : [])),
    ]) as Record<string, Tensor>;
  };
  for (const how of ['eager', 'replayed'] as const) {
    const net = fresh();
    const params = new Map(net.namedParameters());
    const out = how === 'eager' ? evaluate(() => run(net)) : (await compile(() => run(net), {})).run();
    for (const [key, t] of Object.entries(out)) {
      const values = (await t.data()) as Float32Array;
      if (!golden.has(key)) continue; // of a mask
      const p = params.get(key.slice(2));
      if (key[0] === 'y') expect(t.shape, key).toEqual(golden.get(key)!.shape);
      expectNear(`${how} ${key}`, key.startsWith('g.') ? p!.toTorch(values) : values, golden.get(key)!.data as Float32Array);
    }
    for (const key of golden.keys()) if (/^g(x|\.)/.test(key)) expect(Object.keys(out), key).toContain(key);
    for (const [key, t] of part('after.')) expectNear(`${how} ${key}`, await params.get(key)!.torchValues(), t.data as Float32Array);
  }
});
