// SPDX-License-Identifier: MIT
// Initial values, drawn in PyTorch's layout from the Philox init stream, so that both languages draw the same numbers.
import { Philox } from '../random/philox.ts';
import { numel } from '../engine/dtype.ts';

/** Values of a parameter of PyTorch shape `shape`; `id` is its op id in the init stream. */
export type Initialiser = (shape: readonly number[], seed: number, id: number) => Float32Array;

/** The same value everywhere. */
export const constant =
  (value: number): Initialiser =>
  (shape) =>
    new Float32Array(numel(shape)).fill(value);
/** Zeros. */
export const zerosInit = constant(0);
/** Ones. */
export const onesInit = constant(1);

/** Normally distributed, of mean 0 and standard deviation `std`. */
export const normal =
  (std: number): Initialiser =>
  (shape, seed, id) => {
    const values = new Philox(seed, 'init').normal(0, id, numel(shape));
    return values.map((v) => Math.fround(v * std));
  };

/** Normal cut off at two standard deviations, by drawing again from later elements. */
export const truncatedNormal =
  (std: number): Initialiser =>
  (shape, seed, id) => {
    const n = numel(shape);
    const out = new Float32Array(n);
    const source = new Philox(seed, 'init');
    for (let have = 0, drawn = 0; have < n;) {
      const want = drawn + Math.ceil((n - have) * 1.06) + 16;
      const values = source.normal(0, id, want);
      for (; drawn < want && have < n; drawn++) if (Math.abs(values[drawn]) <= 2) out[have++] = values[drawn] * std;
    }
    return out;
  };

/** Uniform from `low` to `high`. */
export const uniform =
  (low: number, high: number): Initialiser =>
  (shape, seed, id) =>
    new Philox(seed, 'init').uniform(0, id, numel(shape)).map((u) => low + (high - low) * u);

/** Kaiming normal, fan out, ReLU gain: standard deviation sqrt(2 / (out * kernel)). */
export const kaimingFanOut: Initialiser = (shape, seed, id) => normal(Math.sqrt(2 / (shape[0] * numel(shape.slice(2)))))(shape, seed, id);

/** PyTorch's default for Linear and Conv weights: uniform within 1 / sqrt(fan in). */
export const fanInUniform: Initialiser = (shape, seed, id) => fanInBias(numel(shape.slice(1)))(shape, seed, id);

/** PyTorch's default for their biases. */
export const fanInBias = (fanIn: number): Initialiser => {
  const bound = 1 / Math.sqrt(fanIn);
  return uniform(-bound, bound);
};

/** Xavier uniform for [out, in]. */
export const xavierUniform: Initialiser = (shape, seed, id) => {
  const bound = Math.sqrt(6 / (shape[0] + shape[1]));
  return uniform(-bound, bound)(shape, seed, id);
};
