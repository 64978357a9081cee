// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numel } from '../../src/engine/dtype.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { l2Normalize, layerNorm, rmsNorm } from '../../src/ops/norm.ts';
import { max, mean, prod, sumAbs, sumSquares } from '../../src/ops/reduce.ts';
import { logSoftmax, softmax } from '../../src/ops/softmax.ts';
import { nmse, noise } from '../kernels/harness.ts';
import { gradcheck } from './gradcheck.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const X = (shape: number[]) => noise(numel(shape), 5, 2, 0.5);

describe('gradients', () => {
  const cases: [string, (t: Tensor[]) => Tensor, number[][]][] = [
    ['mean over split axes', ([x]) => mean(x, { axes: [0, 2] }), [[3, 4, 5]]],
    ['max', ([x]) => max(x, { axes: 1, keepDims: true }), [[3, 14]]],
    ['prod', ([x]) => prod(x, { axes: 0 }), [[3, 4]]],
    ['sumSquares', ([x]) => sumSquares(x, { axes: -1 }), [[3, 8]]],
    ['sumAbs', ([x]) => sumAbs(x, { axes: 1 }), [[3, 8]]],
    ['softmax over the last axis', ([x]) => softmax(x), [[3, 5, 8]]],
    ['softmax over a middle axis', ([x]) => softmax(x, 1), [[3, 5, 7]]],
    ['logSoftmax over the last axis', ([x]) => logSoftmax(x), [[3, 21]]],
    ['logSoftmax over the first axis', ([x]) => logSoftmax(x, 0), [[9, 8]]],
    ['layerNorm', ([x, g, b]) => layerNorm(x, g, b), [[2, 7, 12], [12], [12]]],
    ['layerNorm of many rows', ([x, g, b]) => layerNorm(x, g, b), [[900, 5], [5], [5]]],
    ['layerNorm without weights', ([x]) => layerNorm(x), [[3, 9]]],
    ['rmsNorm', ([x, g]) => rmsNorm(x, g), [[5, 16], [16]]],
    ['l2Normalize', ([x]) => l2Normalize(x), [[6, 25]]],
  ];
  it.each(cases)('%s', async (_, f, shapes) => {
    expect(await gradcheck(f, shapes.map(X), shapes, 3e-3)).toBeLessThan(1e-2);
  });
});

describe('values', () => {
  it('softmax and logSoftmax agree and sum to one', async () => {
    const x = tensor(X([4, 6, 5]), { shape: [4, 6, 5] });
    for (const axis of [0, 1, 2]) {
      const p = await softmax(x, axis).data();
      expect(nmse(Array.from(await logSoftmax(x, axis).data(), Math.exp), p)).toBeLessThan(1e-12);
      expect(Array.from(p).reduce((a, b) => a + b, 0)).toBeCloseTo((4 * 6 * 5) / [4, 6, 5][axis], 4);
    }
  });
  it('refuses weights that do not fit', () => {
    const x = tensor(X([3, 4]), { shape: [3, 4] });
    expect(() => layerNorm(x, tensor([1, 2, 3]), tensor([1, 2, 3]))).toThrow('layer_norm: got a weight [3] for [3,4], expected [4].');
    expect(() => layerNorm(x, null, tensor([1, 2, 3, 4]))).toThrow(
      'layer_norm: got beta without gamma, expected both, gamma alone or neither.',
    );
    expect(() => softmax(x, 2)).toThrow('softmax: got axis 2 for [3,4], expected -2 to 1.');
  });
});
