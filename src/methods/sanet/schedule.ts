// SPDX-License-Identifier: MIT
// The weight of pseudo labels as a fraction of the run (specification 5.2).
import type { SanetFields } from './plan.ts';

/** lambda: 0 in stage 0, then lambdaMax exp(-5 (1 - r)^2) with r rising to 1 at the end. */
export function pseudoWeight(cross: Pick<SanetFields['cross'], 'enabled' | 'lambdaMax' | 'warmStart'>, it: number, n: number): number {
  const stage0 = Math.round(cross.warmStart * n);
  if (!cross.enabled || it < stage0) return 0;
  const r = Math.min(1, Math.max(0, (it - stage0) / (n - stage0)));
  return cross.lambdaMax * Math.exp(-5 * (1 - r) ** 2);
}
