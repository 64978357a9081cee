// SPDX-License-Identifier: MIT
// What products do on their way out instead of an op behind them, against the same step unfused: a proof for each family of kernels.
import { expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { numel } from '../../src/engine/dtype.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { conv2d } from '../../src/ops/conv.ts';
import { linear, matmul } from '../../src/ops/matmul.ts';
import { add, gelu, mul, relu, silu } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { nmse, noise } from '../kernels/harness.ts';

/** `left`: pointwise dispatches that remain, gradients and all; one is the gradient of the loss's own product. */
const STEPS: Record<string, { call: (...t: Tensor[]) => Tensor; shapes: number[][]; left: number }> = {
  'a residual behind a product': {
    call: (a, b, z) => add(matmul(a, b), z),
    shapes: [
      [70, 33],
      [33, 66],
      [70, 66],
    ],
    left: 1,
  },
  'a residual in front of a split reduction': {
    call: (a, b, z) => add(z, matmul(a, b, { transB: true })),
    shapes: [
      [3, 600],
      [10, 600],
      [3, 10],
    ],
    left: 1,
  },
  'GELU between two linear layers, its gradient in a product': {
    call: (x, w, b, v) => linear(gelu(linear(x, w, { bias: b })), v),
    shapes: [[2, 35, 36], [40, 36], [40], [34, 40]],
    left: 2,
  },
  'SiLU, of an input alone': {
    call: (x, w) => linear(silu(x), w),
    shapes: [
      [2, 35, 36],
      [40, 36],
    ],
    left: 2,
  },
  'ReLU behind a split reduction': {
    call: (x, w, v) => linear(relu(linear(x, w)), v),
    shapes: [
      [3, 600],
      [12, 600],
      [9, 12],
    ],
    left: 1,
  },
  'a block: convolutions, ReLU and a residual': {
    call: (x, w, v) => add(conv2d(relu(conv2d(x, w, { padding: 1 })), v, { padding: 1 }), x),
    shapes: [
      [1, 9, 7, 36],
      [40, 3, 3, 36],
      [36, 3, 3, 40],
    ],
    left: 1,
  },
  'three readers of one tensor': {
    call: (x, u, v, w) => add(add(linear(x, u), linear(x, v)), linear(x, w)),
    shapes: [
      [2, 35, 36],
      [40, 36],
      [40, 36],
      [40, 36],
    ],
    left: 1,
  },
  'a depthwise convolution': {
    call: (x, w) => add(x, gelu(add(conv2d(x, w, { padding: 1, groups: 12 }), x))),
    shapes: [
      [2, 9, 7, 12],
      [12, 3, 3, 1],
    ],
    left: 2,
  },
};

/** In the family of kernels that the current device chooses. */
export function proveEpilogues(skip: (context: { skip(note: string): void }) => void = () => undefined): void {
  it.for(Object.entries(STEPS))('%s', async ([, { call, shapes, left }], context) => {
    skip(context);
    const inputs = shapes.map((shape, i) => tensor(noise(numel(shape), 30 + i, i === 0 ? 1 : 0.3), { shape }));
    const run = async (fuse: boolean): Promise<{ values: Float32Array[]; pointwise: number }> => {
      const step = () => {
        const y = call(...inputs);
        const found = backward(sum(mul(y, tensor(noise(y.size, 9), { shape: y.shape }))), inputs);
        return [y, ...inputs.map((t) => found.get(t)!)];
      };
      using program = await compile(step, {}, { fuse });
      const values = await Promise.all(program.run().map((t) => t.data() as Promise<Float32Array>));
      return { values, pointwise: program.dispatches().filter(({ kernel }) => kernel.file.startsWith('pointwise')).length };
    };
    const [fused, plain] = [await run(true), await run(false)];
    expect(fused.pointwise).toBe(left);
    for (const [i, v] of fused.values.entries()) expect(nmse(v, plain.values[i]), i === 0 ? 'y' : `gradient ${i - 1}`).toBeLessThan(1e-12);
    for (const t of inputs) t.dispose();
  });
}
