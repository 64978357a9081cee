// SPDX-License-Identifier: MIT
// How a session begins: a new run with its first weights, or the newest checkpoint of the folder with everything put back.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Fold } from '../data/folds.ts';
import { DataError } from '../errors.ts';
import { currentDevice } from '../gpu/device.ts';
import { FIRST_VERSION, readCheckpoint, readState, restoreNetworks, restoreOptimisers, type RunState } from './checkpoint.ts';
import { changedFiles, refuseChanged, trainedSums } from './data_files.ts';
import { initialiseFrom } from './initial_weights.ts';
import type { TrainOptions } from './loop.ts';
import { networkList, type Networks, type Optimisers } from '../methods/method.ts';
import type { Plan } from '../methods/plan.ts';
import { assertNoRun, checkpointPath, CHECKPOINTS, tracesOf } from './run_folder.ts';
import { assertTrainedWith, trainedPlan } from './trained_plan.ts';

const newId = (): string => randomBytes(4).toString('hex');

export const planDigest = (plan: Plan): string => createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 16);

/** The checkpoint that has come furthest. @throws DataError where there is none */
export async function newestCheckpoint(folder: string): Promise<{ path: string; state: RunState }> {
  const paths = CHECKPOINTS.map((which) => checkpointPath(folder, which)).filter((path) => existsSync(path));
  const found = await Promise.all(paths.map(async (path) => ({ path, state: await readState(path) })));
  const newest = found.sort((a, b) => b.state.iteration - a.state.iteration)[0]; // of equals the first: `latest`
  if (newest) return newest;
  throw new DataError(`${folder}: has no checkpoint to go on from, got ${tracesOf(folder).join(', ') || 'nothing of a run'}.`, 'The run ended before its first checkpoint. Remove the folder, or name another, and start it again.');
}

/** A new run's state, or the newest checkpoint's with everything put back. */
export async function startState({ plan, dataset, folder, resume, dataChanged = false, init, onInit }: TrainOptions, { train, selection }: Fold, nets: Networks, optimisers: Optimisers): Promise<RunState> {
  const digest = planDigest(plan);
  const data = await trainedSums(dataset, [...train, ...selection]);
  const { info, caps } = currentDevice();
  if (resume) {
    const { path } = await newestCheckpoint(folder);
    const checkpoint = await readCheckpoint(path);
    if (checkpoint.state.plan === FIRST_VERSION) assertTrainedWith(plan, checkpoint.state.trained!, join(folder, 'plan.json'));
    else if (checkpoint.state.plan !== digest) {
      throw new DataError(`${path}: belongs to another plan, got digest ${checkpoint.state.plan}, expected ${digest}.`, 'Resume with the plan.json of its run folder, or train into a new folder.');
    }
    const { state } = checkpoint;
    const files = state.data ? changedFiles(state.data, data) : [];
    if (files.length > 0 && !dataChanged) refuseChanged(dataset.folder, files);
    restoreNetworks(nets, checkpoint.tensors, path);
    restoreOptimisers(optimisers, checkpoint);
    return {
      ...state, plan: digest, id: state.id ?? newId(), trained: trainedPlan(plan), data, ...(files.length > 0 && { changes: [...state.changes ?? [], { iteration: state.iteration, files }] }),
      resumed: [...state.resumed, state.iteration], adapter: info.name,
    };
  }
  assertNoRun(folder);
  let weights: RunState['init'];
  if (init) {
    const found = await initialiseFrom(plan, nets, init);
    weights = { file: resolve(init), sha256: found.sha256 };
    const frozen = networkList(nets).map(({ name }) => name).filter((name) => !optimisers.has(name) && !found.loaded.includes(name));
    if (frozen.length > 0) throw new DataError(`${init}: holds no weights of ${frozen.join(', ')}, which the plan does not train (trainable false).`, 'Name a file with them, or set trainable to true.');
    onInit?.(found);
  }
  return { version: 1, id: newId(), iteration: 0, iterations: plan.training.iterations, plan: digest, trained: trainedPlan(plan), data, ...(weights && { init: weights }), steps: {}, best: null, seconds: 0, stages: { compile: 0, train: 0, validate: 0 }, pace: { iterations: 0, seconds: 0 }, resumed: [], adapter: info.name, tiles: caps.tiles };
}
