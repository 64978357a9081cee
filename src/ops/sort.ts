// SPDX-License-Identifier: MIT
// Stable sorting along an axis, and counts of integers.
import { fields, flag, integer, maybe } from '../check.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor, door, noneOrTensor } from '../engine/door.ts';
import { defineOp, dispatch, type Dispatch } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { merge, sort_keys } from '../gen/sort.ts';
import { gather, scatterAdd } from './gather.ts';
import { elementLaunch } from './lanes.ts';
import { axisOf } from './layout.ts';
import { cast } from './pointwise.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { ones } from './create.ts';

const order = defineOp({
  name: 'argsort',
  call: (x: Tensor, axis: number, descending: boolean) => ({ inputs: [x], attrs: { axis, descending } }),
  infer: ([x]) => ({ shape: x.shape, dtype: 'u32' }),
  lower({ caps, scratch, inputs: [x], outputs: [y], attrs: { axis, descending } }): Dispatch[] {
    const [count, n, inner] = [numel(x.shape), x.shape[axis], numel(x.shape.slice(axis + 1))];
    const { overrides, grid } = elementLaunch(caps, count);
    // Two pairs of key and place in turn; the last pass writes into the result.
    const passes = Math.ceil(Math.log2(n));
    const keys = [scratch([count], 'u32'), scratch([count], 'u32')];
    const places = [y, passes > 0 ? scratch([count], 'u32') : y];
    const of = (pass: number): number => (passes - pass) % 2; // the side that a pass writes
    const list = [
      dispatch(sort_keys, { x, keys: keys[of(0)], index: places[of(0)] }, { count, n, inner, run: 0 }, grid, {
        spec: { T: x.dtype },
        overrides: { ...overrides, DESCENDING: Number(descending) },
      }),
    ];
    for (let pass = 1; pass <= passes; pass++) {
      const [from, to] = [of(pass - 1), of(pass)];
      const bindings = { keys_in: keys[from], index_in: places[from], keys: keys[to], index: places[to] };
      list.push(dispatch(merge, bindings, { count, n, inner, run: 2 ** (pass - 1) }, grid, { overrides }));
    }
    return list;
  },
  flops: ([x], _, { axis }) => numel(x.shape) * Math.ceil(Math.log2(x.shape[axis] + 1)) ** 2,
});

export interface SortOptions {
  /** Default: the last. */
  axis?: number;
  descending?: boolean;
}
const SORT = { x: aTensor, options: maybe(fields({ axis: maybe(integer()), descending: maybe(flag) })) };

/**
 * Where the elements of x along `axis` come from in sorted order, as u32, in x's shape; equal ones in the order in which they stand. NaN is
 * above every number. Any dtype. @throws ShapeError for an axis that x has not
 */
export const argsort = door('argsort', SORT, (x: Tensor, { axis = -1, descending = false }: SortOptions = {}): Tensor =>
  order(x, axisOf('argsort', x.shape, axis), descending),
);

/** x in order along `axis`, ascending unless said otherwise, and where each came from (u32, as `argsort`); so goes the gradient. */
export const sort = door(
  'sort',
  SORT,
  (x: Tensor, { axis = -1, descending = false }: SortOptions = {}): { values: Tensor; indices: Tensor } => {
    const at = axisOf('sort', x.shape, axis);
    const indices = order(x, at, descending);
    return { values: gather(x, indices, { axis: at }), indices };
  },
);

export interface BincountOptions {
  /** How many bins: the size of the result, for it cannot follow from values on the device. */
  length: number;
  /** f32, in x's shape: what each element counts; default 1. */
  weights?: Tensor | null;
}

const LANES = 256; // pieces that are counted side by side, at most

/**
 * How often each of 0 ... `length` - 1 is in x (integers, any shape): u32 [length], or with `weights` their sums, f32. Only the weights
 * have a gradient. What the device computed and lies outside counts nowhere.
 * @throws IndexError for an integer outside that the host knows, ShapeError, DTypeError
 */
export const bincount = door(
  'bincount',
  { x: aTensor, options: fields({ length: integer(0), weights: noneOrTensor }) },
  (x: Tensor, { length, weights = null }: BincountOptions): Tensor => {
    if (x.dtype !== 'u32' && x.dtype !== 'i32')
      throw new DTypeError(`bincount: got dtype ${x.dtype}, expected u32 or i32.`, 'Convert with cast().');
    if (weights && (weights.dtype !== 'f32' || weights.shape.join() !== x.shape.join()))
      throw new ShapeError(`bincount: got weights [${weights.shape}] ${weights.dtype} for [${x.shape}], expected as many, in f32.`);
    let rows = Math.max(1, Math.min(LANES, x.size));
    while (x.size % rows !== 0) rows--; // no padding: indices that the host knows stay known
    const spread = (t: Tensor): Tensor => reshape(t, [rows, x.size / rows]);
    const counted = scatterAdd(spread(weights ?? ones([x.size])), spread(x), { axis: 1, size: length });
    return sum(weights ? counted : cast(counted, 'u32'), { axes: 0 });
  },
);
