// SPDX-License-Identifier: MIT
// A plan named on the command line.
import { UsageError } from '../errors.ts';
import { readJson } from '../files/regular.ts';
import { parsePlan } from '../train/plan.ts';
import type { Plan, Preset } from '../methods/plan.ts';

/** @throws UsageError where a preset is named beside the plan */
export function assertOneSource({
  plan,
  preset,
  method,
}: {
  readonly plan?: string;
  readonly preset?: Preset;
  readonly method?: string;
}): void {
  const beside = preset !== undefined ? 'preset' : method !== undefined ? 'method' : undefined;
  if (plan !== undefined && beside !== undefined)
    throw new UsageError(
      `--plan: got --${beside} beside it, but a plan says its ${beside === 'preset' ? 'sizes' : 'method'} itself.`,
      'Leave one of the two out.',
    );
}

/** @throws DataError naming the file, where it cannot be read or is no plan */
export const readPlanFile = (file: string): Plan => parsePlan(readJson(file), file);
