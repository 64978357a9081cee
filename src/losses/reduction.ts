// SPDX-License-Identifier: MIT
// What losses share: how their terms become one number, and the precision they are computed in.
import { maybe, oneOf } from '../check.ts';
import { ShapeError } from '../errors.ts';
import type { Tensor } from '../engine/tensor.ts';
import { cast } from '../ops/pointwise.ts';
import { mean, sum } from '../ops/reduce.ts';

/** `mean` over all terms (PyTorch's default), their `sum`, or `none`: the terms themselves. */
export type Reduction = 'mean' | 'sum' | 'none';
export interface LossOptions {
  reduction?: Reduction;
}
/** Kind of the option. */
export const REDUCTION = { reduction: maybe(oneOf('mean', 'sum', 'none')) };

export const reduced = (terms: Tensor, reduction: Reduction = 'mean'): Tensor =>
  reduction === 'none' ? terms : reduction === 'sum' ? sum(terms) : mean(terms);

/** f16 as f32, which losses are computed in whatever a network computes in; the rest as it is. */
export const wide = (x: Tensor): Tensor => (x.dtype === 'f16' ? cast(x, 'f32') : x);

/** @throws ShapeError: PyTorch broadcasts [N, 1] against [N] with a warning, and learns something else */
export function expectAlike(name: string, x: Tensor, target: Tensor): void {
  if (x.shape.join() !== target.shape.join())
    throw new ShapeError(`${name}: got a target [${target.shape}] for [${x.shape}], expected one shape.`, 'Reshape or expand one of them.');
}
