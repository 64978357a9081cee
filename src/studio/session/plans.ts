// SPDX-License-Identifier: MIT
// The plan of a run: the preset fitted to what is annotated and to the device, or one that a person brought.
import type { Dataset } from '../../data/dataset.ts';
import { VoxelgradError } from '../../errors.ts';
import { fingerprintOf } from '../../train/fingerprint.ts';
import { assertClasses } from '../../train/loop.ts';
import { parsePlan } from '../../train/plan.ts';
import { inferPlan, presetPlan, type DatasetFingerprint } from '../../train/presets.ts';
import type { Plan } from '../../methods/plan.ts';
import type { StudioPreset, TrainChoice } from '../protocol.ts';

/** With fewer cases every one of them is trained on, and none is left to validate on. */
const FEWEST_FOR_SELECTION = 4;

/**
 * The preset fitted to a data set; `demo` to what the studio promises of it, a mask after minutes. Batch norm's running means are not there
 * in 30 iterations: on a third of the sample's slices, transverse, coronal and their mean with SAM then have Dice 0.62, 0.02 and 0.34 with
 * batch norm at 1e-3, and 0.78, 0.89 and 0.89 with group norm at 5e-3 (Lavapipe, one seed). On a processor it does without SAM, which finds
 * nothing so soon, and with half the slices an iteration: 2.2 GFLOP instead of 8.0, Dice 0.80, 0.81 and 0.93 (three seeds).
 */
export function fittedPlan(fingerprint: DatasetFingerprint, preset: StudioPreset, software: boolean): Plan {
  const plan = inferPlan(fingerprint, preset);
  if (preset !== 'demo') return plan;
  Object.assign(plan.method.network2d, { norm: 'gn', rate: 5e-3 });
  if (software) {
    plan.method.sam.enabled = false;
    plan.method.cross.slices = [4, 4];
  }
  return plan;
}

/** @param last the plan of the last run, for the preset 'same' */
export async function chosenPlan(
  { preset, iterations, plan: own }: TrainChoice,
  dataset: Dataset,
  software: boolean,
  last?: Plan,
): Promise<Plan> {
  const same = own === undefined && preset === 'same';
  if (same && !last) throw new VoxelgradError('USAGE', 'start: there is no last run.', 'Choose a preset.');
  const fitted = async (of: StudioPreset): Promise<Plan> => fittedPlan(await fingerprintOf(dataset), of, software);
  const plan = own !== undefined ? parsePlan(own, 'plan') : preset === 'same' ? structuredClone(last!) : await fitted(preset);
  // Everybody's cases are trained on: the person looks at the masks, there is no test.
  const few = new Set(dataset.training.map(({ patient }) => patient)).size < FEWEST_FOR_SELECTION;
  // A run may have had too few of them, where there are enough now.
  const wanted = same ? presetPlan('demo').split.selectionShare : plan.split.selectionShare;
  Object.assign(plan.split, { folds: 1, fold: 0, selectionShare: few ? 0 : wanted });
  if (iterations !== undefined) plan.training.iterations = iterations;
  assertClasses(plan, dataset);
  return parsePlan(plan, 'plan');
}
