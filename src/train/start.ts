// SPDX-License-Identifier: MIT
// How a session begins: a new run with its first weights, or the newest checkpoint of the folder with everything put back.
import type { Fold } from '../data/folds.ts';
import { DataError } from '../errors.ts';
import { sha256 } from '../files/sha256.ts';
import type { DeviceInfo } from '../gpu/caps.ts';
import { currentDevice } from '../gpu/device.ts';
import { checkpointIn, FIRST_VERSION, restoreNetworks, restoreOptimisers, stateIn, type RunState } from './checkpoint.ts';
import { changedFiles, refuseChanged, trainedSums } from './data_files.ts';
import { initialise } from './initial_weights.ts';
import type { TrainOptions } from './loop.ts';
import { networkList, type Averages, type Networks, type Optimisers } from '../methods/method.ts';
import type { Plan } from '../methods/plan.ts';
import { assertNoRun, checkpointFile, CHECKPOINTS, neverBegan, tracesIn, type RunStore } from './run_store.ts';
import { continuedBy } from './ranks.ts';
import { assertTrainedWith, sameFields, trainedPlan } from './trained_plan.ts';

const newId = (): string => crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, '0');

export const planDigest = (plan: Plan): string => sha256().update(JSON.stringify(plan)).digest('hex').slice(0, 16);

/** The checkpoint that has come furthest. @throws DataError where there is none */
export async function newestIn(store: RunStore): Promise<{ name: string; state: RunState }> {
  const found: { name: string; state: RunState }[] = [];
  for (const name of CHECKPOINTS.map(checkpointFile)) if (await store.has(name)) found.push({ name, state: await stateIn(store, name) });
  const newest = found.sort((a, b) => b.state.iteration - a.state.iteration)[0]; // of equals the first: `latest`
  if (newest) return newest;
  throw new DataError(
    `${store.folder}: has no checkpoint to go on from, got ${(await tracesIn(store)).join(', ') || 'nothing of a run'}.`,
    'The run ended before its first checkpoint. Remove the folder, or name another, and start it again.',
  );
}

/** Adapters that trained a run before this one, by the iteration that they were left at: each has its own times and its own last bits. */
export function adaptersBefore(
  { adapters = [], adapter, driver, iteration }: RunState,
  info: DeviceInfo,
): NonNullable<RunState['adapters']> {
  const same = adapter === info.name && (driver ?? info.driver) === info.driver;
  if (same || iteration === (adapters.at(-1)?.iteration ?? 0)) return adapters; // or the last one has not trained at all
  return [...adapters, { iteration, adapter, ...(driver !== undefined && { driver }) }];
}

/** A new run's state, or the newest checkpoint's with everything put back. */
export async function startState(
  { plan, dataset, store, resume, dataChanged = false, init, onInit, ranks, ranksChanged = false, once = false }: TrainOptions,
  { train, selection }: Fold,
  nets: Networks,
  optimisers: Optimisers,
  averages: Averages,
): Promise<RunState> {
  const digest = planDigest(plan);
  const data = await trainedSums(dataset, [...train, ...selection]);
  const { info, caps } = currentDevice();
  if (resume) {
    const { name } = await newestIn(store),
      path = store.path(name);
    const checkpoint = await checkpointIn(store, name);
    const { state } = checkpoint;
    if (state.plan !== digest) {
      if (state.trained) assertTrainedWith(plan, state.trained, store.path('plan.json'));
      // A field that came after the run began changes the digest of its plan, and nothing else.
      const older = state.plan === FIRST_VERSION || (state.trained && !sameFields(plan, state.trained));
      if (!older)
        throw new DataError(
          `${path}: belongs to another plan, got digest ${state.plan}, expected ${digest}` +
            `${state.trained ? ': trained alike, "prediction", "evaluation" or the order of fields was edited' : ''}.`,
          'Resume with the plan.json of its run folder, or train into a new folder.',
        );
    }
    const files = state.data ? changedFiles(state.data, data) : [];
    if (files.length > 0 && !dataChanged) refuseChanged(dataset.folder, files);
    const history = continuedBy(ranks?.ranks ?? 1, state, path, ranksChanged);
    const adapters = adaptersBefore(state, info);
    restoreNetworks(nets, checkpoint.tensors, path);
    restoreOptimisers(optimisers, checkpoint, averages);
    return {
      ...state,
      plan: digest,
      id: state.id ?? newId(),
      trained: trainedPlan(plan),
      data,
      ...(files.length > 0 && { changes: [...(state.changes ?? []), { iteration: state.iteration, files }] }),
      ...(history.length > 0 && { ranks: history }),
      resumed: [...state.resumed, state.iteration],
      adapter: info.name,
      driver: info.driver,
      ...(adapters.length > 0 && { adapters }),
    };
  }
  if ((!ranks || ranks.rank === 0) && !(once && (await neverBegan(store, async (name) => (await stateIn(store, name)).iteration))))
    await assertNoRun(store); // later processes may come when the first has begun
  let weights: RunState['init'];
  if (init) {
    const found = initialise(plan, nets, await init.read(), init.file);
    weights = { file: init.place, sha256: found.sha256 };
    const frozen = networkList(nets)
      .map(({ name }) => name)
      .filter((name) => !optimisers.has(name) && !found.loaded.includes(name));
    if (frozen.length > 0)
      throw new DataError(
        `${init.file}: holds no weights of ${frozen.join(', ')}, which the plan does not train (trainable false).`,
        'Name a file with them, or set trainable to true.',
      );
    onInit?.(found);
  }
  return {
    version: 1,
    id: newId(),
    iteration: 0,
    iterations: plan.training.iterations,
    plan: digest,
    trained: trainedPlan(plan),
    data,
    ...(weights && { init: weights }),
    steps: {},
    best: null,
    seconds: 0,
    stages: { compile: 0, train: 0, validate: 0 },
    pace: { iterations: 0, seconds: 0 },
    ...(ranks && { ranks: continuedBy(ranks.ranks, { iteration: 0 }, store.folder, true) }),
    resumed: [],
    adapter: info.name,
    driver: info.driver,
    tiles: caps.tiles,
  };
}
