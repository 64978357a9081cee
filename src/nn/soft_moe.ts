// SPDX-License-Identifier: MIT
// Soft mixture of experts with dynamic slots (Puigcerver et al. 2023): every expert sees weighted means of all tokens, and every token
// takes a weighted mean of what all experts made. Both are attention: the tokens x slots matrix of logits (N x N: 764 MB for 24^3 tokens)
// is never in memory.
import { expectArguments, integer } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { aTensor } from '../engine/door.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { attention } from '../ops/attention.ts';
import { concat, pad, split } from '../ops/layout.ts';
import { permute } from '../ops/permute.ts';
import { gelu, mul } from '../ops/pointwise.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { castTo } from './cast_to.ts';
import { Linear } from './layers.ts';
import { Module } from './module.ts';
import { RMSNorm } from './norms.ts';

class Expert extends Module {
  readonly lin1: Linear;
  readonly lin2: Linear;
  constructor(dim: number) {
    super();
    this.lin1 = new Linear(dim, 4 * dim);
    this.lin2 = new Linear(4 * dim, dim);
  }
  forward(x: Tensor): Tensor {
    return this.lin2.forward(gelu(this.lin1.forward(x)));
  }
}

/**
 * Soft mixture of `experts` of width `dim` (Puigcerver et al. 2023), each a pair of linear layers of 4 `dim`: [B, ..., dim] to the same,
 * the positions of a sample being its tokens. State dict: norm, slot_embeds, slot_norm, experts.N.lin1, lin2.
 */
export class SoftMoE extends Module {
  readonly norm: RMSNorm;
  readonly slot_embeds: Linear;
  readonly slot_norm: RMSNorm;
  readonly experts: Expert[];

  constructor(dim: number, experts: number) {
    super();
    expectArguments('SoftMoE', { dim: integer(1), experts: integer(1) }, [dim, experts]);
    this.norm = new RMSNorm(dim);
    this.slot_embeds = new Linear(dim, experts * dim, { bias: false });
    this.slot_norm = new RMSNorm(dim);
    this.experts = Array.from({ length: experts }, () => new Expert(dim));
  }

  /** x [B, ..., C], all positions of a sample as its tokens -> the same */
  forward(x: Tensor): Tensor {
    expectArguments('forward', { x: aTensor }, [x]);
    const c = x.shape.at(-1)!;
    if (x.shape.length < 3)
      throw new ShapeError(`SoftMoE: got [${x.shape}], expected [B, positions, C] with one or more axes of positions.`);
    const tokens = this.norm.forward(reshape(x, [x.shape[0], -1, c]));
    const slots = this.slots(tokens);
    // What a slot takes: softmax over tokens. What a token takes: softmax over the slots of all experts.
    const taken = attention(slots, tokens, tokens, { scale: 1 });
    const made = concat(
      split(taken, this.experts.length, { axis: 1 }).map((own, e) => this.experts[e].forward(own)),
      { axis: 1 },
    );
    return reshape(attention(tokens, slots, made, { scale: 1 }), x.shape);
  }

  /**
   * [B, N, C] -> [B, slots of the first expert, of the second, ..., C], a slot of each for E tokens in a row: their mean, of which each
   * expert has a view.
   */
  private slots(tokens: Tensor): Tensor {
    const experts = this.experts.length;
    const [b, n, c] = tokens.shape as [number, number, number];
    const runs = Math.ceil(n / experts);
    const whole = reshape(pad(tokens, { axes: [1], after: [runs * experts - n] }), [b, runs, experts, c]);
    const shares = tensor(
      Float32Array.from({ length: runs }, (_, i) => 1 / Math.min(experts, n - i * experts)),
      { shape: [runs, 1] },
    ); // the last run may be short
    const means = mul(sum(whole, { axes: 2 }), castTo(shares, tokens.dtype));
    const views = reshape(this.slot_embeds.forward(means), [b, runs, experts, c]);
    return reshape(permute(this.slot_norm.forward(views), [0, 2, 1, 3]), [b, experts * runs, c]);
  }
}
