// SPDX-License-Identifier: MIT
// Student's t-test for pairs.

import { DataError } from '../errors.ts';
import { regularisedBeta } from './special.ts';
import { mean, standardDeviation } from './statistics.ts';

export interface PairedTResult {
  t: number;
  /** Two-sided p-value; 1 when no pair differs. */
  p: number;
  degreesOfFreedom: number;
  /** Cohen's d_z: mean difference over the standard deviation of the differences. */
  effect: number;
}

/** Tests whether the mean of x - y is zero, differences taken as normal. */
export function pairedT(x: readonly number[], y: readonly number[]): PairedTResult {
  if (x.length !== y.length || x.length < 2)
    throw new DataError(`paired t-test: too few or unequal pairs, got ${x.length} and ${y.length} values, expected at least 2 pairs.`);
  const differences = x.map((value, i) => value - y[i]);
  const centre = mean(differences)!,
    spread = standardDeviation(differences)!;
  const degreesOfFreedom = x.length - 1;
  if (centre === 0) return { t: 0, p: 1, degreesOfFreedom, effect: 0 };
  const effect = centre / spread;
  const t = effect * Math.sqrt(x.length);
  // Infinite t (all differences equal) gives the argument 0 and p = 0.
  const p = regularisedBeta(degreesOfFreedom / (degreesOfFreedom + t * t), degreesOfFreedom / 2, 0.5);
  return { t, p, degreesOfFreedom, effect };
}
