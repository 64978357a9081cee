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

  /** `force` puts aside a holder of whom nobody can say whether it lives. @throws DataError naming the process that has the folder */
  constructor(path: string, force: boolean) {
    this.path = path;
    this.made = makeFolder(join(path, 'checkpoints'));
    const lock = FolderLock.take(path, KIND, { seize: force });
    if (!(lock instanceof FolderLock)) {
      const { pid, host, life } = lock;
      throw new DataError(
        `${path}: another process trains in this folder, got process ${pid} on ${host}${life === 'alive' ? '' : ', which may still run'}.`,
        life === 'alive'
          ? 'Wait for it or stop it, or name another folder.'
          : 'Look there whether it runs. Where it surely does not, add --force.',
      );
    }
    this.lock = lock;
    for (const each of [path, join(path, 'checkpoints')]) removeLeftovers(each);
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
