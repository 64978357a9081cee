// SPDX-License-Identifier: MIT
// The checkpoints of a run while it goes on: copied on the device at their iteration, written while training continues, one at a time,
// and so seldom that they take at most a twentieth of the run.
import type { Averages, Networks } from '../methods/method.ts';
import type { Plan } from '../methods/plan.ts';
import type { Optimiser } from '../optim/optimiser.ts';
import { keepWeightsIn, Snapshot, type RunState } from './checkpoint.ts';
import { checkpointFile, type CheckpointName, type RunStore } from './run_store.ts';

/** The share of a run that its checkpoints may take. */
const SHARE = 0.05;

/** After what is waiting already; a page has timers alone. */
const soon: (then: (_: void) => void) => void = (globalThis as { setImmediate?: typeof soon }).setImmediate ?? setTimeout;

export class Checkpoints implements AsyncDisposable {
  private readonly store: RunStore;
  private readonly nets: Networks;
  private readonly optimisers: ReadonlyMap<string, Optimiser>;
  private readonly averages: Averages;
  private readonly every: Plan['training']['checkpointEvery'];
  private underWay: Promise<void> | null = null;
  private failure: { readonly error: unknown } | null = null;
  /** On the clock of `performance`: no sooner is the next one due. */
  private next = 0;

  constructor(
    store: RunStore,
    nets: Networks,
    optimisers: ReadonlyMap<string, Optimiser>,
    averages: Averages,
    every: Plan['training']['checkpointEvery'],
  ) {
    this.store = store;
    this.nets = nets;
    this.optimisers = optimisers;
    this.averages = averages;
    this.every = every;
  }

  /** Whether iterations decide when one is due, so that every run of a plan has them at the same. */
  get fixed(): boolean {
    return this.every !== 'auto';
  }

  due(iteration: number): boolean {
    return this.every === 'auto' ? this.underWay === null && performance.now() >= this.next : iteration % this.every === 0;
  }

  /** Copies everything as it is now and has it written under these names; waits for the one before. */
  async save(names: readonly [CheckpointName, ...CheckpointName[]], state: RunState): Promise<void> {
    await this.settle();
    const start = performance.now();
    const snapshot = new Snapshot(this.nets, this.optimisers, this.averages);
    const [first, ...others] = names.map(checkpointFile);
    this.underWay = snapshot
      .write(this.store, [first, ...others], state)
      .catch((error: unknown) => {
        this.failure = { error };
      })
      .finally(() => {
        snapshot[Symbol.dispose]();
        this.underWay = null;
        // What it took, all of it, though most of that was beside the training.
        this.next = start + (performance.now() - start) / SHARE;
      });
  }

  /** Lets the one under way get on. @throws what went wrong with it */
  async check(): Promise<void> {
    if (this.underWay)
      await new Promise((turn) => {
        soon(turn);
      });
    if (this.failure) throw this.failure.error;
  }

  /** Waits until all is written. @throws what went wrong */
  async settle(): Promise<void> {
    await this.underWay;
    if (this.failure) throw this.failure.error;
  }

  /** A run that is over keeps `final`, which has all that `latest` has, and of `best`, if it is another, the weights alone. */
  async finish(state: RunState): Promise<void> {
    await this.settle();
    const best = checkpointFile('best');
    if (state.best && state.best.iteration !== state.iteration && (await this.store.has(best)))
      await keepWeightsIn(this.store, best, Object.keys(this.nets));
    await this.store.remove(checkpointFile('latest'));
  }

  /** A run that fails leaves its last checkpoint whole. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.underWay;
  }
}
