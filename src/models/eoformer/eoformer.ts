// SPDX-License-Identifier: MIT
// EoFormer (She et al. 2023; specification 9.1): convolution, then linear attention on the way down, edge stencils on the way up. Module
// names of the public code, where a stencil is a parameter that is not trained and counts.
import type { FloatType } from '../../engine/dtype.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { concat } from '../../ops/layout.ts';
import { castTo } from '../../nn/cast_to.ts';
import { Conv3d, ConvTranspose3d } from '../../nn/convolution.ts';
import { Sequential, type LayerNorm } from '../../nn/layers.ts';
import { Module } from '../../nn/module.ts';
import { GroupNorm } from '../../nn/norms.ts';
import { Block, channelNorm, EfficientAttention, SepConv, type Mixer } from './blocks.ts';
import { EoL, EoS } from './edges.ts';

export interface EoFormerConfig {
  /** Channels of each stage; every stage halves the sides. The second half of the stages attends, in heads of 32 channels. */
  readonly widths: readonly number[];
  /** Blocks of each stage, on the way down and up. */
  readonly blocks: number;
  /** Share of samples that skip the deepest block's branches; less towards the ends. */
  readonly dropPath: number;
  readonly inChannels: number;
  readonly classes: number;
}

/** Heads of 32 channels; what is narrower is one head. */
const headsOf = (channels: number): number => Math.max(1, Math.floor(channels / 32));

/** `count` numbers from 0 to `last`. */
const rising = (last: number, count: number): number[] => Array.from({ length: count }, (_, i) => (last * i) / Math.max(1, count - 1));

/** Half the sides: a convolution with a norm before it, or after the first. */
class Downsampling extends Module {
  readonly pre_norm: LayerNorm | null;
  readonly conv: Conv3d;
  readonly post_norm: LayerNorm | null;
  constructor(from: number, to: number, first: boolean) {
    super();
    this.pre_norm = first ? null : channelNorm(from);
    this.conv = new Conv3d(from, to, 3, { stride: 2, padding: 1, bias: true });
    this.post_norm = first ? channelNorm(to) : null;
  }
  forward(x: Tensor): Tensor {
    const y = this.conv.forward(this.pre_norm?.forward(x) ?? x);
    return this.post_norm?.forward(y) ?? y;
  }
}

class Encoder extends Module {
  readonly downsample_layers: Downsampling[];
  readonly stages: Sequential[];
  constructor({ widths, blocks, dropPath, inChannels }: EoFormerConfig) {
    super();
    const rates = rising(dropPath, widths.length * blocks);
    this.downsample_layers = widths.map((to, i) => new Downsampling(widths[i - 1] ?? inChannels, to, i === 0));
    this.stages = widths.map((channels, i) => {
      const scaled = i >= widths.length / 2;
      const mixer = (): Mixer => (scaled ? new EfficientAttention(channels, headsOf(channels)) : new SepConv(channels));
      return new Sequential(
        ...Array.from({ length: blocks }, (_, j) => new Block(channels, mixer(), { dropPath: rates[i * blocks + j], scaled })),
      );
    });
  }
  /** The map of each stage, the finest first. */
  forward(x: Tensor): Tensor[] {
    let y = x;
    return this.stages.map((stage, i) => (y = stage.forward(this.downsample_layers[i].forward(y))));
  }
}

/** Twice the sides; beside a skip where there is one. */
class Upsampling extends Module {
  readonly norm: GroupNorm;
  readonly transp_conv: ConvTranspose3d;
  readonly conv_block: Conv3d | null;
  constructor(from: number, to: number, skip: boolean) {
    super();
    this.norm = new GroupNorm(1, from);
    this.transp_conv = new ConvTranspose3d(from, to, 2, { stride: 2, bias: false });
    this.conv_block = skip ? new Conv3d(2 * to, to, 3, { padding: 1 }) : null;
  }
  forward(x: Tensor, skip?: Tensor): Tensor {
    const y = this.transp_conv.forward(this.norm.forward(x));
    return this.conv_block && skip ? this.conv_block.forward(concat([y, skip], { axis: -1 })) : y;
  }
}

class Decoder extends Module {
  readonly upsample_layers: Upsampling[];
  readonly stages: Sequential[];
  constructor({ widths, blocks, dropPath }: EoFormerConfig) {
    super();
    const up = [...widths].reverse();
    const rates = rising(dropPath, (up.length - 1) * blocks).reverse();
    this.upsample_layers = up.map((from, i) => new Upsampling(from, up[i + 1] ?? from / 2, i + 1 < up.length));
    this.stages = up
      .slice(1)
      .map(
        (channels, i) =>
          new Sequential(
            ...Array.from(
              { length: blocks },
              (_, j) =>
                new Block(channels, j % 2 === 0 ? EoS(channels) : EoL(channels), { dropPath: rates[i * blocks + j], scaled: false }),
            ),
          ),
      );
  }
  forward(maps: readonly Tensor[]): Tensor {
    const [deepest, ...skips] = [...maps].reverse();
    const y = this.stages.reduce((x, stage, i) => stage.forward(this.upsample_layers[i].forward(x, skips[i])), deepest);
    return this.upsample_layers.at(-1)!.forward(y);
  }
}

export class EoFormer extends Module {
  readonly encoder: Encoder;
  readonly decoder: Decoder;
  readonly out: Conv3d;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor(config: EoFormerConfig, storage: FloatType = 'f32') {
    super();
    this.storage = storage;
    this.encoder = new Encoder(config);
    this.decoder = new Decoder(config);
    this.out = new Conv3d(config.widths[0] / 2, config.classes, 1, { bias: true });
  }

  /** x [B, D, H, W, in], sides multiples of 2^stages -> logits [B, D, H, W, K] */
  forward(x: Tensor): Tensor {
    return castTo(this.out.forward(this.decoder.forward(this.encoder.forward(castTo(x, this.storage)))), 'f32');
  }
}
