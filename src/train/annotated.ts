// SPDX-License-Identifier: MIT
// What a plan says is annotated: slices of a case by its scheme, and which cases of the training part nobody annotated at all.
import type { Triple } from '../axes.ts';
import { annotationWeight, isBare, type Planes } from '../data/annotations.ts';
import type { Dataset, LoadedCase } from '../data/dataset.ts';
import { DataError } from '../errors.ts';
import type { Fold } from '../data/folds.ts';
import { drawnCases, NO_PLANES, sparsePlanes } from '../data/sparse_planes.ts';
import type { Plan } from '../methods/plan.ts';

/** What is annotated, in words of a report: "transverse, 1 slice in 6, 5 training cases annotated". */
export const annotationWords = ({ use, every, cases }: Plan['annotation']): string =>
  [
    use === 'dataset' ? 'as the data set says' : use,
    ...(every === null ? [] : [`1 slice in ${every}`]),
    ...(cases === null ? [] : [`${cases} training case${cases === 1 ? '' : 's'} annotated`]),
  ].join(', ');

/** Training cases of a fold without annotation: there is nothing to learn from them but what others say of them. */
export function bareCases({ annotation: { use, cases, seed } }: Plan, { annotations }: Dataset, { train }: Fold): ReadonlySet<string> {
  if (use === 'dataset') return new Set(train.filter((name) => isBare(annotations.planes.get(name))));
  if (cases === null) return new Set();
  const kept = new Set(drawnCases(train, cases, seed));
  return new Set(train.filter((name) => !kept.has(name)));
}

/** Planes of a case that a plan simulates on its label; undefined: all of it. Not for `dataset`, which is not simulated. */
export function simulatedPlanes(
  { annotation: { use, every, seed } }: Plan,
  name: string,
  size: Triple,
  label: Uint8Array,
): Planes | undefined {
  return use === 'dense' || use === 'dataset' ? undefined : sparsePlanes(name, size, use, seed, { every, label });
}

/**
 * Weight volume that a plan's annotation gives a case, null without a label; `bare`: as `bareCases`. What the label ignores is never
 * annotated.
 * @throws DataError where the label ignores all that is left
 */
export function annotated(
  plan: Plan,
  bare: ReadonlySet<string>,
  { name, image, label, weight, unknown }: Pick<LoadedCase, 'name' | 'image' | 'label' | 'weight' | 'unknown'>,
): Uint8Array | null {
  if (!label || !weight || plan.annotation.use === 'dataset') return weight;
  const size = [...image.size] as Triple;
  const simulated = annotationWeight(size, bare.has(name) ? NO_PLANES : simulatedPlanes(plan, name, size, label), name);
  if (!unknown) return simulated;
  const known = simulated.map((w, i) => (unknown[i] ? 0 : w));
  if (simulated.includes(1) && !known.includes(1))
    throw new DataError(
      `${name}: nothing is annotated, got the ignore label on every voxel that annotation "${plan.annotation.use}" keeps, expected ` +
        'a class on some.',
      'Use the annotation that the data set has (annotation.use "dataset"), or labels without ignore.',
    );
  return known;
}

/**
 * Whether a label leaves a voxel open where it is annotated: background only says that no class is there which somebody drew, and
 * `predicted` is one of those that nobody drew in this case.
 */
export const leftOpen = (label: number, predicted: number, unlabelled: readonly number[]): boolean =>
  label === 0 && unlabelled.includes(predicted);
