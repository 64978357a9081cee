// SPDX-License-Identifier: MIT
// The door through which a run goes out: what it needs of the place that keeps its checkpoints, its log and its plan. A folder in Node
// (io/node/run), the origin's private file system in a page (io/browser).
import { DataError } from '../errors.ts';
import type { WholeFile } from '../files/sealed.ts';
import type { LogWriter } from './run_log.ts';

export const CHECKPOINTS = ['latest', 'final', 'best'] as const;
export type CheckpointName = (typeof CHECKPOINTS)[number];

export const checkpointFile = (which: CheckpointName): string => `checkpoints/${which}.safetensors`;

/** Files by which a run is known. */
export const TRACES = ['plan.json', 'log.jsonl', 'run.json', ...CHECKPOINTS.map(checkpointFile)];

/** Files by names within the run, with `/` on every system. */
export interface RunFiles {
  /** What people know a file by; messages begin with it. */
  path(name: string): string;
  /** Its bytes, at most the first `most`. @throws DataError where there are none */
  read(name: string, most?: number): Promise<Uint8Array>;
  /** A file that will have these names, and under each show the old content or the new. @throws DataError */
  writer(names: readonly [string, ...string[]]): Promise<WholeFile>;
}

export interface RunStore extends RunFiles {
  readonly folder: string;
  has(name: string): Promise<boolean>;
  /** Whole or not at all. @throws DataError */
  write(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
  /**
   * The log of the run `id`, to go on after `iteration`: later entries are dropped, for a killed run had gone further than its checkpoint.
   */
  log(iteration: number, id: string): Promise<LogWriter>;
}

/** What of a run is there, by the names of its files. */
export async function tracesIn(store: RunStore): Promise<string[]> {
  const there = await Promise.all(TRACES.map((name) => store.has(name)));
  return TRACES.filter((_, i) => there[i]);
}

/** Whether a run was killed between its first files: weights without an iteration, and no plan yet. `iteration` reads a checkpoint's. */
export async function neverBegan(store: RunStore, iteration: (name: string) => Promise<number>): Promise<boolean> {
  const latest = checkpointFile('latest');
  return (
    (await tracesIn(store)).every((name) => name === 'run.json' || name === latest) &&
    (!(await store.has(latest)) || (await iteration(latest)) === 0)
  );
}

/** @throws DataError where a run has begun, however far it came */
export async function assertNoRun(store: RunStore): Promise<void> {
  const traces = await tracesIn(store);
  if (traces.length > 0)
    throw new DataError(
      `${store.folder}: holds a run already, got ${traces.join(', ')}.`,
      'Add --resume to go on with it, or name another folder.',
    );
}
