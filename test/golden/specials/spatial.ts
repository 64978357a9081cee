// SPDX-License-Identifier: MIT
// Windows, bins and resampling over maps that hold NaN and infinities: each channel is one pattern.
import type { Tensor } from '../../../src/engine/tensor.ts';
import * as op from '../../../src/ops/pool.ts';
import { gridSample, type GridSampleOptions } from '../../../src/ops/grid_sample.ts';
import { resize, type ResizeOptions } from '../../../src/ops/resize.ts';
import { rowsOf, transposed, type Special, type SpecialInput, type Specials } from './form.ts';

const line = (n: number, channels = 16): SpecialInput => ({ ...transposed(rowsOf(n, channels)), shape: [1, n, channels] });
const map = (h: number, w: number, channels = 16): SpecialInput => ({ ...transposed(rowsOf(h * w, channels)), shape: [1, h, w, channels] });
const volume = (channels = 6): SpecialInput => ({ ...transposed(rowsOf(36, channels)), shape: [1, 3, 4, 3, channels] });
const one = (
  name: string,
  input: SpecialInput,
  call: (a: Tensor) => Tensor | Tensor[],
  torch: string,
  more: Partial<Special> = {},
): Special => ({ name, inputs: [input], call: (a) => call(a), torch: `last(${torch})`, ...more });
const sized = (
  name: string,
  input: SpecialInput,
  size: number[],
  options: ResizeOptions,
  python: string,
  more: Partial<Special> = {},
): Special => one(name, input, (a) => resize(a, size, options), `interpolate(first(a), ${python})`, more);
/** Places between, on and outside of elements. */
const sampled = (name: string, axes: number, options: GridSampleOptions, python: string): Special => ({
  name,
  inputs: [
    axes === 2 ? map(4, 4) : volume(),
    {
      values: Array.from({ length: 9 * axes }, (_, i) => [-0.6, 0.35, 0.25, -0.75, 1.125, -0.1, 0.9, -1.5][(i * 3 + (i >> 3)) % 8]),
      shape: [1, 3, ...(axes === 2 ? [3] : [3, 1]), axes],
    },
  ],
  call: (a, b) => gridSample(a, b, options),
  torch: `last(F.grid_sample(first(a), b.detach(), ${python}))`,
  grad: [0],
  ulp: { y: 32, g: 32, least: 1, why: 'sums that cancel' },
});
const f16 = { f16: true };
const forward = { grad: [] };

export const spatial: Specials = {
  maxPool1d: [
    one('3, overlapping', line(8), (a) => op.maxPool1d(a, { kernel: 3, stride: 1, padding: 1 }), 'F.max_pool1d(first(a), 3, 1, 1)', f16),
    one('2, tiles, 7 channels', line(6, 7), (a) => op.maxPool1d(a, { kernel: 2 }), 'F.max_pool1d(first(a), 2)', f16),
    one(
      'dilation',
      line(8),
      (a) => op.maxPool1d(a, { kernel: 3, stride: 2, padding: 1, dilation: 2 }),
      'F.max_pool1d(first(a), 3, 2, 1, 2)',
    ),
    one(
      'ceil mode',
      line(8),
      (a) => op.maxPool1d(a, { kernel: 3, stride: 2, ceilMode: true }),
      'F.max_pool1d(first(a), 3, 2, ceil_mode=True)',
    ),
    one(
      'windows of padding alone',
      line(2),
      (a) => op.maxPool1d(a, { kernel: 2, stride: 1, padding: 1, dilation: 3 }),
      'F.max_pool1d(first(a), 2, 1, 1, 3)',
      forward,
    ),
  ],
  maxPool2d: [
    one('3 x 3', map(4, 4), (a) => op.maxPool2d(a, { kernel: 3, stride: 2, padding: 1 }), 'F.max_pool2d(first(a), 3, 2, 1)', f16),
    one(
      'windows of padding alone',
      map(2, 4),
      (a) => op.maxPool2d(a, { kernel: 2, stride: 1, padding: 1, dilation: [3, 1] }),
      'F.max_pool2d(first(a), 2, 1, 1, (3, 1))',
      forward,
    ),
  ],
  maxPool3d: [
    one('2, padding', volume(), (a) => op.maxPool3d(a, { kernel: 2, padding: [1, 0, 1] }), 'F.max_pool3d(first(a), 2, 2, (1, 0, 1))'),
  ],
  maxPoolWithIndices: [
    {
      inputs: [map(4, 4)],
      call: (a) => {
        const { values, indices } = op.maxPoolWithIndices(a, { kernel: 3, stride: 1 });
        return [values, indices];
      },
      torch: '[last(t) for t in F.max_pool2d(first(a), 3, 1, return_indices=True)]',
    },
  ],
  avgPool1d: [
    one('3, overlapping', line(8), (a) => op.avgPool1d(a, { kernel: 3, stride: 1, padding: 1 }), 'F.avg_pool1d(first(a), 3, 1, 1)', f16),
  ],
  avgPool2d: [
    one(
      'padding does not count, ceil mode',
      map(4, 5),
      (a) => op.avgPool2d(a, { kernel: 3, stride: 2, padding: 1, countIncludePad: false, ceilMode: true }),
      'F.avg_pool2d(first(a), 3, 2, 1, ceil_mode=True, count_include_pad=False)',
    ),
    one(
      'padding counts, ceil mode',
      map(4, 5),
      (a) => op.avgPool2d(a, { kernel: 2, stride: 3, padding: 1, ceilMode: true }),
      'F.avg_pool2d(first(a), 2, 3, 1, ceil_mode=True)',
    ),
  ],
  avgPool3d: [one('2', volume(), (a) => op.avgPool3d(a, { kernel: 2, stride: 1 }), 'F.avg_pool3d(first(a), 2, 1)')],
  adaptiveAvgPool2d: [
    one('overlapping bins', map(5, 4), (a) => op.adaptiveAvgPool2d(a, { size: [3, 2] }), 'F.adaptive_avg_pool2d(first(a), (3, 2))', f16),
    one('more bins than pixels', map(2, 3), (a) => op.adaptiveAvgPool2d(a, { size: 4 }), 'F.adaptive_avg_pool2d(first(a), 4)'),
  ],
  adaptiveAvgPool3d: [
    one('2 x 3 x 1', volume(), (a) => op.adaptiveAvgPool3d(a, { size: [2, 3, 1] }), 'F.adaptive_avg_pool3d(first(a), (2, 3, 1))'),
  ],
  globalAvgPool: [one('map', map(4, 4), (a) => op.globalAvgPool(a), 'first(a).mean((2, 3), keepdim=True)', f16)],
  resize: [
    sized('linear, twice', line(8), [16], {}, "(16,), mode='linear'", f16),
    sized('linear, half', line(8), [4], {}, "(4,), mode='linear'"),
    sized('linear, aligned corners', line(3), [5], { alignCorners: true }, "(5,), mode='linear', align_corners=True"),
    sized('bilinear', map(4, 4), [8, 2], {}, "(8, 2), mode='bilinear'"),
    sized('bilinear, aligned corners', map(3, 5), [5, 3], { alignCorners: true }, "(5, 3), mode='bilinear', align_corners=True"),
    sized('trilinear', volume(), [6, 2, 3], {}, "(6, 2, 3), mode='trilinear'"),
    sized('nearest', map(4, 4), [8, 2], { mode: 'nearest' }, "(8, 2), mode='nearest'", f16),
  ],
  gridSample: [
    sampled('bilinear', 2, {}, 'align_corners=False'),
    sampled('nearest, border', 2, { mode: 'nearest', padding: 'border' }, "mode='nearest', padding_mode='border', align_corners=False"),
    sampled('trilinear, reflection', 3, { padding: 'reflection' }, "padding_mode='reflection', align_corners=False"),
  ],
};
