// SPDX-License-Identifier: MIT
// A training run: iterations, validation, checkpoints, log; stopped, killed and taken up again without losing or changing a bit.
import type { Triple } from '../axes.ts';
import type { Dataset } from '../data/dataset.ts';
import { goingOn, makeFolds, type Fold } from '../data/folds.ts';
import { DataError } from '../errors.ts';
import { currentDevice } from '../gpu/device.ts';
import { Readback } from '../gpu/readback.ts';
import { bareCases } from './annotated.ts';
import { CaseStore } from './cases.ts';
import type { RunState, Stage } from './checkpoint.ts';
import { Checkpoints } from './checkpoints.ts';
import type { DataChange } from './data_files.ts';
import type { Ensemble } from './ensemble.ts';
import type { FirstWeights, Initialised } from './initial_weights.ts';
import { networkList, type Networks, type RoiPredictor, type StepResult } from '../methods/method.ts';
import { methodOf } from '../methods/methods.ts';
import { runningMeans } from '../methods/running_means.ts';
import type { Plan } from '../methods/plan.ts';
import { assertPrecision } from '../methods/precision.ts';
import { learningRateFactor } from './learning_rate.ts';
import { assertNothingIdle } from './plan.ts';
import { patchStarts } from '../predict/predict_volume.ts';
import { buildAverages, buildNetworks, buildOptimisers } from './networks.ts';
import { checkpointFile, type CheckpointName, type RunStore } from './run_store.ts';
import { assertAgreement, normsApart, readingStore, type Ranks } from './ranks.ts';
import { Sampler } from './sampler.ts';
import { newestIn, startState } from './start.ts';
import { survey, type Survey } from './survey.ts';
import { validate } from './validate.ts';

/** Iterations that set the pace for `maxMinutes`. */
const PACE = 10;
/** Losses are read back this often. */
const LOG_EVERY = 10;
/** Cases validated while training: the first of the selection part, always the same. */
const VALIDATED = 16;
/** Regions of the training cases that say who votes where no case is kept to select by. */
const LOOKED_AT = 8;

/** Work between two iterations, by the networks as they are; who votes, where that was decided. */
export type Between = (predictor: RoiPredictor, ensemble: Ensemble | undefined) => Promise<void>;

export interface TrainOptions {
  readonly plan: Plan;
  readonly dataset: Dataset;
  /** Where the run is kept; nobody else may train there meanwhile. */
  readonly store: RunStore;
  readonly resume: boolean;
  /** Goes on although files of the data set are not what the run began with; they are recorded. Default false. */
  readonly dataChanged?: boolean;
  /** A new run may begin where one was killed before its first iteration. Default false. */
  readonly once?: boolean;
  /**
   * The other processes of the run, if there are some. The first one reports, validates and writes; the others may be given the same
   * options.
   */
  readonly ranks?: Ranks;
  /** Goes on although another number of processes trained the run before; that is recorded. Default false. */
  readonly ranksChanged?: boolean;
  /** Weights to start from: a checkpoint of the same networks, or a state dict (`initialise`). */
  readonly init?: FirstWeights;
  onInit?(found: Initialised): void;
  /** Set to stop after the iteration under way. */
  readonly signal?: AbortSignal;
  onProgress?(p: Progress): void;
  /** Called before a session's first iteration, with the operations of one and how many there are to do. */
  onCompiled?(work: { readonly flops: number; readonly iterations: number; readonly apart: readonly string[] }): Promise<void>;
  /**
   * Asked after every iteration, which the device may not have done yet. Work that it gives is done before the next one, by the networks as
   * they are then, and is no part of the run: its time is not booked, and it must leave the networks alone.
   */
  between?(iteration: number): Promise<Between | undefined>;
  /** Called before the first iteration of a run, and of a session whose data changed. */
  onSurvey?(found: Survey, fold: Fold, changes: readonly DataChange[]): void;
}

export interface Progress {
  readonly stage: 'read' | 'compile' | 'train' | 'validate';
  readonly done: number;
  readonly total: number;
  readonly loss?: Readonly<Record<string, number>>;
  readonly dice?: Readonly<Record<string, number>>;
}

export interface TrainOutcome {
  readonly state: RunState;
  readonly finished: boolean;
  readonly fold: Fold;
}

/** @throws DataError unless the plan's classes are the data set's */
export function assertClasses(plan: Plan, dataset: Dataset): void {
  const own = dataset.info.classes.map((c) => c.name);
  if (own.join('\n') !== plan.classes.join('\n')) {
    throw new DataError(
      `${dataset.source.path('dataset.json')}: its classes are not the plan's, got ${own.join(', ')}, expected ${plan.classes.join(', ')}.`,
      'Make a plan for this data set (voxelgrad plan), or name the data set of the plan.',
    );
  }
}

/**
 * The fold of a plan: training, selection and test cases, divided by patient, or as the data set divides them itself. @throws DataError
 * where that is not what the plan wants, or leaves nothing to train on, or to hold out
 */
export function foldOf({ split: { folds, fold, seed, selectionShare } }: Plan, { training, folds: own }: Dataset): Fold {
  const fixed = folds > 1 ? own : undefined;
  if (fixed?.fault) throw fixed.fault;
  if (fixed?.count !== undefined && fixed.count !== folds)
    throw new DataError(
      `${fixed.file}: got ${fixed.count} folds, expected ${folds}, as split.folds of the plan says.`,
      'Correct the plan, or remove the file to split by chance; split.folds 1 trains on all cases.',
    );
  const chosen = makeFolds(training, { folds, seed, selection: selectionShare, ...(fixed && { fixed: fixed.held, file: fixed.file }) })[
    fold
  ];
  if (fixed && (chosen.test.length === 0 || chosen.train.length === 0))
    throw new DataError(
      `${fixed.file}: folds: got ${chosen.test.length === 0 ? 'no case' : 'every case'} in fold ${fold}, which ` +
        'split.fold holds out, expected some in it and some in others.',
      'Choose another fold (--fold), or remove the folds to split by chance.',
    );
  return chosen;
}

/** The fold of a run: its plan's, or, where it has begun, what it held out then. @throws DataError as `foldOf` */
export const foldOfRun = (plan: Plan, dataset: Dataset, before: Fold | undefined): Fold =>
  before
    ? goingOn(
        dataset.training.map(({ name }) => name),
        before,
      )
    : foldOf(plan, dataset);

/** @throws DataError for a checkpoint of another plan or a damaged case, LimitError, DeviceLostError */
export async function train(options: TrainOptions): Promise<TrainOutcome> {
  const { plan, dataset, signal, onProgress, ranks } = options;
  const first = !ranks || ranks.rank === 0;
  const store = first ? options.store : readingStore(options.store);
  const device = currentDevice();
  assertClasses(plan, dataset);
  assertPrecision(plan, device);
  const fold = foldOfRun(plan, dataset, options.resume ? (await newestIn(store)).state.fold : undefined);
  const validated = fold.selection.slice(0, VALIDATED),
    heldOut = validated.length > 0;
  if (!options.resume && plan.annotation.cases !== null && plan.annotation.cases > fold.train.length)
    throw new DataError(
      `annotation.cases: got ${plan.annotation.cases}, expected at most ${fold.train.length}, the training cases of the fold.`,
      'Leave it out (null) to annotate all of them.',
    );
  if (!options.resume) assertNothingIdle(plan);
  const bare = bareCases(plan, dataset, fold);
  const cases = new CaseStore(plan, dataset, bare);
  const load = (name: string): ReturnType<CaseStore['load']> => cases.load(name);
  const sampler = new Sampler(plan, fold.train, load, bare);
  const method = methodOf(plan);
  const nets = buildNetworks(plan);
  const optimisers = buildOptimisers(plan, nets);
  const averages = buildAverages(plan, nets, optimisers);
  const rates = new Map([...optimisers].map(([name, { lr }]) => [name, lr]));
  let state: RunState = { ...(await startState(options, fold, nets, optimisers, averages)), fold };
  if (ranks) await assertAgreement(ranks, nets, state);
  const changed = state.changes?.at(-1)?.iteration === state.iteration;
  const stages = { ...state.stages };
  let clock = performance.now();
  /** Books the time since the last call. */
  const lap = (stage: Stage): number => {
    const now = performance.now();
    const seconds = (now - clock) / 1000;
    stages[stage] += seconds;
    clock = now;
    return seconds;
  };
  await using checkpoints = new Checkpoints(store, nets, optimisers, averages, plan.training.checkpointEvery);
  const save = async (...names: [CheckpointName, ...CheckpointName[]]): Promise<void> => {
    if (!first) return;
    const steps = Object.fromEntries([...optimisers].map(([n, o]) => [n, o.steps]));
    state = { ...state, steps, seconds: stages.train + stages.validate, stages: { ...stages } };
    await checkpoints.save(names, state);
  };
  if (first && (!options.resume || changed)) {
    const found = await survey(dataset, fold, { load, onCase: (done, total) => onProgress?.({ stage: 'read', done, total }) });
    state = { ...state, spacing: found.spacing };
    options.onSurvey?.(found, fold, state.changes ?? []);
  }
  if (!options.resume) {
    await save('latest');
    await checkpoints.settle(); // from here on there is a run, and whatever its weights came from is not needed again
    await store.write('plan.json', `${JSON.stringify(plan, null, 2)}\n`);
  }
  const partial = dataset.annotations.unlabelled.size > 0;
  const left = state.iteration < state.iterations; // else the run was over but for its last file
  const step = left
    ? await method.step(plan, nets, optimisers, {
        partial,
        averages,
        ...(ranks && { reducer: ranks }),
        ...((state.together ?? state.iteration > 0) && { together: state.together ?? {} }),
        onProgress: (done, total) => onProgress?.({ stage: 'compile', done, total }),
      })
    : null;
  if (step) state = { ...state, together: Object.fromEntries(step.programs.map(({ name, together }) => [name, together])) };
  if (step)
    await options.onCompiled?.({
      flops: step.programs.reduce((n, { runs, program }) => n + runs * program.report().flops, 0),
      iterations: state.iterations - state.iteration,
      apart: ranks && ranks.ranks > 1 ? normsApart(nets) : [],
    });
  let predictor: RoiPredictor | null = null;
  lap('compile');

  await using log = await store.log(state.iteration, state.id!);
  if (state.iteration > 0 && left) log.write({ iteration: state.iteration, resumed: true });
  let warm = false; // the first iteration of a process compiles shaders and says nothing about the pace

  /** Whether somebody wants to stop: all do after the same iteration. */
  const stopped = async (): Promise<boolean> => {
    const own = signal?.aborted ?? false;
    return ranks ? (await ranks.gather(own)).includes(true) : own;
  };

  while (step && state.iteration < state.iterations && !(await stopped())) {
    const it = state.iteration;
    const factor = learningRateFactor(plan.optimiser, it, state.iterations);
    for (const [name, optimiser] of optimisers) optimiser.lr = rates.get(name)! * factor;
    const scheduled = method.schedule(plan, it, state.iterations, state.means ?? {});
    const result = await step.run(await sampler.iteration(it, ranks, { all: scheduled.pretrains === 1 }), { iteration: it, ...scheduled });
    const done = it + 1;
    state = { ...state, iteration: done };
    if (plan.training.maxMinutes !== null && done <= PACE) {
      await device.sync();
      const seconds = lap('train');
      if (warm) state = { ...state, pace: { iterations: state.pace.iterations + 1, seconds: state.pace.seconds + seconds } };
    }
    warm = true;
    const fixesLength = plan.training.maxMinutes !== null && done === PACE;
    const last = (): boolean => done === state.iterations;
    // A network that has learnt no label yet is not worth keeping, however well a brighter voxel may do for a nodule.
    const selects = (): boolean =>
      scheduled.pretrains !== 1 && isSelection(plan, done, state.iterations) && (heldOut || networkList(nets).length > 1);
    const due = first && (checkpoints.due(done) || fixesLength);
    const rows = done % LOG_EVERY === 0 || done === 1 || (due && checkpoints.fixed) || last() || selects();
    if (rows || due) {
      // Losses are looked at before anything is saved, too: weights that are not numbers must not replace good ones.
      const row = await readResult(nets, result);
      lap('train');
      // Not at every row: which iterations have a checkpoint depends on the clock, and what a run does must not.
      if (done % LOG_EVERY === 0) {
        const { loss: _loss, norm: _norm, scale: _scale, ...measures } = row;
        state = { ...state, means: runningMeans(state.means ?? {}, measures) };
      }
      if (rows)
        log.write({
          iteration: done,
          ...row,
          lr: Object.fromEntries([...optimisers].map(([n, o]) => [n, o.lr])),
          ...scheduled,
          seconds: stages.train + stages.validate,
        });
      assertFinite({ ...row.loss, ...Object.fromEntries(Object.entries(row.norm).map(([name, v]) => [`${name}'s gradient`, v])) }, done);
      assertScale(row.scale ?? {}, done);
      onProgress?.({ stage: 'train', done, total: state.iterations, loss: row.loss });
    } else {
      onProgress?.({ stage: 'train', done, total: state.iterations });
    }
    if (fixesLength) {
      const iterations = await iterationsByClock(plan, state, stages, validated, load);
      state = { ...state, iterations: ranks ? (await ranks.gather(iterations))[0] : iterations };
      if (scheduled.pretrains === 1 && state.iterations === done)
        throw new DataError(
          `train: no label was learnt in the time there is, got ${plan.training.maxMinutes} minutes for ${done} iterations of pretraining.`,
          'Raise training.maxMinutes, or lower method.pretraining.',
        );
    }
    let better = false;
    if (first && selects()) {
      await device.sync();
      lap('train');
      predictor ??= await method.predictor(plan, nets);
      const judged = heldOut ? validated.map(load) : Array.from({ length: LOOKED_AT }, (_, n) => sampler.region(n));
      const { dice, ensemble } = await validate(plan, predictor, await Promise.all(judged));
      lap('validate');
      state = { ...state, ensemble: heldOut ? ensemble : { ...ensemble, learnt: true } };
      log.write({ iteration: done, [heldOut ? 'dice' : 'fit']: dice });
      if (heldOut) {
        onProgress?.({ stage: 'validate', done, total: state.iterations, dice });
        const score = dice[plan.evaluation.headline] ?? Object.values(dice)[0] ?? 0;
        better = !state.best || score >= state.best.score; // of equals the later one has learnt more
        if (better) state = { ...state, best: { score, iteration: done } };
      }
    }
    // After the validation: a run killed in it does it again. The last one is written below.
    if ((better || due) && !last()) await save('latest', ...(better ? ['best' as const] : []));
    await checkpoints.check();
    const visit = await options.between?.(done);
    if (visit) {
      await device.sync();
      lap('train');
      await visit((predictor ??= await method.predictor(plan, nets)), state.ensemble);
      clock = performance.now();
    }
  }
  await device.sync();
  lap('train');
  const finished = state.iteration >= state.iterations;
  if (!finished) await save('latest');
  else if (step || !(await store.has(checkpointFile('final'))))
    await save('final', ...(state.best?.iteration === state.iteration ? ['best' as const] : []));
  await (finished && first ? checkpoints.finish(state) : checkpoints.settle());
  predictor?.dispose();
  step?.dispose();
  for (const kept of [...optimisers.values(), ...averages.values()]) kept.dispose();
  return { state, finished, fold };
}

/**
 * How many iterations fit into `maxMinutes` at the pace of the first ten, at most those of the plan. A validation sees every patch
 * of its cases once, or of the training cases some, and a patch takes about as long as an iteration.
 */
async function iterationsByClock(
  { training, data, prediction }: Plan,
  { pace, iteration, iterations }: RunState,
  stages: Readonly<Record<Stage, number>>,
  validated: readonly string[],
  load: CaseStore['load'],
): Promise<number> {
  // Taken up again at every one of them, none could be timed: then with the compilation of shaders.
  const each = pace.iterations > 0 ? pace.seconds / pace.iterations : stages.train / iteration;
  let patches = validated.length > 0 ? 0 : LOOKED_AT;
  for (const name of validated) patches += patchStarts([...(await load(name)).grid.size], [...data.roi] as Triple, prediction.step).length;
  const left = training.maxMinutes! * 60 - stages.compile - stages.train - stages.validate;
  return Math.max(iteration, Math.min(iterations, iteration + Math.floor(left / each) - training.selections * patches));
}

/** What a step returned as a row of the log: losses, norms and scales by network; measures by their names, `a.b` as b of the group a. */
async function readResult(
  nets: Networks,
  result: StepResult,
): Promise<{ loss: Record<string, number>; norm: Record<string, number>; scale?: Record<string, number> }> {
  using readback = new Readback(
    currentDevice(),
    Object.values(result).map(({ buffer: { buffer, offset } }) => ({ buffer, offset, bytes: 4 })),
  );
  const read = (await readback.views()).map(({ buffer, byteOffset }) => new Float32Array(buffer, byteOffset, 1)[0]);
  const values = new Map(Object.keys(result).map((key, i) => [key, read[i]]));
  const take = (suffix: string): Record<string, number> =>
    Object.fromEntries(
      networkList(nets).flatMap(({ name }) => {
        const value = values.get(name + suffix);
        values.delete(name + suffix);
        return value === undefined ? [] : [[name, value]];
      }),
    );
  const [loss, norm, scale] = [take(''), take('_norm'), take('_scale')];
  const measures: Record<string, number | Record<string, number>> = {};
  for (const [key, value] of values) {
    if (!Number.isFinite(value)) continue; // a share of nothing; losses and norms, which must be numbers, are looked at by `assertFinite`
    const [group, name] = key.split('.') as [string, string?];
    measures[group] = name === undefined ? value : { ...(measures[group] as object), [name]: value };
  }
  return { loss, norm, ...(Object.keys(scale).length > 0 && { scale }), ...measures };
}

function assertFinite(loss: Readonly<Record<string, number>>, iteration: number): void {
  for (const [name, value] of Object.entries(loss)) {
    if (!Number.isFinite(value))
      throw new DataError(
        `train: the loss of ${name} is ${value} at iteration ${iteration}.`,
        'Lower the learning rates in the plan (method) and start again.',
      );
  }
}

/** Gradients that are too large for f16 without being scaled up are too large: every update would be skipped from here on. */
function assertScale(scale: Readonly<Record<string, number>>, iteration: number): void {
  for (const [name, value] of Object.entries(scale)) {
    if (value < 1)
      throw new DataError(
        `train: the loss scale of ${name} has fallen to ${value} at iteration ${iteration}, its gradients do not fit f16.`,
        'Set training.precision to "f32" in the plan and start again.',
      );
  }
}

/** Validation happens `selections` times, evenly, and at the end. */
function isSelection(plan: Plan, done: number, total: number): boolean {
  const every = Math.max(1, Math.floor(total / plan.training.selections));
  return done % every === 0 || done === total;
}
