// SPDX-License-Identifier: MIT
// Norms over the last axis: layer, RMS, l2. Statistics of a row are kept for the backward pass as [rows, 2] f32.
import { fields, maybe, scalar } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type Spec } from '../engine/dtype.ts';
import { aTensor, door, noneOrTensor } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, once, type Dispatch, type LowerContext, type Ref, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { l2, l2_dx, norm, norm_dweight, norm_dx } from '../gen/norm.ts';
import { expectSummand, expectVectors } from './channel_norm.ts';
import { elementLaunch, rowLaunch, runs, vector, vectorsPerLane } from './lanes.ts';
import { lowerReduce } from './reduction.ts';

interface Attrs {
  readonly eps: number;
  readonly mean: boolean;
  /** norm_dx: takes in what others give. */ readonly adds?: boolean;
}

function sizes(x: Spec): { rows: number; n: number; V: string; W: number } {
  const n = x.shape.at(-1)!;
  const { V, W } = vector(x.dtype, n);
  return { rows: numel(x.shape) / n, n: n / W, V, W };
}

function launch(c: LowerContext<Attrs>, x: Ref, affine: boolean, adds = false) {
  const { rows, n, V } = sizes(x);
  const { grid, overrides } = rowLaunch(c.caps, rows, n);
  return {
    params: { rows, n, eps: c.attrs.eps, chunk: 0 },
    grid,
    options: { spec: { V }, overrides: { ...overrides, MEAN: Number(c.attrs.mean), AFFINE: Number(affine), ADD: Number(adds) } },
  };
}

/** @throws ShapeError, DTypeError unless x has a last axis, and gamma and beta are f32 [n]. */
function check(name: string, [x, ...affine]: readonly [Spec, ...(Spec | null)[]]): Spec {
  expectDType(name, [x], 'f32', 'f16');
  if (x.shape.length === 0) throw new ShapeError(`${name}: got a scalar, expected at least one axis.`);
  expectVectors(`${name}: got a weight`, x, affine);
  return x;
}

const rowsOf = (x: Spec): number => numel(x.shape.slice(0, -1));

const gradient = defineOp({
  name: 'norm_dx',
  // z, what others give to dx: of fusion alone
  call: (x: Tensor, gamma: Tensor | null, stats: Tensor, dy: Tensor, attrs: Attrs, z: Tensor | null = null) => ({
    inputs: [x, gamma, stats, dy, z],
    attrs,
  }),
  epilogue: (attrs, expr) => (!attrs.adds && /^(a \+ b|b \+ a)$/.test(expr) ? { ...attrs, adds: true } : null),
  infer: ([x]) => x,
  lower(c): Dispatch[] {
    const [x, gamma, stats, dy, z] = c.inputs;
    const { params, grid, options } = launch(c, x, gamma !== null, z !== null);
    return [dispatch(norm_dx, { x, gamma: gamma ?? x, stats_in: stats, dy, z: z ?? x, dx: c.outputs[0] }, params, grid, options)];
  },
  flops: ([x]) => 10 * numel(x.shape),
});

const weightGradients = defineOp({
  name: 'norm_dweight',
  call: (x: Tensor, stats: Tensor, dy: Tensor) => ({ inputs: [x, stats, dy], attrs: {} }),
  infer: ([x]) => [
    { shape: [x.shape.at(-1)!], dtype: 'f32' },
    { shape: [x.shape.at(-1)!], dtype: 'f32' },
  ],
  lower(c): Dispatch[] {
    const [x, stats, dy] = c.inputs;
    const { rows, n, V, W } = sizes(x);
    const per = vectorsPerLane(c.caps, n, rows * n);
    const { chunk, parts } = runs(c.caps, rows, Math.ceil(n / per / c.caps.subgroupSize), 1024);
    const [dgamma, dbeta] = parts === 1 ? c.outputs : [c.scratch([parts, n * W]), c.scratch([parts, n * W])];
    const { grid, overrides } = elementLaunch(c.caps, (parts * n) / per);
    return [
      dispatch(norm_dweight, { x, stats_in: stats, dy, dgamma, dbeta }, { rows, n, eps: 0, chunk }, grid, {
        spec: { V, PER: `${per}u` },
        overrides,
      }),
      ...(parts === 1 ? [] : [...lowerReduce(c, dgamma, c.outputs[0], [0], 'sum'), ...lowerReduce(c, dbeta, c.outputs[1], [0], 'sum')]),
    ];
  },
  result: (outputs) => outputs,
  flops: ([x]) => 5 * numel(x.shape),
});

export interface NormOptions {
  eps?: number;
  /** Added to the result: the residual of a block. */
  add?: Tensor | null;
}
const OPTIONS = fields({ eps: maybe(scalar), add: noneOrTensor });

function make(name: string, mean: boolean) {
  return defineOp({
    name,
    takes: { x: aTensor, gamma: noneOrTensor, beta: noneOrTensor, options: maybe(OPTIONS) },
    call: (x: Tensor, gamma: Tensor | null = null, beta: Tensor | null = null, { eps = 1e-5, add = null }: NormOptions = {}) => ({
      inputs: [x, gamma, beta, add],
      attrs: { eps, mean },
    }),
    infer([given, gamma, beta, add]) {
      const x = check(name, [given, gamma, beta]);
      if (add) expectSummand(name, x, add);
      if (beta && !gamma) throw new ShapeError(`${name}: got beta without gamma, expected both, gamma alone or neither.`);
      return [x, { shape: [rowsOf(x), 2], dtype: 'f32' }];
    },
    lower(c): Dispatch[] {
      const [x, gamma, beta, z] = c.inputs;
      const { params, grid, options } = launch(c, x, gamma !== null, z !== null);
      const [y, stats] = c.outputs;
      const { spec, overrides } = options;
      return [
        dispatch(norm, { x, gamma: gamma ?? x, beta: beta ?? gamma ?? x, z: z ?? x, y, stats }, params, grid, {
          spec,
          overrides: { ...overrides, BETA: Number(Boolean(beta)) },
        }),
      ];
    },
    vjp({ inputs: [x, gamma, beta], outputs: [, stats], grads: [g], attrs }): (Thunk | null)[] {
      const weights = once(() => weightGradients(x, stats, g!));
      return [() => gradient(x, gamma, stats, g!, attrs), gamma ? () => weights()[0] : null, beta ? () => weights()[1] : null, () => g!];
    },
    flops: ([x]) => 8 * numel(x.shape),
  });
}

/** (x - mean) / sqrt(var + eps) * gamma + beta, then + add, over the last axis; gamma and beta f32 [n] or null, beta with gamma alone. */
export const layerNorm = make('layer_norm', true);
const rms = make('rms_norm', false);
/** x / sqrt(mean(x^2) + eps) * gamma, then + add, over the last axis. */
export const rmsNorm = door(
  'rmsNorm',
  { x: aTensor, gamma: noneOrTensor, options: maybe(OPTIONS) },
  (x: Tensor, gamma: Tensor | null = null, options?: NormOptions): Tensor => rms(x, gamma, null, options),
);

const l2Gradient = defineOp({
  name: 'l2_normalize_dx',
  call: (y: Tensor, stats: Tensor, dy: Tensor) => ({ inputs: [y, stats, dy], attrs: { eps: 0, mean: false } }),
  infer: ([y]) => y,
  lower(c): Dispatch[] {
    const [y, stats, dy] = c.inputs;
    const { params, grid, options } = launch(c, y, false);
    const { WG, LANES } = options.overrides;
    const own = { spec: options.spec, overrides: { WG, LANES } };
    return [dispatch(l2_dx, { x: y, stats_in: stats, dy, dx: c.outputs[0] }, params, grid, own)];
  },
});

/** x / max(|x|, eps) over the last axis; rows of zeros give zeros. */
export const l2Normalize = defineOp({
  name: 'l2_normalize',
  takes: { x: aTensor, options: maybe(fields({ eps: maybe(scalar) })) },
  call: (x: Tensor, { eps = 1e-12 }: { eps?: number } = {}) => ({ inputs: [x], attrs: { eps, mean: false } }),
  infer(inputs) {
    const x = check('l2_normalize', inputs);
    return [x, { shape: [rowsOf(x)], dtype: 'f32' }];
  },
  lower(c): Dispatch[] {
    const [x] = c.inputs;
    const { params, grid, options } = launch(c, x, false);
    const { WG, LANES } = options.overrides;
    const own = { spec: options.spec, overrides: { WG, LANES } };
    const [y, stats] = c.outputs;
    return [dispatch(l2, { x, y, stats }, params, grid, own)];
  },
  vjp: ({ outputs: [y, stats], grads: [g] }): Thunk[] => [() => l2Gradient(y, stats, g!)],
  flops: ([x]) => 4 * numel(x.shape),
});
