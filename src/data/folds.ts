// SPDX-License-Identifier: MIT
// Cross-validation by patient (specification 7.4): no patient is ever on two sides of a split.
import { DataError } from '../errors.ts';
import { Philox } from '../random/philox.ts';

/** One fold: cases to train on, to select the model on (10 % of the training part), and to test on. */
export interface Fold {
  readonly train: readonly string[];
  readonly selection: readonly string[];
  readonly test: readonly string[];
}

/**
 * The fold of a run that goes on, with the training cases that there are: what was held out stays so, for the rest has been learnt from.
 * New cases are learnt from, and those that are gone are left out.
 */
export function goingOn(cases: readonly string[], before: Fold): Fold {
  const held = new Set([...before.selection, ...before.test]);
  const there = new Set(cases);
  return {
    train: cases.filter((name) => !held.has(name)).sort(),
    selection: before.selection.filter((name) => there.has(name)),
    test: before.test.filter((name) => there.has(name)),
  };
}

/** How to split. */
export interface FoldOptions {
  readonly seed: number;
  /** Number of folds. Default 5; 1 holds nothing out: no case is tested on. */
  readonly folds?: number;
  /** Share of the non-test cases set aside for model selection. Default 0.1; 0 for none. */
  readonly selection?: number;
  /** case -> fold, for sets with folds of their own (`ownFolds`); must cover every case. */
  readonly fixed?: Readonly<Record<string, number>>;
  /** Where those come from, for messages. Default "dataset.json". */
  readonly file?: string;
}

const STREAM = 66; // outside STREAMS: the split is data, not part of a training run

/**
 * Splits cases into folds by patient. Patients are shuffled with the seed and dealt, each to the fold that has the fewest
 * cases, so folds differ by at most the largest patient. Independent of the order of `cases`. DataError: too few patients.
 */
export function makeFolds(cases: readonly { readonly name: string; readonly patient: string }[], options: FoldOptions): Fold[] {
  const { seed, folds = 5, selection = 0.1, fixed, file = 'dataset.json' } = options;
  const byPatient = new Map<string, string[]>();
  for (const { name, patient } of [...cases].sort((a, b) => (a.name < b.name ? -1 : 1)))
    byPatient.set(patient, [...(byPatient.get(patient) ?? []), name]);
  const patients = [...byPatient.keys()].sort();
  const needed = folds + (selection > 0 ? 1 : 0);
  if (folds < 1 || patients.length < needed) {
    throw new DataError(
      `folds: too few patients to split, got ${patients.length} for ${folds} folds, expected at least ` +
        `${folds < 2 ? needed : Math.max(needed, 3)} patients and 1 fold.`,
      'Use fewer folds, or add patients.',
    );
  }
  const rng = new Philox(seed, STREAM);
  const shuffled = [...rng.permutation(0, 0, patients.length)].map((i) => patients[i]);
  const parts: string[][] = Array.from({ length: folds }, () => []); // patients of each fold
  const load = new Array<number>(folds).fill(0);
  for (const patient of shuffled) {
    const fold = fixed ? fixedFold(fixed, patient, byPatient.get(patient)!, folds, file) : load.indexOf(Math.min(...load));
    parts[fold].push(patient);
    load[fold] += byPatient.get(patient)!.length;
  }
  const names = (list: readonly string[]): string[] => list.flatMap((p) => byPatient.get(p)!).sort();
  return (folds === 1 ? [[]] : parts).map((test: readonly string[], k) => {
    const rest = shuffled.filter((p) => !test.includes(p));
    const order = [...rng.permutation(1 + k, 0, rest.length)].map((i) => rest[i]);
    const wanted = selection * names(rest).length;
    const chosen: string[] = [];
    for (let i = 0; i < order.length - 1 && names(chosen).length < wanted; i++) chosen.push(order[i]);
    return { train: names(rest.filter((p) => !chosen.includes(p))), selection: names(chosen), test: names(test) };
  });
}

function fixedFold(
  fixed: Readonly<Record<string, number>>,
  patient: string,
  names: readonly string[],
  folds: number,
  file: string,
): number {
  const values = new Set(names.map((name) => fixed[name]));
  const [fold] = values;
  if (values.size !== 1 || fold === undefined || fold >= folds) {
    throw new DataError(
      `${file}: folds of patient "${patient}", got ${[...values].join(', ')}, expected one fold from 0 to ${folds - 1} for ` +
        `all of: ${names.join(', ')}.`,
      'Correct the folds (or split.folds of the plan), or remove them to split by chance.',
    );
  }
  return fold;
}
