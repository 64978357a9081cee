// SPDX-License-Identifier: MIT
// Who holds a folder. Each holder puts down an empty file of its own, named for the process, then looks for others: of two, the later
// one sees the earlier, whatever dies when. A dead process holds nothing: its file is removed by whoever comes next.
import fs from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { writeError } from './atomic.ts';
import { lifeOf, numberOf, PROCESS, thisProcess, type Life } from './owner.ts';

/**
 * How often a holder that works for long shows that it lives, and how long one of another machine is watched before it is taken for dead.
 */
export interface Breath {
  readonly every: number;
  readonly still: number;
}
const BREATH: Breath = { every: 10_000, still: 90_000 };

/** Who has a folder that could not be taken. */
export interface Held {
  readonly pid: number;
  readonly host: string;
  readonly life: Life;
  readonly file: string;
}

const LOCK = new RegExp(`^\\.(\\w+)\\.(${PROCESS.source})\\.([\\w-]*)\\.lock$`);
const lockName = (kind: string): string =>
  `.${kind}.${thisProcess()}.${hostname()
    .replace(/[^\w-]/g, '')
    .slice(0, 64)}.lock`;

/** Files of this process: one of the same name that is not among them was left by another that had its number. */
const held = new Set<string>();
const bed = new Int32Array(new SharedArrayBuffer(4));

/** The time of a file as its file system tells it, not as it was cached: opening asks anew. Null where there is none. */
function stampOf(file: string): number | null {
  try {
    const handle = fs.openSync(file, 'r');
    try {
      return fs.fstatSync(handle).mtimeMs;
    } finally {
      fs.closeSync(handle);
    }
  } catch {
    return null;
  }
}

/** A folder held for one kind of work until it is disposed of or the process ends. */
export class FolderLock implements Disposable {
  private readonly path: string;
  private breathing: NodeJS.Timeout | undefined;
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
  static take(folder: string, kind: string, { seize = false, patience = 300, dead = new Set<string>() } = {}): FolderLock | Held {
    for (const end = performance.now() + patience; ;) {
      const found = FolderLock.attempt(folder, kind, seize, dead);
      if (found instanceof FolderLock || performance.now() > end) return found;
      Atomics.wait(bed, 0, 0, 10 + 60 * Math.random());
    }
  }

  /**
   * The same for work that takes long: the file's time is set anew every while, by which processes of other machines see that its holder
   * lives. Whoever finds one of another machine watches it (`onWait`): one that stays still has died, with its machine or its container. No
   * clocks of two machines are compared.
   */
  static async takeWatching(
    folder: string,
    kind: string,
    { seize = false, breath = BREATH, onWait = (_held: Held, _ms: number): void => undefined } = {},
  ): Promise<FolderLock | Held> {
    const dead = new Set<string>();
    for (;;) {
      const found = FolderLock.take(folder, kind, { seize, dead });
      if (found instanceof FolderLock) {
        found.breathe(breath.every);
        return found;
      }
      if (found.life !== 'unknown') return found;
      onWait(found, breath.still);
      const before = stampOf(found.file);
      for (const end = performance.now() + breath.still; performance.now() < end && stampOf(found.file) === before;)
        await new Promise((later) => {
          setTimeout(later, breath.every / 5);
        });
      const after = stampOf(found.file);
      if (after === before) dead.add(found.file);
      else if (after !== null) return { ...found, life: 'alive' };
    }
  }

  /** Whether nobody has put it aside: a process that was stopped for long may have been taken for dead. */
  get isHeld(): boolean {
    return fs.existsSync(this.path);
  }

  private breathe(every: number): void {
    this.breathing = setInterval(() => {
      const now = new Date();
      fs.utimes(this.path, now, now, () => undefined);
    }, every).unref();
  }

  private static attempt(folder: string, kind: string, seize: boolean, dead: ReadonlySet<string>): FolderLock | Held {
    const own = lockName(kind);
    const path = resolve(folder, own);
    if (held.has(path)) return { pid: process.pid, host: hostname(), life: 'alive', file: path };
    try {
      fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_CREAT | (fs.constants.O_NOFOLLOW ?? 0)));
    } catch (cause) {
      throw writeError(path, cause);
    }
    const lock = new FolderLock(path);
    for (const file of fs.readdirSync(folder)) {
      const [, itsKind, owner, host] = LOCK.exec(file) ?? [];
      if (file === own || itsKind !== kind || owner === undefined) continue;
      const life = dead.has(resolve(folder, file)) ? 'dead' : lifeOf(owner);
      if (life === 'alive' || (life === 'unknown' && !seize)) {
        lock[Symbol.dispose]();
        return { pid: numberOf(owner), host: host || 'an unknown host', life, file: resolve(folder, file) };
      }
      fs.rmSync(resolve(folder, file), { force: true });
    }
    return lock;
  }

  [Symbol.dispose](): void {
    if (!held.delete(this.path)) return;
    clearInterval(this.breathing);
    process.off('exit', this.onExit);
    this.onExit();
  }
}
