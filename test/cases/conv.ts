// SPDX-License-Identifier: MIT
import { conv2d, conv3d, type ConvOptions } from '../../src/ops/conv.ts';
import { convTranspose2d, convTranspose3d, type ConvTransposeOptions } from '../../src/ops/conv_transpose.ts';
import { input as x, type Case, type Family } from './case.ts';

const KEYS = { stride: 'stride', padding: 'padding', dilation: 'dilation', groups: 'groups', outputPadding: 'output_padding' } as const;
/** The same attributes for PyTorch; `pads` are [before, after] by axis, which it takes as a separate step. */
const python = (options: object): string =>
  Object.entries(options)
    .filter(([k, v]) => k in KEYS && !Array.isArray((v as unknown[])[0]))
    .map(([k, v]) => `, ${KEYS[k as keyof typeof KEYS]}=${Array.isArray(v) ? `(${v})` : v}`)
    .join('');

function make(f: typeof conv2d | typeof convTranspose2d, name: string) {
  return (
    title: string,
    a: number[],
    w: number[],
    options: ConvOptions & ConvTransposeOptions = {},
    more: Partial<Case> & { bias?: number; act?: string } = {},
  ): Case => {
    const { bias, act, ...rest } = more;
    const y = `${name}(first(a), first(b)${bias ? ', c' : ''}${python(options)})`;
    return {
      name: title,
      inputs: [x(a), x(w, { scale: 0.5 }), ...(bias ? [x([bias])] : [])],
      call: (p, q, r) => f(p, q, { ...options, bias: r ?? null }),
      torch: `last(${act ? `${act}(${y})` : y})`,
      ...rest,
    };
  };
}
const c2 = make(conv2d, 'F.conv2d');
const c3 = make(conv3d, 'F.conv3d');
const t2 = make(convTranspose2d, 'F.conv_transpose2d');
const t3 = make(convTranspose3d, 'F.conv_transpose3d');

export const conv: Family = {
  conv2d: [
    c2('3 x 3', [2, 7, 9, 3], [5, 3, 3, 3], { padding: 1 }, { bias: 5, f16: true }),
    c2('stride 2', [1, 9, 8, 4], [8, 3, 3, 4], { stride: 2 }),
    c2('stride, padding and dilation by axis', [1, 9, 8, 3], [4, 3, 2, 3], { stride: [2, 1], padding: [1, 2], dilation: [2, 1] }),
    c2('stride and dilation 2', [1, 11, 10, 2], [3, 3, 3, 2], { stride: 2, dilation: 2, padding: 2 }),
    c2('stride larger than the kernel', [1, 10, 11, 3], [4, 2, 2, 3], { stride: 3 }),
    {
      ...c2('padding by side', [1, 5, 6, 3], [4, 3, 3, 3], {
        padding: [
          [1, 0],
          [0, 2],
        ],
      }),
      torch: 'last(F.conv2d(F.pad(first(a), (0, 2, 1, 0)), first(b)))',
    },
    c2('1 x 1', [2, 7, 5, 63], [65, 1, 1, 63], {}, { bias: 65, f16: true }),
    c2('1 x 1, stride 2', [1, 7, 9, 8], [4, 1, 1, 8], { stride: 2 }),
    c2('three groups', [1, 6, 7, 6], [9, 3, 3, 2], { groups: 3, padding: 1 }, { bias: 9, f16: true }),
    c2('stem, 7 x 7 stride 2', [1, 15, 13, 3], [8, 7, 7, 3], { stride: 2, padding: 3 }),
    c2('one pixel', [1, 1, 1, 7], [3, 1, 1, 7]),
    c2('kernel larger than the map', [1, 1, 2, 5], [3, 3, 3, 5], { padding: 1 }),
    c2('ReLU', [1, 5, 7, 4], [8, 3, 3, 4], { padding: 1, activation: 'relu' }, { bias: 8, act: 'F.relu', step: 2e-4 }),
    c2('SiLU', [1, 5, 7, 4], [8, 3, 3, 4], { padding: 1, activation: 'silu' }, { bias: 8, act: 'F.silu' }),
    c2('GELU', [1, 5, 7, 4], [8, 3, 3, 4], { padding: 1, activation: 'gelu' }, { bias: 8, act: 'F.gelu' }),
    c2('sigmoid', [1, 5, 7, 4], [8, 3, 3, 4], { padding: 1, activation: 'sigmoid' }, { bias: 8, act: 'torch.sigmoid' }),
    c2('64 channels', [1, 16, 16, 64], [64, 3, 3, 64], { padding: 1 }, { bench: true }),
    c2('depthwise', [2, 7, 9, 8], [8, 3, 3, 1], { groups: 8, padding: 1 }, { bias: 8, f16: true }),
    c2('depthwise, two kernels a channel', [1, 7, 9, 5], [10, 3, 3, 1], { groups: 5, stride: 2, padding: 1 }),
    c2('depthwise, dilation', [1, 9, 11, 7], [7, 3, 5, 1], { groups: 7, dilation: [1, 2], padding: [1, 4] }),
    c2('depthwise, 63 channels', [1, 8, 7, 63], [63, 5, 5, 1], { groups: 63, padding: 2 }, { bench: true }),
  ],
  conv3d: [
    c3('3 x 3 x 3', [1, 5, 6, 7, 3], [4, 3, 3, 3, 3], { padding: 1 }, { bias: 4, f16: true }),
    c3('stride by axis', [1, 5, 7, 8, 2], [5, 3, 3, 3, 2], { stride: [1, 2, 2], padding: [0, 1, 1] }),
    c3('patches', [1, 4, 6, 4, 3], [7, 2, 2, 2, 3], { stride: 2 }, { bias: 7 }),
    c3('groups and dilation', [1, 5, 5, 6, 4], [6, 2, 2, 2, 2], { groups: 2, dilation: 2 }),
    c3('depthwise', [1, 4, 5, 6, 8], [8, 3, 3, 3, 1], { groups: 8, padding: 1 }, { bias: 8, f16: true }),
    c3('from 1 to 65 channels', [1, 7, 1, 5, 1], [65, 3, 1, 3, 1], { padding: [1, 0, 1] }, { bias: 65 }),
    c3('from 63 to 7 channels, one plane', [1, 1, 7, 5, 63], [7, 1, 3, 3, 63], { padding: [0, 1, 1] }),
  ],
  convTranspose2d: [
    t2('2 x 2 stride 2', [2, 5, 4, 6], [6, 2, 2, 5], { stride: 2 }, { bias: 5, f16: true }),
    t2('3 x 3 stride 2', [1, 5, 4, 3], [3, 3, 3, 4], { stride: 2, padding: 1, outputPadding: 1 }),
    t2('groups and dilation', [1, 4, 5, 6], [6, 3, 3, 2], { groups: 3, dilation: 2, padding: 1 }),
    t2('stride by axis', [1, 3, 4, 4], [4, 4, 3, 3], { stride: [3, 1], padding: [1, 0] }, { bias: 3 }),
    t2(
      'outputPadding past the stride',
      [1, 3, 4, 2],
      [2, 2, 3, 3],
      { stride: [1, 2], dilation: [3, 1], outputPadding: [2, 1] },
      { bias: 3 },
    ),
    t2('1 x 1', [1, 3, 5, 7], [7, 1, 1, 9]),
    t2('depthwise', [1, 4, 5, 8], [8, 4, 4, 1], { groups: 8, stride: 2, padding: 1 }),
    t2('GELU', [1, 3, 4, 5], [5, 2, 2, 4], { stride: 2, activation: 'gelu' }, { bias: 4, act: 'F.gelu' }),
    t2('from 63 to 7 channels', [1, 1, 7, 63], [63, 2, 2, 7], { stride: 2 }, { bias: 7 }),
    t2('from 1 to 65 channels, sigmoid', [1, 7, 1, 1], [1, 3, 1, 65], { activation: 'sigmoid' }, { bias: 65, act: 'torch.sigmoid' }),
  ],
  convTranspose3d: [
    t3('2 x 2 x 2 stride 2', [1, 2, 3, 4, 5], [5, 2, 2, 2, 4], { stride: 2 }, { bias: 4, f16: true }),
    t3('3 x 3 x 3', [1, 3, 4, 3, 2], [2, 3, 3, 3, 3], { stride: [1, 2, 2], padding: 1, outputPadding: [0, 1, 1] }),
    t3('from 65 to 7 channels, one row', [1, 1, 1, 7, 65], [65, 1, 2, 2, 7], { stride: [1, 2, 2] }),
  ],
};
