// SPDX-License-Identifier: MIT
// Image encoder of SAM-Med3D: a 3D vision transformer with decomposed relative positions (specification 3.2).
import type { Tensor } from '../../engine/tensor.ts';
import { relativeAttention } from '../../ops/relative_attention.ts';
import { add, gelu } from '../../ops/pointwise.ts';
import { windowPartition, windowReverse } from '../../ops/windows.ts';
import { castTo } from '../../nn/cast_to.ts';
import { zerosInit } from '../../nn/init.ts';
import { Conv3d } from '../../nn/convolution.ts';
import { LayerNorm, Linear, Sequential } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';
import { MlpBlock } from './blocks.ts';
import { PROMPT_DIM, type SamConfig } from './config.ts';
import { officialAttention } from './official.ts';

const GLOBAL_BLOCKS = [2, 5, 8, 11];

export class Attention extends Module {
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly rel_pos_d: Parameter;
  readonly rel_pos_h: Parameter;
  readonly rel_pos_w: Parameter;
  private readonly heads: number;
  private readonly official: boolean;

  /** `n`: axis length of the token grid or window. */
  constructor(dim: number, heads: number, n: number, official = false) {
    super();
    this.official = official;
    this.heads = heads;
    this.qkv = new Linear(dim, 3 * dim);
    this.proj = new Linear(dim, dim);
    const table = (): Parameter => new Parameter([2 * n - 1, dim / heads], zerosInit);
    this.rel_pos_d = table();
    this.rel_pos_h = table();
    this.rel_pos_w = table();
  }

  /** x [B, d, h, w, dim] -> the same shape */
  forward(x: Tensor): Tensor {
    const qkv = this.qkv.forward(x);
    const y = this.scoped(() => {
      const [d, h, w] = [this.rel_pos_d, this.rel_pos_h, this.rel_pos_w].map((table) => castTo(table, qkv.dtype)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      return this.official ? officialAttention(qkv, [d, h, w], this.heads) : relativeAttention(qkv, d, h, w, { heads: this.heads });
    });
    return this.proj.forward(y);
  }
}

export class Block extends Module {
  readonly norm1: LayerNorm;
  readonly attn: Attention;
  readonly norm2: LayerNorm;
  readonly mlp: MlpBlock;
  private readonly window: number;

  constructor(dim: number, heads: number, grid: number, window: number, official = false) {
    super();
    this.window = window;
    this.norm1 = new LayerNorm(dim, 1e-6);
    this.attn = new Attention(dim, heads, window || grid, official);
    this.norm2 = new LayerNorm(dim, 1e-6);
    this.mlp = new MlpBlock(dim, 4 * dim, gelu);
  }

  forward(x: Tensor): Tensor {
    const normed = this.norm1.forward(x);
    const attended =
      this.window === 0
        ? this.attn.forward(normed)
        : windowReverse(this.attn.forward(windowPartition(normed, { window: this.window })), { window: this.window, shape: x.shape });
    const y = add(x, attended);
    return add(y, this.mlp.forward(this.norm2.forward(y)));
  }
}

class PatchEmbed extends Module {
  readonly proj: Conv3d;
  constructor(dim: number) {
    super();
    this.proj = new Conv3d(1, dim, 16, { stride: 16, bias: true });
  }
  forward(x: Tensor): Tensor {
    return this.proj.forward(x);
  }
}

/** [1^3 convolution, norm, 3^3 convolution, norm] to the prompt width. */
export const neck = (dim: number): Sequential =>
  new Sequential(
    new Conv3d(dim, PROMPT_DIM, 1),
    new LayerNorm(PROMPT_DIM, 1e-6),
    new Conv3d(PROMPT_DIM, PROMPT_DIM, 3, { padding: 1 }),
    new LayerNorm(PROMPT_DIM, 1e-6),
  );

export class ImageEncoder extends Module {
  readonly patch_embed: PatchEmbed;
  readonly pos_embed: Parameter;
  readonly blocks: Block[];
  readonly neck: Sequential;

  constructor({ size, dim, depth, heads, window, official }: SamConfig) {
    super();
    const grid = size / 16;
    this.patch_embed = new PatchEmbed(dim);
    this.pos_embed = new Parameter([1, grid, grid, grid, dim], zerosInit);
    this.blocks = Array.from(
      { length: depth },
      (_, i) => new Block(dim, heads, grid, GLOBAL_BLOCKS.includes(i) ? 0 : window, official !== undefined),
    );
    this.neck = neck(dim);
  }

  /** x [B, S, S, S, 1] -> [B, g, g, g, 384], g = S / 16 */
  forward(x: Tensor): Tensor {
    let y = add(this.patch_embed.forward(x), castTo(this.pos_embed, x.dtype));
    for (const block of this.blocks) y = block.forward(y);
    return this.neck.forward(y);
  }
}
