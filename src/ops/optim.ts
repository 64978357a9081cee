// SPDX-License-Identifier: MIT
// Optimiser updates and gradient sums as ops that overwrite ranges of arenas.
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { defineOp, dispatch, grid1d, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import { addUp } from '../engine/sums.ts';
import type { Tensor } from '../engine/tensor.ts';
import { assign_scaled, clear as clearKernel, clip_factor, square_sums } from '../gen/grad_norm.ts';
import { loss_scale } from '../gen/loss_scale.ts';
import { adam, adamw, lion, rmsprop, sgd } from '../gen/optim.ts';
import { elementLaunch, vector } from './lanes.ts';

export type UpdateKind = 'adamw' | 'adam' | 'sgd' | 'rmsprop' | 'lion';
interface UpdateAttrs {
  kind: UpdateKind;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  lrScale: number;
}
interface UpdateTensors {
  p: Tensor;
  g: Tensor;
  m: Tensor;
  v: Tensor;
  hyper: Tensor;
  clip: Tensor;
}

/** Overwrites p, m and v (each [n], n a multiple of 4) with one optimiser step. */
export const update = defineOp({
  name: 'update',
  call: (kind: UpdateKind, t: UpdateTensors, attrs: Omit<UpdateAttrs, 'kind'>) => ({
    inputs: [t.p, t.g, t.m, t.v, t.hyper, t.clip],
    attrs: { kind, ...attrs },
  }),
  infer([p]) {
    if (numel(p.shape) % 4 !== 0)
      throw new ShapeError(
        `update: got ${numel(p.shape)} parameters, expected a multiple of 4.`,
        'Pad the range with zeros, as arenas do.',
      );
    return [];
  },
  mutates: () => [0, 2, 3],
  result: () => undefined,
  lower(c) {
    const [p, g, m, v, hyper, clip] = c.inputs.map((r) => r);
    const n = Math.ceil(numel(p.shape) / 4);
    const { kind, beta1, beta2, eps, weightDecay, lrScale } = c.attrs;
    const params = { n, beta1, beta2, eps, weight_decay: weightDecay, lr_scale: lrScale };
    const grid = grid1d(Math.ceil(n / 64));
    const bound = { p, g, m, hyper, clip };
    if (kind === 'sgd' || kind === 'lion') return [dispatch(kind === 'sgd' ? sgd : lion, bound, params, grid)];
    return [dispatch({ adamw, adam, rmsprop }[kind], { ...bound, v }, params, grid)];
  },
});

/** What the kernels take: 0 where there is no bound. */
const bound = (maxNorm: number): number => (maxNorm === Infinity ? 0 : maxNorm);

/** [factor, norm] over all ranges: factor = min(1, maxNorm / (norm + 1e-6)); an infinite maxNorm gives 1. */
export const clipFactor = defineOp({
  name: 'clip_grad_norm',
  call: (ranges: Tensor[], maxNorm: number) => ({ inputs: ranges, attrs: { maxNorm: bound(maxNorm) } }),
  infer: () => ({ shape: [2], dtype: 'f32' }),
  lower(c) {
    // Lanes, workgroups that add up the squares of a range, and how often a lane of theirs comes by at least.
    const [WG, most, turns] = c.caps.software ? [c.caps.subgroupSize, 256, 8] : [256, 1024, 2];
    const ranges = c.inputs.map((r) => {
      const { V, W } = vector('f32', numel(r.shape));
      const n = numel(r.shape) / W;
      const chunk = WG * Math.max(turns, Math.ceil(n / WG / most));
      return { g: r, V, n, chunk, groups: Math.ceil(n / chunk) };
    });
    const total = ranges.reduce((sum, { groups }) => sum + groups, 0);
    const partials = c.scratch([total]);
    let offset = 0;
    const sums = ranges.map(({ g, V, n, chunk, groups }) => {
      const d = dispatch(square_sums, { g, partials }, { n, chunk, offset, max_norm: 0, scale: 0 }, [groups, 1, 1], {
        spec: { V },
        overrides: { WG },
      });
      offset += groups;
      return d;
    });
    return [
      ...sums,
      dispatch(
        clip_factor,
        { sums: partials, clip: c.outputs[0] },
        { n: total, chunk: 0, offset: 0, max_norm: c.attrs.maxNorm, scale: 0 },
        [1, 1, 1],
        { overrides: { WG } },
      ),
    ];
  },
});

/**
 * The verdict on scaled gradients: `scaled` [2] is `clipFactor` without a bound, `state` [4] the loss scale and its history, `rate` [1 or
 * more] starts with the learning rate. Gives the factor and the norm [2], and the hyperparameters [3] of `update`.
 */
export const judgeGradients = defineOp({
  name: 'loss_scale',
  call: (
    { scaled, rate, state }: { scaled: Tensor; rate: Tensor; state: Tensor },
    { maxNorm, ...rest }: { maxNorm: number; beta1: number; beta2: number; growth: number },
  ) => ({ inputs: [scaled, rate, state], attrs: { max_norm: bound(maxNorm), ...rest } }),
  infer: () => [
    { shape: [2], dtype: 'f32' },
    { shape: [3], dtype: 'f32' },
  ],
  mutates: () => [2],
  result: ([clip, hyper]) => ({ clip, hyper }),
  lower(c) {
    const [scaled, rate, state] = c.inputs;
    const [clip, hyper] = c.outputs;
    return [dispatch(loss_scale, { scaled, rate, state, clip, hyper }, c.attrs, [1, 1, 1])];
  },
});

type Lower = (c: Pick<LowerContext<unknown>, 'caps'>, target: Ref, g: Ref, scale: number) => Dispatch;

const rangeOp = (name: string, lower: Lower) =>
  defineOp({
    name,
    call: (target: Tensor, g: Tensor, scale: number) => ({ inputs: [target, g], attrs: { scale } }),
    infer: () => [],
    mutates: () => [0],
    result: () => undefined,
    lower: (c) => [lower(c, ...c.inputs, c.attrs.scale)],
  });

/** range += scale * g; a program does six at a time. */
export const addScaled = rangeOp('add_scaled', ({ caps }, target, g, scale) => {
  const n = numel(g.shape);
  return addUp([{ n, splits: 1 }], g, target, elementLaunch(caps, n).WG, scale);
});
/** One lane a vector of a range. */
function overRange(range: Ref, scale: number) {
  const { V, W } = vector('f32', numel(range.shape));
  const n = numel(range.shape) / W;
  return { params: { n, chunk: 0, offset: 0, max_norm: 0, scale }, grid: grid1d(Math.ceil(n / 64)), options: { spec: { V } } };
}
/** range = scale * g */
export const assignScaled = rangeOp('assign_scaled', (_, target, g, scale) => {
  const { params, grid, options } = overRange(g, scale);
  return dispatch(assign_scaled, { target_range: target, g }, params, grid, options);
});

/** range = 0 */
export const clear = defineOp({
  name: 'clear',
  call: (target: Tensor) => ({ inputs: [target], attrs: {} }),
  infer: () => [],
  mutates: () => [0],
  result: () => undefined,
  lower({ inputs: [target] }) {
    const { params, grid, options } = overRange(target, 0);
    return [dispatch(clearKernel, { target_range: target }, params, grid, options)];
  },
});
