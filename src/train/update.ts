// SPDX-License-Identifier: MIT
// The end of an iteration that ran several programs: every network's gathered gradient applied once, and the means of what the
// programs reported.
import { compile, type CompileOptions, type Program } from '../engine/program.ts';
import { zeros, type Tensor } from '../engine/tensor.ts';
import { slice } from '../ops/layout.ts';
import { addScaled, clear } from '../ops/optim.ts';
import { mulScalar } from '../ops/pointwise.ts';
import { reshape } from '../ops/reshape.ts';
import type { NetworkName } from './networks.ts';
import type { Optimiser } from './optim.ts';

/** Means of scalars over the runs of an iteration, kept on the device. */
export class RunningMeans implements Disposable {
  private readonly sums = new Map<string, Tensor>();

  /** In a trace: adds this run's share of each value. */
  add(values: Readonly<Record<string, Tensor>>, share: number): void {
    for (const [key, value] of Object.entries(values)) {
      if (!this.sums.has(key)) this.sums.set(key, zeros([1], { name: `mean ${key}` }));
      addScaled(this.sums.get(key)!, reshape(value, [1]), share);
    }
  }

  /** In a trace, after all programs that add were compiled: the means, which start again at 0. */
  take(): Record<string, Tensor> {
    return Object.fromEntries([...this.sums].map(([key, sum]) => {
      const mean = mulScalar(sum, 1);
      clear(sum);
      return [key, mean];
    }));
  }

  [Symbol.dispose](): void { for (const sum of this.sums.values()) sum.dispose(); }
}

/** In a trace, after `Optimiser.step()` returned `clip`: the norm of its network's gradient before clipping and, where it has one, its loss scale. */
export function measuresOf(name: NetworkName, optimiser: Optimiser, clip: Tensor): Record<string, Tensor> {
  return { [`${name}_norm`]: slice(clip, { axis: 0, start: 1 }), ...(optimiser.lossScale && { [`${name}_scale`]: optimiser.lossScale.current() }) };
}

/** One step of every optimiser with the gradients that it has gathered. Compile it after the programs that accumulate. */
export function compileUpdate(optimisers: ReadonlyMap<NetworkName, Optimiser>, means: RunningMeans, options: CompileOptions): Promise<Program<Record<string, Tensor>>> {
  return compile((): Record<string, Tensor> =>
    Object.assign(means.take(), ...[...optimisers].map(([name, optimiser]) => measuresOf(name, optimiser, optimiser.step()))), {}, options);
}
