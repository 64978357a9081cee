// SPDX-License-Identifier: MIT
// Maps and volumes read at the places of a grid: PyTorch's `grid_sample`, channels last.
import { fields, flag, maybe, oneOf } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel, type Spec } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, type Dispatch, type LowerContext, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { grid_sample, grid_sample_boxes, grid_sample_dgrid, grid_sample_dx } from '../gen/grid_sample.ts';
import { elementLaunch, vector } from './lanes.ts';
import { spatial3 } from './pool_axes.ts';

const PADDING = { zeros: 0, border: 1, reflection: 2 } as const;
/** Places that grid_sample_boxes takes together. */
const RUN = 64;

export interface GridSampleOptions {
  /** `linear` between 4 (3D: 8) neighbours, PyTorch's `bilinear`; or the `nearest` one, of halves the even one. */
  mode?: 'linear' | 'nearest';
  /** What lies outside: zeros, the border, or x reflected at it. */
  padding?: keyof typeof PADDING;
  /** -1 and 1 are the centres of the corner elements; by default their outer edges. */
  alignCorners?: boolean;
}

interface Attrs {
  readonly linear: boolean;
  readonly padding: number;
  readonly aligned: boolean;
  /** Of what is written, where x does not say it. */
  readonly shape?: readonly number[];
}

/** What all four kernels are told, for n elements of vectors of W channels. */
function launch({ caps, attrs }: Pick<LowerContext<Attrs>, 'caps' | 'attrs'>, x: Spec, grid: Spec, n: number, W: number) {
  const [d, h, w] = spatial3(x.shape);
  const axes = grid.shape.at(-1)!;
  const { overrides, grid: workgroups } = elementLaunch(caps, n);
  return {
    params: { n, c: x.shape.at(-1)! / W, d, h, w, places: numel(grid.shape.slice(1, -1)), axes },
    workgroups,
    overrides: { ...overrides, TAPS: attrs.linear ? 2 ** axes : 1, PADDING: attrs.padding, ALIGNED: Number(attrs.aligned) },
  };
}

const op = defineOp({
  name: 'grid_sample',
  call: (x: Tensor, grid: Tensor, attrs: Attrs) => ({ inputs: [x, grid], attrs }),
  infer: ([x, grid]) => ({ shape: [...grid.shape.slice(0, -1), x.shape.at(-1)!], dtype: x.dtype }),
  lower(c): Dispatch[] {
    const [x, grid] = c.inputs;
    const [y] = c.outputs;
    const { V, W } = vector(x.dtype, x.shape.at(-1)!);
    const { params, workgroups, overrides } = launch(c, x, grid, numel(y.shape) / W, W);
    return [dispatch(grid_sample, { x, grid, y }, params, workgroups, { spec: { V }, overrides })];
  },
  vjp({ inputs: [x, grid], grads: [g], attrs }): Thunk[] {
    return [() => dxOp(g, grid, { ...attrs, shape: x.shape }), () => dgridOp(g, x, grid, attrs)];
  },
  flops: ([x], [y], { linear }) => (linear ? numel(y.shape) * 2 ** (x.shape.length - 1) : 0),
});

const dxOp = defineOp({
  name: 'grid_sample_dx',
  call: (g: Tensor, grid: Tensor, attrs: Attrs & { shape: readonly number[] }) => ({ inputs: [g, grid], attrs }),
  infer: ([g], { shape }) => ({ shape, dtype: g.dtype }),
  lower(c): Dispatch[] {
    const [g, grid] = c.inputs;
    const [dx] = c.outputs;
    const { V, W } = vector(dx.dtype, dx.shape.at(-1)!);
    const runs = dx.shape[0] * Math.ceil(numel(grid.shape.slice(1, -1)) / RUN);
    const boxes = c.scratch([runs, 6], 'i32');
    const noting = launch(c, dx, grid, runs, W);
    const adding = launch(c, dx, grid, numel(dx.shape) / W, W);
    return [
      dispatch(grid_sample_boxes, { grid, boxes }, noting.params, noting.workgroups, { spec: { V }, overrides: noting.overrides }),
      dispatch(grid_sample_dx, { grid, reach: boxes, g, dx }, adding.params, adding.workgroups, {
        spec: { V },
        overrides: adding.overrides,
      }),
    ];
  },
});

const dgridOp = defineOp({
  name: 'grid_sample_dgrid',
  call: (g: Tensor, x: Tensor, grid: Tensor, attrs: Attrs) => ({ inputs: [g, x, grid], attrs }),
  infer: ([, , grid]) => ({ shape: grid.shape, dtype: grid.dtype }),
  lower(c): Dispatch[] {
    const [g, x, grid] = c.inputs;
    const { V, W } = vector(x.dtype, x.shape.at(-1)!);
    const { params, workgroups, overrides } = launch(c, x, grid, numel(grid.shape.slice(0, -1)), W);
    return [dispatch(grid_sample_dgrid, { grid, x, g, dgrid: c.outputs[0] }, params, workgroups, { spec: { V }, overrides })];
  },
});

const KINDS = {
  x: aTensor,
  grid: aTensor,
  options: maybe(
    fields({ mode: maybe(oneOf('linear', 'nearest')), padding: maybe(oneOf(...Object.keys(PADDING))), alignCorners: maybe(flag) }),
  ),
};

/**
 * x [N, H, W, C] at the places of grid [N, OH, OW, 2], or x [N, D, H, W, C] at those of [N, OD, OH, OW, 3]: a place is (x, y[, z])
 * along W, H[, D], each from -1 to 1 over x. Returns [N, (OD,) OH, OW, C]; gradients of both. A place that is not finite gives NaN;
 * infinities are the edges with `border`.
 * @throws ShapeError, DTypeError
 */
export const gridSample = door('gridSample', KINDS, (x: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor => {
  const { mode = 'linear', padding = 'zeros', alignCorners = false } = options;
  expectDType('gridSample', [x, grid], 'f32', 'f16');
  const axes = x.shape.length - 2;
  if ((axes !== 2 && axes !== 3) || grid.shape.length !== x.shape.length || grid.shape.at(-1) !== axes || grid.shape[0] !== x.shape[0])
    throw new ShapeError(
      `gridSample: got x [${x.shape}] and a grid [${grid.shape}], expected [N, H, W, C] and [N, OH, OW, 2], ` +
        'or [N, D, H, W, C] and [N, OD, OH, OW, 3].',
    );
  if (x.shape.slice(1, -1).includes(0)) throw new ShapeError(`gridSample: got x [${x.shape}], expected maps of at least one place.`);
  return op(x, grid, { linear: mode === 'linear', padding: PADDING[padding], aligned: alignCorners });
});
