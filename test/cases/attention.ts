// SPDX-License-Identifier: MIT
import { attention, attentionPacked, type AttentionOptions } from '../../src/ops/attention.ts';
import { relativeAttention } from '../../src/ops/relative_attention.ts';
import { interpolationPlan, tableInterpolate } from '../../src/ops/table_interpolate.ts';
import { windowAttention, type WindowAttentionOptions } from '../../src/ops/window_attention.ts';
import { input as x, type Case, type CaseInput, type Family } from './case.ts';

const plain = (name: string, shapes: number[][], options: AttentionOptions, python: string, more: Partial<Case> = {}): Case => ({
  name,
  inputs: shapes.map((s) => x(s)),
  call: (q, k, v) => attention(q, k, v, options),
  torch: `attention(a, b, c${python})`,
  ...more,
});
/** One more input, which goes into the option `key`. */
const extra = (
  name: string,
  shapes: number[][],
  key: 'bias' | 'keyBias' | 'tau',
  more: CaseInput,
  options: AttentionOptions,
  python: string,
): Case => ({
  name,
  inputs: [...shapes.map((s) => x(s)), more],
  call: (q, k, v, t) => attention(q, k, v, { ...options, [key]: t }),
  torch: `attention(a, b, c, ${python})`,
});
const tokens = (b: number, t: number, c: number): number[][] => [
  [b, t, c],
  [b, t, c],
  [b, t, c],
];

const windowed = (
  name: string,
  qkv: number[],
  table: number[],
  options: WindowAttentionOptions,
  python: string,
  more: Partial<Case> = {},
): Case => ({
  name,
  inputs: [x(qkv), x(table)],
  call: (a, b) => windowAttention(a, b, options),
  torch: `window_attention(a, b, ${python})`,
  ...more,
});

export const attentions: Family = {
  attention: [
    plain('heads from channels', tokens(2, 9, 12), { heads: 3 }, ', heads=3', { f16: true }),
    plain(
      '63 queries, 65 keys',
      [
        [1, 63, 8],
        [1, 65, 8],
        [1, 65, 8],
      ],
      { heads: 2 },
      ', heads=2',
    ),
    plain('one token', tokens(1, 1, 4), {}, ''),
    plain('scale', tokens(1, 7, 5), { scale: 0.3 }, ', scale=0.3'),
    plain(
      'values wider than keys',
      [
        [1, 7, 6],
        [1, 5, 6],
        [1, 5, 10],
      ],
      { heads: 2 },
      ', heads=2',
    ),
    plain('causal', tokens(1, 33, 8), { heads: 2, causal: true }, ', heads=2, causal=True'),
    plain(
      'causal, 7 queries and 9 keys',
      [
        [1, 7, 8],
        [1, 9, 8],
        [1, 9, 8],
      ],
      { heads: 2, causal: true },
      ', heads=2, causal=True',
    ),
    plain(
      'causal, 65 queries and 63 keys',
      [
        [1, 65, 8],
        [1, 63, 8],
        [1, 63, 8],
      ],
      { heads: 2, causal: true },
      ', heads=2, causal=True',
    ),
    plain('cosine', tokens(1, 9, 8), { heads: 2, cosine: true }, ', heads=2, cosine=True'),
    plain(
      '[B, heads, T, d]',
      [
        [2, 3, 7, 5],
        [2, 3, 9, 5],
        [2, 3, 9, 4],
      ],
      {},
      '',
    ),
    plain(
      '[B, heads, groups, T, d]',
      [
        [1, 2, 3, 7, 4],
        [1, 2, 3, 5, 4],
        [1, 2, 3, 5, 4],
      ],
      {},
      '',
    ),
    // More than 16 channels a head: attention.wgsl and attention_grad.wgsl, where narrower heads have kernels of their own.
    plain('wide heads', tokens(2, 9, 40), { heads: 2 }, ', heads=2', { f16: true }),
    plain(
      'wide heads, causal, 63 queries, 65 keys',
      [
        [1, 63, 17],
        [1, 65, 17],
        [1, 65, 17],
      ],
      { causal: true },
      ', causal=True',
    ),
    plain(
      'wide values',
      [
        [1, 7, 6],
        [1, 5, 6],
        [1, 5, 34],
      ],
      { heads: 2 },
      ', heads=2',
    ),
    {
      name: 'wide heads, cosine, key bias and temperature',
      inputs: [...tokens(2, 7, 40).map((s) => x(s)), x([2, 7]), x([2], { scale: 0.5, offset: 3 })],
      call: (q, k, v, keyBias, tau) => attention(q, k, v, { heads: 2, cosine: true, keyBias, tau }),
      torch: 'attention(a, b, c, heads=2, cosine=True, bias=d[:, None, None], tau=e)',
    },
    {
      name: 'cosine, key bias and temperature, 33 queries, 35 keys',
      inputs: [x([2, 33, 10]), x([2, 35, 10]), x([2, 35, 14]), x([2, 35]), x([2], { scale: 0.5, offset: 3 })],
      call: (q, k, v, keyBias, tau) => attention(q, k, v, { heads: 2, cosine: true, keyBias, tau }),
      torch: 'attention(a, b, c, heads=2, cosine=True, bias=d[:, None, None], tau=e)',
      f16: true,
    },
    plain('128 tokens', tokens(1, 128, 32), { heads: 2 }, ', heads=2', { bench: true }),
    extra('bias a head', tokens(2, 7, 6), 'bias', x([3, 7, 7]), { heads: 3 }, 'heads=3, bias=d'),
    extra('one bias', tokens(2, 7, 6), 'bias', x([1, 7, 7]), { heads: 3 }, 'heads=3, bias=d'),
    extra('bias a sample', tokens(2, 7, 6), 'bias', x([2, 1, 7, 7]), { heads: 3 }, 'heads=3, bias=d'),
    extra('key bias', tokens(2, 7, 6), 'keyBias', x([2, 7]), { heads: 2 }, 'heads=2, bias=d[:, None, None]'),
    extra(
      'temperature and cosine',
      tokens(2, 7, 6),
      'tau',
      x([3], { scale: 2, offset: 4 }),
      { heads: 3, cosine: true },
      'heads=3, cosine=True, tau=d',
    ),
    {
      name: 'bias, key bias and temperature',
      inputs: [...tokens(2, 7, 6).map((s) => x(s)), x([3, 7, 7]), x([2, 7]), x([3], { scale: 0.5, offset: 1 })],
      call: (q, k, v, bias, keyBias, tau) => attention(q, k, v, { heads: 3, bias, keyBias, tau }),
      torch: 'attention(a, b, c, heads=3, bias=d + e[:, None, None], tau=f)',
    },
    {
      name: 'cosine, rows of zeros',
      inputs: [x([1, 5, 4], { zeroRows: 2 }), x([1, 5, 4], { zeroRows: 1 }), x([1, 5, 4])],
      call: (q, k, v) => attention(q, k, v, { cosine: true }),
      torch: 'attention(a, b, c, cosine=True)',
      jumps: true,
    },
  ],
  attentionPacked: [
    {
      name: 'three heads',
      inputs: [x([2, 9, 36])],
      call: (qkv) => attentionPacked(qkv, { heads: 3 }),
      torch: 'attention(*a.chunk(3, -1), heads=3)',
      f16: true,
    },
    {
      name: 'bias',
      inputs: [x([2, 9, 24]), x([2, 9, 9])],
      call: (qkv, bias) => attentionPacked(qkv, { heads: 2, bias }),
      torch: 'attention(*a.chunk(3, -1), heads=2, bias=b)',
    },
  ],
  relativeAttention: [
    {
      name: 'grid 2 x 3 x 4',
      inputs: [x([2, 2, 3, 4, 24]), x([3, 4]), x([5, 4]), x([7, 4])],
      call: (qkv, d, h, w) => relativeAttention(qkv, d, h, w, { heads: 2 }),
      torch: 'relative_attention(a, b, c, d, 2)',
      f16: true,
    },
    {
      name: 'flat grid, scale',
      inputs: [x([1, 1, 7, 5, 15]), x([1, 5]), x([13, 5]), x([9, 5])],
      call: (qkv, d, h, w) => relativeAttention(qkv, d, h, w, { heads: 1, scale: 0.2 }),
      torch: 'relative_attention(a, b, c, d, 1, 0.2)',
      grad: [0, 2, 3],
    }, // one layer: its table moves all scores alike, so the gradient is 0,
  ],
  windowAttention: [
    windowed('volume, shifted', [2, 4, 6, 4, 24], [45, 2], { heads: 2, window: [2, 3, 2], shift: 1 }, '2, (2, 3, 2), (1, 1, 1)', {
      f16: true,
    }),
    windowed('plane', [2, 6, 4, 18], [15, 3], { heads: 3, window: [3, 2] }, '3, (3, 2), (0, 0)'),
    windowed(
      'shifted along one axis',
      [1, 3, 4, 9, 12],
      [5 * 7 * 5, 1],
      { heads: 1, window: [3, 4, 3], shift: [0, 0, 2] },
      '1, (3, 4, 3), (0, 0, 2)',
    ),
    windowed(
      'a table for larger windows',
      [1, 2, 6, 4, 24],
      [5 * 5 * 7, 2],
      { heads: 2, window: [2, 3, 2], shift: [0, 1, 1], reach: [3, 3, 4] },
      '2, (2, 3, 2), (0, 1, 1), (3, 3, 4)',
    ),
    windowed('one shifted window', [1, 4, 12], [7, 2], { heads: 2, window: 4, shift: 2 }, '2, (4,), (2,)'),
    windowed(
      'wide heads, windows of 64',
      [1, 8, 4, 8, 120],
      [343, 2],
      { heads: 2, window: 4, shift: [2, 0, 2] },
      '2, (4, 4, 4), (2, 0, 2)',
      { bench: true },
    ),
  ],
  tableInterpolate: [
    {
      name: '7 x 9 pairs, 4 taps',
      inputs: [x([13, 3])],
      call: (table) =>
        tableInterpolate(
          table,
          interpolationPlan(
            13,
            [7, 9],
            Uint32Array.from({ length: 252 }, (_, i) => (i * i * 7) % 13),
            Float32Array.from({ length: 252 }, (_, i) => (i % 5) / 4),
          ),
        ),
      torch:
        '(a[torch.arange(252) ** 2 * 7 % 13] * (torch.arange(252) % 5 / 4).double()[:, None]).reshape(7, 9, 4, 3).sum(2).movedim(-1, 0)',
      f16: true,
    },
  ],
};
