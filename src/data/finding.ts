// SPDX-License-Identifier: MIT
// A problem with a data set: found while listing or checking, thrown where work cannot go on.
import { DataError } from '../errors.ts';

/** One problem, for people (message, remedy) and programs (level, file). */
export interface Finding {
  readonly level: 'error' | 'warning';
  /** The file or folder it concerns, as the user would find it. */
  readonly file: string;
  /** What was found and what was expected. */
  readonly message: string;
  readonly remedy: string;
}

/** The DataError of the first error among `findings`, with the number of others; undefined if there is none. */
export function firstError(findings: readonly Finding[]): DataError | undefined {
  const errors = findings.filter((f) => f.level === 'error');
  if (errors.length === 0) return undefined;
  const more = errors.length > 1 ? ` (${errors.length - 1} more: run voxelgrad check)` : '';
  return new DataError(`${errors[0].file}: ${errors[0].message}`, errors[0].remedy + more);
}

/** A DataError as a finding of the file that its message begins with: `file` or one of `others`. */
export function findingOf(file: string, error: DataError, others: readonly string[] = []): Finding {
  const hint = error.hint ?? '';
  let message = hint && error.message.endsWith(hint) ? error.message.slice(0, -hint.length).trimEnd() : error.message;
  const named = [file, ...others].find((f) => message.startsWith(`${f}: `));
  if (named !== undefined) message = message.slice(named.length + 2);
  return { level: 'error', file: named ?? file, message, remedy: hint };
}

/** Hears of problems: throws the first, or keeps them and lets the work go on. */
export type Hear = (error: DataError) => void;

export const raise: Hear = (error) => {
  throw error;
};
