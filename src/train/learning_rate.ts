// SPDX-License-Identifier: MIT
// Learning rates as fractions of a run (specification C).
import { poly } from '../optim/schedules.ts';

export interface RateSchedule {
  readonly schedule: 'poly' | 'constant';
  readonly power: number;
  readonly warmUp: number;
}

/** Factor on the learning rate at iteration `it` of `n`: linear warm-up, then poly decay. */
export function learningRateFactor({ schedule, power, warmUp }: RateSchedule, it: number, n: number): number {
  const warm = Math.round(warmUp * n);
  if (it < warm) return (it + 1) / warm;
  return schedule === 'constant' ? 1 : poly(1, { steps: n, power })(it);
}
