// SPDX-License-Identifier: MIT
// The folder of a run: held by the one process that trains in it, and what is in it already.
import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DataError } from '../errors.ts';
import { makeFolder, removeLeftovers } from '../files/atomic.ts';
import { FolderLock } from '../files/lock.ts';

export const CHECKPOINTS = ['latest', 'final', 'best'] as const;
export type CheckpointName = (typeof CHECKPOINTS)[number];

export const checkpointPath = (folder: string, which: CheckpointName): string => join(folder, 'checkpoints', `${which}.safetensors`);

/** What of a run is in a folder, by the names of its files. */
export const tracesOf = (folder: string): string[] =>
  ['plan.json', 'log.jsonl', 'run.json', ...CHECKPOINTS.map((which) => join('checkpoints', `${which}.safetensors`))].filter((name) => existsSync(join(folder, name)));

/** @throws DataError where a run has begun, however far it came */
export function assertNoRun(folder: string): void {
  const traces = tracesOf(folder);
  if (traces.length > 0) throw new DataError(`${folder}: holds a run already, got ${traces.join(', ')}.`, 'Add --resume to go on with it, or name another folder.');
}

const KIND = 'training';

/** A run folder that nobody else trains in until it is disposed of. One that was made for a run which never began goes again. */
export class RunFolder implements Disposable {
  private readonly lock: FolderLock;
  private readonly made: string | undefined;
  private readonly path: string;

  /** `force` puts aside a holder of whom nobody can say whether it lives. @throws DataError naming the process that has the folder */
  constructor(path: string, force: boolean) {
    this.path = path;
    this.made = makeFolder(join(path, 'checkpoints'));
    const lock = FolderLock.take(path, KIND, { seize: force });
    if (!(lock instanceof FolderLock)) {
      const { pid, host, life } = lock;
      throw new DataError(`${path}: another process trains in this folder, got process ${pid} on ${host}${life === 'alive' ? '' : ', which may still run'}.`,
        life === 'alive' ? 'Wait for it or stop it, or name another folder.' : 'Look there whether it runs. Where it surely does not, add --force.');
    }
    this.lock = lock;
    for (const each of [path, join(path, 'checkpoints')]) removeLeftovers(each);
  }

  [Symbol.dispose](): void {
    const begun = this.made === undefined || tracesOf(this.path).some((name) => name !== 'run.json');
    if (!begun) rmSync(join(this.path, 'run.json'), { force: true });
    this.lock[Symbol.dispose]();
    if (!begun) removeEmpty(join(this.path, 'checkpoints'), this.made!);
  }
}

/** Removes a folder and its parents up to `last`, as far as they hold nothing. */
function removeEmpty(folder: string, last: string): void {
  try {
    for (let at = resolve(folder); at.startsWith(last); at = dirname(at)) rmdirSync(at);
  } catch { /* somebody has put something there */ }
}
