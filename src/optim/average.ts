// SPDX-License-Identifier: MIT
// An average of a network's weights over a training, which often generalises better than the last ones: exponential (EMA), or of all alike
// (SWA, Izmailov et al. 2018). PyTorch's AveragedModel.
import { expectArguments, fields, instance, maybe, number } from '../check.ts';
import { StateDictError, VoxelgradError } from '../errors.ts';
import { scope } from '../engine/scope.ts';
import { zeros, type Tensor } from '../engine/tensor.ts';
import { hostScalars } from '../engine/trace.ts';
import { Module, type StateDict, type StateEntry } from '../nn/module.ts';
import type { Parameter } from '../nn/parameter.ts';
import { addScaled, assignScaled } from '../ops/optim.ts';
import { mul, mulScalar, sub } from '../ops/pointwise.ts';

export class WeightAverage implements Disposable {
  /** How many weights are in it. */
  count = 0;
  private readonly net: Module;
  private readonly decay: number | null;
  private readonly averages: ReadonlyMap<string, { readonly param: Parameter; readonly mean: Tensor }>;

  /**
   * `decay`: what is left of the average when new weights come, say 0.999; left out, all weights count alike. The first are taken as they
   * are.
   */
  constructor(net: Module, options: { decay?: number } = {}) {
    expectArguments('WeightAverage', { net: instance('a module', Module), options: fields({ decay: maybe(number(0, 1)) }) }, [
      net,
      options,
    ]);
    this.net = net;
    this.decay = options.decay ?? null;
    const trainable = [...net.namedParameters()].filter(([, p]) => p.trainable);
    this.averages = new Map(trainable.map(([name, param]) => [name, { param, mean: zeros(param.shape, { name: `average of ${name}` }) }]));
  }

  /** Takes the weights as they are now: in a step after the optimiser's, at every run; or by itself between runs. */
  update(): void {
    scope(() => {
      const share = hostScalars(1, 'f32', () => {
        const first = this.count === 0;
        this.count++;
        return Float32Array.of(first ? 1 : this.decay === null ? 1 / this.count : 1 - this.decay);
      });
      for (const { param, mean } of this.averages.values()) addScaled(mean, mul(sub(param, mean), share), 1);
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

  private expectSome(): void {
    if (this.count === 0) throw new VoxelgradError('ORDER', 'average: holds no weights yet.', 'Call update() first.');
  }

  dispose(): void {
    for (const { mean } of this.averages.values()) mean.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
