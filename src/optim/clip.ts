// SPDX-License-Identifier: MIT
// Gradients held within bounds, for those who do not let the optimiser do it (`clipNorm`).
import { expectArguments, instance, number } from '../check.ts';
import { VoxelgradError } from '../errors.ts';
import type { Grads } from '../engine/autograd.ts';
import type { Tensor } from '../engine/tensor.ts';
import { slice } from '../ops/layout.ts';
import { clipFactor } from '../ops/optim.ts';
import { clamp, mul } from '../ops/pointwise.ts';
import { reshape } from '../ops/reshape.ts';

/** @throws VoxelgradError USAGE for no gradients */
function expectGrads(where: string, grads: Grads): void {
  expectArguments(where, { grads: instance('the gradients of backward()', Map) }, [grads]);
  if (grads.size === 0) throw new VoxelgradError('USAGE', `${where}: got no gradients.`, 'Give backward() the parameters.');
}

/**
 * All gradients times min(1, maxNorm / (norm + 1e-6)), `norm` [] the root of the sum of all squares: `torch.nn.utils.clip_grad_norm_`. The
 * gradients given are left alone. A norm of NaN makes all NaN, an infinite one 0 or NaN, as there.
 */
export function clipGradNorm(grads: Grads, maxNorm: number): { grads: Grads; norm: Tensor } {
  expectGrads('clipGradNorm', grads);
  expectArguments('clipGradNorm', { maxNorm: number(Number.MIN_VALUE) }, [maxNorm]);
  const both = clipFactor([...grads.values()], maxNorm);
  const [factor, norm] = [0, 1].map((i) => reshape(slice(both, { axis: 0, start: i, end: i + 1 }), [])) as [Tensor, Tensor];
  return { grads: new Map([...grads].map(([param, grad]) => [param, mul(grad, factor)])), norm };
}

/** All gradients, each value held between -`most` and `most`: `torch.nn.utils.clip_grad_value_`. */
export function clipGradValue(grads: Grads, most: number): Grads {
  expectGrads('clipGradValue', grads);
  expectArguments('clipGradValue', { most: number(0) }, [most]);
  return new Map([...grads].map(([param, grad]) => [param, clamp(grad, -most, most)]));
}
