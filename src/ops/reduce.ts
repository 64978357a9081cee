// SPDX-License-Identifier: MIT
// Means, extrema, products and other sums over axes, and where the extrema are.
import { fields, flag, integer, maybe } from '../check.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, dispatch, expectDType } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { match_cols, match_rows } from '../gen/reduce.ts';
import { elementLaunch, rowLaunch, runs } from './lanes.ts';
import { expand, sum, sumTo } from './expand.ts';
import { cast, div, equal, mul, mulScalar, sign } from './pointwise.ts';
import { ALL, attrsOf, expectElements, FLOATS, LONGEST, lowerReduce, outShape, reduction } from './reduction.ts';
import * as slope from './slopes.ts';

export { sum, sumTo } from './expand.ts'; // beside their adjoint
export type { ReduceOptions } from './reduction.ts';

/** The gradient is shared evenly by equal extrema, as PyTorch's amax and amin do. */
const toExtrema = (x: Tensor, y: Tensor, g: Tensor): Tensor => {
  const hits = cast(equal(x, y), x.dtype);
  return mul(hits, div(g, sumTo(hits, y.shape)));
};

/** Means over `axes` (default: all) of floats, added up in f32; of nothing NaN. @throws ShapeError for axes that x has not, DTypeError */
export const mean = reduction('mean', { op: 'sum', mean: true, dtypes: FLOATS, vjp: (x, _, g, n) => expand(mulScalar(g, 1 / n), x.shape) });
/** Largest elements over `axes` (default: all); NaN wins, and equal ones share the gradient. @throws ShapeError for axes of no elements */
export const max = reduction('max', { op: 'max', dtypes: ALL, vjp: toExtrema });
/** Smallest elements over `axes` (default: all), as `max`. */
export const min = reduction('min', { op: 'min', dtypes: ALL, vjp: toExtrema });
/** Product. Its gradient is the product of the others, also where some are 0. */
export const prod = reduction('prod', {
  op: 'prod',
  dtypes: ALL,
  vjp(x, y, g) {
    const along = { axes: x.shape.map((_, i) => i).filter((i) => y.shape[i] === 1 && x.shape[i] !== 1), keepDims: true };
    return slope.prod([g, x, prod(slope.oneForZero([x]), along), sum(slope.isZero([x]), along)]);
  },
});
/** Sum of x * x. */
export const sumSquares = reduction('sum_squares', { op: 'sum', pre: 'square', dtypes: FLOATS, vjp: (x, _, g) => mul(mulScalar(g, 2), x) });
/** Sum of |x|. */
export const sumAbs = reduction('sum_abs', { op: 'sum', pre: 'abs', dtypes: FLOATS, vjp: (x, _, g) => mul(g, sign(x)) });
/** Number of elements that are not 0, in x's dtype. */
export const countNonzero = reduction('count_nonzero', { op: 'sum', pre: 'nonzero', dtypes: ALL });

function arg(name: string, op: 'max' | 'min') {
  return defineOp({
    name,
    takes: { x: aTensor, options: maybe(fields({ axis: maybe(integer()), keepDims: maybe(flag) })) },
    call: (x: Tensor, { axis = -1, keepDims = false }: { axis?: number; keepDims?: boolean } = {}) => ({
      inputs: [x],
      attrs: attrsOf(name, x, { axes: axis, keepDims }),
    }),
    infer([x], attrs) {
      expectDType(name, [x], ...ALL);
      expectElements(name, x, attrs);
      return { shape: outShape(x.shape, attrs), dtype: 'u32' };
    },
    // First the extremum, then the smallest index that holds it.
    lower(c) {
      const x = c.inputs[0];
      const [axis] = c.attrs.axes as [number];
      const outer = numel(x.shape.slice(0, axis));
      const n = x.shape[axis];
      const inner = numel(x.shape.slice(axis + 1));
      const best = c.scratch([outer, inner], x.dtype === 'f16' ? 'f32' : x.dtype);
      const { chunk, parts } = runs(c.caps, n, outer * inner, LONGEST * c.caps.subgroupSize);
      const index = parts === 1 ? c.outputs[0] : c.scratch([outer, parts, inner], 'u32');
      const params = { outer, n, inner, chunk, parts, scale: 1 };
      const rows = inner === 1;
      const { grid, overrides } = rows ? rowLaunch(c.caps, outer * parts, chunk) : elementLaunch(c.caps, outer * parts * inner);
      return [
        ...lowerReduce(c, x, best, [axis], op),
        dispatch(rows ? match_rows : match_cols, { x, best, index }, params, grid, { spec: { V: x.dtype }, overrides }),
        ...(parts === 1 ? [] : lowerReduce(c, index, c.outputs[0], [1], 'min')),
      ];
    },
  });
}

/** Index (u32) of the first largest element along an axis, or of its first NaN. */
export const argmax = arg('argmax', 'max');
/** Index (u32) of the first smallest element along `axis` (default: the last), or of its first NaN. */
export const argmin = arg('argmin', 'min');
