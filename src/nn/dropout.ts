// SPDX-License-Identifier: MIT
// Dropout as layers: single values, whole channels of maps and volumes (PyTorch's Dropout, Dropout2d, Dropout3d), or whole samples. The
// numbers come from a RandomSource that the training step gives (`useRandom`), so that a resumed run draws the same.
import { expectArguments, number } from '../check.ts';
import { VoxelgradError } from '../errors.ts';
import type { Tensor } from '../engine/tensor.ts';
import { dropout, type RandomSource } from '../ops/random.ts';
import { Module } from './module.ts';

/** x of any shape: each value is 0 with probability `p`, the rest are divided by 1 - p; x itself in evaluation. */
export class Dropout extends Module {
  source: RandomSource | null = null;
  readonly p: number;
  constructor(p = 0.5) {
    super();
    expectArguments(new.target.name, { p: number(0, 1) }, [p]);
    this.p = p;
  }
  /** Axes along which values go together. */
  protected shared(_x: Tensor): readonly number[] {
    return [];
  }
  forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x;
    const random = this.source;
    if (!random)
      throw new VoxelgradError(
        'USAGE',
        `${this.path || this.constructor.name}: dropout in training has no numbers to draw.`,
        'Give the network a source: useRandom(net, new RandomSource({ seed, stream, step })).',
      );
    return this.scoped(() => dropout(x, { p: this.p, random, shared: this.shared(x) }));
  }
}

class ChannelDropout extends Dropout {
  protected override shared({ shape }: Tensor): readonly number[] {
    return shape.slice(1, -1).map((_, i) => i + 1);
  }
}
/** x [N, H, W, C]: whole channels of a sample are 0. */
export class Dropout2d extends ChannelDropout {}
/** x [N, D, H, W, C]: whole channels of a sample are 0. */
export class Dropout3d extends ChannelDropout {}
/** x [N, ...]: whole samples are 0, as a residual branch that they skip (drop path, stochastic depth). */
export class DropPath extends Dropout {
  protected override shared({ shape }: Tensor): readonly number[] {
    return shape.slice(1).map((_, i) => i + 1);
  }
}

/** Gives every dropout layer of a network its numbers. */
export function useRandom(net: Module, source: RandomSource): void {
  for (const module of net.modules()) if (module instanceof Dropout) module.source = source;
}
