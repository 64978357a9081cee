// SPDX-License-Identifier: MIT
// Broadcasting to a given shape and sums over axes: each is the other's adjoint.
import { shape as aShape } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor } from '../engine/door.ts';
import { broadcast, lowerPointwise, type Expression } from '../engine/pointwise.ts';
import { defineOp, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { ALL, reduction } from './reduction.ts';
import { reshape } from './reshape.ts';

const SELF: Expression = { expr: 'a', consts: [] };

/** x repeated along axes of size 1 (and new leading axes). @throws ShapeError if x does not broadcast to `shape`. */
export const expand = defineOp({
  name: 'expand',
  takes: { x: aTensor, shape: aShape },
  call: (x: Tensor, shape: readonly number[]) => ({ inputs: [x], attrs: { shape } }),
  infer([x], { shape }) {
    const full = broadcast('expand', [x, { shape, dtype: x.dtype }]);
    if (full.length !== shape.length || full.some((d, i) => d !== shape[i]))
      throw new ShapeError(`expand: [${x.shape}] does not broadcast to [${shape}].`);
    return { shape, dtype: x.dtype };
  },
  lower: (c) => lowerPointwise(c, SELF),
  pointwise: () => SELF,
  vjp: ({ inputs: [x], grads: [g] }): Thunk[] => [() => sumTo(g, x.shape)],
});

/** Sums over `axes` (default: all), in f32 for floats and exact for integers. */
export const sum = reduction('sum', { op: 'sum', dtypes: ALL, vjp: (x, _, g) => expand(g, x.shape) });

/** Sums the axes along which `shape` was broadcast to x's shape: the adjoint of broadcasting. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  const lead = x.shape.length - shape.length;
  const axes = x.shape.map((_, i) => i).filter((i) => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1));
  if (lead < 0 || shape.some((d, i) => d !== 1 && d !== x.shape[i + lead]))
    throw new ShapeError(`sumTo: [${shape}] does not broadcast to [${x.shape}].`);
  return axes.length === 0 ? x : reshape(sum(x, { axes }), shape);
}
