// SPDX-License-Identifier: MIT
// Optimisers as a caller meets them: what they refuse, what their state dicts are called. Their arithmetic is proved in test/cases.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { Linear } from '../../src/nn/layers.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { square } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { adam, adamw, sgd } from '../../src/optim/optimiser.ts';
import type { OptimiserOptions } from '../../src/optim/options.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  device.close();
});

const net = () => new Linear(3, 2).initialise(1);

describe('options out of range are refused by name', () => {
  const rows: [string, Partial<OptimiserOptions>][] = [
    ['lr got NaN', { lr: NaN }],
    ['lr got -0.1', { lr: -0.1 }],
    ['lr got Infinity', { lr: Infinity }],
    ['betas[0] got 1,', { betas: [1, 0.9] }],
    ['betas[1] got -1', { betas: [0.9, -1] }],
    ['eps got -1', { eps: -1 }],
    ['weightDecay got -1', { weightDecay: -1 }],
    ['momentum got NaN', { momentum: NaN }],
    ['clipNorm got 0', { clipNorm: 0 }],
  ];
  it.each(rows)('%s', (message, options) => {
    expect(() => adamw(net().parameters(), { lr: 1e-3, ...options })).toThrow(`optimiser: ${message}`);
  });

  it('of groups, too, and an empty list', () => {
    expect(() => adam([{ params: [...net().parameters()], weightDecay: -1 }], { lr: 1e-3 })).toThrow(
      'weightDecay got -1, expected a number from 0.',
    );
    expect(() => adam([{ params: [...net().parameters()], lrScale: NaN }], { lr: 1e-3 })).toThrow('lrScale got NaN');
    expect(() => adam([], { lr: 1e-3 })).toThrow('optimiser: got no parameters.');
  });
});

it('a rate that became NaN stops the step before it reaches the weights; no gradients are refused', async () => {
  const layer = net();
  const optimiser = sgd(layer.parameters(), { lr: 0.1 });
  const x = tensor(Float32Array.of(1, 2, 3), { shape: [1, 3] });
  await expect(
    compile(() => {
      optimiser.step(new Map());
      return { x };
    }, {}),
  ).rejects.toThrow('step() got no gradients');
  const program = await compile(
    (t) => {
      const loss = sum(square(layer.forward(t.x)));
      optimiser.step(backward(loss, layer.parameters()));
      return { loss };
    },
    { x },
  );
  program.run();
  const before = await layer.weight.data();
  optimiser.lr = NaN;
  expect(() => program.run()).toThrow('optimiser: lr got NaN');
  expect(await layer.weight.data()).toEqual(before);
});

it("state dicts carry PyTorch's names: two moments of Adam, the momentum of SGD", async () => {
  const [one, two] = [net(), net()];
  expect([...(await adamw(one.parameters(), { lr: 1e-3 }).stateDict()).keys()].sort()).toEqual([
    'exp_avg.bias',
    'exp_avg.weight',
    'exp_avg_sq.bias',
    'exp_avg_sq.weight',
  ]);
  const optimiser = sgd(two.parameters(), { lr: 0.1, momentum: 0.9 });
  const x = tensor(Float32Array.of(1, 2, 3), { shape: [1, 3] });
  const program = await compile(
    (t) => {
      const loss = sum(matmul(t.x, two.weight, { transB: true }));
      optimiser.step(backward(loss, [two.weight]));
      return { loss };
    },
    { x },
  );
  program.run();
  program.run();
  const state = await optimiser.stateDict();
  expect([...state.keys()].sort()).toEqual(['momentum_buffer.bias', 'momentum_buffer.weight']);
  const momentum = state.get('momentum_buffer.weight')!;
  expect(momentum.shape).toEqual([2, 3]);
  [1, 2, 3, 1, 2, 3].forEach((g, i) => {
    expect(momentum.data[i]).toBeCloseTo(1.9 * g, 6);
  }); // g, then 0.9 g + g
  const other = sgd(net().parameters(), { lr: 0.1, momentum: 0.9 });
  other.loadStateDict(state, 2);
  expect((await other.stateDict()).get('momentum_buffer.weight')!.data).toEqual(momentum.data);
  expect(() => {
    other.loadStateDict(new Map(), 0);
  }).toThrow('momentum_buffer.weight is missing');
});
