// SPDX-License-Identifier: MIT
// Transformer block of shifted windows in 3D, as both of video (CTN) and of volumes (Swin-SMT) have it (specification 9.3, 9.5).
import type { Triple } from '../../axes.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { pad, slice } from '../../ops/layout.ts';
import { add, gelu } from '../../ops/pointwise.ts';
import { windowAttention } from '../../ops/window_attention.ts';
import { castTo } from '../../nn/cast_to.ts';
import { attentionInit, LayerNorm, Linear } from '../../nn/layers.ts';
import { truncatedNormal } from '../../nn/init.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';

/** Where MLPs are replaced, what replaces them. x [B, T, C] -> [B, T, C], or of maps. */
export type Feed = Module & { forward(x: Tensor): Tensor };

/** C -> 4C -> C at every token. */
export class Mlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;
  constructor(dim: number) {
    super();
    this.fc1 = new Linear(dim, 4 * dim, attentionInit);
    this.fc2 = new Linear(4 * dim, dim, attentionInit);
  }
  forward(x: Tensor): Tensor {
    return this.fc2.forward(gelu(this.fc1.forward(x)));
  }
}

/**
 * Attention in windows. A map that is no larger than the window along an axis is one window there, and not shifted. Its tokens keep the
 * offsets that they have: public code reads the first rows of the whole window's index instead, which are other tokens' offsets.
 */
export class WindowAttention extends Module {
  /** [(2 wd - 1) (2 wh - 1) (2 ww - 1), heads] */
  readonly relative_position_bias_table: Parameter;
  readonly qkv: Linear;
  readonly proj: Linear;
  private readonly heads: number;
  private readonly window: Readonly<Triple>;
  private readonly shifted: boolean;

  constructor(dim: number, heads: number, window: Readonly<Triple>, shifted: boolean) {
    super();
    this.heads = heads;
    this.window = window;
    this.shifted = shifted;
    this.relative_position_bias_table = new Parameter([window.reduce((n, w) => n * (2 * w - 1), 1), heads], truncatedNormal(0.02), {
      decay: false,
    });
    this.qkv = new Linear(dim, 3 * dim, attentionInit);
    this.proj = new Linear(dim, dim, attentionInit);
  }

  /** x [B, D, H, W, C] -> the same. Padded with zeros at its end to whole windows; these tokens are seen as all others are. */
  forward(x: Tensor): Tensor {
    const sides = x.shape.slice(1, -1);
    const window = this.window.map((w, i) => Math.min(w, sides[i]));
    const shift = this.window.map((w, i) => (this.shifted && sides[i] > w ? w >> 1 : 0));
    const qkv = this.qkv.forward(pad(x, { axes: [1, 2, 3], after: sides.map((n, i) => (window[i] - (n % window[i])) % window[i]) }));
    const y = this.scoped(() =>
      windowAttention(qkv, castTo(this.relative_position_bias_table, qkv.dtype), { heads: this.heads, window, shift, reach: this.window }),
    );
    return this.proj.forward(slice(y, { axis: [1, 2, 3], end: sides }));
  }
}

/** x + attention(norm1(x)), then + mlp(norm2). */
export class SwinBlock extends Module {
  readonly norm1: LayerNorm;
  readonly attn: WindowAttention;
  readonly norm2: LayerNorm;
  readonly mlp: Feed;
  constructor(dim: number, heads: number, window: Readonly<Triple>, shifted: boolean, mlp: Feed = new Mlp(dim)) {
    super();
    this.norm1 = new LayerNorm(dim);
    this.attn = new WindowAttention(dim, heads, window, shifted);
    this.norm2 = new LayerNorm(dim);
    this.mlp = mlp;
  }
  /** x [B, D, H, W, C] -> the same */
  forward(x: Tensor): Tensor {
    const y = add(x, this.attn.forward(this.norm1.forward(x)));
    return add(y, this.mlp.forward(this.norm2.forward(y)));
  }
}

/** `depth` blocks, every second one shifted. */
export const swinBlocks = (depth: number, dim: number, heads: number, window: Readonly<Triple>, mlp?: () => Feed): SwinBlock[] =>
  Array.from({ length: depth }, (_, i) => new SwinBlock(dim, heads, window, i % 2 === 1, mlp?.()));
