// SPDX-License-Identifier: MIT
// Checkpoints by the paths of their files.
import type { Networks } from '../../../methods/method.ts';
import type { Plan } from '../../../methods/plan.ts';
import type { Optimiser } from '../../../optim/optimiser.ts';
import { checkpointIn, keepWeightsIn, Snapshot, stateIn, trainedIn, type Checkpoint, type RunState } from '../../../train/checkpoint.ts';
import { restoreFrom } from '../../../train/networks.ts';
import { newestIn } from '../../../train/start.ts';
import type { CheckpointName } from '../../../train/run_store.ts';
import { anywhere, folderStore } from './folder.ts';

/** Writes weights, moments and state to one safetensors file at `path`, whole or not at all. @throws DataError where it cannot be */
export async function saveCheckpoint(
  path: string,
  nets: Networks,
  optimisers: ReadonlyMap<string, Optimiser>,
  state: RunState,
): Promise<void> {
  using snapshot = new Snapshot(nets, optimisers);
  await snapshot.write(anywhere, [path], state);
}

/** @throws DataError for a missing, truncated, damaged or foreign file, and for one with values that are no numbers */
export const readCheckpoint = (path: string): Promise<Checkpoint> => checkpointIn(anywhere, path);

/** A checkpoint to make masks with. @throws DataError as `readCheckpoint`, and for weights as they were before the first iteration */
export const readTrained = (path: string): Promise<Checkpoint> => trainedIn(anywhere, path);

/** The state alone: a fraction of the file is read. @throws DataError as `readCheckpoint` */
export const readState = (path: string): Promise<RunState> => stateIn(anywhere, path);

/** Writes a checkpoint anew without what only its optimisers read: a third of the bytes. */
export const keepWeights = (path: string, networks: readonly string[]): Promise<void> => keepWeightsIn(anywhere, path, networks);

/** The checkpoint of a run that has come furthest. @throws DataError where there is none */
export async function newestCheckpoint(folder: string): Promise<{ path: string; state: RunState }> {
  const store = folderStore(folder),
    { name, state } = await newestIn(store);
  return { path: store.path(name), state };
}

/** A run's networks as a checkpoint holds them, ready for `Method.predictor`. @throws DataError as `readTrained` and `restoreNetworks` */
export const restoreRun = (plan: Plan, folder: string, which: CheckpointName = 'best'): Promise<Networks> =>
  restoreFrom(plan, folderStore(folder), which);
