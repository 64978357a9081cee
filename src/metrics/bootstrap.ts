// SPDX-License-Identifier: MIT
// Percentile bootstrap over cases (Efron 1979), repeatable from a seed.

import { DataError } from '../errors.ts';
import { quantile } from './statistics.ts';

export interface BootstrapOptions {
  /** Default 1337. */
  seed?: number;
  /** Resamples; default 10,000: the ends of a 95 % interval then move by about a hundredth of its width from seed to seed. */
  resamples?: number;
  /** Default 0.95. */
  level?: number;
}

export interface Interval {
  low: number;
  high: number;
}

/** Uniform numbers in [0, 1) from a 32-bit seed: sfc32 (Doty-Humphrey, PractRand), state filled by splitmix32. */
export function seededUniform(seed: number): () => number {
  let s = seed >>> 0;
  const mix = (): number => {
    s = (s + 0x9e3779b9) | 0;
    let z = s ^ (s >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) | 0;
  };
  let a = mix(),
    b = mix(),
    c = mix(),
    counter = 1;
  return () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
}

/**
 * Percentile interval of a statistic of `n` exchangeable cases. `statistic` gets the drawn case numbers (with repeats; the array is
 * reused) and returns null where it is undefined for that draw. Null for fewer than two cases: one case has no spread to show.
 */
export function bootstrapInterval(
  n: number,
  statistic: (drawn: Uint32Array) => number | null,
  options: BootstrapOptions = {},
): Interval | null {
  const { seed = 1337, resamples = 10_000, level = 0.95 } = options;
  if (!(level > 0 && level < 1))
    throw new DataError(`bootstrap: the level is not a probability, got ${level}, expected a number between 0 and 1.`);
  if (!Number.isInteger(resamples) || resamples < 1)
    throw new DataError(`bootstrap: unusable number of resamples, got ${resamples}, expected a positive integer.`);
  if (n < 2) return null;
  const uniform = seededUniform(seed);
  const drawn = new Uint32Array(n);
  const values: number[] = [];
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < n; i++) drawn[i] = Math.floor(uniform() * n);
    const value = statistic(drawn);
    if (value !== null) values.push(value);
  }
  if (values.length === 0) return null;
  values.sort((p, q) => p - q);
  return { low: quantile(values, (1 - level) / 2), high: quantile(values, (1 + level) / 2) };
}

/** Interval of the mean over cases. */
export function bootstrapMean(values: readonly number[], options?: BootstrapOptions): Interval | null {
  return bootstrapInterval(
    values.length,
    (drawn) => {
      let sum = 0;
      for (const i of drawn) sum += values[i];
      return sum / drawn.length;
    },
    options,
  );
}

/**
 * Interval of mean(x) - mean(y) where x[i] and y[i] belong to one case: cases are drawn, not values, so what is common to a case cancels.
 */
export function bootstrapPairedDifference(x: readonly number[], y: readonly number[], options?: BootstrapOptions): Interval | null {
  if (x.length !== y.length) throw new DataError(`bootstrap: the pairs do not match, got ${y.length} values, expected ${x.length}.`);
  return bootstrapMean(
    x.map((value, i) => value - y[i]),
    options,
  );
}
