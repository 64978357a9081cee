// SPDX-License-Identifier: MIT
// What changes with the iteration: learning rate and weight of pseudo labels, as fractions of the run (specification 5.2, C).
import type { Plan } from './plan_schema.ts';

/** Factor on the learning rate at iteration `it` of `n`: linear warm-up, then poly decay. */
export function learningRateFactor(optimiser: Plan['optimiser'], it: number, n: number): number {
  const warm = Math.round(optimiser.warmUp * n);
  if (it < warm) return (it + 1) / warm;
  return optimiser.schedule === 'constant' ? 1 : (1 - it / n) ** optimiser.power;
}

/** Weight lambda of pseudo labels: 0 in stage 0, then lambdaMax exp(-5 (1 - r)^2) with r rising to 1 at the end. */
export function pseudoWeight(cross: Plan['cross'], it: number, n: number): number {
  const stage0 = Math.round(cross.warmStart * n);
  if (!cross.enabled || it < stage0) return 0;
  const r = Math.min(1, Math.max(0, (it - stage0) / (n - stage0)));
  return cross.lambdaMax * Math.exp(-5 * (1 - r) ** 2);
}
