// SPDX-License-Identifier: MIT
// Optimisers of ONNX's training domain through the engine's fused updates, which overwrite parameters and moments.
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { pad, slice } from '../../src/ops/layout.ts';
import { update } from '../../src/ops/optim.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { Skip, type Adapters, type Call } from './call.ts';

const NO_CLIP = [1];

/** Updates work on whole vectors of four: a flat copy, padded with zeros, and back. */
const vectors = (x: Tensor): Tensor => pad(reshape(x, [x.size]), { after: 4 * Math.ceil(x.size / 4) - x.size });
const original = (flat: Tensor, shape: readonly number[]): Tensor =>
  reshape(slice(flat, { axis: 0, end: shape.reduce((a, b) => a * b, 1) }), shape);

/** Inputs after the rate and the step count: all parameters, then all gradients, then each moment. */
const groups = (c: Call, kinds: number): Tensor[][] => {
  const n = (c.node.inputs.length - 2) / kinds;
  return Array.from({ length: kinds }, (_, k) => Array.from({ length: n }, (__, i) => c.x(2 + k * n + i)));
};

/** ONNX adds epsilon to the root of the uncorrected moment, the engine to that of the corrected one. */
async function adam(c: Call): Promise<Tensor[]> {
  if (c.number('norm_coefficient_post', 0) !== 0) throw new Skip('Adam with a decay after the step');
  const [[rate], [step]] = [await c.numbers(0), await c.numbers(1)] as [number[], number[]];
  const [beta1, beta2] = [c.number('alpha', 0.9), c.number('beta', 0.999)];
  const corrections = step === 0 ? ([1, 1] as const) : ([1 - beta1 ** step, 1 - beta2 ** step] as const);
  const hyper = tensor([rate, ...corrections]);
  const [p, g, m, v] = groups(c, 4) as [Tensor[], Tensor[], Tensor[], Tensor[]];
  const attrs = {
    beta1,
    beta2,
    eps: c.number('epsilon', 1e-6) / Math.sqrt(corrections[1]),
    weightDecay: c.number('norm_coefficient', 0),
    lrScale: 1,
  };
  const rows = p.map((_, i) => [p, g, m, v].map((list) => vectors(list[i])));
  for (const [pi, gi, mi, vi] of rows) update('adam', { p: pi, g: gi, m: mi, v: vi, hyper, clip: tensor(NO_CLIP) }, attrs);
  return [0, 2, 3].flatMap((k) => rows.map((row, i) => original(row[k], p[i].shape)));
}

/** v = alpha v + beta g, then p -= rate v. */
async function momentum(c: Call): Promise<Tensor[]> {
  if (c.text('mode', 'standard') !== 'standard') throw new Skip('Nesterov momentum');
  const [[rate], [step]] = [await c.numbers(0), await c.numbers(1)] as [number[], number[]];
  const dampened = step === 0 ? 1 : c.number('beta', 1);
  const [p, g, v] = groups(c, 3) as [Tensor[], Tensor[], Tensor[]];
  // The engine's velocity has no factor on the gradient: here it is that of the gradient's clipping, and of the decay.
  const attrs = { beta1: c.number('alpha', 0), beta2: 0, eps: 0, weightDecay: dampened * c.number('norm_coefficient', 0), lrScale: 1 };
  const rows = p.map((_, i) => [p, g, v].map((list) => vectors(list[i])));
  for (const [pi, gi, vi] of rows)
    update('sgd', { p: pi, g: gi, m: vi, v: vi, hyper: tensor([rate, 1, 1]), clip: tensor([dampened]) }, attrs);
  return [0, 2].flatMap((k) => rows.map((row, i) => original(row[k], p[i].shape)));
}

export const optimisers: Adapters = { Adam: adam, Momentum: momentum };
