// SPDX-License-Identifier: MIT
// Who holds a folder. Each holder puts down an empty file of its own, named for the process, then looks for others: of two, the later
// one sees the earlier, whatever dies when. A dead process holds nothing: its file is removed by whoever comes next.
import fs from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { writeError } from './atomic.ts';
import { lifeOf, numberOf, PROCESS, thisProcess, type Life } from './owner.ts';

/** Who has a folder that could not be taken. */
export interface Held {
  readonly pid: number;
  readonly host: string;
  readonly life: Life;
}

const LOCK = new RegExp(`^\\.(\\w+)\\.(${PROCESS.source})\\.([\\w-]*)\\.lock$`);
const lockName = (kind: string): string =>
  `.${kind}.${thisProcess()}.${hostname()
    .replace(/[^\w-]/g, '')
    .slice(0, 64)}.lock`;

/** Files of this process: one of the same name that is not among them was left by another that had its number. */
const held = new Set<string>();
const bed = new Int32Array(new SharedArrayBuffer(4));

/** A folder held for one kind of work until it is disposed of or the process ends. */
export class FolderLock implements Disposable {
  private readonly path: string;
  private readonly onExit = (): void => {
    fs.rmSync(this.path, { force: true });
  };

  private constructor(path: string) {
    this.path = path;
    held.add(path);
    process.once('exit', this.onExit);
  }

  /**
   * Takes the folder, or says who has it. `seize` puts aside holders of whom nobody can say whether they live. Two that come at the same
   * moment both see each other and withdraw: each tries again after a while of its own, for `patience` ms.
   * @throws DataError where the folder cannot be written
   */
  static take(folder: string, kind: string, { seize = false, patience = 300 } = {}): FolderLock | Held {
    for (const end = performance.now() + patience; ;) {
      const found = FolderLock.attempt(folder, kind, seize);
      if (found instanceof FolderLock || performance.now() > end) return found;
      Atomics.wait(bed, 0, 0, 10 + 60 * Math.random());
    }
  }

  private static attempt(folder: string, kind: string, seize: boolean): FolderLock | Held {
    const own = lockName(kind);
    const path = resolve(folder, own);
    if (held.has(path)) return { pid: process.pid, host: hostname(), life: 'alive' };
    try {
      fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_CREAT | (fs.constants.O_NOFOLLOW ?? 0)));
    } catch (cause) {
      throw writeError(path, cause);
    }
    const lock = new FolderLock(path);
    for (const file of fs.readdirSync(folder)) {
      const [, itsKind, owner, host] = LOCK.exec(file) ?? [];
      if (file === own || itsKind !== kind || owner === undefined) continue;
      const life = lifeOf(owner);
      if (life === 'alive' || (life === 'unknown' && !seize)) {
        lock[Symbol.dispose]();
        return { pid: numberOf(owner), host: host || 'an unknown host', life };
      }
      fs.rmSync(resolve(folder, file), { force: true });
    }
    return lock;
  }

  [Symbol.dispose](): void {
    if (!held.delete(this.path)) return;
    process.off('exit', this.onExit);
    this.onExit();
  }
}
