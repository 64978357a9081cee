// SPDX-License-Identifier: MIT
// The plan of a run: the preset fitted to what is annotated, or one that a person brought.
import type { Dataset } from '../../data/dataset.ts';
import { fingerprintOf } from '../../train/fingerprint.ts';
import { assertClasses } from '../../train/loop.ts';
import { parsePlan } from '../../train/plan.ts';
import { inferPlan } from '../../train/presets.ts';
import type { Plan } from '../../methods/plan.ts';
import type { TrainChoice } from '../protocol.ts';

/** With fewer cases every one of them is trained on, and none is left to validate on. */
const FEWEST_FOR_SELECTION = 4;

export async function chosenPlan({ preset, iterations, plan: own }: TrainChoice, dataset: Dataset): Promise<Plan> {
  const plan = own === undefined ? inferPlan(await fingerprintOf(dataset), preset, 'sanet') : parsePlan(own, 'plan');
  // Everybody's cases are trained on: the person looks at the masks, there is no test.
  const share = new Set(dataset.training.map(({ patient }) => patient)).size < FEWEST_FOR_SELECTION ? 0 : plan.split.selectionShare;
  Object.assign(plan.split, { folds: 1, fold: 0, selectionShare: share });
  if (iterations !== undefined) plan.training.iterations = iterations;
  assertClasses(plan, dataset);
  return parsePlan(plan, 'plan');
}
