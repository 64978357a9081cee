// SPDX-License-Identifier: MIT
// Group and instance norm of channels-last tensors [N, ..., C]: statistics of each sample and group of neighbouring channels.
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { defineOp, dispatch, once, type Dispatch, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { gn_finish, gn_grad } from '../gen/group_norm.ts';
import { applyNorm, checkChannels, gradInput, gradSums, moments, rowsOf, type Rows } from './channel_norm.ts';
import { elementLaunch } from './lanes.ts';
import { lowerReduce } from './reduce.ts';

export interface GroupNormOptions { groups: number; eps?: number; relu?: boolean }
interface Attrs { readonly groups: number; readonly eps: number; readonly relu: boolean }

function overGroups(r: Rows, groups: number) {
  const { grid, overrides } = elementLaunch(r.caps, r.n * groups);
  const { n, rows, c, chunk, parts, eps } = r;
  return { params: { n, rows, c, chunk, parts, groups, eps }, grid, overrides };
}

/** [dx] and, with weights, dgamma and dbeta. */
const gradient = defineOp<[Tensor, Tensor | null, Tensor, Tensor, Tensor | null, Attrs], Attrs, Tensor[]>({
  name: 'group_norm_dx',
  call: (x, gamma, stats, dy, y, attrs) => ({ inputs: [x, gamma, stats, dy, y], attrs }),
  infer: ([x, gamma]) => gamma ? [x!, gamma, gamma] : [x!],
  lower(c): Dispatch[] {
    const [x, gamma, stats, dy, y] = c.inputs;
    const [dx, dgamma, dbeta] = c.outputs;
    const r = rowsOf(c.caps, x!, x!.shape[0]!, c.attrs.eps);
    const partial = c.scratch([2, r.n, r.parts, r.c]);
    const coef = c.scratch([2, r.n, r.c]);
    const each = [c.scratch([r.n, r.c]), c.scratch([r.n, r.c])] as const; // dgamma, dbeta by sample
    const { params, grid, overrides } = overGroups(r, c.attrs.groups);
    return [
      gradSums(r, x!, stats!, dy!, y ?? null, partial),
      dispatch(gn_grad, { partial, gamma: gamma ?? stats!, coef, dgamma: each[0], dbeta: each[1] }, params, grid, { overrides: { ...overrides, AFFINE: Number(gamma !== null) } }),
      gradInput(r, x!, stats!, gamma ?? null, coef, dy!, y ?? null, dx!, null),
      ...(gamma ? [...lowerReduce(c, each[0], dgamma!, [0], 'sum'), ...lowerReduce(c, each[1], dbeta!, [0], 'sum')] : []),
    ];
  },
  result: (outputs) => outputs,
  flops: ([x]) => 12 * numel(x!.shape),
});

/** (x - mean) / sqrt(var + eps) * gamma + beta, then ReLU; mean and variance of each sample's group; gamma, beta f32 [C] or null. */
export const groupNorm = defineOp<[Tensor, Tensor | null, Tensor | null, GroupNormOptions], Attrs>({
  name: 'group_norm',
  call: (x, gamma, beta, { groups, eps = 1e-5, relu = false }) => ({ inputs: [x, gamma, beta], attrs: { groups, eps, relu } }),
  infer([x, gamma, beta], { groups }) {
    checkChannels('group_norm', x!, [gamma, beta]);
    const c = x!.shape.at(-1)!;
    if (!Number.isInteger(c / groups)) throw new ShapeError(`group_norm: got ${groups} groups for ${c} channels, expected a divisor.`);
    if (!gamma !== !beta) throw new ShapeError('group_norm: got one of gamma and beta, expected both or neither.');
    return [x!, { shape: [2, x!.shape[0]!, c], dtype: 'f32' }];
  },
  lower(c): Dispatch[] {
    const [x, gamma, beta] = c.inputs;
    const [y, stats] = c.outputs;
    const r = rowsOf(c.caps, x!, x!.shape[0]!, c.attrs.eps);
    const partial = c.scratch([2, r.n, r.parts, r.c]);
    const { params, grid, overrides } = overGroups(r, c.attrs.groups);
    return [
      moments(r, x!, partial),
      dispatch(gn_finish, { partial, stats: stats! }, params, grid, { overrides }),
      applyNorm(r, x!, stats!, gamma ?? null, beta ?? null, null, y!, c.attrs.relu),
    ];
  },
  vjp({ inputs: [x, gamma, beta], outputs: [y, stats], grads: [g], attrs }): (Thunk | null)[] {
    const all = once(() => gradient(x!, gamma!, stats!, g!, attrs.relu ? y! : null, attrs));
    return [() => all()[0]!, gamma ? () => all()[1]! : null, beta ? () => all()[2]! : null];
  },
  flops: ([x]) => 8 * numel(x!.shape),
});

/** Group norm with one channel a group. */
export const instanceNorm = (x: Tensor, gamma: Tensor | null = null, beta: Tensor | null = null, options: { eps?: number; relu?: boolean } = {}): Tensor =>
  groupNorm(x, gamma, beta, { groups: x.shape.at(-1)!, ...options });
