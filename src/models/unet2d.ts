// SPDX-License-Identifier: MIT
// U-Net (Ronneberger et al. 2015) on slices, with batch norm (specification 9.6); module names of the widespread public code.
import type { FloatType } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { concat } from '../ops/layout.ts';
import { maxPool2d } from '../ops/pool.ts';
import { castTo } from '../nn/cast_to.ts';
import { Conv2d, ConvTranspose2d } from '../nn/convolution.ts';
import { BatchNorm } from '../nn/layers.ts';
import { Module } from '../nn/module.ts';

export interface UNet2DConfig {
  /** Channels at full resolution; each of the four levels below has twice as many. */
  readonly width: number;
  readonly inChannels: number;
  readonly classes: number;
}

/** Two 3 x 3 convolutions, each with batch norm and ReLU, numbered as in a PyTorch Sequential that counts the ReLUs. */
class DoubleConv extends Module {
  readonly double_conv = new Module() as Module & { 0: Conv2d; 1: BatchNorm; 3: Conv2d; 4: BatchNorm };
  constructor(from: number, to: number) {
    super();
    const conv = (channels: number): Conv2d => new Conv2d(channels, to, 3, { padding: 1, bias: true });
    Object.assign(this.double_conv, { 0: conv(from), 1: new BatchNorm(to), 3: conv(to), 4: new BatchNorm(to) });
  }
  forward(x: Tensor): Tensor {
    const { 0: first, 1: norm, 3: second, 4: last } = this.double_conv;
    return last.forward(second.forward(norm.forward(first.forward(x), { relu: true })), { relu: true });
  }
}

class Up extends Module {
  readonly up: ConvTranspose2d;
  readonly conv: DoubleConv;
  constructor(from: number) {
    super();
    this.up = new ConvTranspose2d(from, from / 2, 2, { stride: 2 });
    this.conv = new DoubleConv(from, from / 2);
  }
  forward(below: Tensor, skip: Tensor): Tensor {
    return this.conv.forward(concat([skip, this.up.forward(below)], { axis: -1 }));
  }
}

export class UNet2D extends Module {
  readonly inc: DoubleConv;
  readonly down1: DoubleConv;
  readonly down2: DoubleConv;
  readonly down3: DoubleConv;
  readonly down4: DoubleConv;
  readonly up1: Up;
  readonly up2: Up;
  readonly up3: Up;
  readonly up4: Up;
  readonly outc: Conv2d;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor({ width: w, inChannels, classes }: UNet2DConfig, storage: FloatType = 'f32') {
    super();
    this.storage = storage;
    this.inc = new DoubleConv(inChannels, w);
    this.down1 = new DoubleConv(w, 2 * w);
    this.down2 = new DoubleConv(2 * w, 4 * w);
    this.down3 = new DoubleConv(4 * w, 8 * w);
    this.down4 = new DoubleConv(8 * w, 16 * w);
    this.up1 = new Up(16 * w);
    this.up2 = new Up(8 * w);
    this.up3 = new Up(4 * w);
    this.up4 = new Up(2 * w);
    this.outc = new Conv2d(w, classes, 1, { bias: true });
  }

  /** x [N, H, W, in], sides multiples of 16 -> logits [N, H, W, K] */
  forward(x: Tensor): Tensor {
    const below = (map: Tensor): Tensor => maxPool2d(map, { kernel: 2, stride: 2 });
    const x1 = this.inc.forward(castTo(x, this.storage));
    const x2 = this.down1.forward(below(x1));
    const x3 = this.down2.forward(below(x2));
    const x4 = this.down3.forward(below(x3));
    const x5 = this.down4.forward(below(x4));
    const y = this.up4.forward(this.up3.forward(this.up2.forward(this.up1.forward(x5, x4), x3), x2), x1);
    return castTo(this.outc.forward(y), 'f32');
  }
}
