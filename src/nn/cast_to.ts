// SPDX-License-Identifier: MIT
// How layers and models meet the dtype of what they are given: a cast where there is something to cast.
import type { DType } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { cast } from '../ops/pointwise.ts';

/** x as `dtype`; x itself where it is that already. */
export const castTo = (x: Tensor, dtype: DType): Tensor => (x.dtype === dtype ? x : cast(x, dtype));
