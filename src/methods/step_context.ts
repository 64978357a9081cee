// SPDX-License-Identifier: MIT
// What the programs of an iteration share: values that follow a schedule, gradients on their way to the optimisers, the means of what was
// reported, and the sums of both over the processes of a run.
import { backward } from '../engine/autograd.ts';
import { compile, type CompileOptions, type Program } from '../engine/program.ts';
import { zeros, type Tensor } from '../engine/tensor.ts';
import { currentTrace, hostScalars, type Trace } from '../engine/trace.ts';
import type { Module } from '../nn/module.ts';
import { slice } from '../ops/layout.ts';
import { addScaled, clear } from '../ops/optim.ts';
import { mulScalar } from '../ops/pointwise.ts';
import { RandomSource } from '../ops/random.ts';
import { reshape } from '../ops/reshape.ts';
import type { Optimiser } from '../optim/optimiser.ts';
import { STREAMS } from '../random/philox.ts';
import type { Averages, Networks, Optimisers, Scheduled, StepOptions, StepResult } from './method.ts';
import { Reduction } from './reduction.ts';

/**
 * What the steps of a method share with the loop: scheduled values, random numbers, gradients gathered over volumes and processes, and
 * means that the log shows. One for each step program; `using` frees what it holds.
 */
export class StepContext implements Disposable {
  /** Of the coming iteration; set before each. */
  scheduled: Scheduled = { iteration: 0 };
  /** Volumes of an iteration, and the first of those that come next: each run draws its own numbers. */
  volumes = 1;
  volume = 0;
  /** Null where one process trains alone. */
  readonly reduction: Reduction | null;
  private readonly nets: Networks;
  private readonly optimisers: Optimisers;
  private readonly averages: Averages;
  /** Networks that compute with averages. */
  private twins: Module[] = [];
  private readonly means = new Map<string, Tensor>();
  /** The trace that each mean was made in: its memory goes with it. */
  private readonly makers = new Map<string, Trace | null>();
  private direct: StepResult | null = null;

  constructor(nets: Networks, optimisers: Optimisers, { reducer, averages = new Map() }: Pick<StepOptions, 'reducer' | 'averages'>) {
    this.nets = nets;
    this.optimisers = optimisers;
    this.averages = averages;
    this.reduction = reducer ? new Reduction(reducer, nets, optimisers, this.means) : null;
  }

  /**
   * Networks with the averages of the weights of those that learn, and these themselves where nothing is averaged. `make` gives ones
   * without values.
   */
  averaged<N extends Networks>(make: () => N): N {
    if (this.averages.size === 0) return this.nets as N;
    const twins = Object.entries(make()).map(([name, twin]): [string, Module] => {
      const average = this.averages.get(name);
      if (!average) return [name, this.nets[name]];
      average.lend(twin);
      twin.train();
      this.twins.push(twin);
      return [name, twin];
    });
    return Object.fromEntries(twins) as N;
  }

  /** In a trace: a scheduled value, [1], read anew before every run; its name shows in the program. */
  scalar(name: string): Tensor {
    return hostScalars(1, 'f32', () => Float32Array.of(this.scheduled[name]), name);
  }

  /** Numbers of a network's random layers, a function of the run's seed, the iteration and the volume. */
  random(seed: number): RandomSource {
    return new RandomSource({ seed, stream: STREAMS.dropout, step: () => this.scheduled.iteration * this.volumes + this.volume });
  }

  /**
   * In a trace: `network` learns from `loss`, which counts `share` in this iteration. Its gradient is gathered until the update, or
   * applied at once where one program makes the whole iteration (`whole`). A network without an optimiser is not trained.
   */
  learn(network: string, loss: Tensor, share = 1): void {
    this.report({ [network]: loss }, share);
    const optimiser = this.optimisers.get(network);
    if (!optimiser) return;
    const grads = backward(optimiser.scaled(loss), this.nets[network].parameters());
    if (this.direct) Object.assign(this.direct, measuresOf(network, optimiser, optimiser.step(grads)));
    else optimiser.accumulate(grads, this.ofAll(share));
  }

  /** In a trace: adds this run's share of each value to its mean over the iteration. */
  report(values: StepResult, share = 1): void {
    if (this.direct) return void Object.assign(this.direct, values);
    for (const [key, value] of Object.entries(values)) {
      if (this.makers.get(key)?.abandoned ?? !this.means.has(key)) {
        this.means.set(key, zeros([1], { name: `mean ${key}` }));
        this.makers.set(key, currentTrace());
      }
      addScaled(this.means.get(key)!, reshape(value, [1]), this.ofAll(share));
    }
  }

  /**
   * In a trace that makes the whole iteration: what `f` reports and every update, without a detour over means and gathered gradients. Of
   * one among several processes it makes a part of the iteration, and `compileUpdate` the rest.
   */
  whole(f: () => void): StepResult {
    if (this.reduction) {
      f();
      return {};
    }
    this.direct = {};
    try {
      f();
      this.average();
      return this.direct;
    } finally {
      this.direct = null;
    }
  }

  /**
   * One update of every network with the gradients gathered, and the means, which start again at 0. Compile it after the programs that
   * gather.
   */
  async compileUpdate(options: CompileOptions): Promise<Program<StepResult>> {
    await this.reduction?.begin();
    return compile(
      (): StepResult => {
        const means = Object.fromEntries(
          [...this.means].map(([key, sum]) => {
            const mean = mulScalar(sum, 1);
            clear(sum);
            return [key, mean];
          }),
        );
        Object.assign(means, ...[...this.optimisers].map(([name, optimiser]) => measuresOf(name, optimiser, optimiser.step())));
        this.average();
        return means;
      },
      {},
      options,
    );
  }

  /** Runs what `compileUpdate` made, with what all processes of the run have gathered. */
  update(program: Program<StepResult>): StepResult | Promise<StepResult> {
    return this.reduction ? this.reduction.whole().then(() => program.run()) : program.run();
  }

  /** In a trace, after the updates. */
  private average(): void {
    for (const average of this.averages.values()) average.update();
  }

  /** A share of this process's part of an iteration as a share of all of it. */
  private ofAll(share: number): number {
    return share / (this.reduction?.ranks ?? 1);
  }

  [Symbol.dispose](): void {
    for (const sum of this.means.values()) sum.dispose();
    for (const twin of this.twins) for (const [, param] of twin.namedParameters()) param.dispose();
  }
}

/**
 * In a trace, after `Optimiser.step()` returned `clip`: the norm of its network's gradient before clipping and, where it has one, its loss
 * scale.
 */
const measuresOf = (name: string, optimiser: Optimiser, clip: Tensor): StepResult => ({
  [`${name}_norm`]: slice(clip, { axis: 0, start: 1 }),
  ...(optimiser.lossScale && { [`${name}_scale`]: optimiser.lossScale.current() }),
});
