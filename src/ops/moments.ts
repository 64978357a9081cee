// SPDX-License-Identifier: MIT
// Variance, vector norms and the logarithm of a sum of exponentials over axes: compositions, in f32 whatever x is, with PyTorch's gradients
// where a root or a power has none.
import { fields, flag, maybe, number, perAxis } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { expectDType } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { logicalOr } from './logic.ts';
import { abs, add, cast, detach, div, equal, exp, isInf, isNaN, log, mul, mulScalar, sign, sub, where } from './pointwise.ts';
import { countNonzero, max, mean, sum, sumAbs, sumSquares, sumTo, type ReduceOptions } from './reduce.ts';
import { attrsOf, FLOATS, outShape, reduction } from './reduction.ts';
import { reshape } from './reshape.ts';
import { row } from './row.ts';
import * as slope from './slopes.ts';

const AXES = { axes: maybe(perAxis()), keepDims: maybe(flag) };

/** `f` of x in f32, and its result in x's dtype: sums and squares of halves do not fit into halves. */
function inF32(name: string, x: Tensor, f: (x: Tensor) => Tensor): Tensor {
  const dtype = expectDType(name, [x], 'f32', 'f16');
  return dtype === 'f32' ? f(x) : cast(f(cast(x, 'f32')), dtype);
}

// Roots of sums of squares: their gradient at 0 is 0.
const rootRow = row('root', 1, 'sqrt(a)', (g, _, y) => [() => slope.root([g, y])]);
const lengthRow = row('length', 1, 'sqrt(a)', (g, _, y) => [() => slope.rootOfSquares([g, y])]);

export interface VarianceOptions extends ReduceOptions {
  /** Taken from the number of elements that the squares are divided by; 1 (default) makes the estimate unbiased, 0 the moment itself. */
  correction?: number;
}

function spread(name: string, x: Tensor, { correction = 1, ...over }: VarianceOptions): Tensor {
  const { axes } = attrsOf(name, x, over);
  const centred = sub(x, detach(mean(x, { axes, keepDims: true }))); // the mean's own part of the gradient adds up to 0
  const divisor = Math.max(0, numel(axes.map((a) => x.shape[a])) - correction);
  return mulScalar(sumSquares(centred, { ...over, axes }), 1 / divisor);
}

const VARIANCE = maybe(fields({ ...AXES, correction: maybe(number()) }));
/**
 * Variance over `axes` (default: all), PyTorch's `var`, a word that JavaScript keeps for itself. x is f32 or f16; with no more elements
 * than `correction` it is NaN. @throws ShapeError, DTypeError
 */
export const variance = door('variance', { x: aTensor, options: VARIANCE }, (x: Tensor, options: VarianceOptions = {}): Tensor =>
  inF32('variance', x, (t) => spread('variance', t, options)),
);
/** Standard deviation, the root of `variance`; its gradient is 0 where it is 0. @throws ShapeError, DTypeError */
export const std = door('std', { x: aTensor, options: VARIANCE }, (x: Tensor, options: VarianceOptions = {}): Tensor =>
  inF32('std', x, (t) => rootRow([spread('std', t, options)])),
);

// |x|^p and y^(1/p), whose gradients are 0 at 0 whatever p.
const absPowerRow = row('abs_power', 1, 'power(abs(a), p0)', (g, [x], _, [p]) => [() => slope.absPower([g, x], [p, p - 1])]);
const powerRootRow = row('power_root', 1, 'power(a, p0)', (g, _, y, [k]) => [() => slope.powerRoot([g, y], [k, 1 - 1 / k])]);

/** An extremum of |x|. Its gradient is shared evenly by those that are it or are NaN, by their signs: NaN's is 0. */
const extremum = (name: string, op: 'max' | 'min') =>
  reduction(name, {
    op,
    pre: 'abs',
    dtypes: FLOATS,
    vjp(x, y, g) {
      const mask = cast(logicalOr(equal(abs(x), y), isNaN(x)), x.dtype);
      return mul(sign(x), mul(div(g, sumTo(mask, y.shape)), mask));
    },
  });
const largest = extremum('norm_max', 'max');
const smallest = extremum('norm_min', 'min');

/**
 * Vector norm over `axes` (default: all): (sum |x|^p)^(1/p), p 2 unless said otherwise; p 0 counts what is not 0, Infinity and -Infinity
 * take the largest and the smallest |x|. x is f32 or f16. The gradient at 0 is 0; equal extrema share it. torch.linalg.vector_norm.
 * @throws ShapeError also for no elements where p is negative or infinite, DTypeError
 */
export const norm = door(
  'norm',
  { x: aTensor, options: maybe(fields({ ...AXES, p: maybe(number()) })) },
  (x: Tensor, { p = 2, ...over }: ReduceOptions & { p?: number } = {}): Tensor => {
    const { axes } = attrsOf('norm', x, over);
    if ((p < 0 || p === Infinity) && axes.some((a) => x.shape[a] === 0))
      throw new ShapeError(`norm: got no elements along axes [${axes}] of [${x.shape}] for p ${p}, expected at least one.`);
    return inF32('norm', x, (t) => {
      if (p === 0) return cast(cast(countNonzero(detach(t), over), 'u32'), 'f32');
      if (p === 1) return sumAbs(t, over);
      if (p === 2) return lengthRow([sumSquares(t, over)]);
      if (Math.abs(p) === Infinity) return (p > 0 ? largest : smallest)(t, over);
      return powerRootRow([sum(absPowerRow([t], [p]), over)], [1 / p]);
    });
  },
);

/** log(sum(exp(x))) over `axes` (default: all), without overflow; of nothing -Infinity. x is f32 or f16. @throws ShapeError, DTypeError */
export const logsumexp = door(
  'logsumexp',
  { x: aTensor, options: maybe(fields(AXES)) },
  (x: Tensor, options: ReduceOptions = {}): Tensor => {
    const attrs = attrsOf('logsumexp', x, options);
    const { axes } = attrs;
    if (axes.some((a) => x.shape[a] === 0)) return log(sum(exp(x), options));
    return inF32('logsumexp', x, (t) => {
      const highest = detach(max(t, { axes, keepDims: true }));
      const high = where(isInf(highest), mulScalar(cast(isInf(highest), 'f32'), 0), highest);
      return add(log(sum(exp(sub(t, high)), options)), reshape(high, outShape(t.shape, attrs)));
    });
  },
);
