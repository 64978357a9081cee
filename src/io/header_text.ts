// SPDX-License-Identifier: MIT
// What text headers (NRRD, MetaImage) share: numbers that are numbers, fields named in errors, data files that stay in their folder.
import { DataError } from '../errors.ts';

/** Text headers are looked for in this many bytes. */
export const HEAD_BYTES = 2 ** 20;

export const latin1 = (bytes: Uint8Array): string => {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
};

/** The DataError for a field of a text header. */
export function badField(
  file: string,
  field: string,
  got: string | undefined,
  expected: string,
  hint = 'The header is damaged or of another kind of file.',
): DataError {
  return new DataError(
    `${file}: header field ${field}, got ${got === undefined ? 'nothing' : `"${got.length > 80 ? `${got.slice(0, 77)}...` : got}"`}` +
      `, expected ${expected}.`,
    hint,
  );
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** A number as it stands, or undefined. Words such as 1x, 0x10, inf and nan are none. */
export const numberIn = (word: string): number | undefined =>
  NUMBER.test(word) && Number.isFinite(Number(word)) ? Number(word) : undefined;

/** `count` finite numbers of a field, parted by white space. */
export function numbersIn(file: string, field: string, text: string, count: number): number[] {
  const found = text.trim().split(/\s+/).map(numberIn);
  if (found.length !== count || found.includes(undefined)) throw badField(file, field, text, `${count} number${count > 1 ? 's' : ''}`);
  return found as number[];
}

/** A whole number of a field. */
export function integerIn(file: string, field: string, text: string, least: number): number {
  const [value] = numbersIn(file, field, text, 1);
  if (!Number.isSafeInteger(value) || value < least) throw badField(file, field, text, `a whole number of at least ${least}`);
  return value;
}

/**
 * Name of the one file beside `file` (or below it) that holds the voxels: a header from elsewhere must not make us read any file there is.
 */
export function besideName(file: string, name: string): string {
  if (/^LIST\b/.test(name) || name.includes('%')) {
    throw new DataError(
      `${file}: voxels spread over several files, got "${name}", expected one data file.`,
      'Convert the scan to one file, for example .nii.gz.',
    );
  }
  const parts = name.split(/[\\/]/),
    own = file.split(/[\\/]/).pop();
  if (parts.filter((part) => part !== '.' && part !== '').join('/') === own)
    throw new DataError(`${file}: names itself as its data file, got "${name}", expected another file.`, 'Correct the name in the header.');
  let depth = 0;
  for (const part of parts) if ((depth += part === '..' ? -1 : part === '.' || part === '' ? 0 : 1) < 0) break;
  if (depth < 0 || /^([\\/]|[A-Za-z]:|\w+:\/\/)/.test(name) || name.includes('\0')) {
    throw new DataError(
      `${file}: names a data file out of its folder, got "${name}", expected a file beside the header.`,
      'Put both into one folder and correct the name in the header.',
    );
  }
  return name;
}
