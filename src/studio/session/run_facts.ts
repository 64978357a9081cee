// SPDX-License-Identifier: MIT
// How far the newest run of a session has come, from its files.
import type { PageFolder } from '../../io/browser/folder.ts';
import { PageRun } from '../../io/browser/run.ts';
import { checkpointFile, tracesIn } from '../../train/run_store.ts';
import { newestIn } from '../../train/start.ts';
import type { LogPoint } from '../protocol.ts';
import type { LogEntry } from '../../train/run_log.ts';
import type { SessionRecord } from './record.ts';

export interface RunFacts {
  readonly number: number;
  readonly preset: string;
  readonly done: number;
  readonly total: number;
  /** All iterations are done, or it was stopped. */
  readonly finished: boolean;
  readonly log: readonly LogPoint[];
}

export function pointOf({ iteration, loss, dice, fit, seconds }: LogEntry): LogPoint {
  return { iteration, ...(loss && { loss }), ...(dice && { dice }), ...(fit && { fit }), ...(seconds !== undefined && { seconds }) };
}

/** Undefined where no run has begun: one that was killed before its first checkpoint has not. */
export async function runFacts(files: PageFolder, runs: SessionRecord['runs']): Promise<RunFacts | undefined> {
  const last = runs.at(-1);
  if (!last) return undefined;
  const run = new PageRun(`run ${runs.length}`, await files.directory(`runs/${runs.length}`));
  const traces = await tracesIn(run);
  const begun = traces.some((name) => name.startsWith('checkpoints/'));
  const { iteration = 0, iterations = 0 } = begun ? (await newestIn(run)).state : {};
  return {
    number: runs.length,
    preset: last.preset,
    done: iteration,
    total: iterations,
    finished: last.stopped || traces.includes(checkpointFile('final')),
    log: (await run.entries()).filter(({ loss, dice, fit }) => loss ?? dice ?? fit).map(pointOf),
  };
}
