// SPDX-License-Identifier: MIT
// Channel statistics of a map's products with constant patterns (specification 4.2b).
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, grid1d, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { frequency_statistics, frequency_statistics_dx } from '../gen/frequency_statistics.ts';

const gradient = defineOp({
  name: 'frequency_statistics_dx',
  call: (dy: Tensor, patterns: Tensor, extrema: Tensor, shape: readonly number[]) => ({
    inputs: [dy, patterns, extrema],
    attrs: { shape },
  }),
  infer: ([dy], { shape }) => ({ shape, dtype: dy.dtype }),
  lower(c) {
    const [dy, patterns, extrema] = c.inputs;
    const [, places, channels] = c.attrs.shape as [number, number, number];
    const n = numel(c.attrs.shape);
    return [
      dispatch(
        frequency_statistics_dx,
        { dstatistics: dy, patterns, held: extrema, dx: c.outputs[0] },
        { n, places, patterns: patterns.shape[0], channels },
        grid1d(Math.ceil(n / 64)),
      ),
    ];
  },
});

/**
 * x [S, P, C], patterns [M, P] (constants, at most 65,536 places) -> [S, 3, C]: mean, maximum and minimum over places of
 * x * pattern, averaged over patterns. The gradient of an extremum goes to the first place that holds it.
 */
export const frequencyStatistics = defineOp({
  name: 'frequency_statistics',
  takes: { x: aTensor, patterns: aTensor },
  call: (x: Tensor, patterns: Tensor) => ({ inputs: [x, patterns], attrs: {} }),
  infer([x, patterns]) {
    expectDType('frequencyStatistics', [x, patterns], 'f32');
    const [s, p, c] = x.shape as [number, number, number];
    if (x.shape.length !== 3 || patterns.shape.length !== 2 || patterns.shape[1] !== p || p > 65536 || patterns.shape.includes(0)) {
      throw new ShapeError(
        `frequencyStatistics: got x [${x.shape}] and patterns [${patterns.shape}], expected [S, P, C] and [M, P] with M and P of ` +
          'at least 1, P at most 65536.',
      );
    }
    return [
      { shape: [s, 3, c], dtype: 'f32' as const },
      { shape: [s, patterns.shape[0], c], dtype: 'u32' as const },
    ];
  },
  lower(c) {
    const [x, patterns] = c.inputs;
    const [s, places, channels] = x.shape as [number, number, number];
    const n = s * channels;
    return [
      dispatch(
        frequency_statistics,
        { x, patterns, statistics: c.outputs[0], extrema: c.outputs[1] },
        { n, places, patterns: patterns.shape[0], channels },
        grid1d(Math.ceil(n / 64)),
      ),
    ];
  },
  vjp: ({ inputs: [x, patterns], outputs: [, extrema], grads: [g] }): (Thunk | null)[] => [
    () => gradient(g!, patterns, extrema, x.shape),
    null,
  ],
});
