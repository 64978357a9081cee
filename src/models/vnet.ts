// SPDX-License-Identifier: MIT
// VNet (Milletari et al. 2016) as 3D networks of sparse supervision use it (specification 9.6): skips by addition, names of the public
// code.
import type { FloatType } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { add } from '../ops/pointwise.ts';
import { castTo } from '../nn/cast_to.ts';
import { Dropout3d } from '../nn/dropout.ts';
import { Conv3d, ConvTranspose3d } from '../nn/convolution.ts';
import { BatchNorm } from '../nn/layers.ts';
import { Module } from '../nn/module.ts';

export interface VNetConfig {
  /** Channels of the first stage; each of the four below has twice as many. */
  readonly width: number;
  readonly inChannels: number;
  readonly classes: number;
  /** Of whole channels, after the bottleneck and before the head. */
  readonly dropout: number;
}

type Layer = Module & { forward(x: Tensor): Tensor };

/** Convolutions, each followed by batch norm and ReLU, numbered as in a PyTorch Sequential that counts the ReLUs. */
class Block extends Module {
  readonly conv = new Module() as Module & Record<number, Layer & BatchNorm>;
  private readonly count: number;
  constructor(...layers: Layer[]) {
    super();
    this.count = layers.length;
    layers.forEach((layer, i) =>
      Object.assign(this.conv, {
        [3 * i]: layer,
        [3 * i + 1]: new BatchNorm((layer as Conv3d).weight.torchShape[layer instanceof ConvTranspose3d ? 1 : 0]),
      }),
    );
  }
  forward(x: Tensor): Tensor {
    let y = x;
    for (let i = 0; i < this.count; i++) y = this.conv[3 * i + 1].forward(this.conv[3 * i].forward(y), { relu: true });
    return y;
  }
}

const same = (n: number, from: number, to: number): Block =>
  new Block(...Array.from({ length: n }, (_, i) => new Conv3d(i === 0 ? from : to, to, 3, { padding: 1, bias: true })));
const down = (from: number): Block => new Block(new Conv3d(from, 2 * from, 2, { stride: 2, bias: true }));
const up = (from: number): Block => new Block(new ConvTranspose3d(from, from / 2, 2, { stride: 2 }));

export class VNet extends Module {
  readonly block_one: Block;
  readonly block_one_dw: Block;
  readonly block_two: Block;
  readonly block_two_dw: Block;
  readonly block_three: Block;
  readonly block_three_dw: Block;
  readonly block_four: Block;
  readonly block_four_dw: Block;
  readonly block_five: Block;
  readonly block_five_up: Block;
  readonly block_six: Block;
  readonly block_six_up: Block;
  readonly block_seven: Block;
  readonly block_seven_up: Block;
  readonly block_eight: Block;
  readonly block_eight_up: Block;
  readonly block_nine: Block;
  readonly out_conv: Conv3d;
  readonly dropout: Dropout3d;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor({ width: w, inChannels, classes, dropout }: VNetConfig, storage: FloatType = 'f32') {
    super();
    this.storage = storage;
    this.block_one = same(1, inChannels, w);
    this.block_one_dw = down(w);
    this.block_two = same(2, 2 * w, 2 * w);
    this.block_two_dw = down(2 * w);
    this.block_three = same(3, 4 * w, 4 * w);
    this.block_three_dw = down(4 * w);
    this.block_four = same(3, 8 * w, 8 * w);
    this.block_four_dw = down(8 * w);
    this.block_five = same(3, 16 * w, 16 * w);
    this.block_five_up = up(16 * w);
    this.block_six = same(3, 8 * w, 8 * w);
    this.block_six_up = up(8 * w);
    this.block_seven = same(3, 4 * w, 4 * w);
    this.block_seven_up = up(4 * w);
    this.block_eight = same(2, 2 * w, 2 * w);
    this.block_eight_up = up(2 * w);
    this.block_nine = same(1, w, w);
    this.out_conv = new Conv3d(w, classes, 1, { bias: true });
    this.dropout = new Dropout3d(dropout);
  }

  /** x [B, D, H, W, in], sides multiples of 16 -> logits [B, D, H, W, K] */
  forward(x: Tensor): Tensor {
    const x1 = this.block_one.forward(castTo(x, this.storage));
    const x2 = this.block_two.forward(this.block_one_dw.forward(x1));
    const x3 = this.block_three.forward(this.block_two_dw.forward(x2));
    const x4 = this.block_four.forward(this.block_three_dw.forward(x3));
    const x5 = this.dropout.forward(this.block_five.forward(this.block_four_dw.forward(x4)));
    const y4 = this.block_six.forward(add(this.block_five_up.forward(x5), x4));
    const y3 = this.block_seven.forward(add(this.block_six_up.forward(y4), x3));
    const y2 = this.block_eight.forward(add(this.block_seven_up.forward(y3), x2));
    const y1 = this.dropout.forward(this.block_nine.forward(add(this.block_eight_up.forward(y2), x1)));
    return castTo(this.out_conv.forward(y1), 'f32');
  }
}
