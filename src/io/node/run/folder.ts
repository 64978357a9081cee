// SPDX-License-Identifier: MIT
// A run as a folder of this machine: held by the one process that trains in it, and its files.
import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DataError } from '../../../errors.ts';
import { makeFolder, removeLeftovers, writeFileAtomic } from '../../../files/atomic.ts';
import { AtomicWriter } from '../../../files/atomic_writer.ts';
import { FolderLock } from '../../../files/lock.ts';
import { assertFile } from '../../../files/regular.ts';
import { checkpointFile, TRACES, type CheckpointName, type RunFiles, type RunStore } from '../../../train/run_store.ts';
import { RunLog } from './log.ts';

export const checkpointPath = (folder: string, which: CheckpointName): string => join(folder, checkpointFile(which));

/** What of a run is in a folder, by the names of its files. */
export const tracesOf = (folder: string): string[] => TRACES.filter((name) => existsSync(join(folder, name)));

/** Checkpoints anywhere: names are paths. */
export const anywhere: RunFiles = {
  path: (name) => name,
  read: readWhole,
  writer: ([first, ...others]) => AtomicWriter.open(first, others),
};

/** The files of a run in its folder. */
export const folderStore = (folder: string): RunStore => ({
  folder,
  path: (name) => join(folder, name),
  read: (name, most) => readWhole(join(folder, name), most),
  writer: ([first, ...others]) =>
    AtomicWriter.open(
      join(folder, first),
      others.map((name) => join(folder, name)),
    ),
  has: async (name) => existsSync(join(folder, name)),
  write: async (name, text) => writeFileAtomic(join(folder, name), text),
  remove: (name) => rm(join(folder, name), { force: true }),
  log: async (iteration, id) => new RunLog(folder, iteration, id),
});

/** Node reads no file of 2 GiB in one piece, which a checkpoint of `paper` may have. */
async function readWhole(path: string, most = Infinity): Promise<Uint8Array<ArrayBuffer>> {
  assertFile(path);
  const file = await open(path);
  try {
    const bytes = new Uint8Array(Math.min(most, (await file.stat()).size));
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await file.read(bytes, at, Math.min(2 ** 28, bytes.length - at), at);
      if (bytesRead === 0) return bytes.subarray(0, at); // cut meanwhile
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

const KIND = 'training';

/** A run folder that nobody else trains in until it is disposed of. One that was made for a run which never began goes again. */
export class RunFolder implements Disposable {
  private readonly lock: FolderLock;
  private readonly made: string | undefined;
  private readonly path: string;

  private constructor(path: string, made: string | undefined, lock: FolderLock) {
    this.path = path;
    this.made = made;
    this.lock = lock;
  }

  /**
   * `force` puts aside a holder of another machine at once; else it is watched whether it lives, which `onWait` says.
   * @throws DataError naming the process that has the folder
   */
  static async open(path: string, force: boolean, onWait?: (who: string, ms: number) => void): Promise<RunFolder> {
    const made = makeFolder(join(path, 'checkpoints'));
    const lock = await FolderLock.takeWatching(path, KIND, {
      seize: force,
      onWait: ({ pid, host }, ms) => onWait?.(`process ${pid} on ${host}`, ms),
    });
    if (!(lock instanceof FolderLock))
      throw new DataError(
        `${path}: another process trains in this folder, got process ${lock.pid} on ${lock.host}.`,
        'Wait for it or stop it, or name another folder.',
      );
    for (const each of [path, join(path, 'checkpoints')]) removeLeftovers(each);
    return new RunFolder(path, made, lock);
  }

  /** The files of the run as long as the folder is held: a process that slept for long must not write into another's run. */
  store(): RunStore {
    const store = folderStore(this.path);
    const held =
      <A extends unknown[], R>(f: (...args: A) => Promise<R>): ((...args: A) => Promise<R>) =>
      async (...args) => {
        if (this.lock.isHeld) return f(...args);
        throw new DataError(
          `${this.path}: taken by another process, for this one had stood still and was taken for dead.`,
          'The other goes on with the run; nothing more is written here.',
        );
      };
    return { ...store, writer: held(store.writer), write: held(store.write), remove: held(store.remove) };
  }

  [Symbol.dispose](): void {
    const begun = this.made === undefined || tracesOf(this.path).some((name) => name !== 'run.json');
    if (!begun) rmSync(join(this.path, 'run.json'), { force: true });
    this.lock[Symbol.dispose]();
    if (!begun) removeEmpty(join(this.path, 'checkpoints'), this.made);
  }
}

/** Removes a folder and its parents up to `last`, as far as they hold nothing. */
function removeEmpty(folder: string, last: string): void {
  try {
    for (let at = resolve(folder); at.startsWith(last); at = dirname(at)) rmdirSync(at);
  } catch {
    /* somebody has put something there */
  }
}
