// SPDX-License-Identifier: MIT
// A run in the origin's private file system. A file comes about under a name of its own and is moved to its place when it is whole: a page
// that is closed meanwhile leaves the old content or the new. One page or worker holds a run at a time. Made for a worker: only there
// are there handles that write in place.
import { DataError } from '../../errors.ts';
import type { WholeFile } from '../../files/sealed.ts';
import { logEntries, type LogEntry, type LogWriter } from '../../train/run_log.ts';
import type { RunStore } from '../../train/run_store.ts';

/** What TypeScript's DOM library does not know yet: a file is moved, replacing what has the name (Chrome, Safari, Firefox). */
type Movable = FileSystemFileHandle & { move(parent: FileSystemDirectoryHandle, name: string): Promise<void> };
interface SyncHandle {
  read(into: Uint8Array, at: { at: number }): number;
  write(bytes: Uint8Array, at: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}
type Synchronous = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncHandle> };

/** Where all runs of the origin lie. */
const RUNS = 'voxelgrad-runs';
const ASIDE = /\.[0-9a-f]{8}\.tmp$/;
const text = new TextEncoder();

const isMissing = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError');

function writeError(path: string, cause: unknown): DataError {
  const full = cause instanceof DOMException && cause.name === 'QuotaExceededError';
  return new DataError(
    `${path}: could not be written, ${full ? 'the space that the browser grants is used up' : (cause as Error).message}.`,
    full ? 'Remove other runs, or ask for persistent storage.' : undefined,
    { cause },
  );
}

/** What writing failed by, as a DataError. */
async function writing<T>(path: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof DataError ? cause : writeError(path, cause);
  }
}

/** A run whose log can be read. */
export interface PageRun extends RunStore {
  /** None where there is no log. */
  entries(): Promise<LogEntry[]>;
}

class Run implements PageRun {
  readonly folder: string;
  private readonly root: FileSystemDirectoryHandle;

  constructor(folder: string, root: FileSystemDirectoryHandle) {
    this.folder = folder;
    this.root = root;
  }

  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  /** The folder of a file, and its name there. */
  private async place(name: string, create = false): Promise<[FileSystemDirectoryHandle, string]> {
    const parts = name.split('/'),
      last = parts.pop()!;
    let at = this.root;
    for (const part of parts) at = await at.getDirectoryHandle(part, { create });
    return [at, last];
  }

  private async file(name: string): Promise<File | undefined> {
    try {
      const [folder, last] = await this.place(name);
      return await (await folder.getFileHandle(last)).getFile();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async has(name: string): Promise<boolean> {
    return (await this.file(name)) !== undefined;
  }

  async read(name: string, most = Infinity): Promise<Uint8Array> {
    const file = await this.file(name);
    if (!file) throw new DataError(`${this.path(name)}: cannot be read, got no such file, expected a readable file.`);
    return new Uint8Array(await file.slice(0, Math.min(most, file.size)).arrayBuffer());
  }

  async write(name: string, content: string): Promise<void> {
    await using file = await this.writer([name]);
    await file.write(text.encode(content));
    await file.commit();
  }

  async writer(names: readonly [string, ...string[]]): Promise<WholeFile> {
    return writing(this.path(names[0]), async () => {
      const [folder, last] = await this.place(names[0], true);
      const aside = `${last}.${drawn()}.tmp`;
      const handle = (await folder.getFileHandle(aside, { create: true })) as Synchronous & Movable;
      const sync = await handle.createSyncAccessHandle();
      let end = 0,
        open = true,
        there = true;
      const close = (): void => {
        if (open) sync.close();
        open = false;
      };
      return {
        write: (bytes, at) =>
          writing(this.path(names[0]), () => {
            const from = at ?? end;
            for (let done = 0; done < bytes.length;) done += sync.write(bytes.subarray(done), { at: from + done });
            end = Math.max(end, from + bytes.length);
          }),
        commit: () =>
          writing(this.path(names[0]), async () => {
            sync.flush();
            close();
            for (const other of names.slice(1)) await this.copy(handle, other);
            await handle.move(folder, last);
            there = false;
          }),
        [Symbol.asyncDispose]: async () => {
          close();
          if (there) await folder.removeEntry(aside).catch(() => undefined);
        },
      };
    });
  }

  /** The same content under another name: there are no links here. */
  private async copy(from: FileSystemFileHandle, name: string): Promise<void> {
    const source = await from.getFile();
    await using file = await this.writer([name]);
    for (let at = 0; at < source.size; at += 2 ** 24) await file.write(new Uint8Array(await source.slice(at, at + 2 ** 24).arrayBuffer()));
    await file.commit();
  }

  async remove(name: string): Promise<void> {
    try {
      const [folder, last] = await this.place(name);
      await folder.removeEntry(last);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async entries(): Promise<LogEntry[]> {
    const file = await this.file('log.jsonl');
    return file ? logEntries(linesOf(new Uint8Array(await file.arrayBuffer())), this.path('log.jsonl')) : [];
  }

  async log(iteration: number): Promise<LogWriter> {
    const kept = (await this.entries()).filter((entry) => entry.iteration <= iteration);
    await this.write('log.jsonl', kept.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    const path = this.path('log.jsonl'),
      [folder, last] = await this.place('log.jsonl');
    const sync = await ((await folder.getFileHandle(last)) as Synchronous).createSyncAccessHandle();
    return {
      write(entry) {
        try {
          sync.write(text.encode(`${JSON.stringify({ ...entry, time: Date.now() / 1000 })}\n`), { at: sync.getSize() });
          sync.flush();
        } catch (cause) {
          throw writeError(path, cause);
        }
      },
      [Symbol.dispose]: () => {
        sync.close();
      },
    };
  }
}

const drawn = (): string => crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, '0');

function* linesOf(bytes: Uint8Array): Generator<{ line: Uint8Array; whole: boolean }> {
  let from = 0;
  for (let end; (end = bytes.indexOf(0x0a, from)) >= 0; from = end + 1) yield { line: bytes.subarray(from, end), whole: true };
  if (from < bytes.length) yield { line: bytes.subarray(from), whole: false };
}

/** Removes what a page that was closed was writing. */
async function removeLeftovers(folder: FileSystemDirectoryHandle): Promise<void> {
  for await (const [name, handle] of (folder as unknown as { entries(): AsyncIterable<[string, FileSystemHandle]> }).entries()) {
    if (handle.kind === 'directory') await removeLeftovers(handle as FileSystemDirectoryHandle);
    else if (ASIDE.test(name)) await folder.removeEntry(name);
  }
}

/** The run in `root`, called `folder` in messages; the caller sees to it that nobody else has it. What a closed page was writing is removed. */
export async function runIn(folder: string, root: FileSystemDirectoryHandle): Promise<PageRun> {
  await removeLeftovers(root);
  return new Run(folder, root);
}

/**
 * Runs `work` with the run of that name, which nobody else of this origin holds meanwhile; call it in a worker. The run is made where
 * there is none. @throws DataError where another page or worker has it
 */
export async function withRun<T>(name: string, work: (run: PageRun) => Promise<T>): Promise<T> {
  if (!/^[^\\/\0]+$/.test(name) || name === '.' || name === '..')
    throw new DataError(`run: got the name ${JSON.stringify(name)}, expected one without slashes.`);
  return navigator.locks.request(`${RUNS}/${name}`, { ifAvailable: true }, async (lock) => {
    if (!lock)
      throw new DataError(`${name}: another page or worker trains in this run.`, 'Wait for it or close it, or choose another name.');
    const runs = await (await navigator.storage.getDirectory()).getDirectoryHandle(RUNS, { create: true });
    return work(await runIn(name, await runs.getDirectoryHandle(name, { create: true })));
  }) as Promise<T>;
}
