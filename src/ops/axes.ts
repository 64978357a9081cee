// SPDX-License-Identifier: MIT
// Axes of one element taken out and put in: views.
import { fields, integer, maybe, perAxis } from '../check.ts';
import { aTensor, door } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { axisOf } from './layout.ts';
import { reshape } from './reshape.ts';

/** x without its axes of size 1, or those of `axes` that have size 1; others stay, as in PyTorch. @throws ShapeError for axes x has not */
export const squeeze = door(
  'squeeze',
  { x: aTensor, options: maybe(fields({ axes: maybe(perAxis()) })) },
  (x: Tensor, { axes }: { axes?: number | readonly number[] } = {}): Tensor => {
    const given = axes === undefined ? x.shape.map((_, i) => i) : [axes].flat().map((a) => axisOf('squeeze', x.shape, a));
    return reshape(
      x,
      x.shape.filter((d, i) => d !== 1 || !given.includes(i)),
    );
  },
);

/** x with a new axis of size 1 that becomes `axis` of the result: -1 is the last. @throws ShapeError past the result's axes */
export const unsqueeze = door(
  'unsqueeze',
  { x: aTensor, options: fields({ axis: integer() }) },
  (x: Tensor, { axis }: { axis: number }): Tensor => {
    const at = axisOf('unsqueeze', [...x.shape, 1], axis);
    return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
  },
);
