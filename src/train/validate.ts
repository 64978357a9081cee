// SPDX-License-Identifier: MIT
// Dice of each network and of the ensemble on a fixed list of cases, on annotated voxels alone: choosing a model must not see
// more labels than training did.
import type { PreparedCase } from '../data/sample.ts';
import { predictVolumes, type RoiNetworks } from '../predict/predict_volume.ts';
import { methodOf } from '../methods/methods.ts';
import { chooseEnsemble, combinations, combined, type Ensemble } from './ensemble.ts';
import { windowsOf } from './inference.ts';
import type { Plan } from '../methods/plan.ts';

/**
 * Mean Dice over cases and the classes they have, by network and of the ensemble; 0 where an output misses everything. And who is in the
 * ensemble.
 */
export async function validate(
  plan: Plan,
  networks: RoiNetworks,
  cases: readonly PreparedCase[],
): Promise<{ dice: Record<string, number>; ensemble: Ensemble }> {
  const names = Object.keys(methodOf(plan).networks(plan));
  const means = Object.fromEntries(combinations(names).map((members) => [combined(members), members]));
  const sums = new Map<string, { total: number; count: number }>();
  const labelled = cases.filter(({ label }) => label);
  for await (const { scan, labels } of predictVolumes({ ...windowsOf(plan), means }, networks, labelled))
    for (const [name, predicted] of Object.entries(labels)) {
      const dice = meanDice(scan, predicted, plan.classes.length);
      if (dice === null) continue;
      const sum = sums.get(name) ?? { total: 0, count: 0 };
      sums.set(name, { total: sum.total + dice, count: sum.count + 1 });
    }
  const scores = Object.fromEntries([...sums].map(([name, { total, count }]) => [name, total / count]));
  const ensemble = chooseEnsemble(names, scores);
  const known = names.filter((name) => name in scores).map((name) => [name, scores[name]]);
  return { dice: { ...Object.fromEntries(known), ...(known.length > 0 && { ensemble: ensemble.dice.chosen }) }, ensemble };
}

/** Over the labelled classes present in reference or prediction; null where there is none. */
function meanDice({ label, weight, unlabelled }: PreparedCase, predicted: Uint8Array, classes: number): number | null {
  const both = new Float64Array(classes);
  const sizes = new Float64Array(classes);
  for (let i = 0; i < predicted.length; i++) {
    if (!weight![i]) continue;
    const a = label![i];
    const b = predicted[i];
    sizes[a]++;
    sizes[b]++;
    if (a === b) both[a]++;
  }
  const scores = Array.from({ length: classes - 1 }, (_, i) => i + 1)
    .filter((c) => sizes[c] > 0 && !unlabelled.includes(c))
    .map((c) => (2 * both[c]) / sizes[c]);
  return scores.length > 0 ? scores.reduce((a, b) => a + b, 0) / scores.length : null;
}
