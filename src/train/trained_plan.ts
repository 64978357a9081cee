// SPDX-License-Identifier: MIT
// What networks were trained with, kept in their checkpoint: a plan.json edited afterwards (another window, another spacing) would
// change their masks without a word. How masks are made and judged may change: `prediction` and `evaluation` are left out.
import { DataError } from '../errors.ts';
import type { Plan } from '../methods/plan.ts';

export type TrainedPlan = Omit<Plan, 'prediction' | 'evaluation'>;

export function trainedPlan(plan: Plan): TrainedPlan {
  const { prediction: _prediction, evaluation: _evaluation, ...trained } = plan;
  return trained;
}

/** Fields by dotted path, values as JSON; lists are values. */
export function leaves(value: unknown, path = ''): [string, string][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
}

/** Whether a plan has the fields that a run was trained with and no other. */
export function sameFields(plan: Plan, trained: TrainedPlan): boolean {
  const paths = (of: TrainedPlan): string =>
    leaves(of)
      .map(([path]) => path)
      .sort()
      .join();
  return paths(trainedPlan(plan)) === paths(trained);
}

/**
 * @throws DataError naming the fields of `plan` (read from `file`) that differ from those of the training. Fields that came later are not
 * compared.
 */
export function assertTrainedWith(plan: Plan, trained: TrainedPlan, file: string): void {
  const now = new Map(leaves(plan));
  const changed = leaves(trained)
    .filter(([path, value]) => now.has(path) && now.get(path) !== value)
    .map(([path, value]) => `${path}: got ${now.get(path)}, expected ${value}`);
  if (changed.length === 0) return;
  const lines = changed.length === 1 ? ` ${changed[0]}` : `\n${changed.map((line) => `  ${line}`).join('\n')}`;
  throw new DataError(
    `${file}: was edited after the training, so the weights do not belong to it:${lines}.`,
    'Put the values back, or train again with the new ones. Only "prediction" and "evaluation" may change.',
  );
}
