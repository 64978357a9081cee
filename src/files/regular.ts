// SPDX-License-Identifier: MIT
// Reading files that others made. What is no file is refused by its kind before it is opened: opening a FIFO waits for ever.
import fs from 'node:fs';
import { resolve } from 'node:path';
import { DataError } from '../errors.ts';
import { parseJson } from './json.ts';

/** "a folder", "a FIFO", ...: what stands where a file is expected. */
export function kindOf(found: fs.Stats): string {
  return found.isFile()
    ? 'a file'
    : found.isDirectory()
      ? 'a folder'
      : found.isFIFO()
        ? 'a FIFO'
        : found.isSocket()
          ? 'a socket'
          : 'a device';
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'a folder, not a file',
  ENOTDIR: 'a file where a folder is needed',
  EACCES: 'no permission to read',
  ELOOP: 'a link that leads to itself',
  ENAMETOOLONG: 'a name too long for the file system',
};

/** The DataError for a path that the system would not open; a link that leads to nothing is named with where it leads. */
export function unreadable(file: string, cause: unknown): DataError {
  const code = (cause as NodeJS.ErrnoException).code;
  const target = code === 'ENOENT' ? linkedTo(file) : undefined;
  if (target === undefined)
    return new DataError(
      `${file}: cannot be read, got ${WHY[code ?? ''] ?? String(code ?? cause)}, expected a readable file.`,
      'Check the path and its permissions.',
      { cause },
    );
  const annexed = /[\\/]annex[\\/]objects[\\/]/.test(target);
  return new DataError(
    `${file}: cannot be read, got a link to ${target}, which is not there, expected a readable file.`,
    annexed
      ? 'Its content was not fetched: run `git annex get` (or `datalad get`) on it.'
      : 'Put the file where the link leads, or a copy in the place of the link.',
    { cause },
  );
}

function linkedTo(file: string): string | undefined {
  try {
    return fs.readlinkSync(resolve(file));
  } catch {
    return undefined;
  }
}

/** Looks before anyone opens: `file` exists and is a file; its size. @throws DataError */
export function assertFile(file: string): number {
  let found: fs.Stats;
  try {
    found = fs.statSync(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
  if (!found.isFile())
    throw new DataError(
      `${file}: cannot be read, got ${kindOf(found)}, expected a file.`,
      found.isDirectory() ? 'Name a file in it.' : 'Put a copy of its content there, as a file.',
    );
  return found.size;
}

/** The bytes of a file. @throws DataError where it is no file, cannot be read, or has more than `most` bytes */
export function readBytes(file: string, most = 2 ** 31 - 1): Uint8Array {
  const size = assertFile(file);
  if (size > most) throw new DataError(`${file}: too large, got ${size} bytes, expected at most ${most}.`, 'Is this the right file?');
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** A data set of 100,000 cases is described in less; parsed, a text takes ten times its length. */
const MOST_JSON = 64 * 2 ** 20;

/** The value of a JSON file; `hint` says what to do where it is damaged. @throws DataError */
export const readJson = (file: string, hint?: string): unknown => parseJson(readBytes(file, MOST_JSON), file, hint);
