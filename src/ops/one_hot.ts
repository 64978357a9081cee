// SPDX-License-Identifier: MIT
// Class indices as rows of 0 and 1.
import { dtype as aDType, fields, integer, maybe } from '../check.ts';
import { aTensor, door } from '../engine/door.ts';
import { toHost, type DType } from '../engine/dtype.ts';
import { defineOp } from '../engine/op.ts';
import { broadcast, lowerPointwise, type Expression } from '../engine/pointwise.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { cast } from './pointwise.ts';
import { reshape } from './reshape.ts';

/** What is not one of the classes 0 ... p0 - 1 gives NaN: a label past the last class must not cost a loss nothing. */
const expression = (classes: number): Expression => ({
  expr: 'select(p1, select(0.0, 1.0, a == b), (bitcast<u32>(a) & 0x7fffffffu) < 0x7f800000u && a >= 0.0 && a < p0 && a == floor(a))',
  consts: [classes, NaN],
});

const hot = defineOp({
  name: 'one_hot',
  call: (index: Tensor, names: Tensor, classes: number) => ({ inputs: [index, names], attrs: { classes } }),
  infer: (inputs) => ({ shape: broadcast('oneHot', inputs), dtype: 'f32' }),
  indices: ([index], { classes }) => (index.dtype === 'u32' || index.dtype === 'i32' ? [{ input: 0, below: classes }] : []),
  lower: (c) => lowerPointwise(c, expression(c.attrs.classes)),
  pointwise: ({ classes }) => expression(classes),
});

/**
 * 1 where the last, new axis counts to the index, else 0. index [...] (integers, or whole numbers as floats) to [..., classes]. What is no
 * class gives NaN (0 where `dtype` is an integer's). @throws IndexError for an integer outside that the host knows
 */
export const oneHot = door(
  'oneHot',
  { index: aTensor, options: fields({ classes: integer(0), dtype: maybe(aDType) }) },
  (index: Tensor, { classes, dtype = 'f32' }: { classes: number; dtype?: DType }): Tensor => {
    const names = tensor(
      toHost(
        index.dtype,
        Array.from({ length: classes }, (_, i) => i),
      ),
      { shape: [classes], dtype: index.dtype },
    );
    const rows = hot(reshape(index, [...index.shape, 1]), names, classes);
    return dtype === 'f32' ? rows : cast(rows, dtype);
  },
);
