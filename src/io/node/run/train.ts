// SPDX-License-Identifier: MIT
// Training in a folder of this machine, which is held meanwhile.
import { resolve } from 'node:path';
import { readBytes } from '../../../files/regular.ts';
import { train as trainRun, type TrainOptions, type TrainOutcome } from '../../../train/loop.ts';
import type { FirstWeights } from '../../../train/initial_weights.ts';
import { folderStore, RunFolder } from './folder.ts';

export interface FolderTrainOptions extends Omit<TrainOptions, 'store' | 'init'> {
  /** Run folder: plan.json, log.jsonl, tb/, checkpoints/. */
  readonly folder: string;
  /** Goes on where another process may hold the folder, and nobody here can say whether it lives. Default false. */
  readonly force?: boolean;
  /**
   * Called before it waits to see whether the process of another machine that holds the folder lives, with its name and the milliseconds.
   */
  onWait?(who: string, ms: number): void;
  /** File of weights to start from: a checkpoint of the same networks, or a state dict. */
  readonly init?: string;
}

export const weightsFile = (file: string): FirstWeights => ({ file, place: resolve(file), read: async () => readBytes(file) });

/**
 * @throws DataError for a folder that another process holds, a checkpoint of another plan or a damaged case, LimitError, DeviceLostError
 */
export async function train({ folder, force = false, onWait, init, ...options }: FolderTrainOptions): Promise<TrainOutcome> {
  // the first of several processes holds it for all
  using held = (options.ranks?.rank ?? 0) === 0 ? await RunFolder.open(folder, force, onWait) : null;
  const store = held?.store() ?? folderStore(folder);
  return await trainRun({ ...options, store, ...(init !== undefined && { init: weightsFile(init) }) });
}
