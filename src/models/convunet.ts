// SPDX-License-Identifier: MIT
// ConvUNET (Tang et al. 2023; specification 9.2): a backbone of large depthwise kernels with global response norm, whose maps a residual
// U-Net takes up. Module names of the public code, stages counted from 0. Deep supervision is left out, as for all compared networks.
import type { FloatType } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { layerNorm } from '../ops/norm.ts';
import { add, gelu, mul } from '../ops/pointwise.ts';
import { reshape } from '../ops/reshape.ts';
import { castTo } from '../nn/cast_to.ts';
import { DropPath } from '../nn/dropout.ts';
import { fanInBias, fanInUniform } from '../nn/init.ts';
import { Conv3d } from '../nn/convolution.ts';
import { LayerNorm, Sequential } from '../nn/layers.ts';
import { Module } from '../nn/module.ts';
import { GlobalResponseNorm } from '../nn/norms.ts';
import { Parameter } from '../nn/parameter.ts';
import { ResBlock, UpBlock } from './res_blocks.ts';

export interface ConvUNETConfig {
  /** Channels at full resolution and of the backbone's first stage; each stage after it has twice as many. */
  readonly width: number;
  /** Stages of the backbone; every one halves the sides. */
  readonly stages: number;
  /** Blocks of each stage. */
  readonly blocks: number;
  readonly inChannels: number;
  readonly classes: number;
  /** Share of samples that skip the deepest block's branch; less towards the first. */
  readonly dropPath: number;
}

/** Depthwise 1 x 1 x 1 convolution: a factor and a summand for every channel, which need no kernel of convolution. */
class PerChannel extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  constructor(channels: number) {
    super();
    this.weight = new Parameter([channels, 1, 1, 1, 1], fanInUniform);
    this.bias = new Parameter([channels], fanInBias(1));
  }
  forward(x: Tensor): Tensor {
    return this.scoped(() => add(mul(x, castTo(reshape(this.weight, this.bias.shape), x.dtype)), castTo(this.bias, x.dtype)));
  }
}

class ConvBlock extends Module {
  readonly norm: LayerNorm;
  readonly attn = new Module() as Module & { 0: PerChannel; 2: Conv3d };
  readonly val: PerChannel;
  readonly grn: GlobalResponseNorm;
  readonly proj: PerChannel;
  readonly drop_path: DropPath;
  constructor(channels: number, dropPath: number) {
    super();
    this.norm = new LayerNorm(channels);
    Object.assign(this.attn, {
      0: new PerChannel(channels),
      2: new Conv3d(channels, channels, 4, { padding: 3, dilation: 2, groups: channels, bias: true }),
    });
    this.val = new PerChannel(channels);
    this.grn = new GlobalResponseNorm(channels);
    this.proj = new PerChannel(channels);
    this.drop_path = new DropPath(dropPath);
  }
  /** x [B, D, H, W, C] -> the same */
  forward(x: Tensor): Tensor {
    const y = this.norm.forward(x);
    const weights = this.attn[2].forward(gelu(this.attn[0].forward(y)));
    return add(x, this.drop_path.forward(this.proj.forward(this.grn.forward(mul(weights, this.val.forward(y))))));
  }
}

class ConvNet extends Module {
  readonly down_samplers: Sequential[];
  readonly stages: Sequential[];
  constructor({ width, stages, blocks, inChannels, dropPath }: ConvUNETConfig) {
    super();
    const half = (from: number, to: number): Conv3d => new Conv3d(from, to, 4, { stride: 2, padding: 1, bias: true });
    const widths = Array.from({ length: stages }, (_, i) => width * 2 ** i);
    const rate = (block: number): number => (dropPath * block) / Math.max(1, stages * blocks - 1);
    this.down_samplers = widths.map((to, i) =>
      i === 0 ? new Sequential(half(inChannels, to), new LayerNorm(to)) : new Sequential(new LayerNorm(to / 2), half(to / 2, to)),
    );
    this.stages = widths.map(
      (channels, i) => new Sequential(...Array.from({ length: blocks }, (_, j) => new ConvBlock(channels, rate(i * blocks + j)))),
    );
  }
  /** The map of each stage, the finest first. */
  forward(x: Tensor): Tensor[] {
    let y = x;
    return this.stages.map((stage, i) => (y = stage.forward(this.down_samplers[i].forward(y))));
  }
}

export class ConvUNET extends Module {
  readonly backbone: ConvNet;
  /** Of the input, then of each map of the backbone. */
  readonly encoders: ResBlock[];
  /** The deepest first. */
  readonly decoders: UpBlock[];
  readonly output: Conv3d;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor(config: ConvUNETConfig, storage: FloatType = 'f32') {
    super();
    this.storage = storage;
    const { width, stages, inChannels, classes } = config;
    this.backbone = new ConvNet(config);
    this.encoders = Array.from({ length: stages + 1 }, (_, i) => new ResBlock(i === 0 ? inChannels : width * 2 ** (i - 1), width * 2 ** i));
    this.decoders = Array.from({ length: stages }, (_, i) => new UpBlock(width * 2 ** (stages - i), width * 2 ** (stages - i - 1)));
    this.output = new Conv3d(width, classes, 1, { bias: true });
  }

  /** x [B, D, H, W, in], sides multiples of 2^stages -> logits [B, D, H, W, K] */
  forward(x: Tensor): Tensor {
    const image = castTo(x, this.storage);
    const maps = [image, ...this.backbone.forward(image).map((map) => layerNorm(map))];
    const [deepest, ...skips] = maps.map((map, i) => this.encoders[i].forward(map)).reverse();
    const y = this.decoders.reduce((below, decoder, i) => decoder.forward(below, skips[i]), deepest);
    return castTo(this.output.forward(y), 'f32');
  }
}
