// SPDX-License-Identifier: MIT
// What every op test asks: gradients by the adjoint identity or a finite difference, eager equal to replay to the bit.
import { expect } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { numel, spec, type HostArray } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { noise } from '../kernels/harness.ts';

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a, (v, i) => v * b[i]).reduce((s, v) => s + v, 0);

/** 0, 1, 2, ... in float32: every element its own name. */
export const count = (shape: readonly number[], dtype: 'f32' | 'u32' | 'i32' = 'f32'): Tensor =>
  tensor(
    Float32Array.from({ length: numel(shape) }, (_, i) => i),
    { shape, dtype },
  );

/** All index lists of a shape, in memory order. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  const at = shape.map(() => 0);
  for (let i = 0; i < numel(shape); i++) {
    yield [...at];
    for (let a = shape.length - 1; a >= 0 && ++at[a] === shape[a]; a--) at[a] = 0;
  }
}
export const flat = (shape: readonly number[], at: readonly number[]): number => shape.reduce((s, d, i) => s * d + at[i], 0);

interface Eager {
  shape: readonly number[];
  y: HostArray;
  w: Float32Array;
  grads: HostArray[];
}

/** Gradients of sum(f(inputs) * weight) with respect to every input, and f's values. */
export async function gradients(f: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[], seed = 99): Promise<Eager> {
  const shape = evaluate(() => f(...inputs)).shape;
  const w = noise(numel(shape), seed);
  const weight = tensor(w, { shape });
  const out = evaluate(() => {
    const y = f(...inputs);
    const found = backward(sum(mul(y, weight)), inputs);
    return { y, grads: inputs.map((x) => found.get(x)!) };
  });
  return { shape, y: await out.y.data(), w, grads: await Promise.all(out.grads.map((g) => g.data())) };
}

/** <A x, w> = <x, A^T w> for an op that is linear in all its inputs together; and replay = eager to the bit, gradient included. */
export async function checkLinear(f: (...inputs: Tensor[]) => Tensor, ...shapes: readonly (readonly number[])[]): Promise<void> {
  const values = shapes.map((shape, i) => noise(numel(shape), 7 + i));
  const inputs = values.map((v, i) => tensor(v, { shape: shapes[i] }));
  const eager = await gradients(f, inputs);
  const { y, w, grads } = eager;
  const left = dot(y, w);
  const right = values.reduce((s, v, i) => s + dot(v, grads[i]), 0);
  const scale = Math.sqrt(dot(y, y) * dot(w, w)) + 1e-30;
  expect(Math.abs(left - right) / scale).toBeLessThan(2e-6);
  await checkReplay(f, values, shapes, eager);
}

/** A compiled program gives the same bits as node by node execution, twice. */
export async function checkReplay(
  f: (...inputs: Tensor[]) => Tensor,
  values: readonly HostArray[],
  shapes: readonly (readonly number[])[],
  eager: Eager,
): Promise<void> {
  using p = await compile(
    (input: Record<string, Tensor>) => {
      const inputs = shapes.map((_, i) => input[`x${i}`]);
      const y = f(...inputs);
      const found = backward(sum(mul(y, input.w)), inputs);
      return { y, grads: inputs.map((x) => found.get(x)!) };
    },
    { ...Object.fromEntries(shapes.map((shape, i) => [`x${i}`, spec(shape)])), w: spec(eager.shape) },
    { fuse: false },
  );
  for (let k = 0; k < 2; k++) {
    const out = p.run({ ...Object.fromEntries(values.map((v, i) => [`x${i}`, v])), w: eager.w });
    expect(await out.y.data()).toEqual(eager.y);
    expect(await Promise.all(out.grads.map((g) => g.data()))).toEqual(eager.grads);
  }
}

/** Gradient of f at x0 against central differences of a float64 reference, entry by entry. */
export async function checkGradient(
  f: (x: Tensor) => Tensor,
  reference: (x: Float64Array) => ArrayLike<number>,
  shape: readonly number[],
  x0: Float32Array,
  tolerance = 1e-4,
): Promise<void> {
  const eager = await gradients(f, [tensor(x0, { shape })]);
  const {
    w,
    grads: [g],
  } = eager;
  const loss = (x: Float64Array): number => dot(reference(x), w);
  const h = 5e-8; // below the spacing of the random inputs, so that no maximum changes hands
  const expected = Float64Array.from(x0, (_, i) => {
    const x = Float64Array.from(x0);
    x[i] += h;
    const above = loss(x);
    x[i] -= 2 * h;
    return (above - loss(x)) / (2 * h);
  });
  const scale = Math.max(...expected.map(Math.abs), 1e-30);
  expect(Math.max(...expected.map((e, i) => Math.abs(e - g[i]))) / scale).toBeLessThan(tolerance);
  await checkReplay(f, [x0], [shape], eager);
}
