// SPDX-License-Identifier: MIT
// Matrix products.
import type { Tensor } from '../../src/engine/tensor.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { add, mulScalar } from '../../src/ops/pointwise.ts';
import { reshape } from '../../src/ops/reshape.ts';
import type { Adapters, Call } from './call.ts';

/** NumPy's rule: a vector on the left is a row, on the right a column, and that axis is gone afterwards. */
function product(c: Call): Tensor {
  const [a, b] = [c.x(0), c.x(1)];
  const [row, column] = [a.shape.length === 1, b.shape.length === 1];
  const y = matmul(row ? reshape(a, [1, a.size]) : a, column ? reshape(b, [b.size, 1]) : b);
  const rank = y.shape.length;
  return reshape(
    y,
    y.shape.filter((_, i) => !(row && i === rank - 2) && !(column && i === rank - 1)),
  );
}

/** alpha a b + beta c; a vector added as it is goes the way of the bias. */
function gemm(c: Call): Tensor {
  const options = { transA: c.flag('transA'), transB: c.flag('transB') };
  const [alpha, beta] = [c.number('alpha', 1), c.number('beta', 1)];
  const addend = c.optional(2);
  const columns = c.shape(1)[options.transB ? 0 : 1];
  if (addend && alpha === 1 && beta === 1 && addend.size === columns && addend.shape.at(-1) === columns) {
    return matmul(c.x(0), c.x(1), { ...options, bias: reshape(addend, [columns]) });
  }
  const scaled = (x: Tensor, k: number): Tensor => (k === 1 ? x : mulScalar(x, k));
  const y = scaled(matmul(c.x(0), c.x(1), options), alpha);
  return addend ? add(y, scaled(addend, beta)) : y;
}

export const products: Adapters = { MatMul: product, Gemm: gemm };
