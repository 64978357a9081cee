// SPDX-License-Identifier: MIT
// The first k elements in order, and extrema with the place that their gradient goes to.
import { fields, flag, integer, maybe } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, type Dispatch, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { topk as topkKernel } from '../gen/topk.ts';
import { scatterAdd } from './gather.ts';
import { elementLaunch } from './lanes.ts';
import { axisOf } from './layout.ts';
import { reshape } from './reshape.ts';

interface Attrs {
  readonly k: number;
  readonly axis: number;
  readonly largest: boolean;
  readonly nanFirst: boolean;
}

const topkOp = defineOp({
  name: 'topk',
  call: (x: Tensor, attrs: Attrs) => ({ inputs: [x], attrs }),
  infer([x], { k, axis }) {
    if (k > x.shape[axis]) throw new ShapeError(`topk: got k ${k} for axis ${axis} of [${x.shape}], expected at most ${x.shape[axis]}.`);
    const shape = x.shape.map((d, i) => (i === axis ? k : d));
    return [
      { shape, dtype: x.dtype },
      { shape, dtype: 'u32' },
    ];
  },
  lower({ caps, inputs: [x], outputs: [values, index], attrs: { k, axis, largest, nanFirst } }): Dispatch[] {
    const inner = numel(x.shape.slice(axis + 1));
    const columns = numel(x.shape.slice(0, axis)) * inner;
    const { overrides, grid } = elementLaunch(caps, columns);
    return [
      dispatch(topkKernel, { x, values, index }, { columns, n: x.shape[axis], inner, k }, grid, {
        spec: { T: x.dtype },
        overrides: { ...overrides, LARGEST: Number(largest), NAN_FIRST: Number(nanFirst) },
      }),
    ];
  },
  vjp({ inputs: [x], outputs: [, index], grads: [g], attrs: { axis } }): (Thunk | null)[] {
    return [g ? () => scatterAdd(g, index, { axis, size: x.shape[axis] }) : null];
  },
  result: ([values, indices]) => ({ values, indices }),
  flops: ([x], _, { k }) => numel(x.shape) * k,
});

/** The k largest (or smallest) elements along an axis in order, and their indices (u32); equal ones by index. NaN is the largest. */
export const topk = door(
  'topk',
  { x: aTensor, k: integer(), options: maybe(fields({ axis: maybe(integer()), largest: maybe(flag) })) },
  (x: Tensor, k: number, { axis = -1, largest = true }: { axis?: number; largest?: boolean } = {}): { values: Tensor; indices: Tensor } => {
    const at = axisOf('topk', x.shape, axis);
    if (!Number.isInteger(k) || k < 1 || k > x.shape[at])
      throw new ShapeError(`topk: got k ${k} for axis ${at} of [${x.shape}], expected 1 to ${x.shape[at]}.`);
    return topkOp(x, { k, axis: at, largest, nanFirst: largest });
  },
);

const extremum = (name: string, largest: boolean) =>
  door(
    name,
    { x: aTensor, options: fields({ axis: integer(), keepDims: maybe(flag) }) },
    (x: Tensor, { axis, keepDims = false }: { axis: number; keepDims?: boolean }): { values: Tensor; indices: Tensor } => {
      const at = axisOf(name, x.shape, axis);
      const { values, indices } = topkOp(x, { k: 1, axis: at, largest, nanFirst: true });
      const shape = x.shape.filter((_, i) => i !== at);
      return keepDims ? { values, indices } : { values: reshape(values, shape), indices: reshape(indices, shape) };
    },
  );

/** Largest element along a short axis and its first index, which takes the gradient (`max` shares it among equals). The first NaN wins. */
export const maxWithIndex = extremum('maxWithIndex', true);
/** Smallest element along a short axis and its first index, as `maxWithIndex`. */
export const minWithIndex = extremum('minWithIndex', false);
