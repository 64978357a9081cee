// SPDX-License-Identifier: MIT
// Swin-SMT (specification 9.5): Swin-UNETR of the second version, in whose last stages a soft mixture of experts takes the place of the
// MLP.
import type { FloatType } from '../../engine/dtype.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { layerNorm } from '../../ops/norm.ts';
import { castTo } from '../../nn/cast_to.ts';
import { Conv3d } from '../../nn/convolution.ts';
import { Module } from '../../nn/module.ts';
import { SoftMoE } from '../../nn/soft_moe.ts';
import { ResBlock, UpBlock } from '../res_blocks.ts';
import { swinBlocks, type SwinBlock } from '../swin/block.ts';
import { CUBE, PatchMerging } from '../swin/merging.ts';

export interface SwinSMTConfig {
  /** Channels of the first stage; every stage doubles them and halves the sides. */
  readonly width: number;
  /** Blocks of each stage. */
  readonly depths: readonly number[];
  readonly heads: readonly number[];
  /** Side of a window, in tokens. */
  readonly window: number;
  readonly experts: number;
  /** How many of the last stages have experts. */
  readonly expertStages: number;
  readonly inChannels: number;
  readonly classes: number;
}

/** A residual block, then the transformer's, then half the sides. */
class Stage extends Module {
  readonly conv: ResBlock;
  readonly blocks: SwinBlock[];
  readonly downsample: PatchMerging;
  constructor(depth: number, dim: number, heads: number, window: number, experts: number) {
    super();
    this.conv = new ResBlock(dim, dim);
    this.blocks = swinBlocks(depth, dim, heads, [window, window, window], experts > 0 ? () => new SoftMoE(dim, experts) : undefined);
    this.downsample = new PatchMerging(dim, CUBE);
  }
  forward(x: Tensor): Tensor {
    return this.downsample.forward(this.blocks.reduce((y, block) => block.forward(y), this.conv.forward(x)));
  }
}

export class SwinSMT extends Module {
  readonly patch_embed: Conv3d;
  readonly stages: Stage[];
  /** On the input, on what each stage is given, but for the last one, and on the deepest map. */
  readonly encoders: ResBlock[];
  readonly decoders: UpBlock[];
  readonly out: Conv3d;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor({ width, depths, heads, window, experts, expertStages, inChannels, classes }: SwinSMTConfig, storage: FloatType = 'f32') {
    super();
    this.storage = storage;
    const n = depths.length;
    const widths = depths.map((_, i) => width * 2 ** i);
    const deepest = width * 2 ** n;
    this.patch_embed = new Conv3d(inChannels, width, 2, { stride: 2, bias: true });
    this.stages = depths.map((depth, i) => new Stage(depth, widths[i], heads[i], window, i >= n - expertStages ? experts : 0));
    this.encoders = [
      new ResBlock(inChannels, width),
      ...widths.slice(0, -1).map((w) => new ResBlock(w, w)),
      new ResBlock(deepest, deepest),
    ];
    this.decoders = [...widths]
      .reverse()
      .map((w) => new UpBlock(2 * w, w))
      .concat(new UpBlock(width, width));
    this.out = new Conv3d(width, classes, 1, { bias: true });
  }

  /** x [B, D, H, W, in], sides multiples of 2^(stages + 1) -> logits [B, D, H, W, K] */
  forward(x: Tensor): Tensor {
    const image = castTo(x, this.storage);
    const plain = (map: Tensor): Tensor => layerNorm(map); // over channels, without weights
    let y = this.patch_embed.forward(image);
    const hidden = [plain(y)];
    for (const stage of this.stages) hidden.push(plain((y = stage.forward(y))));
    const skips = [image, ...hidden].map((map, i) =>
      i === this.stages.length
        ? map // the last stage's input has no encoder
        : this.encoders[Math.min(i, this.encoders.length - 1)].forward(map),
    );
    let z = skips.pop()!;
    for (const up of this.decoders) z = up.forward(z, skips.pop()!);
    return castTo(this.out.forward(z), 'f32');
  }
}
