// SPDX-License-Identifier: MIT
// Pooling of channels-last tensors [N, (D,) (H,) W, C].
import { fields, flag, maybe, perAxis } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type DType, type Spec } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, type Dispatch, type LowerContext, type Ref, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { avg_pool, avg_pool_dx, max_pool, max_pool_dx } from '../gen/pool.ts';
import { elementLaunch, vector } from './lanes.ts';
import { expectSpatial, POOL, poolAxes, poolParams, type PoolAxis, type PoolOptions } from './pool_axes.ts';
import { mean } from './reduce.ts';

interface Windows {
  readonly axes: readonly PoolAxis[];
  readonly includePad: boolean;
}

/** Everything but the bindings: `written` is what the kernel's lanes write, one V each. */
function launch(
  c: Pick<LowerContext<unknown>, 'caps'>,
  written: Ref,
  input: readonly number[],
  output: readonly number[],
  { axes, includePad }: Windows,
) {
  const channels = written.shape.at(-1)!;
  const { V, W } = vector(written.dtype, channels);
  const n = numel(written.shape) / W;
  const { overrides: lanes, grid } = elementLaunch(c.caps, n);
  const { params, overrides: own } = poolParams(input, output, axes);
  const overrides = { ...lanes, ...own };
  return {
    params: { n, c: channels / W, ...params } as never,
    grid,
    bins: { spec: { V }, overrides: { ...overrides, BINS: 1 } },
    options: { spec: { V }, overrides },
    averaging: { spec: { V }, overrides: { ...overrides, INCLUDE_PAD: Number(includePad) } },
  };
}

const pooled = (x: Spec, axes: readonly PoolAxis[], dtype: DType = x.dtype): Spec => ({
  shape: [x.shape[0], ...axes.map((a) => a.out), x.shape.at(-1)!],
  dtype,
});
interface Back extends Windows {
  readonly shape: readonly number[];
}
const taps = (axes: readonly PoolAxis[]): number => axes.reduce((n, a) => n * a.kernel, 1);

const maxPoolOp = defineOp({
  name: 'max_pool',
  call: (x: Tensor, attrs: Windows) => ({ inputs: [x], attrs }),
  infer: ([x], { axes }) => [pooled(x, axes), pooled(x, axes, 'u32')],
  lower(c): Dispatch[] {
    const [x] = c.inputs;
    const [y, place] = c.outputs;
    const { params, grid, options } = launch(c, y, x.shape, y.shape, c.attrs);
    return [dispatch(max_pool, { x, y, place }, params, grid, options)];
  },
  vjp: ({ inputs: [x], outputs: [, index], grads: [g], attrs }): (Thunk | null)[] => [
    g ? () => maxPoolDx(g, index, { ...attrs, shape: x.shape }) : null,
  ],
  result: ([values, indices]) => ({ values, indices }),
  flops: (_, [y], { axes }) => numel(y.shape) * taps(axes),
});

const maxPoolDx = defineOp({
  name: 'max_pool_dx',
  call: (g: Tensor, index: Tensor, attrs: Back) => ({ inputs: [g, index], attrs }),
  infer: ([g], { shape }) => ({ shape, dtype: g.dtype }),
  lower(c): Dispatch[] {
    const [g, index] = c.inputs;
    const [dx] = c.outputs;
    const { params, grid, options } = launch(c, dx, dx.shape, g.shape, c.attrs);
    return [dispatch(max_pool_dx, { g, index, dx }, params, grid, options)];
  },
});

/** Means of windows, or of `bins` that make up each axis; and the adjoint. */
function average(name: string, bins: boolean) {
  const options = (l: ReturnType<typeof launch>) => (bins ? l.bins : l.averaging);
  const op = defineOp({
    name,
    call: (x: Tensor, size: readonly number[], attrs: Windows) => ({ inputs: [x], attrs: { ...attrs, size } }),
    infer: ([x], { size }) => ({ shape: [x.shape[0], ...size, x.shape.at(-1)!], dtype: x.dtype }),
    lower({ caps, inputs: [x], outputs: [y], attrs }): Dispatch[] {
      const l = launch({ caps }, y, x.shape, y.shape, attrs);
      return [dispatch(avg_pool, { x, y }, l.params, l.grid, options(l))];
    },
    vjp: ({ inputs: [x], grads: [g], attrs }): Thunk[] => [() => dx(g, { ...attrs, shape: x.shape })],
    flops: ([x], [y], { axes }) => (bins ? numel(x.shape) : numel(y.shape) * taps(axes)),
  });
  const dx = defineOp({
    name: `${name}_dx`,
    call: (g: Tensor, attrs: Back) => ({ inputs: [g], attrs }),
    infer: ([g], { shape }) => ({ shape, dtype: g.dtype }),
    lower({ caps, inputs: [g], outputs: [y], attrs }): Dispatch[] {
      const l = launch({ caps }, y, y.shape, g.shape, attrs);
      return [dispatch(avg_pool_dx, { g, dx: y }, l.params, l.grid, options(l))];
    },
    vjp: ({ inputs: [g], grads: [gg], attrs }): Thunk[] => [() => op(gg, g.shape.slice(1, -1), attrs)],
  });
  return op;
}
const windowMeans = average('avg_pool', false);
const binMeans = average('adaptive_avg_pool', true);

/** Maxima of windows and where they lie within D * H * W (u32, the first of equals). The gradient goes there. */
export const maxPoolWithIndices = door(
  'maxPoolWithIndices',
  { x: aTensor, options: fields(POOL) },
  (x: Tensor, options: PoolOptions): { values: Tensor; indices: Tensor } => {
    return maxPoolOp(x, {
      axes: poolAxes('maxPoolWithIndices', x, Math.min(3, Math.max(1, x.shape.length - 2)), options),
      includePad: false,
    });
  },
);
const maxPool = (spatial: number) =>
  door(
    `maxPool${spatial}d`,
    { x: aTensor, options: fields(POOL) },
    (x: Tensor, options: PoolOptions): Tensor =>
      maxPoolOp(x, { axes: poolAxes(`maxPool${spatial}d`, x, spatial, options), includePad: false }).values,
  );

/** Largest element of each window; padding never wins. x [N, W, C] */
export const maxPool1d = maxPool(1);
/** x [N, H, W, C] */
export const maxPool2d = maxPool(2);
/** x [N, D, H, W, C] */
export const maxPool3d = maxPool(3);

export interface AvgPoolOptions extends PoolOptions {
  /** Whether zeros of the padding count in the divisor. Default: true. */
  countIncludePad?: boolean;
}
const avgPool = (spatial: number) =>
  door(
    `avgPool${spatial}d`,
    { x: aTensor, options: fields({ ...POOL, countIncludePad: maybe(flag) }) },
    (x: Tensor, { countIncludePad = true, ...options }: AvgPoolOptions): Tensor => {
      const axes = poolAxes(`avgPool${spatial}d`, x, spatial, options);
      const size = axes.map((a) => a.out);
      return windowMeans(x, size, { axes, includePad: countIncludePad });
    },
  );

/** Mean of each window. x [N, W, C] */
export const avgPool1d = avgPool(1);
/** x [N, H, W, C] */
export const avgPool2d = avgPool(2);
/** x [N, D, H, W, C] */
export const avgPool3d = avgPool(3);

const adaptive = (spatial: number) =>
  door(
    `adaptiveAvgPool${spatial}d`,
    { x: aTensor, options: fields({ size: perAxis(1) }) },
    (x: Tensor, { size }: { size: number | readonly number[] }): Tensor => {
      const name = `adaptiveAvgPool${spatial}d`;
      expectSpatial(name, x, spatial);
      const list = typeof size === 'number' ? new Array<number>(spatial).fill(size) : size;
      if (list.length !== spatial || list.some((d) => !Number.isInteger(d) || d < 1))
        throw new ShapeError(`${name}: got size [${list}], expected ${spatial} of at least 1.`);
      return binMeans(x, list, { axes: [], includePad: true });
    },
  );

/** Means of `size` bins an axis, which overlap where they do not divide it. x [N, H, W, C] */
export const adaptiveAvgPool2d = adaptive(2);
/** x [N, D, H, W, C] */
export const adaptiveAvgPool3d = adaptive(3);

/** Mean over all spatial axes, which stay with size 1. */
export const globalAvgPool = door('globalAvgPool', { x: aTensor }, (x: Tensor): Tensor =>
  mean(x, { axes: x.shape.slice(1, -1).map((_, i) => i + 1), keepDims: true }),
);
