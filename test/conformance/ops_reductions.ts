// SPDX-License-Identifier: MIT
// Reductions over axes, and searches for extrema.
import { numel } from '../../src/engine/dtype.ts';
import { full, type Tensor } from '../../src/engine/tensor.ts';
import { flip } from '../../src/ops/layout.ts';
import { add, exp, log, sqrt, sub } from '../../src/ops/pointwise.ts';
import * as reduce from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import type { Adapter, Adapters, Call } from './call.ts';

type Reduction = (x: Tensor, options: { axes: readonly number[]; keepDims: boolean }) => Tensor;

/** Axes: an attribute, from some operator set on an input; none at all means every axis, or none where `noop_with_empty_axes`. */
function over(f: Reduction, ofNothing?: number): Adapter {
  return async (c) => {
    const x = c.x(0);
    const given = (await c.listOr('axes', 1)) ?? [];
    const all = c.flag('noop_with_empty_axes') ? [] : x.shape.map((_, i) => i);
    const axes = (given.length > 0 ? given : all).map((a) => (a < 0 ? a + x.shape.length : a));
    const keepDims = c.flag('keepdims', 1);
    if (ofNothing !== undefined && numel(axes.map((a) => x.shape[a])) === 0) {
      return full(
        x.shape.map((d, i) => (axes.includes(i) ? 1 : d)).filter((_, i) => keepDims || !axes.includes(i)),
        ofNothing,
        { dtype: x.dtype },
      );
    }
    return f(x, { axes, keepDims });
  };
}

/** Without overflow: the largest element is taken out of the sum. */
const logSumExp: Reduction = (x, { axes, keepDims }) => {
  const kept = reduce.max(x, { axes, keepDims: true });
  const y = add(log(reduce.sum(exp(sub(x, kept)), { axes, keepDims: true })), kept);
  return keepDims
    ? y
    : reshape(
        y,
        y.shape.filter((_, i) => !axes.includes(i)),
      );
};

function arg(find: typeof reduce.argmax): Adapter {
  return (c: Call) => {
    const x = c.x(0);
    const axis = c.axis(0);
    const keepDims = c.flag('keepdims', 1);
    if (!c.flag('select_last_index')) return find(x, { axis, keepDims });
    const fromEnd = find(flip(x, { axis }), { axis, keepDims });
    return sub(full([], x.shape[axis] - 1, { dtype: 'u32' }), fromEnd);
  };
}

/** Every element over the axes but N and C, which stay with size 1. */
const globally =
  (f: Reduction): Adapter =>
  (c) =>
    f(c.x(0), {
      axes: c
        .shape(0)
        .map((_, i) => i)
        .slice(2),
      keepDims: true,
    });

export const reductions: Adapters = {
  ReduceSum: over(reduce.sum),
  ReduceMean: over(reduce.mean),
  ReduceProd: over(reduce.prod),
  ReduceMax: over(reduce.max, -Infinity),
  ReduceMin: over(reduce.min, Infinity),
  ReduceL1: over(reduce.sumAbs),
  ReduceL2: over((x, o) => sqrt(reduce.sumSquares(x, o))),
  ReduceSumSquare: over(reduce.sumSquares),
  ReduceLogSum: over((x, o) => log(reduce.sum(x, o))),
  ReduceLogSumExp: over(logSumExp, -Infinity),
  ArgMax: arg(reduce.argmax),
  ArgMin: arg(reduce.argmin),
  GlobalAveragePool: globally(reduce.mean),
  GlobalMaxPool: globally(reduce.max),
};
