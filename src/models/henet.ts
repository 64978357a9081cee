// SPDX-License-Identifier: MIT
// HENet (specification 9.4): a 3D U-Net that also sees its image with a contrast of its own choice, and whose bottleneck attends to all
// scales. Its code is not published: names, and everything but these two ideas, are the specification's.
import type { FloatType } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { attention } from '../ops/attention.ts';
import { concat, split } from '../ops/layout.ts';
import { add, addScalar, div, leakyRelu, mulScalar, relu, sigmoid, softplus, sub, tanh } from '../ops/pointwise.ts';
import { adaptiveAvgPool3d, maxPool3d } from '../ops/pool.ts';
import { mean } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { resize } from '../ops/resize.ts';
import { castTo } from '../nn/cast_to.ts';
import { Conv3d, ConvTranspose3d } from '../nn/convolution.ts';
import { attentionInit, Linear } from '../nn/layers.ts';
import { Module } from '../nn/module.ts';
import { InstanceNorm } from '../nn/norms.ts';

export interface HENetConfig {
  /** Channels of each level, at least three; every level after the first halves the sides. */
  readonly widths: readonly number[];
  /** Channels in which scales attend to each other. */
  readonly attention: number;
  readonly inChannels: number;
  readonly classes: number;
}

/** Convolution (no bias), instance norm, leaky ReLU. */
class ConvNorm extends Module {
  readonly conv: Conv3d;
  readonly norm: InstanceNorm;
  constructor(from: number, to: number, stride = 1) {
    super();
    this.conv = new Conv3d(from, to, 3, { padding: 1, stride });
    this.norm = new InstanceNorm(to);
  }
  forward(x: Tensor): Tensor {
    return leakyRelu(this.norm.forward(this.conv.forward(x)), 0.01);
  }
}

class DoubleConv extends Module {
  readonly conv1: ConvNorm;
  readonly conv2: ConvNorm;
  constructor(from: number, to: number) {
    super();
    this.conv1 = new ConvNorm(from, to);
    this.conv2 = new ConvNorm(to, to);
  }
  forward(x: Tensor): Tensor {
    return this.conv2.forward(this.conv1.forward(x));
  }
}

/** Contrast of the image: a window around a centre, both read off the image itself. */
class ContrastEnhancement extends Module {
  readonly conv1: ConvNorm;
  readonly conv2: ConvNorm;
  readonly fc1: Linear;
  readonly fc2: Linear;
  constructor(inChannels: number) {
    super();
    this.conv1 = new ConvNorm(inChannels, 8, 2);
    this.conv2 = new ConvNorm(8, 16, 2);
    this.fc1 = new Linear(16, 16);
    this.fc2 = new Linear(16, 2);
  }
  /** x [B, D, H, W, in] -> sigmoid(4 (x - centre) / width), centre and width of each volume */
  forward(x: Tensor): Tensor {
    const z = mean(this.conv2.forward(this.conv1.forward(x)), { axes: [1, 2, 3] });
    const [c, w] = split(this.fc2.forward(relu(this.fc1.forward(z))), [1, 1], { axis: 1 }).map((t) =>
      reshape(t, [x.shape[0], 1, 1, 1, 1]),
    ) as [Tensor, Tensor];
    return sigmoid(div(mulScalar(sub(x, tanh(c)), 4), addScalar(softplus(w), 0.1)));
  }
}

/** Bins an axis of the map that keys and values are read from. */
const BINS = 4;

/**
 * Cross-scale non-local block: every voxel of the bottleneck attends to 4 x 4 x 4 means of the three deepest maps, each in the same
 * channels (keys and values are these means as they are); a convolution adds what is near. Means and resizing are sums whose weights add to
 * 1, so the projection may follow them: the same numbers from a fraction of the voxels.
 */
export class CrossScale extends Module {
  /** Of the three maps, the finest first. */
  readonly project: Conv3d[];
  readonly out: Conv3d;
  readonly local: Conv3d;
  constructor(from: readonly number[], width: number) {
    super();
    const to = from.at(-1)!;
    this.project = from.map((channels) => new Conv3d(channels, width, 1, { bias: true, ...attentionInit }));
    this.out = new Conv3d(width, to, 1, { bias: true, ...attentionInit });
    this.local = new Conv3d(width, to, 3, { padding: 1, bias: true });
  }
  /** Maps, the bottleneck [B, d, h, w, C] last -> as the bottleneck */
  forward(maps: readonly Tensor[]): Tensor {
    const x = maps.at(-1)!;
    const tokens = (y: Tensor): Tensor => reshape(y, [y.shape[0], y.shape.slice(1, -1).reduce((a, b) => a * b), y.shape.at(-1)!]);
    const near = maps.map((map, i) => this.project[i].forward(resize(map, x.shape.slice(1, 4))));
    const keys = concat(
      maps.map((map, i) => tokens(this.project[i].forward(adaptiveAvgPool3d(map, { size: BINS })))),
      { axis: 1 },
    );
    const q = near.at(-1)!;
    const far = this.out.forward(reshape(attention(tokens(q), keys, keys), q.shape));
    return add(add(x, far), this.local.forward(near.reduce(add)));
  }
}

export class HENet extends Module {
  readonly ace: ContrastEnhancement;
  readonly encoders: DoubleConv[];
  readonly csnb: CrossScale;
  readonly ups: ConvTranspose3d[];
  readonly decoders: DoubleConv[];
  readonly out: Conv3d;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor({ widths, attention: width, inChannels, classes }: HENetConfig, storage: FloatType = 'f32') {
    super();
    this.storage = storage;
    this.ace = new ContrastEnhancement(inChannels);
    this.encoders = widths.map((to, i) => new DoubleConv(widths[i - 1] ?? 2 * inChannels, to));
    this.csnb = new CrossScale(widths.slice(-3), width);
    const upwards = widths
      .slice(0, -1)
      .map((to, i) => ({ to, from: widths[i + 1] }))
      .reverse();
    this.ups = upwards.map(({ from, to }) => new ConvTranspose3d(from, to, 2, { stride: 2 }));
    this.decoders = upwards.map(({ to }) => new DoubleConv(2 * to, to));
    this.out = new Conv3d(widths[0], classes, 1, { bias: true });
  }

  /** x [B, D, H, W, in], sides multiples of 2^(levels - 1) -> logits [B, D, H, W, K] */
  forward(x: Tensor): Tensor {
    const image = castTo(x, this.storage);
    const maps: Tensor[] = [];
    for (const encoder of this.encoders)
      maps.push(
        encoder.forward(
          maps.length === 0 ? concat([image, this.ace.forward(image)], { axis: -1 }) : maxPool3d(maps.at(-1)!, { kernel: 2, stride: 2 }),
        ),
      );
    const skips = maps.slice(0, -1).reverse();
    const y = this.decoders.reduce(
      (below, decoder, i) => decoder.forward(concat([skips[i], this.ups[i].forward(below)], { axis: -1 })),
      this.csnb.forward(maps.slice(-3)),
    );
    return castTo(this.out.forward(y), 'f32');
  }
}
