// SPDX-License-Identifier: MIT
// Half the resolution and twice the channels: neighbouring tokens side by side, norm, one linear layer.
import type { Tensor } from '../../engine/tensor.ts';
import { concat, pad, slice } from '../../ops/layout.ts';
import { attentionInit, LayerNorm, Linear } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';

/** Phases (d, h, w) of a cell in the order of the channels. */
export type Phases = readonly (readonly [number, number, number])[];
/** The eight of a cube, w fastest. (MONAI's legacy merging takes two of them twice and leaves two out by mistake.) */
export const CUBE: Phases = [0, 1].flatMap((d) => [0, 1].flatMap((h) => [0, 1].map((w) => [d, h, w] as const)));
/** The four of a square in a slice, h fastest, as in Swin; the depth stays. */
export const SQUARE: Phases = [0, 1].flatMap((w) => [0, 1].map((h) => [0, h, w] as const));

export class PatchMerging extends Module {
  readonly norm: LayerNorm;
  readonly reduction: Linear;
  private readonly phases: Phases;
  constructor(dim: number, phases: Phases) {
    super();
    this.phases = phases;
    this.norm = new LayerNorm(phases.length * dim);
    this.reduction = new Linear(phases.length * dim, 2 * dim, { ...attentionInit, bias: false });
  }
  /** x [B, D, H, W, C] -> [B, D or D / 2, H / 2, W / 2, 2C]; zeros make odd sides even. */
  forward(x: Tensor): Tensor {
    const step = [0, 1, 2].map((axis) => 1 + Math.max(...this.phases.map((p) => p[axis])));
    const even = pad(x, { axes: [1, 2, 3], after: step.map((s, i) => x.shape[i + 1] % s) });
    return this.reduction.forward(
      this.norm.forward(
        concat(
          this.phases.map((start) => slice(even, { axis: [1, 2, 3], start, step })),
          { axis: -1 },
        ),
      ),
    );
  }
}
