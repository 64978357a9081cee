// SPDX-License-Identifier: MIT
// A residual 3D U-Net of nnU-Net's kind (Isensee et al. 2024, "ResEnc"): residual encoder, one convolution a decoder stage, instance norm
// and leaky ReLU, names of the public code. Deep supervision is left out, as for all compared networks.
import type { FloatType } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { concat } from '../ops/layout.ts';
import { add, leakyRelu } from '../ops/pointwise.ts';
import { avgPool3d } from '../ops/pool.ts';
import { castTo } from '../nn/cast_to.ts';
import { Conv3d, ConvTranspose3d } from '../nn/convolution.ts';
import { Module } from '../nn/module.ts';
import { InstanceNorm } from '../nn/norms.ts';

export interface UNet3DConfig {
  /** Channels of each stage; every stage after the first halves the sides. */
  readonly widths: readonly number[];
  /** Residual blocks of each stage. */
  readonly blocks: readonly number[];
  readonly inChannels: number;
  readonly classes: number;
}

const rectify = (x: Tensor): Tensor => leakyRelu(x, 0.01);

/** Convolution and instance norm. */
class ConvNorm extends Module {
  readonly conv: Conv3d;
  readonly norm: InstanceNorm;
  constructor(from: number, to: number, kernel: 1 | 3, { stride = 1, bias = true }: { stride?: number; bias?: boolean } = {}) {
    super();
    this.conv = new Conv3d(from, to, kernel, { padding: (kernel - 1) / 2, stride, bias });
    this.norm = new InstanceNorm(to, { affine: true });
  }
  forward(x: Tensor): Tensor {
    return this.norm.forward(this.conv.forward(x));
  }
}

class Residual extends Module {
  readonly conv1: ConvNorm;
  readonly conv2: ConvNorm;
  /** Where the sides or the channels change: the mean of 2 x 2 x 2 voxels, then 1 x 1 x 1. */
  readonly skip: ConvNorm | null;
  private readonly stride: number;
  constructor(from: number, to: number, stride: number) {
    super();
    this.stride = stride;
    this.conv1 = new ConvNorm(from, to, 3, { stride });
    this.conv2 = new ConvNorm(to, to, 3);
    this.skip = stride !== 1 || from !== to ? new ConvNorm(from, to, 1, { bias: false }) : null;
  }
  forward(x: Tensor): Tensor {
    const kept = this.stride === 1 ? x : avgPool3d(x, { kernel: 2, stride: 2 });
    return rectify(add(this.conv2.forward(rectify(this.conv1.forward(x))), this.skip ? this.skip.forward(kept) : kept));
  }
}

class Stage extends Module {
  readonly blocks: Residual[];
  constructor(from: number, to: number, count: number, stride: number) {
    super();
    this.blocks = Array.from({ length: count }, (_, i) => new Residual(i === 0 ? from : to, to, i === 0 ? stride : 1));
  }
  forward(x: Tensor): Tensor {
    return this.blocks.reduce((y, block) => block.forward(y), x);
  }
}

export class UNet3D extends Module {
  readonly stem: ConvNorm;
  readonly stages: Stage[];
  readonly transpconvs: ConvTranspose3d[];
  readonly decoder: ConvNorm[];
  readonly seg_layer: Conv3d;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor({ widths, blocks, inChannels, classes }: UNet3DConfig, storage: FloatType = 'f32') {
    super();
    this.storage = storage;
    const first = widths[0];
    this.stem = new ConvNorm(inChannels, first, 3);
    this.stages = widths.map((to, i) => new Stage(i === 0 ? first : widths[i - 1], to, blocks[i], i === 0 ? 1 : 2));
    const upwards = widths
      .slice(0, -1)
      .map((to, i) => ({ to, from: widths[i + 1] }))
      .reverse();
    this.transpconvs = upwards.map(({ from, to }) => new ConvTranspose3d(from, to, 2, { stride: 2 }));
    this.decoder = upwards.map(({ to }) => new ConvNorm(2 * to, to, 3));
    this.seg_layer = new Conv3d(first, classes, 1, { bias: true });
  }

  /** x [B, D, H, W, in], sides multiples of 2^(stages - 1) -> logits [B, D, H, W, K] */
  forward(x: Tensor): Tensor {
    const skips: Tensor[] = [];
    let y = rectify(this.stem.forward(castTo(x, this.storage)));
    for (const stage of this.stages) skips.push((y = stage.forward(y)));
    skips.pop();
    this.transpconvs.forEach((up, i) => {
      y = rectify(this.decoder[i].forward(concat([up.forward(y), skips.pop()!], { axis: -1 })));
    });
    return castTo(this.seg_layer.forward(y), 'f32');
  }
}
