// SPDX-License-Identifier: MIT
// Sums of gradients that wait for each other: a program has fewer dispatches than sums, and the bits of the same step run node by node.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { backward } from '../../src/engine/autograd.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { spec } from '../../src/engine/dtype.ts';
import { Linear, LayerNorm } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { add, mul } from '../../src/ops/pointwise.ts';
import { mean, sumSquares } from '../../src/ops/reduce.ts';
import { adam } from '../../src/optim/optimiser.ts';
import { noise } from '../kernels/harness.ts';
import { poison } from './poison.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

class Layers extends Module {
  readonly linear = Array.from({ length: 5 }, () => new Linear(24, 24));
  readonly norm = Array.from({ length: 5 }, () => new LayerNorm(24));
  readonly shared = new Linear(24, 24);
  forward(x: Tensor): Tensor {
    let y = this.shared.forward(x);
    this.linear.forEach((layer, i) => (y = add(y, this.norm[i].forward(layer.forward(y)))));
    return this.shared.forward(y); // its gradient is a sum of two
  }
}

/** Two losses, the second's gradients made while the first's are read; written into the arena, or added to what it holds. */
function training(adds: boolean) {
  const first = new Layers().initialise(1);
  const second = new Layers().initialise(2);
  const opt = adam([...first.parameters(), ...second.parameters()], { lr: 0.01, clipNorm: 1 });
  const step = ({ x }: { x: Tensor }) => {
    const lossOf = (net: Layers): Tensor => {
      const y = net.forward(x);
      return mean(mul(y, y));
    };
    const own = backward(lossOf(first), first.parameters());
    const seen = add(sumSquares(own.get(first.shared.bias!)!), sumSquares(own.get(first.norm[0].weight!)!));
    const all = new Map([...own, ...backward(lossOf(second), second.parameters())]);
    if (adds) opt.accumulate(all, 0.5);
    const twice = first.norm[0].bias!;
    if (adds) opt.accumulate(new Map([[twice, own.get(twice)!]]), 0.25);
    opt.step(adds ? undefined : all);
    return { seen };
  };
  const state = async () => (await Promise.all([...first.parameters(), ...second.parameters()].map((p) => p.data()))).map((v) => [...v]);
  return { step, state, count: [...first.parameters(), ...second.parameters()].length };
}

it.each([
  [4, false],
  [300, false],
  [4, true],
])('of %i rows, added to others %s: the bits of the same step node by node, over poisoned memory', async (rows, adds) => {
  const x = noise(rows * 24, 3);
  const eager = training(adds);
  const want: number[] = [];
  for (let i = 0; i < 2; i++) {
    using input = tensor(x, { shape: [rows, 24] });
    using seen = evaluate(() => eager.step({ x: input })).seen;
    want.push(await seen.item());
  }
  const replayed = training(adds);
  using program = await compile(replayed.step, { x: spec([rows, 24]) }, { fuse: false });
  const sums = program.dispatches().filter(({ kernel }) => kernel.entry === 'split_sum');
  expect(sums.filter(({ label }) => label === 'sums of gradients').length).toBeGreaterThan(0);
  expect(sums.length).toBeLessThan(replayed.count / 2);
  for (const seen of want) {
    poison(device);
    expect(await program.run({ x }).seen.item()).toBe(seen);
  }
  expect(await replayed.state()).toEqual(await eager.state());
});
