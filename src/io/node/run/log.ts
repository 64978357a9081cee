// SPDX-License-Identifier: MIT
// The log of a run as files: log.jsonl, and the same scalars as TensorBoard events beside it.
import { appendFileSync, closeSync, existsSync, lstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../../errors.ts';
import { writeError, writeFileAtomic } from '../../../files/atomic.ts';
import { assertFile } from '../../../files/regular.ts';
import { logEntries, type LogEntry } from '../../../train/run_log.ts';
import { EventWriter, isEventFileOf } from './tensorboard.ts';

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
    for (const name of existsSync(tb) ? readdirSync(tb) : [])
      if (isEventFileOf(id, name, lstatSync(tb).isSymbolicLink())) rmSync(join(tb, name));
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
      else if (typeof values === 'object' && values !== null)
        for (const [name, value] of Object.entries(values as Record<string, number>))
          if (typeof value === 'number') this.events.scalar(`${group}/${name}`, value, iteration, time);
    }
  }

  [Symbol.dispose](): void {
    this.events[Symbol.dispose]();
  }
}

/** A line has some hundred bytes. */
const LONGEST_LINE = 2 ** 20;

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
      if (rest.length > LONGEST_LINE)
        throw new DataError(`${path}: a line of more than ${LONGEST_LINE} bytes, expected the log of a run.`, 'Move it away.');
    }
    if (rest.length > 0) yield { line: rest, whole: false };
  } finally {
    closeSync(handle);
  }
}

/** Entries of a run's log; none where there is no log. @throws DataError as `logEntries` */
export function readLog(folder: string): LogEntry[] {
  const path = join(folder, 'log.jsonl');
  return existsSync(path) ? logEntries(linesOf(path), path) : [];
}
