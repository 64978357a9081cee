// SPDX-License-Identifier: MIT
// The run that masks come from: what it was trained on decides what an evaluation of them means.
import type { Triple } from '../axes.ts';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Planes } from '../data/annotations.ts';
import { loadCase, type Dataset } from '../data/dataset.ts';
import { openDataset } from '../io/node/dataset/open.ts';
import type { Fold } from '../data/folds.ts';
import { scanFiles } from '../io/node/dataset/scan_files.ts';
import { NO_PLANES } from '../data/sparse_planes.ts';
import { DataError } from '../errors.ts';
import { digestFile, digestFiles } from '../files/digest.ts';
import type { Summary } from '../metrics/summary.ts';
import { listed } from '../report/format.ts';
import { annotated, bareCases, simulatedPlanes } from '../train/annotated.ts';
import { checkpointPath } from '../io/node/run/folder.ts';
import { CHECKPOINTS } from '../train/run_store.ts';
import type { Plan } from '../methods/plan.ts';
import { masksRoot, sourceOf, type CaseRecord, type Model } from './mask_source.ts';
import { readRecord, recordStage, updateRecord } from './run_record.ts';
import { runPlan } from './members.ts';

/**
 * `others`: of the runs whose probabilities were averaged, all but the first; `fold` is then what any of them saw. `proved`: the masks are
 * surely of this run; else somebody says so, and what it was not trained on may have trained another.
 */
export interface KnownRun {
  readonly folder: string;
  readonly plan: Plan;
  readonly fold: Fold;
  readonly dataset: string | undefined;
  readonly proved: boolean;
  readonly others: readonly string[];
}

/** The part of the data that a run was trained on. */
export const TRAINED = 'cases that were trained on';

const isRun = (folder: string): boolean => existsSync(join(folder, 'run.json')) && existsSync(join(folder, 'plan.json'));

/** A path without links, where it exists. */
export function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return resolve(path);
  }
}

/** Weights that a run holds now. */
export async function weightsOf(run: string): Promise<Set<string>> {
  const files = CHECKPOINTS.map((which) => checkpointPath(run, which)).filter((file) => existsSync(file));
  return new Set(await Promise.all(files.map(async (file) => (await digestFile(file)).digest)));
}

/** Whether masks of these weights are a run's: it holds the weights, or has noted that it made masks of them. */
const madeMasksOf = async (run: string, weights: string): Promise<boolean> =>
  readRecord(run).predictedWith?.includes(weights) || (await weightsOf(run)).has(weights);

/**
 * The run whose masks lie in `masks`, if it finished a session: named by prediction.json, or the folder or its parent. What
 * prediction.json says may be a stranger's word, or have come from elsewhere: only weights that the run knows prove it.
 */
export async function knownRun(masks: string): Promise<KnownRun | undefined> {
  const source = sourceOf(masksRoot(masks));
  if (source?.ensemble !== undefined) return knownEnsemble(source.ensemble);
  const candidates = [source?.run, masks, dirname(resolve(masks))].filter((f) => f !== undefined).filter(isRun);
  let proved: string | undefined;
  for (const each of candidates)
    if (source === undefined || (typeof source.weights === 'string' && (await madeMasksOf(each, source.weights)))) proved ??= each;
  const folder = proved ?? candidates[0];
  if (folder === undefined) return undefined;
  const record = readRecord(folder),
    fold = record.fold as Fold | undefined;
  return !Array.isArray(fold?.train) || !Array.isArray(fold.selection)
    ? undefined
    : { folder, plan: runPlan(folder), fold, dataset: record.dataset, proved: proved !== undefined, others: [] };
}

/** Several runs as one that saw whatever one of them saw. Where one is gone, nobody can say what that was. */
async function knownEnsemble(models: readonly Model[]): Promise<KnownRun | undefined> {
  if (!models.every(({ run }) => isRun(run))) return undefined;
  const records = models.map(({ run }) => readRecord(run)),
    folds = records.map(({ fold }) => fold as Fold | undefined);
  if (!folds.every((fold) => Array.isArray(fold?.train) && Array.isArray(fold.selection))) return undefined;
  const of = (part: 'train' | 'selection'): string[] => [...new Set(folds.flatMap((fold) => fold![part]))];
  let proved = new Set(records.map(({ dataset }) => dataset)).size === 1; // names of another data set say nothing here
  for (const { run, weights } of models) proved &&= await madeMasksOf(run, weights);
  const [{ run }, ...others] = models;
  return {
    folder: run,
    plan: runPlan(run),
    fold: {
      train: of('train'),
      selection: of('selection'),
      test: folds[0]!.test.filter((name) => folds.every((fold) => fold!.test.includes(name))),
    },
    dataset: records[0].dataset,
    proved,
    others: others.map((each) => each.run),
  };
}

/** @throws DataError where the result of other masks would be written into a run's folder */
export function assertOwnMasks(run: KnownRun | undefined, masks: string, out: string): void {
  if (!isRun(out) || (run?.proved && run.others.length === 0 && realPath(run.folder) === realPath(out))) return;
  const of =
    run === undefined
      ? 'do not say which run they come from (no prediction.json)'
      : run.proved
        ? `come from ${[run.folder, ...run.others].join(' and ')}`
        : `are said to come from ${run.folder}, which has made none of such weights`;
  throw new DataError(
    `${out}: a run, but the masks in ${masks} ${of}, expected its own.`,
    'Name another folder with --out: the report of that run would take the result for its own.',
  );
}

/** What a run says of the cases that it saw; data sets are opened once. */
export class Seen {
  private readonly run: KnownRun;
  private readonly trained: ReadonlySet<string>;
  private opened: Promise<Dataset | undefined> | undefined;
  private readonly images = new Map<string, Promise<CaseRecord['scan'] | undefined>>();

  constructor(run: KnownRun) {
    this.run = run;
    this.trained = new Set([...run.fold.train, ...run.fold.selection]);
  }

  /** The data set that the run was trained on, if it is still there. */
  private dataset(): Promise<Dataset | undefined> {
    const { dataset } = this.run;
    return (this.opened ??=
      dataset === undefined || !existsSync(dataset)
        ? Promise.resolve(undefined)
        : openDataset(dataset).catch((error) => {
            if (error instanceof DataError) return undefined;
            throw error;
          }));
  }

  /** Which side of the run's split a name is on; undefined where it is on none. */
  part(name: string): string | undefined {
    return this.trained.has(name) ? TRAINED : this.run.fold.test.includes(name) ? 'held-out cases of the fold' : undefined;
  }

  /**
   * Whether the run was trained on a case, or chose its weights by it: the very scan under any name, where the scan is known; else by name.
   * In another data set, a name says nothing if the scan differs.
   */
  async trainedOn(name: string, scan: CaseRecord['scan'] | undefined, reference: string): Promise<boolean> {
    const dataset = await this.dataset();
    if (scan !== undefined && dataset) {
      for (const trained of this.trained) if ((await this.image(dataset, trained, scan.bytes))?.digest === scan.digest) return true;
      const elsewhere = !`${realPath(reference)}/`.startsWith(`${realPath(dataset.folder)}/`);
      if (elsewhere && (await this.image(dataset, name, undefined)) !== undefined) return false;
    }
    return this.trained.has(name);
  }

  /** Digest of a training scan; with `bytes`, only where it has that size. */
  private async image(dataset: Dataset, name: string, bytes: number | undefined): Promise<CaseRecord['scan'] | undefined> {
    const file = dataset.training.find((c) => c.name === name)?.images[0];
    if (file === undefined || !existsSync(file)) return undefined;
    const files = await scanFiles(file);
    if (bytes !== undefined && files.reduce((n, f) => n + statSync(f).size, 0) !== bytes) return undefined;
    let digest = this.images.get(name);
    if (!digest) this.images.set(name, (digest = digestFiles(files)));
    return digest;
  }

  /** Planes that were annotated when the run saw a case; undefined for cases that it did not see, or saw all of. */
  async planes(dataset: Dataset, name: string): Promise<Planes | undefined> {
    const { plan, fold } = this.run;
    const scan = dataset.training.find((c) => c.name === name);
    if (!this.trained.has(name) || !scan) return undefined;
    if (plan.annotation.use === 'dataset') return dataset.annotations.planes.get(name);
    if (bareCases(plan, dataset, fold).has(name)) return NO_PLANES;
    if (plan.annotation.use === 'dense') return undefined;
    const { image, label } = await loadCase(dataset, scan);
    return label ? simulatedPlanes(plan, name, [...image.size] as Triple, label) : undefined;
  }

  /** Where `label` copied the labels: 1 on annotated voxels, on the RAS grid. @throws DataError where the labels are not there */
  async copied(name: string, reference: Dataset | undefined): Promise<Uint8Array> {
    const dataset = (await this.dataset()) ?? reference;
    const scan = dataset?.training.find((c) => c.name === name);
    if (!dataset || scan?.label === undefined)
      throw new DataError(
        `${name}: its mask holds labels that were copied where they are annotated, and the data set that says where is not there, ` +
          `got ${this.run.dataset ?? 'no record of it'}, expected it at its place.`,
        'Put the data set back, or evaluate masks that `voxelgrad predict` made of these scans.',
      );
    return annotated(this.run.plan, bareCases(this.run.plan, dataset, this.run.fold), await loadCase(dataset, scan))!;
  }
}

export interface EvaluatedFiles {
  readonly summary: string;
  readonly networks: Readonly<Record<string, string>>;
  readonly seconds: number;
}

/** Where a file is, as a run's record says it: from the run's folder where it lies in it, so that a run that is moved keeps it. */
function placeIn(run: string, path: string): string {
  const own = relative(realPath(run), realPath(path));
  return own.startsWith('..') || isAbsolute(own) ? resolve(path) : own.replaceAll('\\', '/');
}

/** Writes into the run's record what was evaluated and where the result is. */
export function recordEvaluation(
  run: KnownRun,
  { evaluated, training: trained }: Summary,
  { summary, networks, seconds }: EvaluatedFiles,
): void {
  const place = (path: string): string => placeIn(run.folder, path),
    file = place(summary);
  updateRecord(run.folder, ({ evaluations: before = {} }) => {
    const training = trained || evaluated?.cases === 'trained on' ? { training: file } : {};
    // Cases that were trained on never replace held-out ones.
    if (evaluated?.cases === 'trained on' && before.headline !== undefined && place(resolve(run.folder, before.headline)) !== file)
      return { evaluations: { ...before, ...training } };
    const all = Object.entries({ [run.plan.evaluation.headline]: summary, ...networks });
    const paths = all.length > 1 ? Object.fromEntries(all.map(([name, path]) => [name, place(path)])) : {};
    return {
      evaluations: { ...before, ...training, headline: file, networks: paths },
      ...(evaluated && { evaluated: evaluatedWords(evaluated) }),
    };
  });
  recordStage(run.folder, { name: `evaluate ${basename(dirname(resolve(summary)))}`, seconds }, false);
}

/** "12 held-out cases of 9 patients" */
export function evaluatedWords(evaluated: Summary['evaluated']): string {
  if (!evaluated) return 'cases of which nothing is known';
  const { cases, n_cases: n, n_patients: patients } = evaluated;
  const of = patients < n ? ` of ${patients} patient${patients === 1 ? '' : 's'}` : '';
  const plural = n === 1 ? '' : 's';
  if (cases === 'held out') return `${n} held-out case${plural}${of}`;
  return cases === 'trained on'
    ? `${n} case${plural}${of} that the model was trained on`
    : `${n} case${plural}${of} (whether the model was trained on ${n === 1 ? 'it' : 'them'} is not known)`;
}

/** What was said of the scans when their masks were predicted: one line for each thing that was, with the cases. */
export function doubtWords(evaluated: Summary['evaluated']): string[] {
  const cases = new Map<string, string[]>();
  for (const [name, doubts] of Object.entries(evaluated?.doubtful ?? {}))
    for (const doubt of doubts) cases.set(doubt, [...(cases.get(doubt) ?? []), name]);
  return [...cases].map(([doubt, names]) => `${listed(names, 5)}: ${doubt}`);
}
