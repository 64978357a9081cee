// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { graphConv } from '../../src/ops/graph_conv.ts';
import { ShapeError } from '../../src/errors.ts';
import { matchesFloat64, random } from './float64.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('graphConv', () => {
  for (const [B, N, M, C, O, shared] of [
    [2, 9, 13, 70, 65, false],
    [3, 7, 7, 5, 3, true],
    [1, 1, 1, 1, 1, false],
  ] as const) {
    it(`multiplies ${shared ? 'one adjacency' : 'an adjacency a graph'} ${N} x ${M} with ${C} features and the weight`, async () => {
      await matchesFloat64(
        ([a, x, w]) => graphConv(a, x, w),
        ([a, x, w]) =>
          Float64Array.from({ length: B * N * O }, (_, i) => {
            const [b, n, o] = [Math.floor(i / (N * O)), Math.floor(i / O) % N, i % O];
            let s = 0;
            for (let m = 0; m < M; m++)
              for (let c = 0; c < C; c++) s += a[((shared ? 0 : b) * N + n) * M + m] * x[(b * M + m) * C + c] * w[o * C + c];
            return s;
          }),
        [random(shared ? [N, M] : [B, N, M], 1), random([B, M, C], 2), random([O, C], 3)],
        { samples: 8 },
      );
    });
  }
  it('names the shapes that do not fit', () => {
    const x = tensor(new Float32Array(6), { shape: [1, 2, 3] });
    expect(() => graphConv(tensor([1, 1], { shape: [1, 2] }), x, tensor([1, 1], { shape: [1, 2] }))).toThrow(ShapeError);
  });
});
