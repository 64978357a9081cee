// SPDX-License-Identifier: MIT
// A plan named on the command line.
import { readFileSync } from 'node:fs';
import { DataError, UsageError } from '../errors.ts';
import { parsePlanText } from '../train/plan.ts';
import type { Plan, Preset } from '../train/plan_schema.ts';

/** @throws UsageError where a preset is named beside the plan */
export function assertOneSource({ plan, preset }: { readonly plan?: string; readonly preset?: Preset }): void {
  if (plan !== undefined && preset !== undefined) throw new UsageError('--plan: got --preset beside it, but a plan says its sizes itself.', 'Leave one of the two out.');
}

/** @throws DataError naming the file, where it cannot be read or is no plan */
export function readPlanFile(file: string): Plan {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DataError(`${file}: cannot be read, ${(cause as Error).message}.`, 'Check the path, or leave --plan out.', { cause });
  }
  return parsePlanText(text, file);
}
