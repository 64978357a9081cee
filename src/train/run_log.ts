// SPDX-License-Identifier: MIT
// What a run writes while it goes: one JSON line an entry, the same scalars as TensorBoard events beside them.
import { appendFileSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeError, writeFileAtomic } from '../files/atomic.ts';
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
    if (existsSync(this.path)) writeFileAtomic(this.path, kept.map((e) => `${JSON.stringify(e)}\n`).join(''));
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
      else if (typeof values === 'object') for (const [name, value] of Object.entries(values as Record<string, number>)) this.events.scalar(`${group}/${name}`, value, iteration, time);
    }
  }

  [Symbol.dispose](): void { this.events[Symbol.dispose](); }
}

/** Entries of a run's log; a last line cut short by a kill is left out. */
export function readLog(folder: string): LogEntry[] {
  const path = join(folder, 'log.jsonl');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8').split('\n').flatMap((line) => {
    try { return line ? [JSON.parse(line) as LogEntry] : []; } catch { return []; }
  });
}
