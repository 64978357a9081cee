// SPDX-License-Identifier: MIT
// Layers with something of their own beyond the op that they call.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { evaluate } from '../../src/engine/program.ts';
import { full, tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { PReLU, StarReLU } from '../../src/nn/activations.ts';
import { DropPath, useRandom } from '../../src/nn/dropout.ts';
import { Embedding } from '../../src/nn/embedding.ts';
import { Conv1d, Conv2d, Conv3d } from '../../src/nn/convolution.ts';
import { LayerNorm } from '../../src/nn/layers.ts';
import { Flatten, MaxPool2d, Upsample } from '../../src/nn/pooling.ts';
import { GRU, LSTM } from '../../src/nn/recurrent.ts';
import { MultiheadAttention } from '../../src/nn/transformer.ts';
import { GlobalResponseNorm } from '../../src/nn/norms.ts';
import { RandomSource } from '../../src/ops/random.ts';
import { sum } from '../../src/ops/reduce.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data());

it('StarReLU is scale relu(x)^2 + bias, and learns both', async () => {
  const net = new StarReLU({ scale: 2, bias: 0.5 }).initialise(1);
  const out = evaluate(() => {
    const y = net.forward(tensor([-1, 0, 1, 3], { shape: [2, 2] }));
    const grads = backward(sum(y), net.parameters());
    return { y, scale: grads.get(net.scale)!, bias: grads.get(net.bias)! };
  });
  expect(await values(out.y)).toEqual([0.5, 0.5, 2.5, 18.5]);
  expect([await values(out.scale), await values(out.bias)]).toEqual([[10], [4]]);
});

it('PReLU has a slope for every channel, or one for all', async () => {
  const x = tensor([-1, -2, 3, -4], { shape: [2, 2] });
  expect(await values(new PReLU(2).initialise(1).forward(x))).toEqual([-0.25, -0.5, 3, -1]);
  const one = new PReLU().initialise(1);
  expect([one.countParameters(), await values(one.forward(x))]).toEqual([1, [-0.25, -0.5, 3, -1]]);
});

it('layers have the parameters that they are asked for', () => {
  const names = (net: LayerNorm | GlobalResponseNorm): string[] => [...net.namedParameters()].map(([name]) => name);
  expect(names(new LayerNorm(3))).toEqual(['weight', 'bias']);
  expect(names(new LayerNorm(3, 1e-6, { bias: false }))).toEqual(['weight']);
  expect(names(new LayerNorm(3, 1e-6, { affine: false }))).toEqual([]);
  expect(names(new GlobalResponseNorm(3))).toEqual(['gamma', 'beta']);
});

describe('DropPath', () => {
  it('drops whole samples and scales the others', async () => {
    const layer = new DropPath(0.5);
    let step = 0;
    useRandom(layer, new RandomSource({ seed: 1, stream: 1, step: () => step }));
    const kept = new Set<string>();
    for (; step < 20; step++) {
      const y = await values(layer.forward(full([2, 3, 2], 1)));
      for (const sample of [y.slice(0, 6), y.slice(6)]) expect(new Set(sample).size).toBe(1);
      kept.add(`${y[0]} ${y[6]}`);
    }
    expect([...kept].sort()).toEqual(['0 0', '0 2', '2 0', '2 2']);
  });
  it('is nothing in evaluation', () => {
    const x = full([2, 3], 1);
    expect(new DropPath(0.5).eval().forward(x)).toBe(x);
  });
});

describe('layers that PyTorch has too', () => {
  it('attention with dropout is attention, where nothing falls', async () => {
    const net = new MultiheadAttention(8, 2, { dropout: 1e-9 }).initialise(1);
    useRandom(net, new RandomSource({ seed: 1, stream: 1, step: () => 0 }));
    const x = tensor(
      Float32Array.from({ length: 80 }, (_, i) => Math.sin(i)),
      { shape: [2, 5, 8] },
    );
    const mask = tensor(
      Float32Array.from({ length: 25 }, (_, i) => Math.cos(i)),
      { shape: [5, 5] },
    );
    const keyPadding = tensor([0, 0, 0, 0, 1, 0, 1, 0, 0, 0], { shape: [2, 5], dtype: 'u32' });
    const masks = { causal: true, mask, keyPadding };
    const slow = await values(net.forward(x, x, x, masks));
    const fast = await values(net.eval().forward(x, x, x, masks));
    slow.forEach((v, i) => expect(v).toBeCloseTo(fast[i], 5));
  });

  it('say what is wrong with their arguments', () => {
    expect(() => new Conv2d(1, 2, [3, 3, 3])).toThrow('Conv2d: got kernel [3,3,3], expected 2 integers, or one.');
    expect(() => new Conv3d(1, 2, 3, { stride: [1, 2] })).toThrow('Conv3d: got stride [1,2], expected 3 integers, or one.');
    expect(() => new Conv2d(1, 2, 3, { padding: 'same', stride: 2 })).toThrow('padding "same" and stride 2, expected stride 1');
    expect(() => new Conv2d(1, 2, 3, { padding: [1] })).toThrow('Conv2d: got padding [1], expected 2 of them, or one.');
    expect(() => new Conv1d(1, 2, 3).initialise(1).forward(full([1, 4, 4, 1], 0))).toThrow('Conv1d: got [1,4,4,1], expected [N, W, C].');
    expect(() => new Upsample({})).toThrow('Upsample: got both or none of size and scale, expected one.');
    expect(() => new MultiheadAttention(8, 3)).toThrow('got 3 heads for width 8, expected a divisor');
    expect(() => new Embedding(3, 2, { paddingIndex: 3 })).toThrow('got paddingIndex 3, expected an integer from 0 to 2');
    expect(() => new Embedding(3, 2).initialise(1).forward(tensor([3], { dtype: 'u32' }))).toThrow('got index 3, expected 0 to 2');
    expect(() => new GRU(2, 3).initialise(1).forward(full([1, 2], 0))).toThrow('GRU: got [1,2], expected [B, T, inputs]');
    expect(() => new LSTM(2, 3).initialise(1).forward(full([1, 2, 2], 0), { h: full([1, 3], 0) })).toThrow('expected [1, 1, 3]');
    expect(() => new MaxPool2d(0)).toThrow('MaxPool2d: got kernel 0');
    expect(() => new Flatten(2, 1).forward(full([1, 2, 3], 0))).toThrow('Flatten: got axes 2 to 1');
  });
});
