// SPDX-License-Identifier: MIT
// The run that masks come from: what it was trained on decides what an evaluation of them means.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Planes } from '../data/annotations.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Fold } from '../data/folds.ts';
import type { Triple } from '../data/geometry.ts';
import { sparsePlanes } from '../data/sparsify.ts';
import type { Plan } from '../methods/plan.ts';
import { readRecord, recordStage, updateRecord } from './run_record.ts';
import { sourceOf } from './mask_source.ts';
import { runPlan } from './segment_cases.ts';

export interface KnownRun { readonly folder: string; readonly plan: Plan; readonly fold: Fold }

/** Looks for a run that finished a session: named by the masks' folder, or one of the folders or their parents. */
export function knownRun(folders: readonly string[]): KnownRun | undefined {
  const candidates = folders.flatMap((f) => [sourceOf(f)?.run, f, dirname(resolve(f))]).filter((f) => f !== undefined);
  const folder = candidates.find((f) => existsSync(join(f, 'run.json')) && existsSync(join(f, 'plan.json')));
  const fold = folder === undefined ? undefined : readRecord(folder).fold as Fold | undefined;
  return folder === undefined || !Array.isArray(fold?.train) || !Array.isArray(fold.selection) ? undefined : { folder, plan: runPlan(folder), fold };
}

const trainedOn = ({ fold }: KnownRun, name: string): boolean => fold.train.includes(name) || fold.selection.includes(name);

/** Planes that were annotated when the run saw a case; undefined for cases that it did not see, or saw all of. */
export function planesSeen(run: KnownRun | undefined, dataset: Dataset, name: string, size: Triple): Planes | undefined {
  if (!run) return dataset.annotations.planes.get(name);
  const { use, seed } = run.plan.annotation;
  if (!trainedOn(run, name) || use === 'dense') return undefined;
  return use === 'dataset' ? dataset.annotations.planes.get(name) : sparsePlanes(name, size, use, seed);
}

export interface Evaluated { readonly names: readonly string[]; readonly dataset: Dataset | undefined; readonly summary: string; readonly networks: Readonly<Record<string, string>>; readonly seconds: number }

/** Writes into the run's record what was evaluated and where the result is. */
export function recordEvaluation(run: KnownRun, { names, dataset, summary, networks, seconds }: Evaluated): void {
  const patients = new Map([...dataset?.training ?? [], ...dataset?.test ?? []].map((c) => [c.name, c.patient]));
  const count = new Set(names.map((name) => patients.get(name) ?? name)).size;
  const of = count < names.length ? ` of ${count} patient${count === 1 ? '' : 's'}` : '';
  const seen = names.filter((name) => trainedOn(run, name)).length;
  const training = seen > 0 ? { training: resolve(summary) } : {};
  updateRecord(run.folder, ({ evaluations: before = {} }) => {
    if (seen > 0 && before.headline !== undefined) return { evaluations: { ...before, ...training } }; // cases that were trained on never replace held-out ones
    const all = Object.entries({ [run.plan.evaluation.headline]: summary, ...networks });
    const paths = all.length > 1 ? Object.fromEntries(all.map(([name, file]) => [name, resolve(file)])) : {};
    return {
      evaluations: { ...before, ...training, headline: resolve(summary), networks: paths },
      evaluated: seen === 0 ? `${names.length} held-out case${names.length === 1 ? '' : 's'}${of}` : `${names.length} cases${of}, ${seen} of which were trained on`,
    };
  });
  recordStage(run.folder, { name: `evaluate ${basename(dirname(resolve(summary)))}`, seconds }, false);
}
