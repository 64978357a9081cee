// SPDX-License-Identifier: MIT
// Pointwise ops: rows of one table (row.ts). Their values at NaN, infinities and the ends of domains are PyTorch's (docs/precision.md).
import { dtype as aDType, maybe, scalar } from '../check.ts';
import { DTypeError } from '../errors.ts';
import { numel, type DType } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, grid1d, type Thunk } from '../engine/op.ts';
import { broadcast, lowerPointwise } from '../engine/pointwise.ts';
import type { Tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { convert, truncate } from '../gen/cast.ts';
import { gradientOf } from './activation.ts';
import { sumTo } from './expand.ts';
import { one, row, two } from './row.ts';
import * as slope from './slopes.ts';

const addRow = row('add', 2, 'a + b', (g) => [() => g, () => g]);
const subRow = row('sub', 2, 'a - b', (g) => [() => g, () => neg(g)]);
const mulRow = row('mul', 2, 'a * b', (g, [a, b]) => [() => mul(g, b), () => mul(g, a)]);
const divRow = row('div', 2, 'a / b', (g, [, b], y) => [() => div(g, b), () => neg(div(mul(g, y), b))]);
const maxRow = row('maximum', 2, { float: 'largest(a, b)', integer: 'max(a, b)' }, (g, [a, b]) => [
  () => slope.maximum([g, a, b]),
  () => slope.maximum([g, b, a]),
]);
const minRow = row('minimum', 2, { float: 'smallest(a, b)', integer: 'min(a, b)' }, (g, [a, b]) => [
  () => slope.minimum([g, a, b]),
  () => slope.minimum([g, b, a]),
]);
const powRow = row('pow', 2, 'power(a, b)', (g, [a, b], y) => [() => slope.powBase([g, a, b]), () => slope.powExponent([g, a, b, y])]);

/** 1 where a == b, else 0, in the dtype of a and b: one-hot targets. */
export const indicator = two(row('indicator', 2, 'select(E(0), E(1), a == b)', null));

const equalRow = row('equal', 2, 'select(E(0), E(1), a == b)', null, 'u32');
const greaterRow = row('greater', 2, 'select(E(0), E(1), a > b)', null, 'u32');
const greaterEqualRow = row('greater_equal', 2, 'select(E(0), E(1), a >= b)', null, 'u32');
// % has the sign of a; Python's remainder has that of b. Remainders are a - b q, with an integer q that counts as a constant.
const modRow = row(
  'mod',
  2,
  { float: 'modulo(a, b)', integer: 'select(a % b, a % b + b, a % b != E(0) && (a % b < E(0)) != (b < E(0)))' },
  (g, [a, b]) => [() => g, () => slope.mod([g, a, b])],
);
const fmodRow = row('fmod', 2, { float: 'remainder(a, b)', integer: 'a % b' }, (g, [a, b]) => [() => g, () => slope.fmod([g, a, b])]);
const atan2Row = row('atan2', 2, 'atan2_exact(a, b)', (g, [a, b]) => [() => slope.atan2Y([g, a, b]), () => slope.atan2X([g, a, b])]);

/** a + b, broadcasting. @throws ShapeError for shapes that do not broadcast, DTypeError for two dtypes; so do all ops of two inputs */
export const add = two(addRow);
/** a - b, broadcasting. */
export const sub = two(subRow);
/** a times b, element by element, broadcasting. */
export const mul = two(mulRow);
/** a / b, broadcasting; of integers the whole part of the quotient. */
export const div = two(divRow);
/** Larger of a and b; the gradient is halved between equal ones, as in PyTorch. */
export const maximum = two(maxRow);
/** Smaller of a and b, broadcasting; the gradient is halved between equal ones. */
export const minimum = two(minRow);
/** a to the power b; negative bases with integer exponents are real, as in C. */
export const pow = two(powRow);
/** Angle of the point (b, a) in radians, -pi to pi, broadcasting; floats. a comes first, as y does in C. */
export const atan2 = two(atan2Row);
/** a - b floor(a / b): the sign of b, as Python's and PyTorch's remainder. */
export const mod = two(modRow);
/** a - b trunc(a / b): the sign of a, as C's fmod. */
export const fmod = two(fmodRow);
/** 1 where a == b, else 0, as u32. */
export const equal = two(equalRow);
/** 1 where a > b, else 0, as u32; broadcasting. Nothing compares with NaN: 0. No gradient. */
export const greater = two(greaterRow);
/** 1 where a >= b, else 0, as u32; broadcasting. */
export const greaterEqual = two(greaterEqualRow);
/** 1 where a and b differ, else 0, as u32. NaN differs from everything. */
export const notEqual = two(row('not_equal', 2, 'select(E(1), E(0), a == b)', null, 'u32'));
/** 1 where a < b, else 0, as u32; broadcasting. */
export const less = (a: Tensor, b: Tensor): Tensor => greater(b, a);
/** 1 where a <= b, else 0, as u32; broadcasting. */
export const lessEqual = (a: Tensor, b: Tensor): Tensor => greaterEqual(b, a);

/** -a. @throws DTypeError for u32 */
export const neg = one(row('neg', 1, '-a', (g) => [() => neg(g)]));
/** |a|. The gradient at 0 is 0. */
export const abs = one(row('abs', 1, 'abs(a)', (g, [a]) => [() => mul(g, sign(a))]));
/** -1, 0 or 1, in the dtype of a; NaN stays. The gradient is none. @throws DTypeError for u32 */
export const sign = one(row('sign', 1, 'sign(a)', null));
/** Largest whole number that is not above a (a float). The gradient is none. */
export const floor = one(row('floor', 1, 'floor(a)', null));
/** Smallest whole number that is not below a (a float). The gradient is none. */
export const ceil = one(row('ceil', 1, 'ceil(a)', null));
/** Nearest integer, ties to even. */
export const round = one(row('round', 1, 'round(a)', null));
// Compilers may assume that no float is NaN or infinite: these look at the bits.
const magnitude = '(bitcast<u32>(a) & 0x7fffffffu)';
/** 1 where a is NaN, else 0, as u32. a is a float. */
export const isNaN = one(row('is_nan', 1, `select(E(0), E(1), ${magnitude} > 0x7f800000u)`, null, 'u32'));
/** 1 where a is infinite, else 0, as u32. a is a float. */
export const isInf = one(row('is_inf', 1, `select(E(0), E(1), ${magnitude} == 0x7f800000u)`, null, 'u32'));
/** e to the power a; floats. Within 4 units in the last place, as logarithms, sines and their kin (docs/precision.md). */
export const exp = one(row('exp', 1, 'exp_exact(a)', (g, _, y) => [() => mul(g, y)]));
/** Natural logarithm: of 0 -infinity, below 0 NaN. Floats. */
export const log = one(row('log', 1, 'log_exact(a)', (g, [a]) => [() => div(g, a)]));
/** log(1 + x), exact near 0. */
export const log1p = one(row('log1p', 1, 'log1p_whole(a)', (g, [a]) => [() => div(g, addScalar(a, 1))]));
/** exp(x) - 1, exact near 0. */
export const expm1 = one(row('expm1', 1, 'expm1_exact(a)', (g, [a]) => [() => mul(g, exp(a))]));
/** Square root of a float, NaN below 0. The gradient at 0 is infinite. */
export const sqrt = one(row('sqrt', 1, 'sqrt(a)', (g, _, y) => [() => div(mulScalar(g, 0.5), y)]));
/** 1 / sqrt(a) of a float, infinite at 0. */
export const rsqrt = one(row('rsqrt', 1, 'inverseSqrt(a)', (g, _, y) => [() => mul(mulScalar(g, -0.5), mul(y, mul(y, y)))]));
/** 1 / a of a float, infinite with the sign of a at 0. */
export const reciprocal = one(row('reciprocal', 1, 'E(1) / a', (g, _, y) => [() => neg(mul(g, mul(y, y)))]));
/** a times a. */
export const square = one(row('square', 1, 'a * a', (g, [a]) => [() => mul(g, mulScalar(a, 2))]));
/** Sine of a float in radians, of any size. */
export const sin = one(row('sin', 1, 'sin_exact(a)', (g, [a]) => [() => mul(g, cos(a))]));
/** Cosine of a float in radians, of any size. */
export const cos = one(row('cos', 1, 'cos_exact(a)', (g, [a]) => [() => neg(mul(g, sin(a)))]));
/** Tangent of a float in radians, of any size. */
export const tan = one(row('tan', 1, 'tan_exact(a)', (g, _, y) => [() => mul(g, addScalar(square(y), 1))]));
/** Arc sine in radians, -pi / 2 to pi / 2; NaN outside of -1 to 1. Floats. */
export const asin = one(row('asin', 1, 'asin_exact(a)', (g, [a]) => [() => mul(g, rsqrt(oneMinusSquare(a)))]));
/** Arc cosine in radians, 0 to pi; NaN outside of -1 to 1. Floats. */
export const acos = one(row('acos', 1, 'acos_exact(a)', (g, [a]) => [() => neg(mul(g, rsqrt(oneMinusSquare(a))))]));
/** Arc tangent in radians, -pi / 2 to pi / 2. Floats. */
export const atan = one(row('atan', 1, 'atan_exact(a)', (g, [a]) => [() => div(g, addScalar(square(a), 1))]));
/** Hyperbolic sine of a float. */
export const sinh = one(row('sinh', 1, 'sinh_exact(a)', (g, [a]) => [() => mul(g, cosh(a))]));
/** Hyperbolic cosine of a float. */
export const cosh = one(row('cosh', 1, 'cosh_exact(a)', (g, [a]) => [() => mul(g, sinh(a))]));
/** Inverse of `sinh`. Floats. */
export const asinh = one(row('asinh', 1, 'asinh_exact(a)', (g, [a]) => [() => mul(g, rsqrt(addScalar(square(a), 1)))]));
/** Inverse of `cosh`, not negative; NaN below 1. Floats. */
export const acosh = one(row('acosh', 1, 'acosh_exact(a)', (g, [a]) => [() => mul(g, rsqrt(addScalar(square(a), -1)))]));
/** Inverse of `tanh`: infinite at -1 and 1, NaN outside. Floats. */
export const atanh = one(row('atanh', 1, 'atanh_exact(a)', (g, [a]) => [() => div(g, oneMinusSquare(a))]));
/** Hyperbolic tangent of a float. */
export const tanh = one(row('tanh', 1, 'tanh_exact(a)', (g, _, y) => [() => slope.tanh([g, y])]));
/** Error function: 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to a. Floats. */
export const erf = one(row('erf', 1, 'erf(a)', (g, [a]) => [() => mul(g, mulScalar(exp(neg(square(a))), 2 / Math.sqrt(Math.PI)))]));
/** max(a, 0), NaN stays; the gradient at 0 is 0. */
export const relu = one(row('relu', 1, { float: 'relu(a)', integer: 'max(a, E(0))' }, gradientOf('relu')));
/** x / (1 + exp(-x)) */
export const silu = one(row('silu', 1, 'silu(a)', gradientOf('silu')));
/** Exact (erf) form. */
export const gelu = one(row('gelu', 1, 'gelu(a)', gradientOf('gelu')));
/** 1 / (1 + exp(-a)). Floats. */
export const sigmoid = one(row('sigmoid', 1, 'sigmoid(a)', gradientOf('sigmoid')));
/** log(1 + exp(x)), without overflow. */
export const softplus = one(row('softplus', 1, 'softplus(a)', (g, [a]) => [() => mul(g, sigmoid(a))]));

const oneMinusSquare = (a: Tensor): Tensor => addScalar(neg(square(a)), 1);

const addScalarRow = row('add_scalar', 1, 'a + E(p0)', (g) => [() => g]);
const mulScalarRow = row('mul_scalar', 1, 'a * E(p0)', (g, _, __, [k]) => [() => mulScalar(g, k)]);
const powScalarRow = row('pow_scalar', 1, 'power(a, p0)', (g, [a], _, [k]) => [() => slope.powScalar([g, a], [k, k - 1])]);
const inverseRootRow = row('inverse_root', 1, 'inverseSqrt(a)', (g, [a]) => [() => slope.powScalar([g, a], [-0.5, -1.5])]);
const clampRow = row('clamp', 1, { float: 'clamped(a, p0, p1)', integer: 'clamp(a, E(p0), E(p1))' }, (g, [a], _, consts) => [
  () => slope.clamp([g, a], consts),
]);
const leakyReluRow = row('leaky_relu', 1, 'select(a * p0, a, a > 0.0)', (g, [a], _, consts) => [() => slope.leakyRelu([g, a], consts)]);
const eluRow = row('elu', 1, 'select(p0 * expm1_negative(a * p2), a * p1, a > 0.0)', (g, [a], _, consts) => [
  () => slope.elu([g, a], consts),
]);
const equalScalarRow = row('equal_scalar', 1, 'select(E(0), E(1), a == E(p0))', null, 'u32');
const greaterScalarRow = row('greater_scalar', 1, 'select(E(0), E(1), a > E(p0))', null, 'u32');

/** a + k in the dtype of a; k is part of the trace. */
export const addScalar = (a: Tensor, k: number): Tensor => addScalarRow([a], [k]);
/** a times k in the dtype of a; k is part of the trace. */
export const mulScalar = (a: Tensor, k: number): Tensor => mulScalarRow([a], [k]);
/** a to the power k. Roots are those of `sqrt`, as in PyTorch: of -0 they are -0, and of -infinity NaN. */
export const powScalar = (a: Tensor, k: number): Tensor => POWERS.get(k)?.(a) ?? powScalarRow([a], [k]);
const POWERS = new Map([
  [0.5, sqrt],
  [-0.5, one(inverseRootRow)],
  [2, square],
]);
/** min(max(a, low), high); the gradient passes where low <= a <= high. All is NaN where a bound is, as in PyTorch. */
export const clamp = (a: Tensor, low: number, high: number): Tensor =>
  Number.isNaN(low) || Number.isNaN(high) ? mulScalar(a, NaN) : clampRow([a], [low, high]);
/** a where it is positive, else `slope` times a. Floats. */
export const leakyRelu = (a: Tensor, slope = 0.01): Tensor => leakyReluRow([a], [slope]);
/** `scale` a where a is positive, else `scale` alpha (exp(`inputScale` a) - 1). */
export const elu = door(
  'elu',
  { a: aTensor, alpha: maybe(scalar), scale: maybe(scalar), inputScale: maybe(scalar) },
  (a: Tensor, alpha: number = 1, scale: number = 1, inputScale: number = 1): Tensor => eluRow([a], [alpha * scale, scale, inputScale]),
);
/** 1 where a is k, else 0, as u32. No gradient. */
export const equalScalar = (a: Tensor, k: number): Tensor => equalScalarRow([a], [k]);
/** 1 where a > k, else 0, as u32. No gradient. */
export const greaterScalar = (a: Tensor, k: number): Tensor => greaterScalarRow([a], [k]);

/** `ifTrue` where mask is not 0, else `ifFalse`; the mask is u32 and has no gradient. */
export const where = defineOp({
  name: 'where',
  takes: { mask: aTensor, ifTrue: aTensor, ifFalse: aTensor },
  call: (mask: Tensor, ifTrue: Tensor, ifFalse: Tensor) => ({ inputs: [mask, ifTrue, ifFalse], attrs: {} }),
  infer([mask, t, f]) {
    if (mask.dtype !== 'u32' || t.dtype !== f.dtype) {
      throw new DTypeError(`where: got dtypes ${mask.dtype}, ${t.dtype}, ${f.dtype}, expected u32 and two of one dtype.`);
    }
    return { shape: broadcast('where', [mask, t, f]), dtype: t.dtype };
  },
  lower: (c) => lowerPointwise(c, { expr: 'select(c, b, a != E(0))', consts: [] }),
  pointwise: () => ({ expr: 'select(c, b, a != E(0))', consts: [] }),
  vjp({ inputs: [mask, t, f], grads: [g] }): (Thunk | null)[] {
    return [null, () => sumTo(kept(mask, g, true), t.shape), () => sumTo(kept(mask, g, false), f.shape)];
  },
});

// g where the mask is not 0 (`set`) or is 0, else 0: not a product, for 0 times infinity is NaN.
const kept = defineOp({
  name: 'where_grad',
  call: (mask: Tensor, g: Tensor, set: boolean) => ({ inputs: [mask, g], attrs: { set } }),
  infer: ([mask, g]) => ({ shape: broadcast('where_grad', [mask, g]), dtype: g.dtype }),
  lower: (c) => lowerPointwise(c, keptExpression(c.attrs.set)),
  pointwise: (a) => keptExpression(a.set),
});
const keptExpression = (set: boolean) => ({ expr: `select(E(0), b, a ${set ? '!=' : '=='} E(0))`, consts: [] });

/** The same values as another dtype. Floats to integers: truncated, the nearest integer in range where out of it, and 0 for NaN. */
export const cast = defineOp({
  name: 'cast',
  takes: { x: aTensor, dtype: aDType },
  call: (x: Tensor, dtype: DType) => ({ inputs: [x], attrs: { dtype } }),
  infer: ([x], { dtype }) => ({ shape: x.shape, dtype }),
  lower(c) {
    const x = c.inputs[0];
    const { dtype } = c.attrs;
    const n = numel(x.shape);
    const grid = grid1d(Math.ceil(n / 64));
    if ((dtype === 'i32' || dtype === 'u32') && (x.dtype === 'f32' || x.dtype === 'f16')) {
      return [dispatch(truncate, { x, integers: c.outputs[0] }, { n }, grid, { spec: { FROM: x.dtype, I: dtype } })];
    }
    return [dispatch(convert, { x, y: c.outputs[0] }, { n }, grid, { spec: { FROM: x.dtype, TO: dtype } })];
  },
  vjp: ({ inputs: [x], grads: [g] }): Thunk[] => [() => cast(g, x.dtype)],
});

/** The same values, cut off from the reverse walk. */
export const detach = (x: Tensor): Tensor => noGrad(() => detached(x));
const detached = defineOp({
  name: 'detach',
  takes: { x: aTensor },
  call: (x: Tensor) => ({ inputs: [x], attrs: {} }),
  infer: ([x]) => x,
  lower: () => [],
  view: true,
});
