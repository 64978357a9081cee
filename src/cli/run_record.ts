// SPDX-License-Identifier: MIT
// run.json: what only the run itself knows, as its report wants it (src/report/input.ts). Training begins it, later verbs add to it.
import { existsSync } from 'node:fs';
import os from 'node:os';
import { basename, join, resolve } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import type { Dataset } from '../data/dataset.ts';
import { issueText, show } from '../data/issue.ts';
import { DataError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { labelSourceNote } from '../metrics/label_source.ts';
import type { ReportInput, Stage } from '../report/input.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { FolderLock } from '../files/lock.ts';
import { readJson } from '../files/regular.ts';
import type { DataChange } from '../train/data_files.ts';
import type { Plan } from '../methods/plan.ts';
import type { RunState } from '../train/checkpoint.ts';
import type { Survey } from '../train/survey.ts';
import { runRecordSchema } from './run_record_schema.ts';
import { annotationWords } from '../train/annotated.ts';

/** Where the evaluations of a run are: paths of summary.json files, from the run's folder where they lie in it, else absolute. */
export interface Evaluations {
  /** Of the headline masks of held-out cases. */
  readonly headline?: string;
  /** Of each output on the same cases, by name. */
  readonly networks?: Readonly<Record<string, string>>;
  /** Of the masks that `label` wrote for the training cases. */
  readonly training?: string;
}

export interface RunRecord extends Pick<
  ReportInput,
  'annotation' | 'evaluated' | 'ensemble' | 'references' | 'stages' | 'machine' | 'provenance'
> {
  readonly version: 1;
  /** Absolute path of the data set that was trained on. */
  readonly dataset?: string;
  readonly evaluations?: Evaluations;
  /** dataset.json's mark of masks that nobody drew. */
  readonly labelSource?: string;
  /** Digests of the weights that masks were made of, also those that training has replaced since. */
  readonly predictedWith?: readonly string[];
  readonly [more: string]: unknown;
}

const fileOf = (run: string): string => join(run, 'run.json');

/** The record of a run folder; an empty one where there is none yet. */
export function readRecord(run: string): RunRecord {
  const file = fileOf(run);
  if (!existsSync(file)) return { version: 1 };
  const hint = 'Remove it: voxelgrad train --resume writes it anew.';
  const record = readJson(file, hint);
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    throw new DataError(`${file}: not a run record, got ${show(record)}, expected an object.`, hint);
  const parsed = runRecordSchema.safeParse(record);
  if (!parsed.success) throw new DataError(`${file}: ${issueText(parsed.error, record)}.`, hint);
  return record as RunRecord;
}

/** Changes the record; processes that work for one run side by side wait for each other. */
export function updateRecord(run: string, change: (before: RunRecord) => Partial<RunRecord>): RunRecord {
  // Milliseconds, whoever has it: what still holds it after so long is of another machine, and has died there.
  let lock = FolderLock.take(run, 'record', { patience: 20_000 });
  if (!(lock instanceof FolderLock)) lock = FolderLock.take(run, 'record', { seize: true });
  if (!(lock instanceof FolderLock))
    throw new DataError(
      `${fileOf(run)}: another process does not finish writing it, got process ${lock.pid} on ${lock.host}.`,
      'Look what it does, and end it.',
    );
  using _held = lock;
  const before = readRecord(run);
  const record = { ...before, ...change(before) };
  writeFileAtomic(fileOf(run), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

/** Puts a stage at its place by name. `add` adds its time to what is there: work that went on where it had stopped. */
export function recordStage(run: string, stage: Stage, add: boolean): void {
  updateRecord(run, ({ stages = [] }) => {
    const before = stages.find((s) => s.name === stage.name);
    const peak = Math.max(stage.peakBytes ?? 0, add ? (before?.peakBytes ?? 0) : 0);
    const now: Stage = {
      name: stage.name,
      seconds: stage.seconds + (add ? (before?.seconds ?? 0) : 0),
      ...(peak > 0 && { peakBytes: peak }),
    };
    return { stages: before ? stages.map((s) => (s === before ? now : s)) : [...stages, now] };
  });
}

/** Notes which weights masks are made of, and in words whom their ensemble leaves out. */
export function recordWeights(run: string, weights: string, ensemble: string | undefined): void {
  const before = readRecord(run);
  if (before.predictedWith?.includes(weights) && before.ensemble === ensemble) return;
  updateRecord(run, ({ predictedWith = [] }) => ({ predictedWith: [...new Set([...predictedWith, weights])], ensemble }));
}

/** "llvmpipe 15 until iteration 200, llvmpipe 19 until iteration 300"; nothing where there were none. */
export const adapterWords = (adapters: RunState['adapters'] = []): string =>
  adapters
    .map(({ adapter, driver, iteration }) => `${adapter}${driver === undefined ? '' : ` [${driver}]`} until iteration ${iteration}`)
    .join(', ');

/** `before`: the adapters that did a part of the work earlier. */
export function machineOf({ info, caps }: Device, before = ''): NonNullable<ReportInput['machine']> {
  const cpus = os.cpus();
  return {
    adapter: `${info.name}${caps.software ? ' (software)' : ''}${before && `; before it ${before}`}`,
    driver: info.driver,
    backend: { darwin: 'Metal', win32: 'Direct3D 12' }[process.platform as string] ?? 'Vulkan',
    host:
      `${cpus[0]?.model.trim() ?? 'unknown processor'}, ${cpus.length} threads, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, ` +
      `${os.type()} ${os.release()}`,
    limits: { ...caps.limits },
  };
}

/** The facts of a run that is about to begin, or goes on with data that changed. */
export function firstFacts(
  plan: Plan,
  dataset: Dataset,
  { annotated, hash }: Survey,
  changes: readonly DataChange[],
  command: string,
): Partial<RunRecord> {
  const { json } = dataset.info;
  const text = (key: string): string | undefined => (typeof json[key] === 'string' ? json[key] : undefined);
  const source = text('reference');
  const licence = text('licence') ?? text('license');
  const mark = json.label_source;
  return {
    dataset: resolve(dataset.folder),
    ...(mark !== undefined && { labelSource: mark }),
    annotation: { scheme: annotationWords(plan.annotation), ...annotated },
    provenance: {
      datasets: [
        {
          name: `${json.name ?? basename(resolve(dataset.folder))}${mark === undefined ? '' : ` (masks: ${mark})`}`,
          cases: dataset.training.length + dataset.test.length,
          hash,
          ...(licence !== undefined && { licence }),
          ...(source !== undefined && { source }),
        },
      ],
      command,
      seeds: { training: plan.training.seed, split: plan.split.seed, annotation: plan.annotation.seed },
      version: manifest.version,
      runtime: `Node ${process.versions.node}, webgpu ${manifest.optionalDependencies.webgpu}, ${process.platform}-${process.arch}`,
      limitations: [
        'Research software: not a medical device, not for clinical use.',
        ...(mark === undefined ? [] : [labelSourceNote(mark)]),
        ...changes.map(
          ({ iteration, files }) =>
            `The data set was changed after ${iteration} iterations: ${files.slice(0, 5).join(', ')}` +
            `${files.length > 5 ? ` and ${files.length - 5} more files` : ''}.`,
        ),
        plan.split.folds === 1
          ? 'No case was held out: nothing measured on these cases says how well others are segmented.'
          : `One fold (${plan.split.fold + 1} of ${plan.split.folds}) and one seed: differences between single runs include their noise.`,
      ],
    },
  };
}
