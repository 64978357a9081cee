// SPDX-License-Identifier: MIT
// What a run writes while it goes: one JSON line an entry, the same scalars as TensorBoard events beside them.
import { appendFileSync, closeSync, existsSync, lstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { show } from '../data/issue.ts';
import { DataError } from '../errors.ts';
import { writeError, writeFileAtomic } from '../files/atomic.ts';
import { parseJson } from '../files/json.ts';
import { assertFile } from '../files/regular.ts';
import { EventWriter, isEventFileOf } from './tensorboard.ts';

export interface LogEntry {
  readonly iteration: number;
  /** Loss and gradient norm of each network. */
  readonly loss?: Readonly<Record<string, number>>;
  readonly norm?: Readonly<Record<string, number>>;
  /** Loss scale of each network, in mixed precision. An iteration whose update it made skip has norm 0. */
  readonly scale?: Readonly<Record<string, number>>;
  /** Validation Dice of each output. */
  readonly dice?: Readonly<Record<string, number>>;
  readonly lr?: Readonly<Record<string, number>>;
  readonly agreement?: Readonly<Record<string, number>>;
  readonly quality?: number;
  readonly lambda?: number;
  readonly seconds?: number;
  readonly resumed?: boolean;
  /** When it was written, seconds since 1970; set by `write`. */
  readonly time?: number;
}

export class RunLog implements Disposable {
  private readonly path: string;
  private readonly events: EventWriter;

  /**
   * Entries after `iteration` are dropped: a killed run had gone further than its last checkpoint. The event files are written
   * anew from what is kept, so that they never show an iteration twice. Only files of this run (`id`) are replaced: the folder may be a
   * link to one that runs share.
   */
  constructor(folder: string, iteration: number, id: string) {
    this.path = join(folder, 'log.jsonl');
    const kept = readLog(folder).filter((e) => e.iteration <= iteration);
    // Also where it is a link, to nothing even: what is appended goes into a file of this folder.
    if (lstatSync(this.path, { throwIfNoEntry: false })) writeFileAtomic(this.path, kept.map((e) => `${JSON.stringify(e)}\n`).join(''));
    const tb = join(folder, 'tb');
    for (const name of existsSync(tb) ? readdirSync(tb) : []) if (isEventFileOf(id, name, lstatSync(tb).isSymbolicLink())) rmSync(join(tb, name));
    this.events = new EventWriter(tb, id);
    for (const entry of kept) this.show(entry);
  }

  write(entry: LogEntry): void {
    const row: LogEntry = { ...entry, time: Date.now() / 1000 };
    try {
      appendFileSync(this.path, `${JSON.stringify(row)}\n`);
    } catch (cause) {
      throw writeError(this.path, cause);
    }
    this.show(row);
  }

  /** Numbers become scalars under their own name, groups of numbers under `group/name`. */
  private show({ iteration, time, ...groups }: LogEntry): void {
    for (const [group, values] of Object.entries(groups)) {
      if (typeof values === 'number') this.events.scalar(group, values, iteration, time);
      else if (typeof values === 'object' && values !== null) for (const [name, value] of Object.entries(values as Record<string, number>)) if (typeof value === 'number') this.events.scalar(`${group}/${name}`, value, iteration, time);
    }
  }

  [Symbol.dispose](): void { this.events[Symbol.dispose](); }
}

/** A line has some hundred bytes. */
const LONGEST_LINE = 2 ** 20;
const GROUPS = new Set(['loss', 'norm', 'scale', 'dice', 'lr', 'agreement']), NUMBERS = new Set(['quality', 'lambda', 'seconds', 'time']);

const isNumber = (value: unknown): boolean => typeof value === 'number' || value === null; // what is no number is written as null

/** An entry as it was written; numbers that were none are NaN again. @throws DataError naming the line and the field */
function entryOf(json: unknown, where: string): LogEntry {
  const wrong = (field: string, value: unknown, expected: string): DataError => new DataError(`${where}: ${field}: got ${show(value)}, expected ${expected}.`, 'Take the line out, or move the log away.');
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

/** Lines of a file as bytes, read in pieces: a log may be longer than a text can be. The last one may lack its end. */
function* linesOf(path: string): Generator<{ line: Buffer; whole: boolean }> {
  assertFile(path);
  const handle = openSync(path, 'r');
  try {
    const piece = Buffer.alloc(2 ** 20);
    let rest = Buffer.alloc(0);
    for (let length; (length = readSync(handle, piece)) > 0;) {
      const text = Buffer.concat([rest, piece.subarray(0, length)]);
      let from = 0;
      for (let end; (end = text.indexOf(0x0a, from)) >= 0; from = end + 1) yield { line: text.subarray(from, end), whole: true };
      rest = Buffer.from(text.subarray(from));
      if (rest.length > LONGEST_LINE) throw new DataError(`${path}: a line of more than ${LONGEST_LINE} bytes, expected the log of a run.`, 'Move it away.');
    }
    if (rest.length > 0) yield { line: rest, whole: false };
  } finally {
    closeSync(handle);
  }
}

/** Entries of a run's log; a last line cut short by a kill is left out. @throws DataError where another line is damaged */
export function readLog(folder: string): LogEntry[] {
  const path = join(folder, 'log.jsonl');
  if (!existsSync(path)) return [];
  const entries: LogEntry[] = [];
  let number = 0;
  for (const { line, whole } of linesOf(path)) {
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
