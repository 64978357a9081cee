// SPDX-License-Identifier: MIT
// A checkpoint is one safetensors file: parameters, running statistics, moments and loss scales by name, the run's state as JSON in the
// metadata. One file, renamed into place, so that a kill at any moment leaves the old one or the new one.
import type { SpacingRange } from '../data/familiar.ts';
import type { Fold } from '../data/folds.ts';
import * as z from 'zod';
import { DataError, StateDictError } from '../errors.ts';
import type { TunedTiles } from '../gpu/caps.ts';
import { currentDevice } from '../gpu/device.ts';
import { Readback, type DeviceRange } from '../gpu/readback.ts';
import type { StateEntry } from '../nn/module.ts';
import type { Parameter } from '../nn/parameter.ts';
import { MAX_HEADER, parseSafetensors, parseSafetensorsHeader, type HostTensor } from '../files/safetensors.ts';
import { parseJson } from '../files/json.ts';
import { assertSealed, writeSealed, type LazyTensor } from '../files/sealed.ts';
import type { FileSums } from '../data/case_source.ts';
import type { DataChange } from './data_files.ts';
import { networkList, type Averages, type Networks, type Together } from '../methods/method.ts';
import type { Optimiser } from '../optim/optimiser.ts';
import { upgradePlan } from './plan_v1.ts';
import type { RankHistory } from './ranks.ts';
import type { Means } from '../methods/running_means.ts';
import type { Ensemble } from './ensemble.ts';
import type { RunFiles } from './run_store.ts';
import type { TrainedPlan } from './trained_plan.ts';

export type Stage = 'compile' | 'train' | 'validate';

/** Everything about a run that is not a tensor. */
export interface RunState {
  readonly version: 1;
  /** Iterations done; the next one has this number. */
  readonly iteration: number;
  /** Iterations of the whole run, fixed once. */
  readonly iterations: number;
  /** Digest of the plan, so that a checkpoint of another plan is refused. */
  readonly plan: string;
  /** What the weights were trained with; absent in the first checkpoints of version 1. */
  readonly trained?: TrainedPlan;
  /** Tells this run's TensorBoard files from those of others; absent, like the next two, in the first checkpoints of version 1. */
  readonly id?: string;
  /** Content of every file that training reads: it goes on with the same, or says what changed. */
  readonly data?: FileSums;
  readonly changes?: readonly DataChange[];
  /** Spacing of the scans that it was trained on; absent in older checkpoints. */
  readonly spacing?: SpacingRange;
  /** What is learnt from and what is held out, from the first iteration on; absent in older checkpoints: as the plan divides the cases. */
  readonly fold?: Fold;
  /** File that the first weights came from. */
  readonly init?: { readonly file: string; readonly sha256: string };
  /** Updates of each optimiser. */
  readonly steps: Readonly<Record<string, number>>;
  /** Best validation score so far and where it was reached; null before the first validation. */
  readonly best: { readonly score: number; readonly iteration: number } | null;
  /** Running means of what the steps reported, which schedules may follow; absent before the first. */
  readonly means?: Means;
  /** Who votes, as the last validation found; all networks before the first one. */
  readonly ensemble?: Ensemble;
  /** Seconds of training and validation so far, over all sessions. */
  readonly seconds: number;
  /** The same by stage. */
  readonly stages: Readonly<Record<Stage, number>>;
  /** What `maxMinutes` is measured by: iterations that were timed, and their time. */
  readonly pace: { readonly iterations: number; readonly seconds: number };
  /** How many processes trained it from which iteration on; absent where one has trained all of it. */
  readonly ranks?: RankHistory;
  /** Iterations at which the run was taken up again. */
  readonly resumed: readonly number[];
  /** What trains it now, and what did before up to which iteration; `driver` is absent in older checkpoints. */
  readonly adapter: string;
  readonly driver?: string;
  readonly adapters?: readonly { readonly iteration: number; readonly adapter: string; readonly driver?: string }[];
  /** How many micro-batches each program takes at once since the first iteration, likewise; absent before. */
  readonly together?: Together;
  /** Tuned tiles that the run was begun with: sums in another order would be other bits. */
  readonly tiles?: TunedTiles;
}

const averageKey = (network: string, key: string): string => `average.${network}.${key}`;
const scaleKey = (name: string): string => `loss_scale.${name}`;

/** A tensor of a checkpoint: where it lies on the device, and what it is in a file. */
interface Piece {
  readonly name: string;
  readonly shape: readonly number[];
  readonly place: DeviceRange;
  toFile(values: Float32Array): Float32Array;
}

function* piecesOf(nets: Networks, optimisers: ReadonlyMap<string, Optimiser>, averages: Averages): Generator<Piece> {
  const placeOf = ({ buffer: { buffer, offset, size } }: Pick<Parameter, 'buffer'>): DeviceRange => ({ buffer, offset, bytes: size });
  const piece = (name: string, param: Parameter, tensor: Pick<Parameter, 'buffer'>): Piece => ({
    name,
    shape: param.torchShape,
    place: placeOf(tensor),
    toFile: (values) => (param.layout === 'plain' ? values : param.toTorch(values)),
  });
  for (const { name, net } of networkList(nets))
    for (const [key, param] of net.namedParameters()) yield piece(`${name}.${key}`, param, param);
  for (const [name, optimiser] of optimisers) {
    for (const [key, param, tensor] of optimiser.namedState()) yield piece(key, param, tensor);
    if (optimiser.lossScale)
      yield { name: scaleKey(name), shape: [4], place: placeOf(optimiser.lossScale.state), toFile: (values) => values };
  }
  for (const [name, average] of averages)
    for (const [key, param, mean] of average.namedState()) yield piece(averageKey(name, key), param, mean);
}

/** In the place of a digest of a plan of version 1, which says nothing about the plan as it is now; `trained` does. */
export const FIRST_VERSION = 'version 1';

/** Everything that a checkpoint holds, as it is on the device when this is made; written while training goes on. */
export class Snapshot implements Disposable {
  private readonly pieces: readonly Piece[];
  private readonly readback: Readback;

  constructor(nets: Networks, optimisers: ReadonlyMap<string, Optimiser>, averages: Averages = new Map()) {
    this.pieces = [...piecesOf(nets, optimisers, averages)];
    this.readback = new Readback(
      currentDevice(),
      this.pieces.map(({ place }) => place),
    );
  }

  /** Writes it under all names, the first one last. @throws DataError where it holds what is no number, or cannot be written */
  async write(files: RunFiles, names: readonly [string, ...string[]], state: RunState): Promise<void> {
    const views = await this.readback.views(),
      path = files.path(names[0]);
    await using file = await files.writer(names);
    await writeSealed(
      file,
      this.pieces.map(({ name, shape, toFile }, i): LazyTensor => ({
        name,
        shape,
        dtype: 'F32',
        values: () => {
          const { buffer, byteOffset, byteLength } = views[i];
          return expectFinite(
            toFile(new Float32Array(buffer, byteOffset, byteLength / 4)),
            `${path}: not written, for ${name} after ${state.iteration} iterations`,
            'The training has diverged. Lower the learning rates of the plan (method) and start again.',
          );
        },
      })),
      { format: 'voxelgrad', state: JSON.stringify(state) },
    );
  }

  [Symbol.dispose](): void {
    this.readback[Symbol.dispose]();
  }
}

/** The values. @throws DataError where one is NaN or infinite */
export function expectFinite(values: Float32Array, where: string, hint: string): Float32Array {
  let sum = 0;
  // oxlint-disable-next-line oxc/erasing-op
  for (let i = 0; i < values.length; i++) sum += values[i] * 0; // 0, unless one of them is none
  if (sum === 0) return values;
  const at = values.findIndex((v) => !Number.isFinite(v));
  throw new DataError(`${where}: value ${at}, got ${values[at]}, expected a finite number.`, hint);
}

/** `sealed`: its bytes were found to be those that were written; the first checkpoints of version 1 carry no checksum. */
export interface Checkpoint {
  readonly state: RunState;
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly sealed: boolean;
}

/** @throws DataError for a missing, truncated, damaged or foreign file, and for one with values that are no numbers */
export async function checkpointIn(files: RunFiles, name: string): Promise<Checkpoint> {
  const path = files.path(name),
    bytes = await files.read(name).catch((cause: unknown) => {
      throw new DataError(`${path}: cannot be read.`, 'Train first, or name another run folder.', { cause });
    });
  const { metadata } = parseSafetensorsHeader(bytes, path);
  const sealed = assertSealed(bytes, metadata, path);
  const state = stateOf(metadata, path);
  if (!sealed && state.id !== undefined)
    throw new DataError(`${path}: damaged, its checksum is missing.`, 'Restore it from a copy, or remove it.');
  const { tensors } = parseSafetensors(bytes, path);
  for (const [name, { data }] of tensors)
    if (data instanceof Float32Array)
      expectFinite(
        data,
        `${path}: tensor ${JSON.stringify(name)}`,
        'These weights compute nothing: name another checkpoint, or train again with a lower rate.',
      );
  return { state, tensors, sealed };
}

/** Writes a checkpoint anew without what only its optimisers read: a third of the bytes. */
export async function keepWeightsIn(files: RunFiles, name: string, networks: readonly string[]): Promise<void> {
  const { state, tensors } = await checkpointIn(files, name);
  const kept = [...tensors].filter(([name]) => networks.some((network) => name.startsWith(`${network}.`)));
  if (kept.length === tensors.size) return;
  await using file = await files.writer([name]);
  await writeSealed(
    file,
    kept.map(([name, { dtype, shape, data }]) => ({ name, dtype, shape, values: () => data })),
    { format: 'voxelgrad', state: JSON.stringify(state) },
  );
}

/** The same, to make masks with. @throws DataError for weights as they were before the first iteration, too */
export async function trainedIn(files: RunFiles, name: string): Promise<Checkpoint> {
  const checkpoint = await checkpointIn(files, name);
  if (checkpoint.state.iteration === 0)
    throw new DataError(
      `${files.path(name)}: no iteration has been trained, got weights as the run began with.`,
      'Train first: voxelgrad train --resume.',
    );
  return checkpoint;
}

/** The state alone: a fraction of the file is read. @throws DataError as `checkpointIn` */
export async function stateIn(files: RunFiles, name: string): Promise<RunState> {
  const end = (bytes: Uint8Array): number =>
    bytes.length < 8 ? 8 : 8 + Math.min(MAX_HEADER, Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)));
  let bytes = await files.read(name, 8);
  // Once more where the header that is there by now is longer: a run that trains puts a new file in the place of the old one.
  for (let asked = 8; end(bytes) > asked; bytes = await files.read(name, asked)) asked = end(bytes);
  const path = files.path(name);
  return stateOf(parseSafetensorsHeader(bytes, path).metadata, path);
}

const mm = z.number().positive(),
  spacing = z.tuple([mm, mm, mm]);

const stateSchema = z.looseObject({
  version: z.literal(1),
  iteration: z.int().min(0),
  iterations: z.int().min(0),
  plan: z.string(),
  steps: z.record(z.string(), z.number()),
  seconds: z.number(),
  resumed: z.array(z.number()),
  adapter: z.string(),
  driver: z.string().optional(),
  adapters: z.array(z.looseObject({ iteration: z.number(), adapter: z.string(), driver: z.string().optional() })).optional(),
  best: z.looseObject({ score: z.number(), iteration: z.number() }).nullable(),
  ensemble: z.looseObject({ members: z.array(z.string()).min(1), dice: z.record(z.string(), z.number()) }).optional(),
  means: z.record(z.string(), z.number()).optional(),
  trained: z.record(z.string(), z.unknown()).optional(),
  fold: z.looseObject({ train: z.array(z.string()), selection: z.array(z.string()), test: z.array(z.string()) }).optional(),
  spacing: z.object({ low: spacing, high: spacing }).optional(),
  together: z.record(z.string(), z.int().min(1)).optional(),
  tiles: z.record(z.string(), z.string()).optional(),
  ranks: z.array(z.looseObject({ iteration: z.number(), ranks: z.number() })).optional(),
  stages: z.record(z.string(), z.number()).optional(),
  pace: z.looseObject({ iterations: z.number(), seconds: z.number() }).optional(),
});

function stateOf(metadata: Readonly<Record<string, string>>, path: string): RunState {
  try {
    const state = parseJson(metadata.state ?? '', 'state') as RunState;
    stateSchema.parse(state);
    const upgraded = (state.trained as { version?: number } | undefined)?.version === 1;
    // The two last fields came during version 1.
    return {
      ...state,
      ...(upgraded && {
        plan: FIRST_VERSION,
        trained: upgradePlan(state.trained as unknown as Record<string, unknown>) as unknown as TrainedPlan,
      }),
      stages: state.stages ?? { compile: 0, train: state.seconds, validate: 0 },
      pace: state.pace ?? { iterations: 0, seconds: 0 },
    };
  } catch (cause) {
    throw new DataError(`${path}: holds no state of a run.`, 'Name a checkpoint that `voxelgrad train` wrote.', { cause });
  }
}

/** Puts a checkpoint's parameters and running statistics into the networks. @throws DataError naming the file where they do not fit */
export function restoreNetworks(nets: Networks, tensors: ReadonlyMap<string, HostTensor>, where: string): void {
  const named = networkList(nets);
  const problems: string[] = [];
  for (const { name, net } of named) {
    const own = new Map<string, StateEntry>();
    for (const [key, { shape, data }] of tensors) {
      if (key.startsWith(`${name}.`)) own.set(key.slice(name.length + 1), { shape, data: data as Float32Array });
    }
    try {
      if (own.size === 0) throw new StateDictError('it has no weights there.');
      net.loadStateDict(own);
    } catch (error) {
      if (!(error instanceof StateDictError)) throw error;
      const message = error.hint ? error.message.slice(0, -error.hint.length).trim() : error.message;
      problems.push(`${name}: ${message.replace(/^loadStateDict: /, '')}`);
    }
  }
  if (problems.length > 0)
    throw new DataError(
      `${where}: its weights do not fit the plan's networks. ${problems.join(' ')}`,
      'Name a checkpoint of the same preset, classes and parts.',
    );
}

/** Puts moments, update counts, loss scales and averages of weights back. */
export function restoreOptimisers(
  optimisers: ReadonlyMap<string, Optimiser>,
  { state, tensors }: Checkpoint,
  averages: Averages = new Map(),
): void {
  for (const [name, optimiser] of optimisers) {
    optimiser.loadStateDict(tensors as ReadonlyMap<string, { data: Float32Array }>, state.steps[name] ?? 0);
    optimiser.lossScale?.restore(tensors.get(scaleKey(name))?.data as Float32Array | undefined);
  }
  for (const [name, average] of averages) {
    const prefix = averageKey(name, '');
    const own = new Map<string, StateEntry>();
    for (const [key, entry] of tensors) if (key.startsWith(prefix)) own.set(key.slice(prefix.length), entry as StateEntry);
    average.loadStateDict(own, state.iteration);
  }
}
