// SPDX-License-Identifier: MIT
import * as logic from '../../src/ops/logic.ts';
import * as op from '../../src/ops/pointwise.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { input as x, type Case, type CaseInput, type Family } from './case.ts';

const ODD = [7, 9] as const;
const one = (
  call: (a: Tensor) => Tensor,
  torch: string,
  range: Omit<CaseInput, 'shape'> = { scale: 3 },
  more: Partial<Case> = {},
): Case => ({ name: `[${ODD}]`, inputs: [x(ODD, range)], call, torch, ...more });
const two = (
  call: (a: Tensor, b: Tensor) => Tensor,
  torch: string,
  second: Omit<CaseInput, 'shape'> = {},
  more: Partial<Case> = {},
): Case[] => [{ name: 'one shape', inputs: [x(ODD, second), x(ODD, second)], call, torch, ...more }];
const flat = { grad: [], jumps: true } as const;
const constant = (call: (a: Tensor) => Tensor, torch: string): Case => one(call, torch, { scale: 3 }, flat);
const positive = { scale: 0.9, offset: 1 };

export const pointwise: Family = {
  add: [
    ...two(op.add, 'a + b', {}, { f16: true }),
    { name: 'a row', inputs: [x([5, 7]), x([7])], call: op.add, torch: 'a + b' },
    { name: 'both broadcast', inputs: [x([3, 1, 7]), x([5, 1])], call: op.add, torch: 'a + b' },
    { name: 'every other axis', inputs: [x([2, 3, 1, 5]), x([1, 3, 4, 1])], call: op.add, torch: 'a + b' },
    { name: 'large', inputs: [x([16, 63, 65]), x([65])], call: op.add, torch: 'a + b', bench: true },
    { name: 'one element', inputs: [x([1]), x([])], call: op.add, torch: 'a + b' },
    {
      name: 'i32',
      inputs: [x([65], { below: 100, dtype: 'i32' }), x([65], { below: 7, dtype: 'i32' })],
      call: op.add,
      torch: 'a + b',
      grad: [],
    },
  ],
  sub: [...two(op.sub, 'a - b', {}, { f16: true }), { name: 'a column', inputs: [x([6, 1]), x([6, 65])], call: op.sub, torch: 'a - b' }],
  mul: [
    ...two(op.mul, 'a * b', {}, { f16: true }),
    { name: 'a channel', inputs: [x([2, 3, 5, 7]), x([7])], call: op.mul, torch: 'a * b' },
    { name: 'a sample', inputs: [x([3, 1, 1, 1]), x([3, 2, 2, 5])], call: op.mul, torch: 'a * b', f16: true },
    { name: 'with itself', inputs: [x([63])], call: (a) => op.mul(a, a), torch: 'a * a' },
  ],
  div: [
    { name: 'one shape', inputs: [x(ODD), x(ODD, positive)], call: op.div, torch: 'a / b', f16: true },
    { name: 'a row', inputs: [x([5, 7]), x([7], positive)], call: op.div, torch: 'a / b' },
  ],
  maximum: [
    ...two(op.maximum, 'torch.maximum(a, b)'),
    {
      name: 'ties',
      inputs: [x([63], { below: 3, dtype: 'f32' }), x([63], { below: 3 })],
      call: op.maximum,
      torch: 'torch.maximum(a, b)',
      jumps: true,
    },
  ],
  minimum: [
    ...two(op.minimum, 'torch.minimum(a, b)'),
    { name: 'ties', inputs: [x([63], { below: 3 }), x([63], { below: 3 })], call: op.minimum, torch: 'torch.minimum(a, b)', jumps: true },
  ],
  pow: [
    { name: 'one shape', inputs: [x(ODD, positive), x(ODD, { scale: 2 })], call: op.pow, torch: 'a ** b' },
    { name: 'negative base', inputs: [x([63], { scale: 2 }), x([63], { below: 4 })], call: op.pow, torch: 'a ** b', grad: [0] },
  ],
  atan2: [{ name: 'four quadrants', inputs: [x([63]), x([63])], call: op.atan2, torch: 'torch.atan2(a, b)' }],
  equal: [{ name: 'whole numbers', inputs: [x([63], { below: 3 }), x([63], { below: 3 })], call: op.equal, torch: '(a == b)', ...flat }],
  greater: [{ name: 'whole numbers', inputs: [x([63], { below: 3 }), x([63], { below: 3 })], call: op.greater, torch: '(a > b)', ...flat }],
  greaterEqual: [
    { name: 'whole numbers', inputs: [x([63], { below: 3 }), x([63], { below: 3 })], call: op.greaterEqual, torch: '(a >= b)', ...flat },
  ],
  less: [{ name: 'whole numbers', inputs: [x([63], { below: 3 }), x([7, 63], { below: 3 })], call: op.less, torch: '(a < b)', ...flat }],
  lessEqual: [
    { name: 'whole numbers', inputs: [x([63], { below: 3 }), x([63], { below: 3 })], call: op.lessEqual, torch: '(a <= b)', ...flat },
  ],
  neg: [one(op.neg, '-a')],
  abs: [one(op.abs, 'a.abs()')],
  sign: [constant(op.sign, 'a.sign()')],
  floor: [constant(op.floor, 'a.floor()')],
  ceil: [constant(op.ceil, 'a.ceil()')],
  round: [
    constant(op.round, 'a.round()'),
    one(
      op.round,
      'a.round()',
      { below: 20 },
      { ...flat, name: 'ties', call: (a) => op.round(op.mulScalar(a, 0.5)), torch: '(a * 0.5).round()' },
    ),
  ],
  exp: [one(op.exp, 'a.exp()', { scale: 3 }, { f16: true })],
  log: [one(op.log, 'a.log()', positive)],
  sqrt: [one(op.sqrt, 'a.sqrt()', positive)],
  rsqrt: [one(op.rsqrt, 'a.rsqrt()', positive)],
  reciprocal: [one(op.reciprocal, '1 / a', positive)],
  square: [one(op.square, 'a ** 2')],
  sin: [one(op.sin, 'a.sin()', { scale: 20 })],
  cos: [one(op.cos, 'a.cos()', { scale: 20 })],
  tan: [one(op.tan, 'a.tan()', { scale: 1.4 })],
  asin: [one(op.asin, 'a.asin()', { scale: 0.9 })],
  acos: [one(op.acos, 'a.acos()', { scale: 0.9 })],
  atan: [one(op.atan, 'a.atan()')],
  sinh: [one(op.sinh, 'a.sinh()')],
  cosh: [one(op.cosh, 'a.cosh()')],
  asinh: [one(op.asinh, 'a.asinh()')],
  acosh: [one(op.acosh, 'a.acosh()', { scale: 1, offset: 2.5 })],
  atanh: [one(op.atanh, 'a.atanh()', { scale: 0.9 })],
  tanh: [one(op.tanh, 'a.tanh()', { scale: 3 }, { f16: true }), one(op.tanh, 'a.tanh()', { scale: 200 }, { name: 'saturated' })],
  erf: [one(op.erf, 'torch.erf(a)')],
  relu: [one(op.relu, 'a.relu()', { scale: 3 }, { f16: true })],
  silu: [one(op.silu, 'F.silu(a)', { scale: 3 }, { f16: true })],
  gelu: [one(op.gelu, 'F.gelu(a)', { scale: 3 }, { f16: true })],
  sigmoid: [
    one(op.sigmoid, 'a.sigmoid()', { scale: 3 }, { f16: true }),
    one(op.sigmoid, 'a.sigmoid()', { scale: 200 }, { name: 'saturated' }),
  ],
  softplus: [
    one(op.softplus, 'F.softplus(a, threshold=1e9)'),
    one(op.softplus, 'F.softplus(a, threshold=1e9)', { scale: 60 }, { name: 'saturated' }),
  ],
  leakyRelu: [one((a) => op.leakyRelu(a, 0.2), 'F.leaky_relu(a, 0.2)', { scale: 3 }, { f16: true })],
  elu: [one((a) => op.elu(a, 1.5), 'F.elu(a, 1.5)')],
  clamp: [one((a) => op.clamp(a, -1, 2), 'a.clamp(-1, 2)')],
  addScalar: [one((a) => op.addScalar(a, 0.3), 'a + 0.3')],
  mulScalar: [one((a) => op.mulScalar(a, -1.7), 'a * -1.7', { scale: 3 }, { f16: true })],
  powScalar: [
    one((a) => op.powScalar(a, 2.5), 'a ** 2.5', positive),
    one((a) => op.powScalar(a, 3), 'a ** 3', { scale: 2 }, { name: 'negative base' }),
  ],
  equalScalar: [{ name: 'whole numbers', inputs: [x([63], { below: 3 })], call: (a) => op.equalScalar(a, 1), torch: '(a == 1)', ...flat }],
  greaterScalar: [
    { name: 'whole numbers', inputs: [x([63], { below: 3 })], call: (a) => op.greaterScalar(a, 1), torch: '(a > 1)', ...flat },
  ],
  indicator: [
    { name: 'one-hot', inputs: [x([7, 1], { below: 3 }), x([3], { below: 3 })], call: op.indicator, torch: '(a == b).double()', ...flat },
  ],
  where: [
    {
      name: 'one shape',
      inputs: [x(ODD, { below: 2, dtype: 'u32' }), x(ODD), x(ODD)],
      call: op.where,
      torch: 'torch.where(a != 0, b, c)',
      f16: true,
    },
    {
      name: 'broadcast',
      inputs: [x([5, 1], { below: 2, dtype: 'u32' }), x([7]), x([1])],
      call: op.where,
      torch: 'torch.where(a != 0, b, c)',
    },
    {
      name: '63 x 65',
      inputs: [x([63, 1], { below: 2, dtype: 'u32' }), x([1, 65]), x([63, 65])],
      call: op.where,
      torch: 'torch.where(a != 0, b, c)',
    },
  ],
  cast: [
    { name: 'f32 to i32', inputs: [x([63], { scale: 9 })], call: (a) => op.cast(a, 'i32'), torch: 'a.to(torch.int32)', ...flat },
    { name: 'u32 to f32', inputs: [x([63], { below: 1000, dtype: 'u32' })], call: (a) => op.cast(a, 'f32'), torch: 'a.double()', ...flat },
    {
      name: 'f32 to f16 and back',
      inputs: [x([63])],
      call: (a) => op.cast(op.cast(a, 'f16'), 'f32'),
      torch: 'half(a)',
      jumps: true,
      tolerance: { nmse: 1e-6, why: 'values pass through f16' },
    },
    { name: 'f16 to f32', inputs: [x([63])], call: (a) => op.cast(a, 'f32'), torch: 'a.double()', f16: true },
  ],
  isNaN: [constant((a) => op.isNaN(op.log(a)), 'a.log().isnan()')],
  isInf: [
    {
      name: 'divided by zero',
      inputs: [x([63], { below: 3 })],
      call: (a) => op.isInf(op.reciprocal(a)),
      torch: '(1 / a).isinf()',
      ...flat,
    },
  ],
  log1p: [one(op.log1p, 'a.log1p()', { scale: 0.9, offset: 0.5 }, { f16: true })],
  expm1: [one(op.expm1, 'a.expm1()', { scale: 3 }, { f16: true })],
  notEqual: [...two(op.notEqual, 'a != b', { below: 3 }, flat)],
  logicalAnd: [...two(logic.logicalAnd, 'a.logical_and(b)', { below: 2 }, flat)],
  logicalOr: [...two(logic.logicalOr, 'a.logical_or(b)', { below: 2, dtype: 'i32' }, flat)],
  logicalXor: [...two(logic.logicalXor, 'a.logical_xor(b)', { below: 3 }, flat)],
  logicalNot: [one(logic.logicalNot, 'a.logical_not()', { below: 3 }, flat)],
  detach: [{ name: 'cuts', inputs: [x([63])], call: (a) => op.mul(a, op.detach(a)), torch: 'a * held(a)', jumps: true }],
};
