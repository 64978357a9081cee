// SPDX-License-Identifier: MIT
// Predictions that are copies of their references.
import type { Summary } from './summary.ts';

/** Names of the cases whose prediction is the reference, byte for byte, and not empty: a score of 100 % that says nothing. */
export function sameAsReference(cases: Summary['metric_per_case']): string[] {
  return cases
    .filter(
      (c) =>
        c.prediction_digest !== undefined &&
        c.prediction_digest === c.reference_digest &&
        Object.values(c.metrics).some((m) => m.n_ref > 0),
    )
    .map((c) => c.case);
}
