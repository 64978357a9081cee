// SPDX-License-Identifier: MIT
// The transformer of the Cross Transformer Network (specification 9.3): Swin for video, whose windows are thin and whose depth is never
// merged.
import type { Triple } from '../../axes.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { conv3d } from '../../ops/conv.ts';
import { pad } from '../../ops/layout.ts';
import { castTo } from '../../nn/cast_to.ts';
import { fanInBias, fanInUniform } from '../../nn/init.ts';
import { Module } from '../../nn/module.ts';
import { Parameter } from '../../nn/parameter.ts';
import { swinBlocks, type SwinBlock } from '../swin/block.ts';
import { PatchMerging, SQUARE } from '../swin/merging.ts';

const PATCH: Readonly<Triple> = [2, 4, 4];

/** One token for 2 x 4 x 4 voxels; zeros make whole patches. */
class PatchEmbed extends Module {
  readonly proj: PatchConvolution;
  constructor(inChannels: number, dim: number) {
    super();
    this.proj = new PatchConvolution(inChannels, dim);
  }
  forward(x: Tensor): Tensor {
    return this.proj.forward(pad(x, { axes: [1, 2, 3], after: PATCH.map((n, i) => (n - (x.shape[i + 1] % n)) % n) }));
  }
}

class PatchConvolution extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  constructor(inChannels: number, dim: number) {
    super();
    this.weight = new Parameter([dim, inChannels, ...PATCH], fanInUniform, { layout: 'conv' });
    this.bias = new Parameter([dim], fanInBias(inChannels * PATCH.reduce((a, b) => a * b, 1)));
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => conv3d(x, castTo(this.weight, x.dtype), { bias: castTo(this.bias, x.dtype), stride: PATCH }));
  }
}

class Stage extends Module {
  readonly blocks: SwinBlock[];
  readonly downsample: PatchMerging | null;
  constructor(depth: number, dim: number, heads: number, window: Readonly<Triple>, merges: boolean) {
    super();
    this.blocks = swinBlocks(depth, dim, heads, window);
    this.downsample = merges ? new PatchMerging(dim, SQUARE) : null;
  }
  forward(x: Tensor): Tensor {
    const y = this.blocks.reduce((z, block) => block.forward(z), x);
    return this.downsample ? this.downsample.forward(y) : y;
  }
}

export interface VideoSwinConfig {
  /** Channels of the first stage; every merging doubles them. */
  readonly dim: number;
  readonly depths: readonly number[];
  readonly heads: readonly number[];
  readonly window: Readonly<Triple>;
}

export class VideoSwin extends Module {
  readonly patch_embed: PatchEmbed;
  readonly layers: Stage[];
  constructor(inChannels: number, { dim, depths, heads, window }: VideoSwinConfig) {
    super();
    this.patch_embed = new PatchEmbed(inChannels, dim);
    this.layers = depths.map((depth, i) => new Stage(depth, dim * 2 ** i, heads[i], window, i < depths.length - 1));
  }
  /**
   * x [B, D, H, W, in] -> what each stage gives: [B, D / 2, H / 8, W / 8, 2 dim], [.., H / 16, .., 4 dim], ..., the last one not merged
   * (sides rounded up).
   */
  forward(x: Tensor): Tensor[] {
    const out: Tensor[] = [];
    let y = this.patch_embed.forward(x);
    for (const layer of this.layers) out.push((y = layer.forward(y)));
    return out;
  }
}
