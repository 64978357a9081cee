// SPDX-License-Identifier: MIT
// Compares the gradient of an op on the device with a central difference along one seeded direction, all in f32.
import { backward } from '../../src/engine/autograd.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { noise } from '../kernels/harness.ts';

/** Relative error of <gradient, direction> for the loss sum(f(inputs) * weights), `weights` seeded. */
export async function gradcheck(
  f: (inputs: Tensor[]) => Tensor,
  values: readonly Float32Array[],
  shapes: readonly number[][],
  step = 1e-2,
): Promise<number> {
  const make = (v: readonly Float32Array[]) => v.map((x, i) => tensor(x, { shape: shapes[i] }));
  const loss = (inputs: Tensor[]): Tensor => {
    const y = f(inputs);
    return sum(mul(y, tensor(noise(y.size, 99), { shape: y.shape })));
  };
  const directions = values.map((v, i) => noise(v.length, 31 + i));
  const inputs = make(values);
  const grads = evaluate(() => {
    const g = backward(loss(inputs), inputs);
    return Object.fromEntries(inputs.map((t, i) => [i, g.get(t)!]));
  });
  let slope = 0;
  for (const [i, d] of directions.entries()) {
    const g = await grads[i].data();
    for (let k = 0; k < d.length; k++) slope += g[k] * d[k];
  }
  const at = async (h: number) => loss(make(values.map((v, i) => v.map((x, k) => x + h * directions[i][k])))).item();
  const difference = ((await at(step)) - (await at(-step))) / (2 * step);
  return Math.abs(slope - difference) / Math.max(1, Math.abs(difference));
}
