// SPDX-License-Identifier: MIT
// Broadcasting to a given shape: the adjoint of a sum over axes.
import { shape as aShape } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor } from '../engine/door.ts';
import { broadcast, lowerPointwise, type Expression } from '../engine/pointwise.ts';
import { defineOp, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { sumTo } from './reduce.ts';

const SELF: Expression = { expr: 'a', consts: [] };

/** x repeated along axes of size 1 (and new leading axes). @throws ShapeError if x does not broadcast to `shape`. */
export const expand = defineOp({
  name: 'expand',
  takes: { x: aTensor, shape: aShape },
  call: (x: Tensor, shape: readonly number[]) => ({ inputs: [x], attrs: { shape } }),
  infer([x], { shape }) {
    const full = broadcast('expand', [x, { shape, dtype: x!.dtype }]);
    if (full.length !== shape.length || full.some((d, i) => d !== shape[i])) throw new ShapeError(`expand: [${x!.shape}] does not broadcast to [${shape}].`);
    return { shape, dtype: x!.dtype };
  },
  lower: (c) => lowerPointwise(c, SELF),
  pointwise: () => SELF,
  vjp: ({ inputs: [x], grads: [g] }): Thunk[] => [() => sumTo(g!, x!.shape)],
});
