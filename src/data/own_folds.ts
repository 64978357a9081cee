// SPDX-License-Identifier: MIT
// Folds that a data set brings: `folds` of dataset.json, or nnU-Net's splits_final.json, a list of {"train": [...], "val": [...]}.
import * as z from 'zod';
import { DataError } from '../errors.ts';
import type { CaseSource } from './case_source.ts';
import { issueTexts } from './issue.ts';

/** Which fold holds out each training case. */
export interface OwnFolds {
  /** The file that says it, as people know it. */
  readonly file: string;
  readonly held: Readonly<Record<string, number>>;
  /** How many there are, where the file says that too. */
  readonly count?: number;
  /** Why they cannot be held to: thrown where somebody asks for one of them, found by `checkDataset`. */
  readonly fault?: DataError;
}

const FILE = 'splits_final.json';
const Splits = z.array(z.looseObject({ train: z.array(z.string()), val: z.array(z.string()) }));

/** More names than these say nothing more. */
const shown = (names: readonly string[]): string =>
  `${names
    .slice(0, 5)
    .map((name) => JSON.stringify(name))
    .join(', ')}${names.length > 5 ? `, ... (${names.length})` : ''}`;

/** The folds of a data set of these training cases, `folds` being those of dataset.json; undefined where it brings none. */
export async function ownFolds(
  source: CaseSource,
  folds: Readonly<Record<string, number>> | undefined,
  cases: readonly string[],
): Promise<OwnFolds | undefined> {
  const own = folds && { file: source.path('dataset.json'), held: folds };
  if (!(await source.has(FILE))) return own;
  const file = source.path(FILE);
  try {
    const found = splitsOf(file, await source.json(FILE), cases);
    const other = own && cases.find((name) => own.held[name] !== found.held[name]);
    if (own && other !== undefined)
      throw new DataError(
        `${file}: other folds than in ${own.file}, got ${JSON.stringify(other)} held out by fold ${found.held[other]}, expected ` +
          `fold ${own.held[other]}.`,
        'Remove one of the two: "folds" of dataset.json, or this file.',
      );
    return found;
  } catch (fault) {
    if (!(fault instanceof DataError)) throw fault;
    return { file, held: {}, fault };
  }
}

/** @throws DataError for the first thing that is wrong */
function splitsOf(file: string, json: unknown, cases: readonly string[]): OwnFolds {
  const parsed = Splits.safeParse(json);
  if (!parsed.success)
    throw new DataError(
      `${file}: ${issueTexts(parsed.error, json)[0]}.`,
      'Write what nnU-Net does, [{"train": ["a", "b"], "val": ["c"]}, ...], or remove the file to split by chance.',
    );
  const wrong = (what: string, hint = 'Correct the file, or remove it to split by chance.'): never => {
    throw new DataError(`${file}: ${what}.`, hint);
  };
  const known = new Set(cases),
    held = new Map<string, number>();
  for (const [fold, { train, val }] of parsed.data.entries()) {
    const named = new Set([...train, ...val]);
    const strangers = [...named].filter((name) => !known.has(name));
    if (strangers.length > 0) wrong(`fold ${fold}: no such training case, got ${shown(strangers)}, expected names as in labelsTr`);
    for (const [place, names] of Object.entries({ train, val })) {
      const once = new Set<string>();
      const twice = names.filter((name) => once.size === once.add(name).size);
      if (twice.length > 0) wrong(`fold ${fold}: ${place}, got ${shown(twice)} more than once, expected every case once`);
    }
    const inTrain = new Set(train);
    const both = val.filter((name) => inTrain.has(name));
    if (both.length > 0) wrong(`fold ${fold}: got ${shown(both)} in train and in val, expected each case in one of them`);
    const left = cases.filter((name) => !named.has(name));
    if (left.length > 0) wrong(`fold ${fold}: got ${shown(left)} neither in train nor in val, expected every training case in one of them`);
    for (const name of val) {
      const before = held.get(name);
      if (before !== undefined)
        wrong(`got ${JSON.stringify(name)} in val of folds ${before} and ${fold}, expected every case held out once`);
      held.set(name, fold);
    }
  }
  const never = cases.filter((name) => !held.has(name));
  if (never.length > 0)
    wrong(
      `got ${shown(never)} in val of no fold, expected every case held out once`,
      'Say it by "folds" of dataset.json instead: the number of the fold for cases that one holds out, and one number more, a fold that ' +
        'you never train (split.folds counts it), for cases that none does.',
    );
  return { file, held: Object.fromEntries(held), count: parsed.data.length };
}
