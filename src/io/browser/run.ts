// SPDX-License-Identifier: MIT
// A run in the origin's private file system. One page or worker holds a run at a time.
import { DataError } from '../../errors.ts';
import { logEntries, type LogEntry, type LogWriter } from '../../train/run_log.ts';
import type { RunStore } from '../../train/run_store.ts';
import { PageFolder } from './folder.ts';

/** Where all runs of the origin lie. */
const RUNS = 'voxelgrad-runs';
const LOG = 'log.jsonl';

/** A run in a folder that nobody else has meanwhile. */
export class PageRun extends PageFolder implements RunStore {
  /** Entries of the log; none where there is none. */
  async entries(): Promise<LogEntry[]> {
    const file = await this.file(LOG);
    return file ? logEntries(linesOf(new Uint8Array(await file.arrayBuffer())), this.path(LOG)) : [];
  }

  async log(iteration: number): Promise<LogWriter> {
    const kept = (await this.entries()).filter((entry) => entry.iteration <= iteration);
    await this.write(LOG, kept.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    const lines = await this.lines(LOG);
    return {
      write(entry) {
        lines.add(JSON.stringify({ ...entry, time: Date.now() / 1000 }));
      },
      [Symbol.dispose]: () => {
        lines[Symbol.dispose]();
      },
    };
  }
}

function* linesOf(bytes: Uint8Array): Generator<{ line: Uint8Array; whole: boolean }> {
  let from = 0;
  for (let end; (end = bytes.indexOf(0x0a, from)) >= 0; from = end + 1) yield { line: bytes.subarray(from, end), whole: true };
  if (from < bytes.length) yield { line: bytes.subarray(from), whole: false };
}

/**
 * Runs `work` with the run of that name, which nobody else of this origin holds meanwhile; call it in a worker. The run is made where
 * there is none. @throws DataError where another page or worker has it
 */
export async function withRun<T>(name: string, work: (run: PageRun) => Promise<T>): Promise<T> {
  if (!/^[^\\/\0]+$/.test(name) || name === '.' || name === '..')
    throw new DataError(`run: got the name ${JSON.stringify(name)}, expected one without slashes.`);
  return navigator.locks.request(`${RUNS}/${name}`, { ifAvailable: true }, async (lock) => {
    if (!lock)
      throw new DataError(`${name}: another page or worker trains in this run.`, 'Wait for it or close it, or choose another name.');
    const runs = await (await navigator.storage.getDirectory()).getDirectoryHandle(RUNS, { create: true });
    const run = new PageRun(name, await runs.getDirectoryHandle(name, { create: true }));
    await run.removeLeftovers();
    return work(run);
  }) as Promise<T>;
}
