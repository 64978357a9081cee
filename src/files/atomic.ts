// SPDX-License-Identifier: MIT
// Files that are either wholly there or not at all: written under a temporary name in the same folder, flushed to the disk, renamed.
import fs from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../errors.ts';

const REMEDY: Readonly<Record<string, readonly [string, string]>> = {
  ENOSPC: ['the disk is full', 'Free some space, or choose another output folder.'],
  EDQUOT: ['the disk quota is used up', 'Free some space, or choose another output folder.'],
  EROFS: ['the file system is read-only', 'Choose an output folder that can be written.'],
  EACCES: ['no permission to write', 'Choose an output folder that can be written.'],
  EPERM: ['no permission to write', 'Choose an output folder that can be written.'],
  ENOTDIR: ['a file is where a folder is needed', 'Choose another output folder.'],
  EISDIR: ['a folder is where the file should go', 'Remove it, or choose another name.'],
  ENOENT: ['the folder does not exist', 'Create it, or choose another.'],
};

/** What went wrong while writing `path`, with the remedy where the reason is a usual one. */
export function writeError(path: string, cause: unknown): DataError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const [what, hint] = REMEDY[code ?? ''] ?? [message, undefined];
  return new DataError(`${path}: could not be written, ${what}.`, hint, { cause });
}

/** Makes a folder and its parents; returns the first that was not there. @throws DataError */
export function makeFolder(path: string): string | undefined {
  const missing: string[] = [];
  for (let at = resolve(path); !fs.existsSync(at); at = dirname(at)) missing.unshift(at);
  try {
    // One after another: Node's own `recursive` never ends where a folder refuses with ENOENT (/proc, automounted homes).
    for (const folder of missing) if (!fs.existsSync(folder)) fs.mkdirSync(folder);
    if (!fs.statSync(path).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  } catch (cause) {
    throw writeError(path, cause);
  }
  return missing[0];
}

/** Removes what killed processes were writing into a folder when they died. */
export function removeLeftovers(folder: string): void {
  for (const name of fs.readdirSync(folder)) if (/^\..+\.\d+\.tmp$/.test(name)) fs.rmSync(join(folder, name), { force: true });
}

function flushFolder(path: string): void {
  if (process.platform === 'win32') return; // a folder cannot be opened there
  const handle = fs.openSync(path, 'r');
  try { fs.fsyncSync(handle); } finally { fs.closeSync(handle); }
}

/**
 * Writes a file so that a reader, a crash or a power cut sees the old content or the new, never a part.
 * @throws DataError when the disk is full or the folder cannot be written; the old file is then as it was.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const handle = fs.openSync(temporary, 'w');
    try {
      fs.writeFileSync(handle, content);
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
    fs.renameSync(temporary, path);
    flushFolder(dirname(path));
  } catch (cause) {
    fs.rmSync(temporary, { force: true });
    throw writeError(path, cause);
  }
}
