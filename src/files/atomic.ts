// SPDX-License-Identifier: MIT
// Files that are either wholly there or not at all: written under a temporary name in the same folder, flushed to the disk, renamed.
// A temporary name is drawn, never guessed, and made new, so that nothing that lies there already (a link, say) is written through.
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../errors.ts';
import { kindOf } from './regular.ts';
import { isDead, PROCESS, thisProcess } from './owner.ts';

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

/** Temporary files and folders of this process that are there now. */
const asides = new Set<string>();
const swept = new Set<string>();
const ASIDE = new RegExp(`^\\..+\\.(${PROCESS.source})\\.[0-9a-f]{12}\\.tmp$`, 's');

/**
 * Removes what processes that died were writing into a folder: names that only we give, made by this user, whose process is
 * certainly gone. A living process's, another machine's and anything else stay.
 */
export function removeLeftovers(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    const owner = ASIDE.exec(name)?.[1];
    if (owner === undefined || !isDead(owner)) continue;
    const found = fs.lstatSync(join(folder, name), { throwIfNoEntry: false });
    if (!found || !(found.isFile() || found.isDirectory()) || (process.getuid && found.uid !== process.getuid())) continue;
    try {
      fs.rmSync(join(folder, name), { recursive: true, force: true });
    } catch {
      /* litter is no reason to stop the work */
    }
  }
}

/**
 * A temporary name for what will become `path`, beside it; `discard` it in any case. What dead processes left in the folder is removed,
 * once.
 */
export function asideOf(path: string): string {
  const folder = resolve(dirname(path));
  if (!swept.has(folder)) {
    swept.add(folder);
    if (fs.existsSync(folder)) removeLeftovers(folder);
  }
  const aside = join(folder, `.${[...basename(path)].slice(0, 30).join('')}.${thisProcess()}.${randomBytes(6).toString('hex')}.tmp`);
  asides.add(aside);
  return aside;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C while folders are half made: they go, then the process by the same signal; where another listener is, it decides. */
function end(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  for (const aside of asides)
    try {
      discard(aside);
    } catch {
      /* the next process does it */
    }
  process.off(signal, end);
  process.kill(process.pid, signal);
}

/** Makes a folder beside `path` in which it can come about, to be renamed; `discard` it in any case. @throws DataError */
export function folderAside(path: string): string {
  makeFolder(dirname(path));
  let aside: string | undefined;
  try {
    aside = asideOf(path);
    fs.mkdirSync(aside);
  } catch (cause) {
    asides.delete(aside ?? '');
    throw writeError(path, cause);
  }
  for (const signal of SIGNALS) if (!process.listeners(signal).includes(end)) process.on(signal, end);
  return aside;
}

/** Removes a temporary file or folder, if it is still there. */
export function discard(aside: string): void {
  try {
    fs.rmSync(aside, { recursive: true, force: true });
  } finally {
    asides.delete(aside);
  }
  if (asides.size === 0) for (const signal of SIGNALS) process.off(signal, end);
}

/**
 * Renaming replaces whatever has the name, `/dev/null` too: only a file may, or a link (the link goes, what it leads to stays). @throws
 * DataError
 */
export function assertReplaceable(path: string): void {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  const special =
    found && !found.isFile() && !found.isDirectory()
      ? kindOf(found)
      : fs.existsSync(dirname(path)) && fs.realpathSync(dirname(path)) === '/dev'
        ? 'a name among the devices'
        : undefined;
  if (special !== undefined)
    throw new DataError(`${path}: could not be written, got ${special}, expected a file or nothing of that name.`, 'Choose another name.');
}

export function flushFolder(path: string): void {
  if (process.platform === 'win32') return; // a folder cannot be opened there
  const handle = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/**
 * Writes a file so that a reader, a crash or a power cut sees the old content or the new, never a part. A link of that name is
 * replaced, not followed.
 * @throws DataError when the disk is full or the folder cannot be written; the old file is then as it was.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string): void {
  let temporary: string | undefined;
  try {
    assertReplaceable(path);
    temporary = asideOf(path);
    const handle = fs.openSync(temporary, 'wx');
    try {
      fs.writeFileSync(handle, content);
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
    fs.renameSync(temporary, path);
    flushFolder(dirname(path));
  } catch (cause) {
    throw cause instanceof DataError ? cause : writeError(path, cause);
  } finally {
    if (temporary !== undefined) discard(temporary);
  }
}

/** Writes JSON whole or not at all. @throws DataError */
export const writeJson = (path: string, value: unknown): void => writeFileAtomic(path, `${JSON.stringify(value, null, 1)}\n`);
