// SPDX-License-Identifier: MIT
// A folder in the origin's private file system. A file comes about under a name of its own and is moved to its place when it is whole: a
// page that is closed meanwhile leaves the old content or the new. Made for a worker: only there are there handles that write in place.
import { DataError } from '../../errors.ts';
import type { WholeFile } from '../../files/sealed.ts';

/** What TypeScript's DOM library does not know yet: a file is moved, replacing what has the name (Chrome, Safari, Firefox). */
type Movable = FileSystemFileHandle & { move(parent: FileSystemDirectoryHandle, name: string): Promise<void> };
type Listed = FileSystemDirectoryHandle & { entries(): AsyncIterable<[string, FileSystemHandle]> };
interface SyncHandle {
  read(into: Uint8Array, at: { at: number }): number;
  write(bytes: Uint8Array, at: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}
type Synchronous = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncHandle> };

const ASIDE = /\.[0-9a-f]{8}\.tmp$/;
/** Bytes copied at a time. */
const PIECE = 2 ** 24;
const text = new TextEncoder();

/** Eight hexadecimal digits that nothing else has. */
export const drawn = (): string => crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, '0');

const isMissing = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError');

/** Whether an error says that the browser grants no more space. */
export const isFull = (error: unknown): boolean => error instanceof DOMException && error.name === 'QuotaExceededError';

/** What writing failed by, as a DataError. */
function writeError(path: string, cause: unknown): DataError {
  const full = isFull(cause);
  return new DataError(
    `${path}: could not be written, ${full ? 'the space that the browser grants is used up' : (cause as Error).message}.`,
    full ? 'Remove other runs, or ask for persistent storage.' : undefined,
    { cause },
  );
}

async function writing<T>(path: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof DataError ? cause : writeError(path, cause);
  }
}

/** Writes all of it: a handle that takes fewer bytes has no room for more. */
function put(sync: SyncHandle, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    const took = sync.write(bytes.subarray(done), { at: at + done });
    if (took === 0) throw new DOMException('No byte was taken.', 'QuotaExceededError');
    done += took;
  }
}

/** Lines put at the end of a file, each there at once. */
export interface Lines extends Disposable {
  add(line: string): void;
}

/** Files by names within the folder, with `/`. */
export class PageFolder {
  readonly folder: string;
  private readonly root: FileSystemDirectoryHandle;

  /** The folder that `root` leads to, called `folder` in messages. The caller sees to it that nobody else writes there. */
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

  /** A folder within, made where there is none. */
  async directory(name: string): Promise<FileSystemDirectoryHandle> {
    return (await this.place(`${name}/`, true))[0];
  }

  /** Its content as it is now; undefined where there is none. */
  async file(name: string): Promise<File | undefined> {
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

  async read(name: string, most = Infinity): Promise<Uint8Array<ArrayBuffer>> {
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
            put(sync, bytes, from);
            end = Math.max(end, from + bytes.length);
          }),
        commit: () =>
          writing(this.path(names[0]), async () => {
            sync.flush();
            close();
            for (const other of names.slice(1)) await this.copy(await handle.getFile(), other); // there are no links here
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

  /** Content of elsewhere under a name, piece by piece. */
  async copy(source: Blob, name: string): Promise<void> {
    await using file = await this.writer([name]);
    for (let at = 0; at < source.size; at += PIECE) await file.write(new Uint8Array(await source.slice(at, at + PIECE).arrayBuffer()));
    await file.commit();
  }

  /** Bytes in place, each at its offset, of a file that is made `size` bytes long first, zeros where nothing was. */
  async patch(name: string, size: number, pieces: Iterable<readonly [at: number, bytes: Uint8Array]>): Promise<void> {
    await writing(this.path(name), async () => {
      const [folder, last] = await this.place(name, true);
      const sync = await ((await folder.getFileHandle(last, { create: true })) as Synchronous).createSyncAccessHandle();
      try {
        if (sync.getSize() !== size) sync.truncate(size);
        for (const [at, bytes] of pieces) put(sync, bytes, at);
        sync.flush();
      } finally {
        sync.close();
      }
    });
  }

  /** Keeps a file open to add lines to. */
  async lines(name: string): Promise<Lines> {
    const path = this.path(name),
      [folder, last] = await this.place(name, true);
    const sync = await ((await folder.getFileHandle(last, { create: true })) as Synchronous).createSyncAccessHandle();
    return {
      add(line) {
        try {
          put(sync, text.encode(`${line}\n`), sync.getSize());
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

  /** A file, or a folder with all that is in it; nothing where there is none. */
  async remove(name: string): Promise<void> {
    try {
      const [folder, last] = await this.place(name);
      await folder.removeEntry(last, { recursive: true });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** All files, in the order of their names, without what is being written. */
  async list(): Promise<{ name: string; file: File }[]> {
    const found: { name: string; file: File }[] = [];
    const walk = async (folder: FileSystemDirectoryHandle, before: string): Promise<void> => {
      for await (const [name, handle] of (folder as Listed).entries()) {
        if (handle.kind === 'directory') await walk(handle, `${before}${name}/`);
        else if (!ASIDE.test(name)) found.push({ name: before + name, file: await handle.getFile() });
      }
    };
    await walk(this.root, '');
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Removes what a page that was closed was writing. */
  async removeLeftovers(folder = this.root): Promise<void> {
    for await (const [name, handle] of (folder as Listed).entries()) {
      if (handle.kind === 'directory') await this.removeLeftovers(handle);
      else if (ASIDE.test(name)) await folder.removeEntry(name);
    }
  }
}
