// SPDX-License-Identifier: MIT
// A checkpoint is one safetensors file: parameters, running statistics, moments and loss scales by name, the run's state as JSON in the
// metadata. One file, renamed into place, so that a kill at any moment leaves the old one or the new one.
import { open, readFile } from 'node:fs/promises';
import { DataError, StateDictError } from '../errors.ts';
import type { TunedTiles } from '../gpu/device.ts';
import type { StateEntry } from '../nn/module.ts';
import { encodeSafetensors, parseSafetensors, parseSafetensorsHeader, type HostTensor } from '../files/safetensors.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import type { DataChange, FileSums } from './data_files.ts';
import { networkList, type Networks } from '../methods/method.ts';
import type { Optimiser } from '../optim/optimiser.ts';
import { upgradePlan } from './plan_v1.ts';
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
  /** File that the first weights came from. */
  readonly init?: { readonly file: string; readonly sha256: string };
  /** Updates of each optimiser. */
  readonly steps: Readonly<Record<string, number>>;
  /** Best validation score so far and where it was reached; null before the first validation. */
  readonly best: { readonly score: number; readonly iteration: number } | null;
  /** Seconds of training and validation so far, over all sessions. */
  readonly seconds: number;
  /** The same by stage. */
  readonly stages: Readonly<Record<Stage, number>>;
  /** What `maxMinutes` is measured by: iterations that were timed, and their time. */
  readonly pace: { readonly iterations: number; readonly seconds: number };
  /** Iterations at which the run was taken up again. */
  readonly resumed: readonly number[];
  readonly adapter: string;
  /** Tuned tiles that the run was begun with: sums in another order would be other bits. */
  readonly tiles?: TunedTiles;
}

const f32 = ({ shape, data }: StateEntry): HostTensor => ({ dtype: 'F32', shape, data });

const scaleKey = (name: string): string => `loss_scale.${name}`;

/** Reads everything back from the device and writes it to `path`. */
export async function saveCheckpoint(path: string, nets: Networks, optimisers: ReadonlyMap<string, Optimiser>, state: RunState): Promise<void> {
  const tensors = new Map<string, HostTensor>();
  for (const { name, net } of networkList(nets)) {
    for (const [key, entry] of await net.stateDict()) tensors.set(`${name}.${key}`, f32(entry));
  }
  for (const [name, optimiser] of optimisers) {
    for (const [key, entry] of await optimiser.stateDict()) tensors.set(key, f32(entry));
    if (optimiser.lossScale) tensors.set(scaleKey(name), f32({ shape: [4], data: await optimiser.lossScale.values() }));
  }
  writeFileAtomic(path, encodeSafetensors(tensors, { format: 'voxelgrad', state: JSON.stringify(state) }));
}

/** In the place of a digest of a plan of version 1, which says nothing about the plan as it is now; `trained` does. */
export const FIRST_VERSION = 'version 1';

export interface Checkpoint { readonly state: RunState; readonly tensors: ReadonlyMap<string, HostTensor> }

/** @throws DataError for a missing, truncated or foreign file. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new DataError(`${path}: cannot be read.`, 'Train first, or name another run folder.', { cause });
  });
  const { tensors, metadata } = parseSafetensors(bytes, path);
  return { state: stateOf(metadata, path), tensors };
}

/** A checkpoint to make masks with. @throws DataError as `readCheckpoint`, and for weights as they were before the first iteration */
export async function readTrained(path: string): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(path);
  if (checkpoint.state.iteration === 0) throw new DataError(`${path}: no iteration has been trained, got weights as the run began with.`, 'Train first: voxelgrad train --resume.');
  return checkpoint;
}

/** The state alone: a fraction of the file is read. @throws DataError as `readCheckpoint` */
export async function readState(path: string): Promise<RunState> {
  const file = await open(path);
  try {
    const length = Buffer.alloc(8);
    await file.read(length, 0, 8, 0);
    const { size } = await file.stat();
    const header = Buffer.alloc(Math.min(size, 8 + Number(length.readBigUInt64LE())));
    await file.read(header, 0, header.length, 0);
    return stateOf(parseSafetensorsHeader(header, path).metadata, path);
  } finally {
    await file.close();
  }
}

function stateOf(metadata: Readonly<Record<string, string>>, path: string): RunState {
  try {
    const state = JSON.parse(metadata.state ?? '') as RunState;
    if (state.version !== 1) throw new Error(`version ${state.version}`);
    const upgraded = (state.trained as { version?: number } | undefined)?.version === 1;
    // The two last fields came during version 1.
    return { ...state, ...(upgraded && { plan: FIRST_VERSION, trained: upgradePlan(state.trained as unknown as Record<string, unknown>) as unknown as TrainedPlan }), stages: state.stages ?? { compile: 0, train: state.seconds, validate: 0 }, pace: state.pace ?? { iterations: 0, seconds: 0 } };
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
  if (problems.length > 0) throw new DataError(`${where}: its weights do not fit the plan's networks. ${problems.join(' ')}`, 'Name a checkpoint of the same preset, classes and parts.');
}

/** Puts moments, update counts and loss scales back. */
export function restoreOptimisers(optimisers: ReadonlyMap<string, Optimiser>, { state, tensors }: Checkpoint): void {
  for (const [name, optimiser] of optimisers) {
    optimiser.loadStateDict(tensors as ReadonlyMap<string, { data: Float32Array }>, state.steps[name] ?? 0);
    optimiser.lossScale?.restore(tensors.get(scaleKey(name))?.data as Float32Array | undefined);
  }
}
