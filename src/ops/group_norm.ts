// SPDX-License-Identifier: MIT
// Group and instance norm of channels-last tensors [N, ..., C]: statistics of each sample and group of neighbouring channels.
import { fields, flag, integer, maybe, scalar } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor, door, noneOrTensor } from '../engine/door.ts';
import { defineOp, dispatch, once, type Dispatch, type Ref, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { gn_finish, gn_grad, gn_small, gn_small_dx, gn_small_dx_add } from '../gen/group_norm.ts';
import { applyNorm, checkChannels, gradInput, gradSums, moments, rowsOf, type Rows } from './channel_norm.ts';
import { sumSplits } from './gemm.ts';
import { rowLaunch, sumLaunch } from './lanes.ts';

export interface GroupNormOptions {
  groups: number;
  eps?: number;
  /** Added before the ReLU: the residual of a block. */
  add?: Tensor | null;
  relu?: boolean;
}
interface Attrs {
  readonly groups: number;
  readonly eps: number;
  readonly relu: boolean;
}

/** Elements of a group up to which one dispatch does it all: what starting dispatches costs then exceeds what more lanes would save. */
const SMALL = 1024;
const isSmall = (r: Rows, groups: number): boolean => (r.rows * r.c) / groups <= SMALL;

const paramsOf = ({ n, rows, c, chunk, parts, eps }: Rows, groups: number) => ({ n, rows, c, chunk, parts, groups, eps });

/** What joins the runs of each group of a sample. */
function overGroups(r: Rows, groups: number) {
  const { grid, overrides } = sumLaunch(r.caps, r.n * groups, r.parts);
  return { params: paramsOf(r, groups), grid, overrides };
}

/** As many lanes as its rows need. */
function acrossGroups(r: Rows, groups: number, x: Ref, flags: { AFFINE: boolean; RELU: boolean; ADD?: boolean }) {
  const { grid, overrides } = rowLaunch(r.caps, r.n * groups, r.rows);
  const numbers = Object.fromEntries(Object.entries(flags).map(([k, v]) => [k, Number(v)]));
  return { params: paramsOf(r, groups), grid, options: { spec: { V: x.dtype }, overrides: { ...overrides, ...numbers } } };
}

/** [dx], with weights dgamma and dbeta, and with a summand dz. */
const gradient = defineOp({
  name: 'group_norm_dx',
  call: (x: Tensor, gamma: Tensor | null, stats: Tensor, dy: Tensor, y: Tensor | null, add: boolean, attrs: Attrs) => ({
    inputs: [x, gamma, stats, dy, y],
    attrs: { ...attrs, add },
  }),
  infer: ([x, gamma], { add }) => [x, ...(gamma ? [gamma, gamma] : []), ...(add ? [x] : [])],
  lower(c): Dispatch[] {
    const [x, gamma, stats, dy, y] = c.inputs;
    const { groups, add } = c.attrs;
    const dx = c.outputs[0],
      dz = add ? c.outputs.at(-1)! : null;
    const r = rowsOf(c.caps, x, x.shape[0], c.attrs.eps);
    const by_sample = c.scratch([2, r.n, r.c]);
    const last = gamma ? [0, 1].map((k) => sumSplits(r.caps, by_sample, c.outputs[k + 1], r.c, r.n, k * r.n * r.c)) : [];
    if (isSmall(r, groups)) {
      const { params, grid, options } = acrossGroups(r, groups, x, { AFFINE: gamma !== null, RELU: y !== null });
      const bindings = { x, stats_in: stats, gamma: gamma ?? stats, by_sample, dy, y_in: y ?? x, dx };
      return [
        dz ? dispatch(gn_small_dx_add, { ...bindings, dz }, params, grid, options) : dispatch(gn_small_dx, bindings, params, grid, options),
        ...last,
      ];
    }
    const partial = c.scratch([2, r.n, r.parts, r.c]);
    const coef = c.scratch([2, r.n, r.c]);
    const { params, grid, overrides } = overGroups(r, groups);
    return [
      gradSums(r, x, stats, dy, y ?? null, partial),
      dispatch(gn_grad, { partial, gamma: gamma ?? stats, coef, by_sample }, params, grid, {
        overrides: { ...overrides, AFFINE: Number(gamma !== null) },
      }),
      gradInput(r, x, stats, gamma ?? null, coef, dy, y ?? null, dx, dz),
      ...last,
    ];
  },
  result: (outputs) => outputs,
  flops: ([x]) => 12 * numel(x.shape),
});

/**
 * (x - mean) / sqrt(var + eps) * gamma + beta, then + add, then ReLU; mean and variance of each sample's group of neighbouring channels of
 * x [N, ..., C]; gamma, beta f32 [C] or null.
 */
export const groupNorm = defineOp({
  name: 'group_norm',
  takes: {
    x: aTensor,
    gamma: noneOrTensor,
    beta: noneOrTensor,
    options: fields({ groups: integer(1), eps: maybe(scalar), add: noneOrTensor, relu: maybe(flag) }),
  },
  call: (x: Tensor, gamma: Tensor | null, beta: Tensor | null, { groups, eps = 1e-5, add = null, relu = false }: GroupNormOptions) => ({
    inputs: [x, gamma, beta, add],
    attrs: { groups, eps, relu },
  }),
  infer([x, gamma, beta, add], { groups }) {
    checkChannels('group_norm', x, [gamma, beta], add);
    const c = x.shape.at(-1)!;
    if (!Number.isInteger(c / groups)) throw new ShapeError(`group_norm: got ${groups} groups for ${c} channels, expected a divisor.`);
    if (!gamma !== !beta) throw new ShapeError('group_norm: got one of gamma and beta, expected both or neither.');
    return [x, { shape: [2, x.shape[0], c], dtype: 'f32' }];
  },
  lower(c): Dispatch[] {
    const [x, gamma, beta, add] = c.inputs;
    const [y, stats] = c.outputs;
    const { groups, relu } = c.attrs;
    const r = rowsOf(c.caps, x, x.shape[0], c.attrs.eps);
    if (isSmall(r, groups)) {
      const { params, grid, options } = acrossGroups(r, groups, x, { AFFINE: Boolean(gamma), RELU: relu, ADD: Boolean(add) });
      return [dispatch(gn_small, { x, gamma: gamma ?? x, beta: beta ?? x, z: add ?? x, y, stats }, params, grid, options)];
    }
    const partial = c.scratch([2, r.n, r.parts, r.c]);
    const { params, grid, overrides } = overGroups(r, groups);
    return [
      moments(r, x, partial),
      dispatch(gn_finish, { partial, stats }, params, grid, { overrides }),
      applyNorm(r, x, stats, gamma ?? null, beta ?? null, add ?? null, y, relu),
    ];
  },
  vjp({ inputs: [x, gamma, beta, add], outputs: [y, stats], grads: [g], attrs }): (Thunk | null)[] {
    const all = once(() => gradient(x, gamma, stats, g!, attrs.relu ? y : null, Boolean(add), attrs));
    return [() => all()[0], gamma ? () => all()[1] : null, beta ? () => all()[2] : null, add ? () => all().at(-1)! : null];
  },
  flops: ([x]) => 8 * numel(x.shape),
});

/** Group norm with one channel a group. */
export const instanceNorm = door(
  'instanceNorm',
  { x: aTensor, gamma: noneOrTensor, beta: noneOrTensor, options: maybe(fields({ eps: maybe(scalar), relu: maybe(flag) })) },
  (x: Tensor, gamma: Tensor | null = null, beta: Tensor | null = null, options: { eps?: number; relu?: boolean } = {}): Tensor =>
    groupNorm(x, gamma, beta, { groups: x.shape.at(-1) || 1, ...options }),
);
