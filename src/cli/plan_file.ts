// SPDX-License-Identifier: MIT
// A plan named on the command line.
import { readFileSync } from 'node:fs';
import { DataError, UsageError } from '../errors.ts';
import { parsePlanText } from '../train/plan.ts';
import type { Plan, Preset } from '../methods/plan.ts';

/** @throws UsageError where a preset is named beside the plan */
export function assertOneSource({ plan, preset, method }: { readonly plan?: string; readonly preset?: Preset; readonly method?: string }): void {
  const beside = preset !== undefined ? 'preset' : method !== undefined ? 'method' : undefined;
  if (plan !== undefined && beside !== undefined) throw new UsageError(`--plan: got --${beside} beside it, but a plan says its ${beside === 'preset' ? 'sizes' : 'method'} itself.`, 'Leave one of the two out.');
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
