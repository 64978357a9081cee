// SPDX-License-Identifier: MIT
// Pointwise ops: rows of one table. A row is a WGSL expression over the inputs a, b, c and constants p0...; gradients are
// written with the other rows. Everything else (broadcasting, dispatch, fusion) is engine/pointwise.ts.
import { dtype as aDType, scalar } from '../check.ts';
import { DTypeError } from '../errors.ts';
import { numel, type DType, type Spec } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, dispatch, grid1d, type Thunk } from '../engine/op.ts';
import { broadcast, lowerPointwise } from '../engine/pointwise.ts';
import { Tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { convert as castKernel } from '../gen/cast.ts';
import { sumTo } from './reduce.ts';

// Rows whose expression WGSL has for integers too; -u32 and sign(u32) it has not.
const INTEGERS = new Set(['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'tie_share', 'indicator', 'equal', 'greater', 'greater_equal', 'mod', 'fmod', 'neg', 'abs', 'sign',
  'square', 'relu', 'relu_grad', 'add_scalar', 'mul_scalar', 'clamp', 'equal_scalar', 'greater_scalar']);
const SIGNED = new Set(['neg', 'sign']);
const takes = (name: string, dtype: DType): boolean =>
  dtype === 'f32' || dtype === 'f16' || (INTEGERS.has(name) && (dtype === 'i32' || !SIGNED.has(name)));

/** Gradients of a row: g is dLoss/dOutput, y the output. One thunk per input; broadcast axes are summed by the caller. */
type RowGrad = (g: Tensor, inputs: Tensor[], y: Tensor, consts: readonly number[]) => (Thunk | null)[];

interface RowAttrs { readonly consts: readonly number[] }

function row(name: string, arity: number, expr: string, grad: RowGrad | null, out?: DType) {
  return defineOp<[Tensor[], (readonly number[])?], RowAttrs>({
    name,
    call(inputs: Tensor[], consts: readonly number[] = []) {
      for (const t of inputs) aTensor(name, 'an input', t);
      for (const k of consts) scalar(name, 'a constant', k);
      return { inputs, attrs: { consts } };
    },
    infer(inputs): Spec {
      const dtypes = new Set(inputs.map((s) => s!.dtype));
      if (inputs.length !== arity || dtypes.size !== 1) {
        throw new DTypeError(`${name}: got dtypes ${inputs.map((s) => s!.dtype).join(', ')}, expected ${arity} of one dtype.`, 'There is no implicit promotion: convert with cast().');
      }
      const { dtype } = inputs[0]!;
      if (!takes(name, dtype)) throw new DTypeError(`${name}: got dtype ${dtype}, expected ${SIGNED.has(name) ? 'f32, f16 or i32' : 'f32 or f16'}.`, 'Convert with cast().');
      return { shape: broadcast(name, inputs), dtype: out ?? dtype };
    },
    lower: (c) => lowerPointwise(c, { expr, consts: c.attrs.consts }),
    pointwise: (a) => ({ expr, consts: a.consts }),
    ...(grad && {
      vjp(c) {
        const inputs = c.inputs as Tensor[];
        return grad(c.grads[0]!, inputs, c.outputs[0]!, c.attrs.consts).map((thunk, i) => thunk && (() => sumTo(thunk(), inputs[i]!.shape)));
      },
    }),
  });
}

const addRow = row('add', 2, 'a + b', (g) => [() => g, () => g]);
const subRow = row('sub', 2, 'a - b', (g) => [() => g, () => neg(g)]);
const mulRow = row('mul', 2, 'a * b', (g, [a, b]) => [() => mul(g, b!), () => mul(g, a!)]);
const divRow = row('div', 2, 'a / b', (g, [, b], y) => [() => div(g, b!), () => neg(div(mul(g, y), b!))]);
const maxRow = row('maximum', 2, 'max(a, b)', (g, [a, b]) => [() => mul(g, tieShare(a!, b!)), () => mul(g, tieShare(b!, a!))]);
const minRow = row('minimum', 2, 'min(a, b)', (g, [a, b]) => [() => mul(g, tieShare(neg(a!), neg(b!))), () => mul(g, tieShare(neg(b!), neg(a!)))]);
const powRow = row('pow', 2, 'power(a, b)', (g, [a, b], y) => [() => mul(g, mul(b!, pow(a!, addScalar(b!, -1)))), () => mul(g, mul(y, log(a!)))]);
const tieShare = two(row('tie_share', 2, 'select(select(E(0), E(1), a > b), E(1) / E(2), a == b)', null));

/** 1 where a == b, else 0, in the dtype of a and b: one-hot targets. */
export const indicator = two(row('indicator', 2, 'select(E(0), E(1), a == b)', null));

const equalRow = row('equal', 2, 'select(E(0), E(1), a == b)', null, 'u32');
const greaterRow = row('greater', 2, 'select(E(0), E(1), a > b)', null, 'u32');
const greaterEqualRow = row('greater_equal', 2, 'select(E(0), E(1), a >= b)', null, 'u32');
// Remainders y are a - b q, with an integer q.
const remainderGrad: RowGrad = (g, [a, b], y) => [() => g, () => mul(g, div(sub(y, a!), b!))];
// % has the sign of a; Python's remainder has that of b.
const modRow = row('mod', 2, 'select(a % b, a % b + b, a % b != E(0) && (a % b < E(0)) != (b < E(0)))', remainderGrad);
const fmodRow = row('fmod', 2, 'a % b', remainderGrad);
const atan2Row = row('atan2', 2, 'atan2(a, b)', (g, [a, b]) => {
  const share = (): Tensor => div(g, add(square(a!), square(b!)));
  return [() => mul(share(), b!), () => neg(mul(share(), a!))];
});

function two(r: (inputs: Tensor[], consts?: readonly number[]) => Tensor) {
  return (a: Tensor, b: Tensor): Tensor => r([a, b]);
}
function one(r: (inputs: Tensor[], consts?: readonly number[]) => Tensor) {
  return (a: Tensor): Tensor => r([a]);
}

/** a + b, broadcasting. */
export const add = two(addRow);
export const sub = two(subRow);
export const mul = two(mulRow);
export const div = two(divRow);
/** Larger of a and b; the gradient is halved between equal ones, as in PyTorch. */
export const maximum = two(maxRow);
export const minimum = two(minRow);
/** a to the power b; negative bases with integer exponents are real, as in C. */
export const pow = two(powRow);
export const atan2 = two(atan2Row);
/** a - b floor(a / b): the sign of b, as Python's and PyTorch's remainder. */
export const mod = two(modRow);
/** a - b trunc(a / b): the sign of a, as C's fmod. */
export const fmod = two(fmodRow);
/** 1 where a == b, else 0, as u32. */
export const equal = two(equalRow);
export const greater = two(greaterRow);
export const greaterEqual = two(greaterEqualRow);
export const less = (a: Tensor, b: Tensor): Tensor => greater(b, a);
export const lessEqual = (a: Tensor, b: Tensor): Tensor => greaterEqual(b, a);

export const neg = one(row('neg', 1, '-a', (g) => [() => neg(g)]));
export const abs = one(row('abs', 1, 'abs(a)', (g, [a]) => [() => mul(g, sign(a!))]));
export const sign = one(row('sign', 1, 'sign(a)', null));
export const floor = one(row('floor', 1, 'floor(a)', null));
export const ceil = one(row('ceil', 1, 'ceil(a)', null));
/** Nearest integer, ties to even. */
export const round = one(row('round', 1, 'round(a)', null));
// Compilers may assume that no float is NaN or infinite: these look at the bits.
const magnitude = '(bitcast<u32>(a) & 0x7fffffffu)';
/** 1 where a is NaN, else 0, as u32. a is a float. */
export const isNaN = one(row('is_nan', 1, `select(E(0), E(1), ${magnitude} > 0x7f800000u)`, null, 'u32'));
/** 1 where a is infinite, else 0, as u32. a is a float. */
export const isInf = one(row('is_inf', 1, `select(E(0), E(1), ${magnitude} == 0x7f800000u)`, null, 'u32'));
export const exp = one(row('exp', 1, 'exp(a)', (g, _, y) => [() => mul(g, y)]));
export const log = one(row('log', 1, 'log(a)', (g, [a]) => [() => div(g, a!)]));
export const sqrt = one(row('sqrt', 1, 'sqrt(a)', (g, _, y) => [() => div(mulScalar(g, 0.5), y)]));
export const rsqrt = one(row('rsqrt', 1, 'inverseSqrt(a)', (g, _, y) => [() => mul(mulScalar(g, -0.5), mul(y, mul(y, y)))]));
export const reciprocal = one(row('reciprocal', 1, 'E(1) / a', (g, _, y) => [() => neg(mul(g, mul(y, y)))]));
export const square = one(row('square', 1, 'a * a', (g, [a]) => [() => mul(g, mulScalar(a!, 2))]));
export const sin = one(row('sin', 1, 'sin_exact(a)', (g, [a]) => [() => mul(g, cos(a!))]));
export const cos = one(row('cos', 1, 'cos_exact(a)', (g, [a]) => [() => neg(mul(g, sin(a!)))]));
export const tan = one(row('tan', 1, 'sin_exact(a) / cos_exact(a)', (g, _, y) => [() => mul(g, addScalar(square(y), 1))]));
export const asin = one(row('asin', 1, 'asin(a)', (g, [a]) => [() => mul(g, rsqrt(oneMinusSquare(a!)))]));
export const acos = one(row('acos', 1, 'acos(a)', (g, [a]) => [() => neg(mul(g, rsqrt(oneMinusSquare(a!))))]));
export const atan = one(row('atan', 1, 'atan(a)', (g, [a]) => [() => div(g, addScalar(square(a!), 1))]));
export const sinh = one(row('sinh', 1, 'sinh(a)', (g, [a]) => [() => mul(g, cosh(a!))]));
export const cosh = one(row('cosh', 1, 'cosh(a)', (g, [a]) => [() => mul(g, sinh(a!))]));
export const asinh = one(row('asinh', 1, 'sign(a) * log(abs(a) + sqrt(a * a + 1.0))', (g, [a]) => [() => mul(g, rsqrt(addScalar(square(a!), 1)))]));
export const acosh = one(row('acosh', 1, 'log(a + sqrt(a * a - 1.0))', (g, [a]) => [() => mul(g, rsqrt(addScalar(square(a!), -1)))]));
export const atanh = one(row('atanh', 1, '0.5 * log((1.0 + a) / (1.0 - a))', (g, [a]) => [() => div(g, oneMinusSquare(a!))]));
export const tanh = one(row('tanh', 1, 'tanh_safe(a)', (g, _, y) => [() => tanhGrad(g, y)]));
export const erf = one(row('erf', 1, 'erf(a)', (g, [a]) => [() => mul(g, mulScalar(exp(neg(square(a!))), 2 / Math.sqrt(Math.PI)))]));
export const relu = one(row('relu', 1, 'max(a, E(0))', (g, _, y) => [() => reluGrad(g, y)]));
/** x / (1 + exp(-x)) */
export const silu = one(row('silu', 1, 'a * sigmoid(a)', (g, [a]) => [() => siluGrad(g, a!)]));
/** Exact (erf) form. */
export const gelu = one(row('gelu', 1, 'gelu(a)', (g, [a]) => [() => geluGrad(g, a!)]));
export const sigmoid = one(row('sigmoid', 1, 'sigmoid(a)', (g, _, y) => [() => sigmoidGrad(g, y)]));
/** log(1 + exp(x)), without overflow. */
export const softplus = one(row('softplus', 1, 'softplus(a)', (g, [a]) => [() => mul(g, sigmoid(a!))]));

const oneMinusSquare = (a: Tensor): Tensor => addScalar(neg(square(a)), 1);
const reluGrad = two(row('relu_grad', 2, 'select(E(0), a, b > E(0))', (g, [, y]) => [() => reluGrad(g, y!), null]));
const siluGrad = two(row('silu_grad', 2, 'a * silu_grad(b)', null));
const geluGrad = two(row('gelu_grad', 2, 'a * gelu_grad(b)', null));
const sigmoidGrad = two(row('sigmoid_grad', 2, 'a * b * (1.0 - b)', null));
const tanhGrad = two(row('tanh_grad', 2, 'a * (1.0 - b * b)', null));

const addScalarRow = row('add_scalar', 1, 'a + E(p0)', (g) => [() => g]);
const mulScalarRow = row('mul_scalar', 1, 'a * E(p0)', (g, _, __, [k]) => [() => mulScalar(g, k!)]);
const powScalarRow = row('pow_scalar', 1, 'power(a, p0)', (g, [a], _, [k]) => [() => mul(g, mulScalar(powScalar(a!, k! - 1), k!))]);
const clampRow = row('clamp', 1, 'clamp(a, E(p0), E(p1))', (g, [a], _, consts) => [() => clampGradRow([g, a!], consts)]);
const clampGradRow = row('clamp_grad', 2, 'select(E(0), a, b >= E(p0) && b <= E(p1))', null);
const leakyReluRow = row('leaky_relu', 1, 'select(a * p0, a, a > 0.0)', (g, [a], _, consts) => [() => leakyReluGradRow([g, a!], consts)]);
const leakyReluGradRow = row('leaky_relu_grad', 2, 'select(a * p0, a, b > 0.0)', null);
const eluRow = row('elu', 1, 'select(p0 * (exp(a) - 1.0), a, a > 0.0)', (g, [a], _, consts) => [() => eluGradRow([g, a!], consts)]);
const eluGradRow = row('elu_grad', 2, 'select(a * p0 * exp(b), a, b > 0.0)', null);
const equalScalarRow = row('equal_scalar', 1, 'select(E(0), E(1), a == E(p0))', null, 'u32');
const greaterScalarRow = row('greater_scalar', 1, 'select(E(0), E(1), a > E(p0))', null, 'u32');

export const addScalar = (a: Tensor, k: number): Tensor => addScalarRow([a], [k]);
export const mulScalar = (a: Tensor, k: number): Tensor => mulScalarRow([a], [k]);
export const powScalar = (a: Tensor, k: number): Tensor => powScalarRow([a], [k]);
/** min(max(a, low), high); the gradient passes where low <= a <= high. */
export const clamp = (a: Tensor, low: number, high: number): Tensor => clampRow([a], [low, high]);
export const leakyRelu = (a: Tensor, slope = 0.01): Tensor => leakyReluRow([a], [slope]);
export const elu = (a: Tensor, alpha = 1): Tensor => eluRow([a], [alpha]);
export const equalScalar = (a: Tensor, k: number): Tensor => equalScalarRow([a], [k]);
export const greaterScalar = (a: Tensor, k: number): Tensor => greaterScalarRow([a], [k]);

/** `ifTrue` where mask is not 0, else `ifFalse`; the mask is u32 and has no gradient. */
export const where = defineOp({
  name: 'where',
  takes: { mask: aTensor, ifTrue: aTensor, ifFalse: aTensor },
  call: (mask: Tensor, ifTrue: Tensor, ifFalse: Tensor) => ({ inputs: [mask, ifTrue, ifFalse], attrs: {} }),
  infer([mask, t, f]) {
    if (mask!.dtype !== 'u32' || t!.dtype !== f!.dtype) {
      throw new DTypeError(`where: got dtypes ${mask!.dtype}, ${t!.dtype}, ${f!.dtype}, expected u32 and two of one dtype.`);
    }
    return { shape: broadcast('where', [mask, t, f]), dtype: t!.dtype };
  },
  lower: (c) => lowerPointwise(c, { expr: 'select(c, b, a != E(0))', consts: [] }),
  pointwise: () => ({ expr: 'select(c, b, a != E(0))', consts: [] }),
  vjp({ inputs: [mask, t, f], grads: [g] }): (Thunk | null)[] {
    const zero = (like: Tensor): Tensor => mulScalar(like, 0);
    return [null, () => sumTo(where(mask!, g!, zero(g!)), t!.shape), () => sumTo(where(mask!, zero(g!), g!), f!.shape)];
  },
});

/** The same values as another dtype: f32 to integers truncates and saturates. */
export const cast = defineOp({
  name: 'cast',
  takes: { x: aTensor, dtype: aDType },
  call: (x: Tensor, dtype: DType) => ({ inputs: [x], attrs: { dtype } }),
  infer: ([x], { dtype }) => ({ shape: x!.shape, dtype }),
  lower(c) {
    const [x] = c.inputs;
    const n = numel(x!.shape);
    return [dispatch(castKernel, { x: x!, y: c.outputs[0]! }, { n }, grid1d(Math.ceil(n / 64)), { spec: { FROM: x!.dtype, TO: c.attrs.dtype } })];
  },
  vjp: ({ inputs: [x], grads: [g] }): Thunk[] => [() => cast(g!, x!.dtype)],
});

/** The same values, cut off from the reverse walk. */
export const detach = (x: Tensor): Tensor => noGrad(() => detached(x));
const detached = defineOp({
  name: 'detach',
  takes: { x: aTensor },
  call: (x: Tensor) => ({ inputs: [x], attrs: {} }),
  infer: ([x]) => x!,
  lower: () => [],
  view: true,
});
