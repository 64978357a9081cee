// SPDX-License-Identifier: MIT
// Another order of the axes.
import { integer, integers, maybe } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, type Thunk } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { reshape } from './reshape.ts';
import { contiguous, copyView, permuted } from './strided.ts';

const permuteOp = defineOp({
  name: 'permute',
  call: (x: Tensor, order: readonly number[]) => ({ inputs: [x], attrs: { order } }),
  infer: ([x], { order }) => ({ shape: order.map((a) => x.shape[a]), dtype: x.dtype }),
  lower({ caps, inputs: [x], outputs: [y], attrs }) {
    return copyView(caps, x, permuted(contiguous(x.shape), attrs.order), y);
  },
  vjp({ attrs: { order }, grads: [g] }): Thunk[] {
    const back = order.map((_, i) => order.indexOf(i));
    return [() => permuteOp(g, back)];
  },
});

/** Axis i of the result is axis `order[i]` of x. No copy where only axes of size 1 move. @throws ShapeError unless a permutation. */
export const permute = door('permute', { x: aTensor, order: integers() }, (x: Tensor, order: readonly number[]): Tensor => {
  const rank = x.shape.length;
  const full = order.map((a) => (a < 0 ? a + rank : a));
  if (full.length !== rank || x.shape.some((_, i) => !full.includes(i))) {
    throw new ShapeError(`permute: got order [${order}] for [${x.shape}], expected each of its ${rank} axes once.`);
  }
  const long = full.filter((a) => x.shape[a] !== 1);
  if (!long.every((a, i) => i === 0 || a > long[i - 1])) return permuteOp(x, full);
  const shape = full.map((a) => x.shape[a]);
  return reshape(x, shape);
});

/** Two axes exchanged; the last two unless said otherwise. */
export const transpose = door(
  'transpose',
  { x: aTensor, a: maybe(integer()), b: maybe(integer()) },
  (x: Tensor, a: number = -2, b: number = -1): Tensor => {
    const order = x.shape.map((_, i) => i);
    const [i, j] = [a, b].map((axis) => (axis < 0 ? axis + order.length : axis)) as [number, number];
    if (!(i in order) || !(j in order)) throw new ShapeError(`transpose: got axes ${a} and ${b} for [${x.shape}].`);
    [order[i], order[j]] = [j, i];
    return permute(x, order);
  },
);
