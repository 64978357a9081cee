// SPDX-License-Identifier: MIT
// Every elementwise op at zeros, ties, infinities, NaN and the ends of domains.
import type { Tensor } from '../../../src/engine/tensor.ts';
import * as logic from '../../../src/ops/logic.ts';
import * as op from '../../../src/ops/nonlinear.ts';
import * as pw from '../../../src/ops/pointwise.ts';
import { line, pairs, type Special, type Specials } from './form.ts';

type More = Partial<Special>;
const one = (call: (a: Tensor) => Tensor, torch: string, more: More = {}): Special => ({ inputs: line(), call, torch, ...more });
const two = (call: (a: Tensor, b: Tensor) => Tensor, torch: string, more: More = {}): Special => ({
  inputs: pairs(),
  call,
  torch,
  ...more,
});
const f16 = { f16: true };
// Activations use WGSL's exp, which is good to 3 + 2 |x| units in the last place: only their tails see it.
const tail = (units = (x: number): number => 8 + 3 * Math.abs(x)): More => ({ ulp: { y: units, g: units, why: "WGSL's exp" } });
const mask = (): Special['inputs'] => {
  const [a, b] = pairs();
  return [{ ...a, values: a.values.map((_, i) => i % 2), dtype: 'u32' }, a, b];
};

export const elementwise: Specials = {
  add: [two(pw.add, 'a + b', f16)],
  sub: [two(pw.sub, 'a - b', f16)],
  mul: [two(pw.mul, 'a * b', f16)],
  div: [two(pw.div, 'a / b', f16)],
  maximum: [two(pw.maximum, 'torch.maximum(a, b)', f16)],
  minimum: [two(pw.minimum, 'torch.minimum(a, b)', f16)],
  pow: [two(pw.pow, 'a ** b')],
  atan2: [two(pw.atan2, 'torch.atan2(a, b)')],
  mod: [two(pw.mod, 'torch.remainder(a, b)')],
  fmod: [two(pw.fmod, 'torch.fmod(a, b)')],
  equal: [two(pw.equal, 'a == b', f16)],
  greater: [two(pw.greater, 'a > b', f16)],
  greaterEqual: [two(pw.greaterEqual, 'a >= b', f16)],
  less: [two(pw.less, 'a < b', f16)],
  lessEqual: [two(pw.lessEqual, 'a <= b', f16)],
  indicator: [two(pw.indicator, '(a == b).to(a.dtype)', { grad: [] })],
  where: [{ inputs: mask(), call: pw.where, torch: 'torch.where(a != 0, b, c)', f16: true }],
  neg: [one(pw.neg, '-a')],
  abs: [one(pw.abs, 'a.abs()', f16)],
  sign: [one(pw.sign, 'a.sign()', { ...f16, grad: [] })],
  floor: [one(pw.floor, 'a.floor()', { grad: [] })],
  ceil: [one(pw.ceil, 'a.ceil()', { grad: [] })],
  round: [one(pw.round, 'a.round()', { grad: [] })],
  isNaN: [one(pw.isNaN, 'a.isnan()', f16)],
  isInf: [one(pw.isInf, 'a.isinf()', f16)],
  exp: [one(pw.exp, 'a.exp()', f16)],
  log: [one(pw.log, 'a.log()', f16)],
  log1p: [one(pw.log1p, 'a.log1p()', f16)],
  expm1: [
    one(pw.expm1, 'a.expm1()', {
      ...f16,
      except: { at: (x) => x < -9 && x > -Infinity, of: 'g', why: 'the gradient is e^x, where PyTorch takes e^x - 1 + 1, which cancels' },
    }),
  ],
  notEqual: [two(pw.notEqual, 'a != b', f16)],
  logicalAnd: [two(logic.logicalAnd, 'a.logical_and(b)', f16)],
  logicalOr: [two(logic.logicalOr, 'a.logical_or(b)', f16)],
  logicalXor: [two(logic.logicalXor, 'a.logical_xor(b)', f16)],
  logicalNot: [one(logic.logicalNot, 'a.logical_not()', f16)],
  sqrt: [one(pw.sqrt, 'a.sqrt()', f16)],
  rsqrt: [one(pw.rsqrt, 'a.rsqrt()')],
  reciprocal: [one(pw.reciprocal, 'a.reciprocal()')],
  square: [one(pw.square, 'a ** 2')],
  sin: [one(pw.sin, 'a.sin()')],
  cos: [one(pw.cos, 'a.cos()')],
  tan: [one(pw.tan, 'a.tan()')],
  asin: [one(pw.asin, 'a.asin()')],
  acos: [one(pw.acos, 'a.acos()')],
  atan: [one(pw.atan, 'a.atan()')],
  sinh: [one(pw.sinh, 'a.sinh()')],
  cosh: [one(pw.cosh, 'a.cosh()')],
  asinh: [one(pw.asinh, 'a.asinh()')],
  acosh: [one(pw.acosh, 'a.acosh()')],
  atanh: [one(pw.atanh, 'a.atanh()')],
  tanh: [one(pw.tanh, 'a.tanh()', { ...f16, within: { g: 2 ** -22, why: '1 - y^2' } })],
  erf: [one(pw.erf, 'torch.erf(a)')],
  relu: [one(pw.relu, 'a.relu()', f16)],
  silu: [one(pw.silu, 'F.silu(a)', { ...f16, ...tail() })],
  gelu: [
    one(pw.gelu, 'F.gelu(a)', {
      ...f16,
      within: { y: 2 ** -22, g: 2 ** -22, why: "PyTorch's 1 + erf, and the zero of the slope near -0.75, are differences" },
    }),
    one(pw.gelu, '0.5 * a * torch.erfc(a * -0.5 ** 0.5)', { name: 'tail', grad: [], ...tail((x) => 8 + x * x) }),
  ],
  sigmoid: [one(pw.sigmoid, 'a.sigmoid()', { ...f16, ...tail() })],
  softplus: [one(pw.softplus, 'F.softplus(a)', { ...f16, ...tail() })],
  leakyRelu: [one((a) => pw.leakyRelu(a, 0.25), 'F.leaky_relu(a, 0.25)', f16)],
  elu: [one((a) => pw.elu(a, 1.5), 'F.elu(a, 1.5)', { ...f16, ...tail() })],
  clamp: [
    one((a) => pw.clamp(a, -1, 2), 'a.clamp(-1, 2)', f16),
    one((a) => pw.clamp(a, -Infinity, 0), 'a.clamp(-torch.inf, 0)', { name: 'no lower bound' }),
  ],
  addScalar: [
    one((a) => pw.addScalar(a, -1.5), 'a - 1.5', f16),
    one((a) => pw.addScalar(a, Infinity), 'a + torch.inf', { name: 'infinity' }),
  ],
  mulScalar: [
    one((a) => pw.mulScalar(a, -1.75), 'a * -1.75', f16),
    one((a) => pw.mulScalar(a, 0), 'a * 0', { name: 'zero' }),
    one((a) => pw.mulScalar(a, NaN), 'a * torch.nan', { name: 'NaN' }),
  ],
  powScalar: [-2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, Infinity, -Infinity, NaN].map((k) =>
    one((a) => pw.powScalar(a, k), `a ** float('${k}'.lower().replace('infinity', 'inf'))`, { name: String(k) }),
  ),
  equalScalar: [one((a) => pw.equalScalar(a, 1), 'a == 1', f16), one((a) => pw.equalScalar(a, NaN), 'a == torch.nan', { name: 'NaN' })],
  greaterScalar: [one((a) => pw.greaterScalar(a, 1), 'a > 1', f16)],
  cast: [
    one((a) => pw.cast(a, 'i32'), 'saturated(a, -2**31, 2**31 - 1)', { name: 'to i32', grad: [] }),
    one((a) => pw.cast(a, 'u32'), 'saturated(a, 0, 2**32 - 1)', { name: 'to u32', grad: [] }),
    {
      name: 'to i32 from f16 and back',
      inputs: line(),
      call: (a) => pw.cast(pw.cast(pw.cast(a, 'f16'), 'i32'), 'f32'),
      torch: 'saturated(a.detach().half(), -2**31, 2**31 - 1).to(a.dtype)',
      grad: [],
    },
    one((a) => pw.cast(pw.cast(a, 'f16'), 'f32'), 'a.half().to(a.dtype)', { name: 'to f16 and back' }),
    {
      name: 'from u32',
      inputs: line([0, 1, 16777217, 2 ** 31, 2 ** 32 - 1, 2 ** 32 - 129]).map((x) => ({ ...x, dtype: 'u32' })),
      call: (a) => pw.cast(a, 'f32'),
      torch: 'a.float()',
    },
  ],
  hardSigmoid: [
    one((a) => op.hardSigmoid(a), 'F.hardsigmoid(a)', f16),
    one((a) => op.hardSigmoid(a, { alpha: 0.25, beta: 0.5 }), 'F.hardsigmoid(1.5 * a)', { name: 'slope and offset' }),
  ],
  hardSwish: [one(op.hardSwish, 'F.hardswish(a)', f16)],
  swish: [
    one(
      (a) => op.swish(a, 1.5),
      'a * (1.5 * a).sigmoid()',
      tail((x) => 8 + 4 * Math.abs(x)),
    ),
  ],
  mish: [one(op.mish, 'F.mish(a)', { ...f16, ...tail(), within: { g: 2 ** -22, why: 'its zero near -1.2 is a difference' } })],
  selu: [one((a) => op.selu(a), 'F.selu(a)', tail())],
  celu: [one((a) => op.celu(a, 2), 'F.celu(a, 2.0)', tail())],
  softsign: [one(op.softsign, 'F.softsign(a)')],
  geluTanh: [
    one(op.geluTanh, "F.gelu(a, approximate='tanh')", {
      ...f16,
      within: { y: 2 ** -22, g: 2 ** -22, why: "PyTorch's 1 + tanh, and the zero of the slope near -0.75, are differences" },
    }),
    one(op.geluTanh, 'a * (2 * (2 / torch.pi) ** 0.5 * a * (1 + 0.044715 * a * a)).sigmoid()', {
      name: 'tail',
      grad: [],
      ulp: { y: 128, why: 'an exponential of a rounded argument' },
    }),
  ],
  prelu: [two(op.prelu, 'torch._prelu_kernel(a, b)')],
};
