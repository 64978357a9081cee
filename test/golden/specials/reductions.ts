// SPDX-License-Identifier: MIT
// Reductions, extrema with their places, norms and running sums on rows that hold NaN and infinities: first, last, between, several, alone.
import type { Tensor } from '../../../src/engine/tensor.ts';
import { batchNorm } from '../../../src/ops/batch_norm.ts';
import { cumprod, cumsum } from '../../../src/ops/cumsum.ts';
import { frequencyStatistics } from '../../../src/ops/frequency_statistics.ts';
import { groupNorm, instanceNorm } from '../../../src/ops/group_norm.ts';
import { all, any } from '../../../src/ops/logic.ts';
import * as moments from '../../../src/ops/moments.ts';
import { l2Normalize, layerNorm, rmsNorm } from '../../../src/ops/norm.ts';
import * as op from '../../../src/ops/reduce.ts';
import { argsort, sort } from '../../../src/ops/sort.ts';
import { maxWithIndex, minWithIndex, topk } from '../../../src/ops/topk.ts';
import { rowsOf, transposed, weights, type Special, type SpecialInput, type Specials } from './form.ts';

type Call = (a: Tensor) => Tensor | Tensor[];
const both = ({ values, indices }: { values: Tensor; indices: Tensor }): Tensor[] => [values, indices];

/** Along rows of 6 (scalars), 8 (vectors) and 130 (two runs), and down columns. `torch` is over `a` and AXIS. */
const rows = (call: (a: Tensor, axis: number) => Tensor | Tensor[], torch: string, more: Partial<Special> = {}): Special[] => {
  const along = (name: string, input: SpecialInput, axis: 0 | 1, extra: Partial<Special> = {}): Special => ({
    name,
    inputs: [input],
    call: (a) => call(a, axis),
    torch: torch.replaceAll('AXIS', String(axis)),
    ...more,
    ...extra,
  });
  return [
    along('rows of 6', rowsOf(6), 1, { f16: true }),
    along('rows of 8', rowsOf(8), 1, { f16: true }),
    along('rows of 130', rowsOf(130, 5), 1),
    along('columns of 6', transposed(rowsOf(6)), 0),
    along('columns of 130', transposed(rowsOf(130, 5)), 0),
  ];
};
const one = (call: Call, torch: string, inputs = [rowsOf(8)], more: Partial<Special> = {}): Special => ({
  inputs,
  call: (a) => call(a),
  torch,
  ...more,
});
const places = { grad: [] };

const zero: Special['except'] = { at: (x) => x === 0, of: 'g', why: 'a row of zeros gets no gradient, where PyTorch divides by eps' };

/** Channels last: each pattern is a channel. */
const channels = (): SpecialInput => ({ ...transposed(rowsOf(8)), shape: [1, 8, 1, 16] });
const loose = { y: 16, g: 64, least: 1, why: 'sums that cancel, and a reciprocal root' };

export const reductions: Specials = {
  any: rows((a, axes) => any(a, { axes }), 'a.any(AXIS)'),
  all: rows((a, axes) => all(a, { axes }), 'a.all(AXIS)'),
  variance: rows((a, axes) => moments.variance(a, { axes }), 'a.var(AXIS)', { ulp: loose }),
  std: rows((a, axes) => moments.std(a, { axes }), 'a.std(AXIS)', { ulp: loose }),
  norm: [
    ...rows((a, axes) => moments.norm(a, { axes }), 'torch.linalg.vector_norm(a, dim=AXIS)'),
    ...[0.5, 1, 3, Infinity, -Infinity].flatMap((p) =>
      rows((a, axes) => moments.norm(a, { axes, p }), `torch.linalg.vector_norm(a, float('${p}'), dim=AXIS)`)
        .slice(1, 4)
        .map((r) => ({ ...r, name: `p ${p}, ${r.name}` })),
    ),
  ],
  logsumexp: rows((a, axes) => moments.logsumexp(a, { axes }), 'a.logsumexp(AXIS)', {
    ulp: { y: 16, g: 64, least: 1, why: "WGSL's exp, and sums that cancel" },
  }),
  sum: rows((a, axes) => op.sum(a, { axes }), 'a.sum(AXIS)'),
  mean: [...rows((a, axes) => op.mean(a, { axes }), 'a.mean(AXIS)'), one((a) => op.mean(a), 'a.mean()', [rowsOf(7)], { name: 'all' })],
  max: [...rows((a, axes) => op.max(a, { axes }), 'a.amax(AXIS)'), one((a) => op.max(a), 'a.amax((0, 1))', [rowsOf(7)], { name: 'all' })],
  min: [...rows((a, axes) => op.min(a, { axes }), 'a.amin(AXIS)'), one((a) => op.min(a), 'a.amin((0, 1))', [rowsOf(7)], { name: 'all' })],
  prod: [
    ...rows((a, axes) => op.prod(a, { axes }), 'a.prod(AXIS)', { grad: [] }).slice(0, 2),
    one((a) => op.prod(a, { axes: 1 }), 'a.prod(1)', [{ values: [2, 0, 3, 4, 2, 0, 3, 0, 2, 3, 4, 5, 0, 0, 0, 0], shape: [4, 4] }], {
      name: 'zeros',
      f16: true,
    }),
    one((a) => op.prod(a, { axes: 0 }), 'a.prod(0)', [{ values: [2, NaN, 3, 4, -2, 3, Infinity, 5], shape: [4, 2] }], {
      name: 'NaN and infinity',
    }),
    one((a) => op.prod(a), 'a.prod()', [{ values: [2, 0, 3, 4], shape: [4] }], { name: 'all, one zero' }),
  ],
  sumSquares: rows((a, axes) => op.sumSquares(a, { axes }), '(a * a).sum(AXIS)'),
  sumAbs: rows((a, axes) => op.sumAbs(a, { axes }), 'a.abs().sum(AXIS)'),
  countNonzero: rows((a, axes) => op.countNonzero(a, { axes }), '(a != 0).sum(AXIS).to(a.dtype)', places),
  argmax: rows((a, axis) => op.argmax(a, { axis }), 'first_max(a, AXIS)', places),
  argmin: rows((a, axis) => op.argmin(a, { axis }), 'first_min(a, AXIS)', places),
  maxWithIndex: rows((a, axis) => both(maxWithIndex(a, { axis })), 'list(a.max(AXIS))'),
  minWithIndex: rows((a, axis) => both(minWithIndex(a, { axis })), 'list(a.min(AXIS))'),
  argsort: [
    ...rows((a, axis) => argsort(a, { axis }), 'a.argsort(dim=AXIS, stable=True)'),
    ...rows((a, axis) => argsort(a, { axis, descending: true }), 'a.argsort(dim=AXIS, descending=True, stable=True)')
      .slice(0, 2)
      .map((r) => ({ ...r, name: `descending, ${r.name}` })),
  ],
  sort: rows((a, axis) => sort(a, { axis }).values, 'a.sort(dim=AXIS, stable=True).values'),
  topk: [
    ...rows((a, axis) => both(topk(a, 5, { axis })), 'first_topk(a, 5, AXIS)'),
    ...rows((a, axis) => both(topk(a, 6, { axis, largest: false })), 'first_topk(a, 6, AXIS, largest=False)').map((r) => ({
      ...r,
      name: `smallest, ${r.name}`,
    })),
  ],
  cumprod: rows((a, axis) => cumprod(a, { axis }), 'a.cumprod(AXIS)', { grad: [] }).slice(0, 2),
  cumsum: [
    ...rows((a, axis) => cumsum(a, { axis }), 'a.cumsum(AXIS)').slice(0, 2),
    one(
      (a) => cumsum(a, { axis: 1, reverse: true, exclusive: true }),
      'torch.cat([a.flip(1)[:, :-1].cumsum(1).flip(1), torch.zeros_like(a[:, :1])], 1)',
      [rowsOf(6)],
      { name: 'from the end, exclusive' },
    ),
  ],
  layerNorm: [
    { inputs: [rowsOf(8), ...weights(8)], call: (a, b, c) => layerNorm(a, b, c), torch: 'F.layer_norm(a, (8,), b, c)', ulp: loose },
    one((a) => layerNorm(a), 'F.layer_norm(a, (7,))', [rowsOf(7)], { name: 'no weights', f16: true, ulp: loose }),
  ],
  rmsNorm: [{ inputs: [rowsOf(8), weights(8)[0]], call: (a, b) => rmsNorm(a, b), torch: 'F.rms_norm(a, (8,), b, eps=1e-5)', ulp: loose }],
  l2Normalize: [
    one((a) => l2Normalize(a), 'F.normalize(a, dim=-1)', [rowsOf(8)], { f16: true, ulp: loose, except: zero }),
    one((a) => l2Normalize(a), 'F.normalize(a, dim=-1)', [rowsOf(7)], { name: 'rows of 7', ulp: loose, except: zero }),
  ],
  batchNorm: [false, true].flatMap((training) =>
    [false, true].map((relu): Special => ({
      name: `${training ? 'training' : 'evaluation'}${relu ? ', ReLU' : ''}`,
      inputs: [channels(), ...weights(16), ...weights(16)].map((x, i) =>
        i === 4 ? { ...x, values: x.values.map((v) => Math.abs(v) + 0.5) } : x,
      ),
      call: (a, g, b, m, v) =>
        training ? [batchNorm(a, g, b, m, v, { training, relu }), m, v] : batchNorm(a, g, b, m, v, { training, relu }),
      torch: `batch_norm(a, b, c, d, e, ${training ? 'True' : 'False'}, 0.1, 1e-5, relu=${relu ? 'True' : 'False'})`,
      grad: [0, 1, 2],
      ulp: loose,
    })),
  ),
  groupNorm: [false, true].map((relu): Special => ({
    name: relu ? 'ReLU' : 'plain',
    inputs: [channels(), ...weights(16)],
    call: (a, b, c) => groupNorm(a, b, c, { groups: 4, relu }),
    torch: `last(F.group_norm(first(a), 4, b, c)${relu ? '.relu()' : ''})`,
    ulp: loose,
  })),
  instanceNorm: [
    {
      inputs: [channels(), ...weights(16)],
      call: (a, b, c) => instanceNorm(a, b, c),
      torch: 'last(F.group_norm(first(a), 16, b, c))',
      ulp: loose,
    },
  ],
  frequencyStatistics: [
    {
      inputs: [
        { ...channels(), shape: [1, 8, 16] },
        { values: [1, 0.5, 2, -1, 1, 0.25, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1], shape: [2, 8] },
      ],
      call: (a, b) => frequencyStatistics(a, b),
      torch: 'frequency_statistics(a, b)',
      grad: [0],
      ulp: loose,
    },
  ],
};
