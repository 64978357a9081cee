// SPDX-License-Identifier: MIT
// Another shape for the same values: no copy, no dispatch.
import { integers } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';

/** One entry of `shape` may be -1: it follows from the others. @throws ShapeError if the counts differ. */
export const reshape = defineOp({
  name: 'reshape',
  takes: { x: aTensor, shape: integers(-1) },
  call: (x: Tensor, shape: readonly number[]) => ({ inputs: [x], attrs: { shape } }),
  infer([x], { shape }) {
    const known = numel(shape.filter((d) => d !== -1));
    const full = shape.map((d) => (d === -1 ? numel(x.shape) / known : d));
    if (shape.filter((d) => d === -1).length > 1 || numel(full) !== numel(x.shape) || full.some((d) => !Number.isInteger(d))) {
      throw new ShapeError(`reshape: [${x.shape}] has ${numel(x.shape)} elements, got shape [${shape}].`);
    }
    return { shape: full, dtype: x.dtype };
  },
  lower: () => [],
  view: true,
  vjp: ({ inputs: [x], grads: [g] }): Thunk[] => [() => reshape(g, x.shape)],
});
