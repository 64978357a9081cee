// SPDX-License-Identifier: MIT
// Picking by index, attention, and the end of a training step, on values that hold NaN and infinities.
import { attention, type AttentionOptions } from '../../../src/ops/attention.ts';
import { edgeConvGather, neighbourMax } from '../../../src/ops/edge_conv.ts';
import * as op from '../../../src/ops/gather.ts';
import { addScaled, assignScaled, clipFactor, judgeGradients, update, type UpdateKind } from '../../../src/ops/optim.ts';
import { putRows } from '../../../src/ops/put_rows.ts';
import { sampleVoxel } from '../../../src/ops/sample_voxel.ts';
import { tril, triu } from '../../../src/ops/create.ts';
import { einsum } from '../../../src/ops/einsum.ts';
import { bincount } from '../../../src/ops/sort.ts';
import { rowsOf, transposed, type Special, type SpecialInput, type Specials } from './form.ts';

const index = (shape: number[], below: number, dtype: 'u32' | 'i32' = 'u32'): SpecialInput => ({
  values: Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => (i * 7 + (i >> 2)) % below),
  shape,
  dtype,
});
const table = rowsOf(8); // [16, 8]
const plain = (shape: number[], seed = 1): SpecialInput => ({
  values: Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => ((((i + seed) * 37) % 16) - 7.5) / 8),
  shape,
});
const spoilt = (input: SpecialInput, at: Readonly<Record<number, number>>): SpecialInput => ({
  ...input,
  values: input.values.map((v, i) => at[i] ?? v),
});

const loose = { y: 32, g: 256, least: 1, why: 'sums that cancel, and exponentials' };
/** One of q, k, v or the bias spoilt: [1, 2 heads, 8 tokens, d]. */
const attend = (
  name: string,
  d: number,
  which: number,
  at: Readonly<Record<number, number>>,
  options: AttentionOptions = {},
  python = '',
  more: Partial<Special> = {},
): Special => {
  const inputs = [plain([1, 2, 8, d]), plain([1, 2, 8, d], 5), plain([1, 2, 8, d], 11), plain([2, 8, 8], 3)].map((x, i) =>
    i === which ? spoilt(x, at) : x,
  );
  return {
    name: `${name}, ${d} wide`,
    inputs: which === 3 ? inputs : inputs.slice(0, 3),
    call: (q, k, v, bias) => attention(q, k, v, bias ? { ...options, bias } : options),
    torch: `attention(a, b, c${which === 3 ? ', bias=d' : ''}${python})`,
    ulp: loose,
    ...more,
  };
};
const NAN_Q = { 3: NaN };
const INF_K = { 7: Infinity };
/** Query 0 of head 0 sees no key, query 1 all but one, query 2 meets +infinity, query 3 NaN. */
const BIAS = { ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7, 9].map((i) => [i, -Infinity])), 18: Infinity, 29: NaN };

const GRADIENTS = [1, -2, 0.5, Infinity, -Infinity, NaN, 0, 1e30];
const step = (kind: UpdateKind, factor: number, torch: string): Special => ({
  name: `${kind}, factor ${factor}`,
  inputs: [
    plain([8]),
    { values: GRADIENTS, shape: [8] },
    plain([8], 3),
    { values: plain([8]).values.map(Math.abs), shape: [8] },
    { values: [0.0625, 1 - 0.9 ** 3, 1 - 0.999 ** 3], shape: [3] },
    { values: [factor, 1], shape: [2] },
  ],
  call: (p, g, m, v, hyper, clip) => {
    update(
      kind,
      { p: p, g: g, m: m, v: v, hyper: hyper, clip: clip },
      { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.125, lrScale: 1 },
    );
    return kind === 'sgd' ? [p, m] : [p, m, v];
  },
  torch,
  grad: [],
  ulp: { y: 64, why: 'powers and roots in another order' },
});
const factors = [1, 0.5, 0, NaN];
const clip = (values: number[], bound: number): Special => ({
  name: `${values}, bound ${bound}`,
  inputs: [{ values: [...values, ...new Array<number>(8 - values.length).fill(0.5)], shape: [8] }],
  call: (g) => clipFactor([g], bound),
  torch: `clip_factor([a], ${bound === Infinity ? 'None' : bound})`,
  grad: [],
});

export const picking: Specials = {
  einsum: [
    {
      name: 'a product',
      inputs: [table, plain([8, 3])],
      call: (a, b) => einsum('ij,jk->ik', a, b),
      torch: "torch.einsum('ij,jk->ik', a, b)",
      ulp: loose,
    },
    { name: 'a transposed sum', inputs: [table], call: (a) => einsum('ij->j', a), torch: "torch.einsum('ij->j', a)", ulp: loose },
  ],
  tril: [{ inputs: [table], call: (a) => tril(a, { diagonal: -1 }), torch: 'a.tril(-1)', f16: true }],
  triu: [{ inputs: [table], call: (a) => triu(a, { diagonal: 1 }), torch: 'a.triu(1)', f16: true }],
  bincount: [
    {
      inputs: [index([16], 5), { ...transposed(table), values: transposed(table).values.slice(0, 16), shape: [16] }],
      call: (a, b) => bincount(a, { length: 6, weights: b }),
      torch: 'torch.zeros(6, dtype=b.dtype).index_add(0, a, b)',
      ulp: loose,
    },
  ],
  gather: [{ inputs: [table, index([16, 5], 8)], call: (a, i) => op.gather(a, i, { axis: 1 }), torch: 'a.gather(1, b)', f16: true }],
  scatterAdd: [
    {
      inputs: [table, index([16, 8], 6, 'i32')],
      call: (a, i) => op.scatterAdd(a, i, { axis: 1, size: 6 }),
      torch: 'a.new_zeros(16, 6).scatter_add(1, b, a)',
      f16: true,
    },
  ],
  indexSelect: [{ inputs: [table, index([9], 16)], call: (a, i) => op.indexSelect(a, i), torch: 'a[b]' }],
  gatherRows: [
    {
      inputs: [{ ...table, shape: [4, 4, 8] }, index([4, 3], 4)],
      call: (a, i) => op.gatherRows(a, i),
      torch: 'torch.stack([t[i] for t, i in zip(a, b)])',
    },
  ],
  embedding: [{ inputs: [index([3, 5], 16), table], call: (i, a) => op.embedding(i, a), torch: 'F.embedding(a, b)' }],
  putRows: [
    {
      inputs: [
        plain([16, 8]),
        { ...table, values: table.values.slice(0, 40), shape: [5, 8] },
        { values: [3, 0, 15, 7, 9], shape: [5], dtype: 'u32' },
      ],
      call: (t, rows, i) => {
        putRows(t, rows, i);
        return t;
      },
      torch: 'a.detach().clone().index_copy(0, c, b.detach())',
      grad: [],
    },
  ],
  edgeConvGather: [
    {
      inputs: [{ ...table, shape: [2, 8, 8] }, plain([2, 3, 8]), index([2, 3, 4], 8)],
      call: (u, v, i) => edgeConvGather(u, v, i),
      torch: 'torch.stack([u[i] for u, i in zip(a, c)]) + b[:, :, None]',
    },
  ],
  neighbourMax: [
    { inputs: [{ ...transposed(rowsOf(6)), shape: [1, 6, 16] }], call: (a) => neighbourMax(a), torch: 'a.max(-2).values', f16: true },
  ],
  sampleVoxel: [
    {
      inputs: [
        { values: [0, NaN, 0, 0, 0, Infinity, 0, 0], shape: [2, 1, 1, 4] },
        { values: [0.5, 0.5], shape: [2] },
      ],
      call: (mask, u) => {
        const { coords, value } = sampleVoxel(mask, u);
        return [coords, value];
      },
      torch: '[torch.tensor([[.5, .5, .375], [.5, .5, .375]]), torch.tensor([torch.nan, torch.inf])]',
      grad: [],
    },
  ],
  attention: [4, 24].flatMap((d) => [
    attend('NaN in a query', d, 0, NAN_Q),
    attend('infinite key', d, 1, INF_K),
    attend('NaN in a key', d, 1, { 7: NaN }),
    attend('NaN and infinity in values', d, 2, { 0: NaN, [d + 1]: Infinity }),
    attend('all keys NaN', d, 1, Object.fromEntries(Array.from({ length: 8 * d }, (_, i) => [i, NaN]))),
    attend('bias', d, 3, BIAS, {}, '', { torch: 'F.scaled_dot_product_attention(a, b, c, attn_mask=d)' }),
    attend('causal, NaN in a key', d, 1, { 7: NaN }, { causal: true }, ', causal=True'),
    attend('cosine, NaN in a query', d, 0, NAN_Q, { cosine: true }, ', cosine=True'),
  ]),
  update: factors.flatMap((f) => [
    step('adamw', f, `optimise('AdamW', a, b * ${pythonOf(f)}, c, d, 3, lr=0.0625, weight_decay=0.125)`),
    step('adam', f, `optimise('Adam', a, b * ${pythonOf(f)}, c, d, 3, lr=0.0625, weight_decay=0.125)`),
    step('sgd', f, `optimise('SGD', a, b * ${pythonOf(f)}, c, None, 2, lr=0.0625, weight_decay=0.125, momentum=0.9)`),
  ]),
  clipFactor: [[1, -2], [Infinity], [NaN], [-Infinity, NaN]].flatMap((values) => [clip(values, 1), clip(values, Infinity)]),
  judgeGradients: [Infinity, NaN].map((norm): Special => ({
    name: String(norm),
    inputs: [
      { values: [1, norm], shape: [2] },
      { values: [0.0625], shape: [1] },
      { values: [1024, 5, 0.5, 0.75], shape: [4] },
    ],
    call: (scaled, rate, state) => {
      const { clip: factor, hyper } = judgeGradients(
        { scaled: scaled, rate: rate, state: state },
        { maxNorm: 4, beta1: 0.9, beta2: 0.999, growth: 100 },
      );
      return [factor, hyper, state];
    },
    torch: 'loss_scale(a, b, c, 4, 100)',
    grad: [],
  })),
  addScaled: [
    {
      inputs: [plain([16]), { values: [...GRADIENTS, ...GRADIENTS], shape: [16] }],
      call: (a, b) => {
        addScaled(a, b, 0.5);
        return a;
      },
      torch: 'a + 0.5 * b',
      grad: [],
    },
  ],
  assignScaled: [
    {
      inputs: [plain([16]), { values: [...GRADIENTS, ...GRADIENTS], shape: [16] }],
      call: (a, b) => {
        assignScaled(a, b, 0.5);
        return a;
      },
      torch: '0.5 * b',
      grad: [],
    },
  ],
};

function pythonOf(v: number): string {
  return Number.isNaN(v) ? 'torch.nan' : String(v);
}
