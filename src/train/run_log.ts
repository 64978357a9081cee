// SPDX-License-Identifier: MIT
// What a run writes while it goes: one JSON line an entry.
import { show } from '../data/issue.ts';
import { DataError } from '../errors.ts';
import { parseJson } from '../files/json.ts';

export interface LogEntry {
  readonly iteration: number;
  /** Loss and gradient norm of each network. */
  readonly loss?: Readonly<Record<string, number>>;
  readonly norm?: Readonly<Record<string, number>>;
  /** Loss scale of each network, in mixed precision. An iteration whose update it made skip has norm 0. */
  readonly scale?: Readonly<Record<string, number>>;
  /** Validation Dice of each output. */
  readonly dice?: Readonly<Record<string, number>>;
  /** The same on what is trained on, where no case is kept to validate on: whether it learns, not how well it does. */
  readonly fit?: Readonly<Record<string, number>>;
  readonly lr?: Readonly<Record<string, number>>;
  readonly agreement?: Readonly<Record<string, number>>;
  readonly quality?: number;
  readonly lambda?: number;
  /** 1 where no label was learnt (`method.pretraining`): the loss is another one. */
  readonly pretrains?: number;
  readonly seconds?: number;
  readonly resumed?: boolean;
  /** When it was written, seconds since 1970; set by `write`. */
  readonly time?: number;
}

/** Where entries go while a run goes on; each is there at once, so that a killed run loses none. */
export type LogWriter = (Disposable | AsyncDisposable) & { write(entry: LogEntry): void };

const GROUPS = new Set(['loss', 'norm', 'scale', 'dice', 'fit', 'lr', 'agreement']),
  NUMBERS = new Set(['quality', 'lambda', 'pretrains', 'seconds', 'time']);

const isNumber = (value: unknown): boolean => typeof value === 'number' || value === null; // what is no number is written as null

/** An entry as it was written; numbers that were none are NaN again. @throws DataError naming the line and the field */
function entryOf(json: unknown, where: string): LogEntry {
  const wrong = (field: string, value: unknown, expected: string): DataError =>
    new DataError(`${where}: ${field}: got ${show(value)}, expected ${expected}.`, 'Take the line out, or move the log away.');
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong('entry', json, 'an object');
  const entry = json as Record<string, any>;
  if (!Number.isSafeInteger(entry.iteration) || entry.iteration < 0) throw wrong('iteration', entry.iteration, 'a whole number');
  if (entry.resumed !== undefined && typeof entry.resumed !== 'boolean') throw wrong('resumed', entry.resumed, 'true or false');
  for (const [field, value] of Object.entries(entry)) {
    if (NUMBERS.has(field) && !isNumber(value)) throw wrong(field, value, 'a number');
    if (value === null) entry[field] = NaN;
    if (!GROUPS.has(field)) continue;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(field, value, 'numbers by name');
    for (const [name, inner] of Object.entries(value)) {
      if (!isNumber(inner)) throw wrong(`${field}.${name}`, inner, 'a number');
      if (inner === null) (value as Record<string, number>)[name] = NaN;
    }
  }
  return entry as LogEntry;
}

/**
 * Entries of the lines of a log that `path` names; a last line cut short by a kill is left out. @throws DataError where another line is
 * damaged
 */
export function logEntries(lines: Iterable<{ readonly line: Uint8Array; readonly whole: boolean }>, path: string): LogEntry[] {
  const entries: LogEntry[] = [];
  let number = 0;
  for (const { line, whole } of lines) {
    number++;
    if (line.length === 0) continue;
    const where = `${path}: line ${number}`;
    try {
      entries.push(entryOf(parseJson(line, where, 'Take the line out, or move the log away.'), where));
    } catch (error) {
      if (whole) throw error;
    }
  }
  return entries;
}
