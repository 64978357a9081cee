// SPDX-License-Identifier: MIT
// What can be trained, as a plug: everything that systems differ in is behind this interface, so that the loop, checkpoints, validation,
// prediction, reports and the command line know networks by name only.
import type * as z from 'zod';
import type { CompileOptions, Program } from '../engine/program.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { Sample } from '../data/sample.ts';
import type { Module, StateEntry } from '../nn/module.ts';
import type { WeightAverage } from '../optim/average.ts';
import type { Optimiser } from '../optim/optimiser.ts';
import type { ParameterGroup } from '../optim/options.ts';
import type { RoiNetworks } from '../predict/predict_volume.ts';
import type { Reducer } from './reducer.ts';
import type { Means } from './running_means.ts';
import type { MethodPlan, Plan, Preset } from './plan.ts';

/** Networks by name, in the order of every list and file. Names are those of files, logs and masks. */
export type Networks = Readonly<Record<string, Module>>;
/** Names and networks as a list. */
export const networkList = (nets: Networks): { name: string; net: Module }[] => Object.entries(nets).map(([name, net]) => ({ name, net }));

export type Optimisers = ReadonlyMap<string, Optimiser>;
/** Of the weights of networks that learn, by their names; empty where the plan wants none. */
export type Averages = ReadonlyMap<string, WeightAverage>;

/** What one network's parameters are updated with; `rate` is the learning rate before its schedule. */
export interface NetworkGroups {
  readonly groups: readonly ParameterGroup[];
  readonly rate: number;
  readonly decay?: number;
}

/**
 * Scalars [1] of one iteration: a network's name is its loss, `NAME_norm` and `NAME_scale` its gradient's norm and loss scale, all else
 * measures.
 */
export type StepResult = Record<string, Tensor>;
/** The iteration, and values that change with it, by name (`StepContext.scalar`). */
export type Scheduled = Readonly<Record<string, number>> & { readonly iteration: number };

/**
 * `partial`: some cases lack labels of some classes, so the loss is marginal over those that they have. `reducer`: other processes have
 * more volumes of every iteration.
 */
export interface StepOptions extends CompileOptions {
  readonly partial: boolean;
  readonly reducer?: Reducer;
  /** Those that `averageDecay` asks for. */
  readonly averages?: Averages;
  /** How many micro-batches programs take at once, by name, where a run has begun so: sums in another order would be other bits.
   * A name that is missing: as runs did before they noted it. Absent: as many as memory allows. */
  readonly together?: Together;
  /** Bytes for the activations of a program that takes more than one. Default: half of what is left on the device. */
  readonly activations?: number;
}
export type Together = Readonly<Record<string, number>>;

/** A cut and augmented region, the classes that its case has no labels of, and its number in the run, which every draw follows from. */
export interface Drawn {
  readonly sample: Sample;
  readonly unlabelled: readonly number[];
  readonly n: number;
}

/** A program of an iteration, how often it runs, and how many micro-batches it takes at once. */
export interface StepProgram {
  readonly name: string;
  readonly runs: number;
  readonly together: number;
  readonly program: Program<unknown>;
}

/** One iteration, compiled. `F` is what a volume's feed holds. */
export interface Step<F = any> {
  /** Every program of an iteration, and how often it runs. */
  readonly programs: readonly StepProgram[];
  /** `training.batch` volumes: gradients averaged over them, every network updated once. */
  run(volumes: readonly F[], scheduled: Scheduled): StepResult | Promise<StepResult>;
  dispose(): void;
}

/** Trained networks on ROIs. Ground truth is never read here. */
export interface RoiPredictor extends RoiNetworks {
  dispose(): void;
}

/** How a method takes weights from elsewhere. */
export interface ForeignWeights<M extends MethodPlan> {
  /** Where a tensor goes, by full names (`network.parameter`), and what becomes of it. */
  place(name: string, entry: StateEntry): [name: string, entry: StateEntry][];
  /** Why tensors of these shapes would compute something else in the plan's networks than where they come from. */
  unsuited(plan: Plan<M>, shapes: ReadonlyMap<string, readonly number[]>): string | undefined;
  /** Makes the plan fit them; says what was changed. */
  suit(plan: Plan<M>, shapes: ReadonlyMap<string, readonly number[]>): string | undefined;
}

/** `M` is the method's part of a plan, `F` what a volume feeds to its step. */
export interface Method<M extends MethodPlan = any, F = any> {
  readonly name: M['name'];
  /** Of `plan.method`. */
  readonly schema: z.ZodType<M>;
  /** A preset: the method's own part upon what all methods share, of which it may change what its networks need otherwise. */
  preset(preset: Preset, shared: Omit<Plan, 'method'>): Plan<M>;
  /** Fits its part to a data set of several classes. */
  severalClasses?(plan: Plan<M>): void;
  /** Relations between fields, once each field is right by itself: a line for each that does not hold. */
  contradictions(plan: Plan<M>): string[];
  /** Groups of its fields that decide nothing, with what it is that leaves them out: `volume "vnet"`. Default: none. */
  idle?(plan: M): Readonly<Record<string, string>>;
  /** What `--ablate` can switch off. */
  readonly parts: Readonly<Record<string, (plan: M) => void>>;
  /** The names that networks of this method can have. */
  readonly outputs: readonly string[];
  /** Whose tensors are meant where a file of weights names no network. */
  readonly bare: string;
  /** Weights of other code, whose files name no network. Default: they are `bare`'s, under the names that it has. */
  readonly foreign?: ForeignWeights<M>;
  /** The part of each network that a file may hold alone, the rest being drawn. */
  readonly encoders?: Readonly<Record<string, string>>;
  /** The networks without values: enough to count, to trace, or to load a checkpoint into. */
  networks(plan: Plan<M>): Networks;
  /** Of every network that learns. */
  groups(plan: Plan<M>, nets: any): Readonly<Record<string, NetworkGroups>>;
  /** What is left of an average of the networks' weights after an iteration; 0: none is kept. Default 0. */
  averageDecay?(plan: Plan<M>): number;
  /** Whether volumes without any annotation teach its networks something. Default false. */
  learnsUnannotated?(plan: Plan<M>): boolean;
  /**
   * What changes with the iteration `it` of `n`, besides learning rates; where `pretrains` is 1 no label is learnt, so that all training
   * cases are drawn. `means`: of what its steps have reported every ten iterations.
   */
  schedule(plan: Plan<M>, it: number, n: number, means: Means): Readonly<Record<string, number>>;
  /** What the step takes of a region. A function of the seed and `n` alone, so that a resumed run goes on exactly where it was. */
  feed(plan: Plan<M>, drawn: Drawn): F;
  step(plan: Plan<M>, nets: any, optimisers: Optimisers, options: StepOptions): Promise<Step<F>>;
  /** Compiles inference for ROIs of the plan's size. The networks keep their weights; training may go on afterwards. */
  predictor(plan: Plan<M>, nets: any): Promise<RoiPredictor>;
}
