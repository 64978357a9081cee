// SPDX-License-Identifier: MIT
// Running sums and products along an axis, in log2(n) doubling steps: after step k every element holds the sum of the 2^k before it.
import { fields, flag, integer, maybe } from '../check.ts';
import { aTensor, door } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { axisOf, pad } from './layout.ts';
import { add, mul } from './pointwise.ts';

export interface CumsumOptions {
  axis: number;
  /** Leaves the element itself out of its sum. */
  exclusive?: boolean;
  /** Sums from the end. */
  reverse?: boolean;
}

const running = (name: string, combine: (a: Tensor, b: Tensor) => Tensor, value: number) =>
  door(
    name,
    { x: aTensor, options: fields({ axis: integer(), exclusive: maybe(flag), reverse: maybe(flag) }) },
    (x: Tensor, { axis, exclusive = false, reverse = false }: CumsumOptions): Tensor => {
      const at = axisOf(name, x.shape, axis);
      const n = x.shape[at];
      const shifted = (t: Tensor, by: number): Tensor =>
        pad(t, { axes: [at], before: [reverse ? -by : by], after: [reverse ? by : -by], value });
      let y = exclusive && n > 0 ? shifted(x, 1) : x;
      for (let step = 1; step < n; step *= 2) y = combine(y, shifted(y, step));
      return y;
    },
  );

/** Sums of x[0] ... x[i] along `axis`. @throws ShapeError for an axis that x has not */
export const cumsum = running('cumsum', add, 0);
/** Products of x[0] ... x[i] along `axis`; the gradient is whole where factors are 0. @throws ShapeError for an axis that x has not */
export const cumprod = running('cumprod', mul, 1);
