// SPDX-License-Identifier: MIT
// Residual blocks of the U-shaped networks that are built from MONAI's (specification 9): instance norm without weights, leaky ReLU.
import type { Tensor } from '../engine/tensor.ts';
import { concat } from '../ops/layout.ts';
import { add, leakyRelu } from '../ops/pointwise.ts';
import { Conv3d, ConvTranspose3d } from '../nn/convolution.ts';
import { Module } from '../nn/module.ts';
import { InstanceNorm } from '../nn/norms.ts';

const rectify = (x: Tensor): Tensor => leakyRelu(x, 0.01);

/**
 * Two 3 x 3 x 3 convolutions, each with instance norm; the shortcut is 1 x 1 x 1 with instance norm where the channels change. Nothing has
 * a bias.
 */
export class ResBlock extends Module {
  readonly conv1: Conv3d;
  readonly conv2: Conv3d;
  readonly norm1: InstanceNorm;
  readonly norm2: InstanceNorm;
  readonly conv3: Conv3d | null;
  readonly norm3: InstanceNorm | null;
  constructor(from: number, to: number) {
    super();
    this.conv1 = new Conv3d(from, to, 3, { padding: 1 });
    this.conv2 = new Conv3d(to, to, 3, { padding: 1 });
    this.norm1 = new InstanceNorm(to);
    this.norm2 = new InstanceNorm(to);
    this.conv3 = from === to ? null : new Conv3d(from, to, 1);
    this.norm3 = from === to ? null : new InstanceNorm(to);
  }
  /** x [B, D, H, W, from] -> [B, D, H, W, to] */
  forward(x: Tensor): Tensor {
    const y = this.norm2.forward(this.conv2.forward(rectify(this.norm1.forward(this.conv1.forward(x)))));
    return rectify(add(y, this.conv3 && this.norm3 ? this.norm3.forward(this.conv3.forward(x)) : x));
  }
}

/** Twice the sides, then a residual block on what came up beside the skip. */
export class UpBlock extends Module {
  readonly transp_conv: ConvTranspose3d;
  readonly conv_block: ResBlock;
  constructor(from: number, to: number) {
    super();
    this.transp_conv = new ConvTranspose3d(from, to, 2, { stride: 2, bias: false });
    this.conv_block = new ResBlock(2 * to, to);
  }
  /** below [B, D, H, W, from], skip [B, 2D, 2H, 2W, to] -> as skip */
  forward(below: Tensor, skip: Tensor): Tensor {
    return this.conv_block.forward(concat([this.transp_conv.forward(below), skip], { axis: -1 }));
  }
}
