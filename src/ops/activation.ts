// SPDX-License-Identifier: MIT
// Activations that matmul and convolution apply on the way out, and the gradients of all of them, also as ops of their own (pointwise.ts).
import { oneOf } from '../check.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { RowGrad } from './row.ts';
import * as slope from './slopes.ts';

/** Values of `params.act` in the kernels. */
export const ACT = { none: 0, relu: 1, gelu: 2, sigmoid: 3, silu: 4 } as const;
export type Activation = keyof typeof ACT;
/** The same by what a pointwise op computes of the result a, and from 5 on of a tensor b like it: what fusion writes into a product. */
const EPILOGUES: Readonly<Record<string, number>> = {
  'relu(a)': 1,
  'gelu(a)': 2,
  'sigmoid(a)': 3,
  'silu(a)': 4,
  'a + b': 5,
  'b + a': 5,
  'a * gelu_grad(b)': 6,
  'relu_grad(a, b)': 7,
  'a * silu_grad(b)': 8,
};
/** Attributes of a product: the activation that was asked for, or what fusion has written into it. */
export interface Acts {
  readonly act: Activation;
  readonly fused?: number;
}
export const actOf = ({ act, fused }: Acts): number => fused ?? ACT[act];
/** A product's attributes where it computes `expr` besides; null where it cannot. */
export const withEpilogue = <A extends Acts>(attrs: A, expr: string): A | null =>
  actOf(attrs) === 0 && expr in EPILOGUES ? { ...attrs, fused: EPILOGUES[expr] } : null;

export const anActivation = oneOf(...Object.keys(ACT));

/** What determines a gradient besides g, and the op that makes it of both. */
const GRADIENTS = {
  relu: { from: 'output', make: slope.relu },
  gelu: { from: 'input', make: slope.gelu },
  sigmoid: { from: 'output', make: slope.sigmoid },
  silu: { from: 'input', make: slope.silu },
} as const;

/** dLoss/dInput of the activation; `pre` makes its input again where the output does not determine the gradient. */
export function activationGrad(act: Activation, g: Tensor, y: Tensor, pre: () => Tensor): Tensor {
  if (act === 'none') return g;
  const { from, make } = GRADIENTS[act];
  return make([g, from === 'output' ? y : pre()]);
}

/** The same for an activation that is a row of its own. */
export const gradientOf =
  (act: Activation): RowGrad =>
  (g, [a], y) => [() => activationGrad(act, g, y, () => a)];
