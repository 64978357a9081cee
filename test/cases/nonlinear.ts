// SPDX-License-Identifier: MIT
import * as op from '../../src/ops/nonlinear.ts';
import { fmod, mod } from '../../src/ops/pointwise.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { input as x, type Case, type CaseInput, type Family } from './case.ts';

const one = (call: (a: Tensor) => Tensor, torch: string, more: Partial<Case> = {}): Case => ({
  name: '[7,9]',
  inputs: [x([7, 9], { scale: 5 })],
  call,
  torch,
  ...more,
});
const divisor: Omit<CaseInput, 'shape'> = { scale: 1, offset: 3 };

export const nonlinear: Family = {
  hardSigmoid: [
    one((a) => op.hardSigmoid(a), 'F.hardsigmoid(a)', { f16: true }),
    one((a) => op.hardSigmoid(a, { alpha: 0.2, beta: 0.3 }), '(0.2 * a + 0.3).clamp(0, 1)', { name: 'slope and offset' }),
  ],
  hardSwish: [one(op.hardSwish, 'F.hardswish(a)')],
  swish: [one((a) => op.swish(a, 1.5), 'a * (1.5 * a).sigmoid()')],
  mish: [one(op.mish, 'F.mish(a)', { f16: true })],
  selu: [one((a) => op.selu(a), 'F.selu(a)')],
  celu: [one((a) => op.celu(a, 2), 'F.celu(a, 2.0)')],
  softsign: [one(op.softsign, 'F.softsign(a)')],
  geluTanh: [one(op.geluTanh, "F.gelu(a, approximate='tanh')")],
  prelu: [{ name: 'a channel', inputs: [x([7, 9], { scale: 5 }), x([9])], call: op.prelu, torch: 'F.prelu(a, b)' }],
  mod: [{ name: 'broadcast', inputs: [x([7, 9], { scale: 9 }), x([9], divisor)], call: mod, torch: 'a - b * (a / b).floor().detach()' }],
  fmod: [{ name: 'broadcast', inputs: [x([7, 9], { scale: 9 }), x([9], divisor)], call: fmod, torch: 'a - b * (a / b).trunc().detach()' }],
};
