// SPDX-License-Identifier: MIT
// Batch norm over all axes but the last (channels last), with an optional summand and ReLU in the same pass.
import { fields, flag, integer, maybe, number, scalar } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor, noneOrTensor } from '../engine/door.ts';
import { defineOp, dispatch, once, type Dispatch, type Thunk } from '../engine/op.ts';
import { numel } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { bn_eval_stats, bn_finish, bn_grad } from '../gen/batch_norm.ts';
import { applyNorm, checkChannels, gradInput, gradSums, joinsRuns, moments, overChannels, rowsOf } from './channel_norm.ts';

export interface BatchNormOptions {
  /** Statistics of the batch, and running values updated; else the running values are the statistics. */
  training: boolean;
  /** Step of the running values towards the batch's (PyTorch's convention). */
  momentum?: number;
  eps?: number;
  /** Added before the ReLU: the residual of a block. */
  add?: Tensor | null;
  relu?: boolean;
  /** In training: equal parts of the leading axis, each with statistics of its own, as if they came one after another. Default 1. */
  parts?: number;
}
interface Attrs {
  readonly training: boolean;
  readonly momentum: number;
  readonly eps: number;
  readonly relu: boolean;
  readonly parts: number;
}

/** [dx, dgamma, dbeta] and, with a summand, dz. */
const gradient = defineOp({
  name: 'batch_norm_dx',
  call: (x: Tensor, gamma: Tensor, stats: Tensor, dy: Tensor, y: Tensor | null, add: boolean, attrs: Attrs) => ({
    inputs: [x, gamma, stats, dy, y],
    attrs: { ...attrs, add },
  }),
  infer: ([x, gamma], { add }) => [x, gamma, gamma, ...(add ? [x] : [])],
  lower(c): Dispatch[] {
    const [x, gamma, stats, dy, y] = c.inputs;
    const [dx, dgamma, dbeta, dz] = c.outputs;
    const r = rowsOf(c.caps, x, c.attrs.parts, c.attrs.eps);
    const partial = c.scratch([2, r.n, r.parts, r.c]);
    const coef = c.scratch([2, r.n, r.c]);
    const { params, grid, options } = joinsRuns(r);
    return [
      gradSums(r, x, stats, dy, y, partial),
      dispatch(bn_grad, { partial_in: partial, gamma, coef_out: coef, dgamma, dbeta }, { ...params, share: 1 / r.rows }, grid, options),
      gradInput(r, x, stats, gamma, coef, dy, y, dx, dz ?? null, !c.attrs.training),
    ];
  },
  result: (outputs) => outputs,
  flops: ([x]) => 12 * numel(x.shape),
});

/**
 * (x - mean) / sqrt(var + eps) * gamma + beta, then + add, then ReLU, per channel of x [..., C].
 * In training the running values (tensors with memory of their own) are updated in place.
 */
export const batchNorm = defineOp({
  name: 'batch_norm',
  takes: {
    x: aTensor,
    gamma: aTensor,
    beta: aTensor,
    runningMean: aTensor,
    runningVar: aTensor,
    options: fields({
      training: flag,
      momentum: maybe(number()),
      eps: maybe(scalar),
      add: noneOrTensor,
      relu: maybe(flag),
      parts: maybe(integer(1)),
    }),
  },
  call: (
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    runningMean: Tensor,
    runningVar: Tensor,
    { training, momentum = 0.1, eps = 1e-5, add = null, relu = false, parts = 1 }: BatchNormOptions,
  ) => ({ inputs: [x, gamma, beta, runningMean, runningVar, add], attrs: { training, momentum, eps, relu, parts: training ? parts : 1 } }),
  infer([x, gamma, beta, mean, variance, add], { parts }) {
    checkChannels('batch_norm', x, [gamma, beta, mean, variance], add);
    if (x.shape[0] % parts !== 0)
      throw new ShapeError(`batch_norm: got ${parts} parts of [${x.shape}], expected parts that divide its first axis.`);
    return [x, { shape: [2, parts, x.shape.at(-1)!], dtype: 'f32' }];
  },
  mutates: ({ training }) => (training ? [3, 4] : []),
  lower(c): Dispatch[] {
    const [x, gamma, beta, mean, variance, add] = c.inputs;
    const [y, stats] = c.outputs;
    const r = rowsOf(c.caps, x, c.attrs.parts, c.attrs.eps);
    const apply = applyNorm(r, x, stats, gamma, beta, add ?? null, y, c.attrs.relu);
    if (!c.attrs.training) {
      const { params, grid, options } = overChannels(r);
      return [dispatch(bn_eval_stats, { mean_in: mean, var_in: variance, stats_out: stats }, params, grid, options), apply];
    }
    const { params, grid, options } = joinsRuns(r);
    const partial = c.scratch([2, r.n, r.parts, r.c]);
    return [
      moments(r, x, partial),
      dispatch(
        bn_finish,
        { partial_in: partial, stats_out: stats, running_mean: mean, running_var: variance },
        { ...params, momentum: c.attrs.momentum },
        grid,
        options,
      ),
      apply,
    ];
  },
  vjp({ inputs: [x, gamma, , , , add], outputs: [y, stats], grads: [g], attrs }): (Thunk | null)[] {
    const all = once(() => gradient(x, gamma, stats, g!, attrs.relu ? y : null, Boolean(add), attrs));
    return [() => all()[0], () => all()[1], () => all()[2], null, null, add ? () => all()[3] : null];
  },
  flops: ([x]) => 8 * numel(x.shape),
});
