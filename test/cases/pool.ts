// SPDX-License-Identifier: MIT
import * as op from '../../src/ops/pool.ts';
import { gridSample, type GridSampleOptions } from '../../src/ops/grid_sample.ts';
import { resize, type ResizeOptions } from '../../src/ops/resize.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { input as x, type Case, type Family } from './case.ts';

const one = (name: string, shape: number[], call: (a: Tensor) => Tensor | Tensor[], torch: string, more: Partial<Case> = {}): Case => ({
  name,
  inputs: [x(shape)],
  call,
  torch: `last(${torch})`,
  ...more,
});
const sized = (name: string, shape: number[], size: number[], options: ResizeOptions, python: string, more: Partial<Case> = {}): Case =>
  one(name, shape, (a) => resize(a, size, options), `F.interpolate(first(a), ${python})`, more);
const sampled = (
  name: string,
  shape: number[],
  grid: number[],
  options: GridSampleOptions,
  python: string,
  more: Partial<Case> = {},
): Case => ({
  name,
  inputs: [x(shape), x([shape[0], ...grid, grid.length], { scale: 1.3 })],
  call: (a, b) => gridSample(a, b, options),
  torch: `last(F.grid_sample(first(a), b, ${python}))`,
  ...more,
});
const step = 1e-4; // a smaller one crosses fewer changes of the maximum

export const pool: Family = {
  maxPool1d: [
    one('3 stride 2', [2, 9, 5], (a) => op.maxPool1d(a, { kernel: 3, stride: 2, padding: 1 }), 'F.max_pool1d(first(a), 3, 2, 1)', { step }),
  ],
  maxPool2d: [
    one('3 stride 2', [2, 7, 9, 4], (a) => op.maxPool2d(a, { kernel: 3, stride: 2, padding: 1 }), 'F.max_pool2d(first(a), 3, 2, 1)', {
      f16: true,
      step,
      bench: true,
    }),
    one('2 x 3, tiles', [1, 7, 9, 3], (a) => op.maxPool2d(a, { kernel: [2, 3] }), 'F.max_pool2d(first(a), (2, 3))', { step }),
    one('dilation', [1, 9, 9, 5], (a) => op.maxPool2d(a, { kernel: 3, stride: 1, dilation: 2 }), 'F.max_pool2d(first(a), 3, 1, 0, 2)', {
      step,
    }),
    one(
      'ceil mode',
      [1, 6, 8, 3],
      (a) => op.maxPool2d(a, { kernel: 3, stride: 2, ceilMode: true }),
      'F.max_pool2d(first(a), 3, 2, ceil_mode=True)',
      { step },
    ),
    one(
      '65 channels, one row',
      [1, 1, 63, 65],
      (a) => op.maxPool2d(a, { kernel: [1, 7], stride: 3 }),
      'F.max_pool2d(first(a), (1, 7), 3)',
      { step: 1e-5 },
    ),
  ],
  maxPool3d: [
    one('2, tiles', [1, 4, 5, 6, 3], (a) => op.maxPool3d(a, { kernel: 2 }), 'F.max_pool3d(first(a), 2)', { step, f16: true }),
    one(
      'padding, ceil mode',
      [1, 7, 6, 8, 3],
      (a) => op.maxPool3d(a, { kernel: 3, stride: 2, padding: [1, 0, 1], ceilMode: true }),
      'F.max_pool3d(first(a), 3, 2, (1, 0, 1), ceil_mode=True)',
      { step },
    ),
  ],
  maxPoolWithIndices: [
    {
      name: 'places',
      inputs: [x([2, 7, 9, 3])],
      call: (a) => {
        const { values, indices } = op.maxPoolWithIndices(a, { kernel: 3, stride: 2 });
        return [values, indices];
      },
      torch: '[last(t) for t in F.max_pool2d(first(a), 3, 2, return_indices=True)]',
      step,
    },
  ],
  avgPool1d: [
    one('3 stride 2', [2, 9, 5], (a) => op.avgPool1d(a, { kernel: 3, stride: 2, padding: 1 }), 'F.avg_pool1d(first(a), 3, 2, 1)'),
  ],
  avgPool2d: [
    one('padding counts', [2, 7, 9, 4], (a) => op.avgPool2d(a, { kernel: 3, stride: 2, padding: 1 }), 'F.avg_pool2d(first(a), 3, 2, 1)', {
      f16: true,
    }),
    one(
      'padding does not count',
      [1, 7, 9, 3],
      (a) => op.avgPool2d(a, { kernel: 3, stride: 2, padding: 1, countIncludePad: false }),
      'F.avg_pool2d(first(a), 3, 2, 1, count_include_pad=False)',
    ),
    one(
      'ceil mode',
      [1, 6, 8, 3],
      (a) => op.avgPool2d(a, { kernel: 3, stride: 2, padding: 1, ceilMode: true }),
      'F.avg_pool2d(first(a), 3, 2, 1, ceil_mode=True)',
    ),
    one(
      'ceil mode, padding does not count',
      [1, 6, 8, 3],
      (a) => op.avgPool2d(a, { kernel: 3, stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
      'F.avg_pool2d(first(a), 3, 2, 1, ceil_mode=True, count_include_pad=False)',
    ),
    one('63 channels, one column', [1, 65, 1, 63], (a) => op.avgPool2d(a, { kernel: [7, 1] }), 'F.avg_pool2d(first(a), (7, 1))'),
  ],
  avgPool3d: [
    one('2, tiles', [1, 4, 5, 6, 3], (a) => op.avgPool3d(a, { kernel: 2 }), 'F.avg_pool3d(first(a), 2)'),
    one(
      'padding, ceil mode',
      [1, 7, 6, 8, 3],
      (a) => op.avgPool3d(a, { kernel: 3, stride: 2, padding: [1, 0, 1], ceilMode: true }),
      'F.avg_pool3d(first(a), 3, 2, (1, 0, 1), ceil_mode=True)',
    ),
  ],
  adaptiveAvgPool2d: [
    one('overlapping bins', [2, 7, 9, 4], (a) => op.adaptiveAvgPool2d(a, { size: [3, 5] }), 'F.adaptive_avg_pool2d(first(a), (3, 5))', {
      f16: true,
    }),
    one('more bins than pixels', [1, 2, 3, 5], (a) => op.adaptiveAvgPool2d(a, { size: 5 }), 'F.adaptive_avg_pool2d(first(a), 5)'),
    one('5 x 5 to 7 x 7', [1, 5, 5, 7], (a) => op.adaptiveAvgPool2d(a, { size: 7 }), 'F.adaptive_avg_pool2d(first(a), 7)'),
  ],
  adaptiveAvgPool3d: [
    one('2 x 3 x 1', [1, 5, 7, 4, 3], (a) => op.adaptiveAvgPool3d(a, { size: [2, 3, 1] }), 'F.adaptive_avg_pool3d(first(a), (2, 3, 1))'),
  ],
  globalAvgPool: [one('volume', [2, 3, 5, 7, 4], (a) => op.globalAvgPool(a), 'first(a).mean((2, 3, 4), keepdim=True)', { f16: true })],
  gridSample: [
    // By its name, which is the seed, no place of it lies within the step of an edge between elements, where the slope jumps.
    sampled('bilinear, odd sizes', [2, 5, 7, 3], [9, 11], {}, 'align_corners=False', { f16: true, bench: true, step }),
    sampled('aligned corners, 4 channels', [2, 5, 7, 4], [3, 4], { alignCorners: true }, 'align_corners=True', { f16: true, step }),
    sampled('border', [1, 4, 6, 8], [5, 3], { padding: 'border' }, "padding_mode='border', align_corners=False", { step }),
    sampled(
      'border, aligned corners',
      [1, 4, 6, 3],
      [5, 3],
      { padding: 'border', alignCorners: true },
      "padding_mode='border', align_corners=True",
      { step },
    ),
    sampled('reflection', [1, 3, 2, 5], [7, 9], { padding: 'reflection' }, "padding_mode='reflection', align_corners=False", { step }),
    sampled(
      'reflection, aligned corners',
      [1, 3, 2, 4],
      [7, 9],
      { padding: 'reflection', alignCorners: true },
      "padding_mode='reflection', align_corners=True",
      { step },
    ),
    sampled(
      'reflection to one row',
      [1, 1, 4, 2],
      [3, 3],
      { padding: 'reflection', alignCorners: true },
      "padding_mode='reflection', align_corners=True",
      { step },
    ),
    sampled('nearest', [2, 5, 7, 3], [6, 5], { mode: 'nearest' }, "mode='nearest', align_corners=False", { jumps: true, step }),
    sampled(
      'nearest, reflection',
      [1, 5, 7, 4],
      [6, 5],
      { mode: 'nearest', padding: 'reflection' },
      "mode='nearest', padding_mode='reflection', align_corners=False",
      { jumps: true, step },
    ),
    sampled('trilinear', [2, 3, 4, 5, 4], [3, 5, 6], {}, 'align_corners=False', { f16: true, step }),
    sampled(
      'trilinear, border',
      [1, 3, 4, 5, 3],
      [4, 3, 2],
      { padding: 'border', alignCorners: true },
      "padding_mode='border', align_corners=True",
      { step },
    ),
    sampled(
      'trilinear, reflection',
      [1, 2, 3, 4, 2],
      [4, 3, 3],
      { padding: 'reflection' },
      "padding_mode='reflection', align_corners=False",
      { step },
    ),
    sampled(
      'nearest volume',
      [1, 3, 4, 5, 3],
      [4, 3, 2],
      { mode: 'nearest', padding: 'border' },
      "mode='nearest', padding_mode='border', align_corners=False",
      { jumps: true, step },
    ),
  ],
  resize: [
    sized('bilinear up', [2, 5, 7, 3], [11, 9], {}, "(11, 9), mode='bilinear'", { f16: true, bench: true }),
    sized('bilinear down', [1, 13, 11, 4], [5, 4], {}, "(5, 4), mode='bilinear'"),
    sized('bilinear, aligned corners', [1, 5, 7, 3], [9, 4], { alignCorners: true }, "(9, 4), mode='bilinear', align_corners=True"),
    sized('bilinear, to and from one pixel', [1, 1, 7, 3], [4, 1], {}, "(4, 1), mode='bilinear'"),
    sized('aligned corners to one pixel', [1, 4, 7, 3], [1, 1], { alignCorners: true }, "(1, 1), mode='bilinear', align_corners=True"),
    sized('linear', [2, 7, 5], [12], {}, "12, mode='linear'"),
    sized('trilinear', [1, 3, 4, 5, 4], [5, 3, 8], {}, "(5, 3, 8), mode='trilinear'", { f16: true }),
    sized(
      'trilinear, aligned corners',
      [1, 3, 4, 2, 3],
      [6, 7, 3],
      { alignCorners: true },
      "(6, 7, 3), mode='trilinear', align_corners=True",
    ),
    sized('nearest up', [1, 5, 7, 3], [12, 9], { mode: 'nearest' }, "(12, 9), mode='nearest'", { f16: true }),
    sized('nearest down', [1, 13, 11, 4], [5, 4], { mode: 'nearest' }, "(5, 4), mode='nearest'"),
    sized('65 channels, from a row of 7', [1, 1, 7, 65], [7, 9], {}, "(7, 9), mode='bilinear'"),
    sized('63 by 65 to one channel of 7 by 1', [1, 63, 65, 1], [7, 1], {}, "(7, 1), mode='bilinear'"),
    sized(
      'nearest, exact',
      [1, 5, 7, 3],
      [8, 3],
      { mode: 'nearest', coordinates: 'half_pixel', rounding: 'half_up' },
      "(8, 3), mode='nearest-exact'",
    ),
    sized(
      'a given scale',
      [1, 5, 7, 3],
      [12, 16],
      { scale: [2.4, 2.3] },
      "scale_factor=(2.4, 2.3), mode='bilinear', recompute_scale_factor=False",
    ),
  ],
};
