// SPDX-License-Identifier: MIT
// An average of a network's weights over a training, which often generalises better than the last ones: exponential (EMA), or of all alike
// (SWA, Izmailov et al. 2018). PyTorch's AveragedModel.
import { expectArguments, fields, flag, instance, maybe, number } from '../check.ts';
import { StateDictError, VoxelgradError } from '../errors.ts';
import { scope } from '../engine/scope.ts';
import { zeros, type Tensor } from '../engine/tensor.ts';
import { hostScalars } from '../engine/trace.ts';
import { Module, type StateDict, type StateEntry } from '../nn/module.ts';
import type { Parameter } from '../nn/parameter.ts';
import { assignScaled } from '../ops/optim.ts';
import { mul, mulScalar, sub } from '../ops/pointwise.ts';

/** The average of so many weights is not kept by more than half where `young` is set. */
const YOUNG = 10;

/**
 * An average of a network's trainable weights over training steps, as torch.optim.swa_utils.AveragedModel keeps it, on the device: as much
 * memory again as the weights. Buffers, such as running statistics, are not averaged. `dispose()` frees it.
 */
export class WeightAverage implements Disposable {
  /** How many weights are in it. */
  count = 0;
  private readonly net: Module;
  private readonly decay: number | null;
  private readonly young: boolean;
  private readonly averages: ReadonlyMap<string, { readonly param: Parameter; readonly mean: Tensor }>;

  /**
   * `decay`: what is left of the average when new weights come, say 0.999; left out, all weights count alike. The first are taken as they
   * are. `young`: of an average of n weights at most n / (n + 10) is left, so that the first ones are soon forgotten.
   */
  constructor(net: Module, options: { decay?: number; young?: boolean } = {}) {
    const kinds = { net: instance('a module', Module), options: fields({ decay: maybe(number(0, 1)), young: maybe(flag) }) };
    expectArguments('WeightAverage', kinds, [net, options]);
    this.net = net;
    this.decay = options.decay ?? null;
    this.young = options.young ?? false;
    const trainable = [...net.namedParameters()].filter(([, p]) => p.trainable);
    this.averages = new Map(trainable.map(([name, param]) => [name, { param, mean: zeros(param.shape, { name: `average of ${name}` }) }]));
  }

  /** Takes the weights as they are now: in a step after the optimiser's, at every run; or by itself between runs. */
  update(): void {
    scope(() => {
      const left = hostScalars(1, 'f32', () => Float32Array.of(this.left(this.count++)));
      for (const { param, mean } of this.averages.values()) assignScaled(mean, sub(param, mul(sub(param, mean), left)), 1);
    });
  }

  /**
   * Puts the average into the network and the network's weights in its place; again, and all is as before. Between runs: programs then
   * compute with it.
   */
  exchange(): void {
    this.expectSome();
    scope(() => {
      for (const { param, mean } of this.averages.values()) {
        const before = mulScalar(param, 1);
        assignScaled(param, mean, 1);
        assignScaled(mean, before, 1);
      }
    });
  }

  /** Averages where they lie, with the parameter whose shape they have. */
  *namedState(): Generator<[string, Parameter, Tensor]> {
    for (const [name, { param, mean }] of this.averages) yield [name, param, mean];
  }

  /** The network's state dict with the average for its weights; running statistics are the network's. */
  async stateDict(): Promise<StateDict> {
    this.expectSome();
    const dict = await this.net.stateDict();
    for (const [name, { param, mean }] of this.averages) {
      dict.set(name, { shape: param.torchShape, data: param.toTorch((await mean.data()) as Float32Array) });
    }
    return dict;
  }

  /** Goes on with an average that `stateDict` gave after `count` weights. @throws StateDictError */
  loadStateDict(dict: ReadonlyMap<string, StateEntry>, count: number): void {
    for (const [name, { param, mean }] of this.averages) {
      const entry = dict.get(name);
      if (!entry || entry.data.length !== param.size)
        throw new StateDictError(`average: ${name} is ${entry ? `${entry.data.length} values, expected ${param.size}` : 'missing'}.`);
      mean.write(param.fromTorch(entry.data));
    }
    this.count = count;
  }

  /**
   * A network of the same kind computes with the average from now on, and shares what is not learnt, such as running statistics. Until the
   * first update the average is the weights as they are now. @throws StateDictError
   */
  lend(twin: Module): void {
    expectArguments('lend', { twin: instance('a module', Module) }, [twin]);
    const own = new Map(this.net.namedParameters());
    const twins = [...twin.namedParameters()];
    for (const [name, { shape }] of twins)
      if (own.get(name)?.shape.join() !== shape.join())
        throw new StateDictError(
          `average: ${name} got [${shape}], expected ${own.has(name) ? `[${own.get(name)!.shape}]` : 'no such parameter'}.`,
        );
    if (this.count === 0)
      scope(() => {
        for (const { param, mean } of this.averages.values()) assignScaled(mean, param, 1);
      });
    for (const [name, param] of twins) param.readFrom(this.averages.get(name)?.mean ?? own.get(name)!);
  }

  /** What is left of the average of n weights when others come. */
  private left(n: number): number {
    if (n === 0) return 0;
    return Math.min(this.decay ?? n / (n + 1), this.young ? n / (n + YOUNG) : 1);
  }

  private expectSome(): void {
    if (this.count === 0) throw new VoxelgradError('ORDER', 'average: holds no weights yet.', 'Call update() first.');
  }

  /** Gives the memory of the average back. */
  dispose(): void {
    for (const { mean } of this.averages.values()) mean.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
