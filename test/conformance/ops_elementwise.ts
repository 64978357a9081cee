// SPDX-License-Identifier: MIT
// Operators that work element by element. Masks are u32.
import type { DType } from '../../src/engine/dtype.ts';
import { full, type Tensor } from '../../src/engine/tensor.ts';
import { celu, geluTanh, hardSigmoid, hardSwish, mish, prelu, selu, softsign, swish } from '../../src/ops/nonlinear.ts';
import * as op from '../../src/ops/pointwise.ts';
import { Skip, type Adapter, type Adapters, type Call } from './call.ts';

const unary =
  (f: (x: Tensor) => Tensor): Adapter =>
  (c) =>
    f(c.x(0));
const binary =
  (f: (a: Tensor, b: Tensor) => Tensor): Adapter =>
  (c) =>
    f(c.x(0), c.x(1));
const fold =
  (f: (a: Tensor, b: Tensor) => Tensor): Adapter =>
  (c) =>
    c.inputs.reduce(f);
const same = (x: Tensor): Tensor => x;

/** Bounds as inputs (which may be left out) or, in old operator sets, as attributes. */
function clip(c: Call): Tensor {
  const x = c.x(0);
  const bound = (i: number, name: string): Tensor | null => {
    const k = c.number(name, NaN);
    return c.optional(i) ?? (Number.isNaN(k) ? null : full([], k, { dtype: x.dtype }));
  };
  const [low, high] = [bound(1, 'min'), bound(2, 'max')];
  const above = low ? op.maximum(x, low) : x;
  return high ? op.minimum(above, high) : above;
}

const DTYPE: Readonly<Record<number, DType>> = { 1: 'f32', 6: 'i32', 10: 'f16', 12: 'u32' };
/** To bool: 1 where not 0. */
function castTo(x: Tensor, type: number): Tensor {
  if (type === 9) return op.equalScalar(op.equalScalar(x, 0), 0);
  const dtype = DTYPE[type];
  if (!dtype) throw new Skip('a cast to a type outside of f32, f16, i32, u32 and bool');
  return op.cast(x, dtype);
}

function isInf(c: Call): Tensor {
  const x = c.x(0);
  const [negative, positive] = [c.flag('detect_negative', 1), c.flag('detect_positive', 1)];
  const found = op.isInf(x);
  if (negative && positive) return found;
  if (!negative && !positive) return op.mulScalar(found, 0);
  return op.mul(found, op.greaterScalar(positive ? x : op.neg(x), 0));
}

/** The exponent's type may be another one; the result has the base's. Integers are powers of floats, rounded. */
function power(c: Call): Tensor {
  const base = c.x(0);
  if (base.dtype === 'f32' || base.dtype === 'f16') return op.pow(base, op.cast(c.x(1), base.dtype));
  return op.cast(op.round(op.pow(op.cast(base, 'f32'), op.cast(c.x(1), 'f32'))), base.dtype);
}

async function modulo(c: Call): Promise<Tensor> {
  if ((await c.numbers(1))!.some((v) => Math.abs(v) === Infinity))
    throw new Skip('a division by infinity, of which WGSL may assume that there is none');
  return (c.flag('fmod') ? op.fmod : op.mod)(c.x(0), c.x(1));
}

function mean(c: Call): Tensor {
  const list = c.inputs;
  return op.mulScalar(list.reduce(op.add), 1 / list.length);
}

export const elementwise: Adapters = {
  Add: binary(op.add),
  Sub: binary(op.sub),
  Mul: binary(op.mul),
  Div: binary(op.div),
  Pow: power,
  Mod: modulo,
  PRelu: binary(prelu),
  Max: fold(op.maximum),
  Min: fold(op.minimum),
  Sum: fold(op.add),
  Mean: mean,
  Equal: binary(op.equal),
  Greater: binary(op.greater),
  GreaterOrEqual: binary(op.greaterEqual),
  Less: binary(op.less),
  LessOrEqual: binary(op.lessEqual),
  And: binary(op.minimum),
  Or: binary(op.maximum),
  Xor: (c) => op.equalScalar(op.equal(c.x(0), c.x(1)), 0),
  Not: (c) => op.equalScalar(c.x(0), 0),
  Where: (c) => op.where(c.x(0), c.x(1), c.x(2)),
  Identity: unary(same),
  Dropout: (c) => {
    if (c.flag('training_mode') || c.has(2) || c.outputs.length > 1) throw new Skip('dropout while training: another random stream');
    return c.x(0);
  },
  Cast: (c) => castTo(c.x(0), c.number('to', 1)),
  Clip: clip,
  IsInf: isInf,
  IsNaN: unary(op.isNaN),
  Abs: unary(op.abs),
  Neg: unary(op.neg),
  Sign: unary(op.sign),
  Floor: unary(op.floor),
  Ceil: unary(op.ceil),
  Round: unary(op.round),
  Exp: unary(op.exp),
  Log: unary(op.log),
  Sqrt: unary(op.sqrt),
  Reciprocal: unary(op.reciprocal),
  Erf: unary(op.erf),
  Sin: unary(op.sin),
  Cos: unary(op.cos),
  Tan: unary(op.tan),
  Asin: unary(op.asin),
  Acos: unary(op.acos),
  Atan: unary(op.atan),
  Sinh: unary(op.sinh),
  Cosh: unary(op.cosh),
  Tanh: unary(op.tanh),
  Asinh: unary(op.asinh),
  Acosh: unary(op.acosh),
  Atanh: unary(op.atanh),
  Relu: unary(op.relu),
  Sigmoid: unary(op.sigmoid),
  Softplus: unary(op.softplus),
  Softsign: unary(softsign),
  Mish: unary(mish),
  HardSwish: unary(hardSwish),
  LeakyRelu: (c) => op.leakyRelu(c.x(0), c.number('alpha', 0.01)),
  Elu: (c) => op.elu(c.x(0), c.number('alpha', 1)),
  Celu: (c) => celu(c.x(0), c.number('alpha', 1)),
  Selu: (c) => selu(c.x(0), { alpha: c.number('alpha', 1.6732632423543772), gamma: c.number('gamma', 1.0507009873554805) }),
  HardSigmoid: (c) => hardSigmoid(c.x(0), { alpha: c.number('alpha', 0.2), beta: c.number('beta', 0.5) }),
  Swish: (c) => swish(c.x(0), c.number('alpha', 1)),
  Gelu: (c) => (c.text('approximate', 'none') === 'tanh' ? geluTanh : op.gelu)(c.x(0)),
};
