// SPDX-License-Identifier: MIT
// CTN, the 3D Cross Transformer Network (specification 9.3): a residual network whose stages take in what a Swin for video sees. Public
// code makes that Swin anew, with random weights, in every forward pass; here it is one and learns. Of its dual-attention head, which
// nothing there calls, nothing is built.
import type { FloatType } from '../../engine/dtype.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { concat } from '../../ops/layout.ts';
import { add, elu, mul, mulScalar, sigmoid } from '../../ops/pointwise.ts';
import { resize } from '../../ops/resize.ts';
import { castTo } from '../../nn/cast_to.ts';
import { Dropout3d } from '../../nn/dropout.ts';
import { Conv3d } from '../../nn/convolution.ts';
import { Module } from '../../nn/module.ts';
import { BatchStatisticsNorm } from '../../nn/norms.ts';
import { VideoSwin, type VideoSwinConfig } from './swin.ts';

export interface CTNConfig {
  /** Channels of the convolutional network's first stage (k); those after it have 2k, 4k and 8k. */
  readonly width: number;
  /** Four stages. */
  readonly swin: VideoSwinConfig;
  readonly inChannels: number;
  readonly classes: number;
  /** Of whole channels, after each stage of the decoder. */
  readonly dropout: number;
}

/** Always the batch's own statistics. */
const norm = (channels: number): BatchStatisticsNorm => new BatchStatisticsNorm(channels, { eps: 1e-3 });

/** What a stage adds of the transformer's. */
const SHARES = [0.3, 0.3, 0.3, 0.5] as const;

const sidesOf = (x: Tensor): number[] => x.shape.slice(1, -1);

/** Two 3 x 3 x 3 convolutions; the shortcut is 1 x 1 x 1 where sides or channels change. */
class BasicBlock extends Module {
  readonly conv1: Conv3d;
  readonly bn1: BatchStatisticsNorm;
  readonly conv2: Conv3d;
  readonly bn2: BatchStatisticsNorm;
  readonly downsample: ConvNorm | null;
  constructor(from: number, to: number, stride: number) {
    super();
    this.conv1 = new Conv3d(from, to, 3, { padding: 1, stride });
    this.bn1 = norm(to);
    this.conv2 = new Conv3d(to, to, 3, { padding: 1 });
    this.bn2 = norm(to);
    this.downsample = stride !== 1 || from !== to ? new ConvNorm(from, to, 1, stride) : null;
  }
  forward(x: Tensor): Tensor {
    const y = this.bn1.forward(this.conv1.forward(x), { relu: true });
    return this.bn2.forward(this.conv2.forward(y), { add: this.downsample ? this.downsample.forward(x) : x, relu: true });
  }
}

class ConvNorm extends Module {
  readonly conv: Conv3d;
  readonly bn: BatchStatisticsNorm;
  constructor(from: number, to: number, kernel: 1 | 3, stride = 1) {
    super();
    this.conv = new Conv3d(from, to, kernel, { padding: (kernel - 1) / 2, stride });
    this.bn = norm(to);
  }
  forward(x: Tensor, { relu: cut = false }: { relu?: boolean } = {}): Tensor {
    return this.bn.forward(this.conv.forward(x), { relu: cut });
  }
}

class Stage extends Module {
  readonly blocks: BasicBlock[];
  constructor(from: number, to: number, stride: number) {
    super();
    this.blocks = [new BasicBlock(from, to, stride), new BasicBlock(to, to, 1)];
  }
  forward(x: Tensor): Tensor {
    return this.blocks.reduce((y, block) => block.forward(y), x);
  }
}

/** Resized to the skip and beside it, two convolutions, then each position times its gate. */
class Decoder extends Module {
  readonly conv1: ConvNorm;
  readonly conv2: ConvNorm;
  readonly gate: ConvNorm;
  readonly dropout: Dropout3d;
  constructor(from: number, middle: number, to: number, dropout: number) {
    super();
    this.conv1 = new ConvNorm(from, middle, 3);
    this.conv2 = new ConvNorm(middle, to, 3);
    this.gate = new ConvNorm(to, 1, 3);
    this.dropout = new Dropout3d(dropout);
  }
  forward(below: Tensor, skip: Tensor): Tensor {
    const y = this.conv1.forward(concat([resize(below, sidesOf(skip), { alignCorners: true }), skip], { axis: -1 }), { relu: true });
    const z = this.conv2.forward(y, { relu: true });
    return this.dropout.forward(mul(z, sigmoid(this.gate.forward(z))));
  }
}

/** 3 x 3 x 3, ELU, 1 x 1 x 1. */
class Head extends Module {
  readonly conv1: Conv3d;
  readonly conv2: Conv3d;
  constructor(from: number, middle: number, classes: number) {
    super();
    this.conv1 = new Conv3d(from, middle, 3, { padding: 1, bias: true });
    this.conv2 = new Conv3d(middle, classes, 1, { bias: true });
  }
  forward(x: Tensor): Tensor {
    return this.conv2.forward(elu(this.conv1.forward(x)));
  }
}

export class CTN extends Module {
  readonly conv1: Conv3d;
  readonly bn1: BatchStatisticsNorm;
  readonly layer1: Stage;
  readonly layer2: Stage;
  readonly layer3: Stage;
  readonly layer4: Stage;
  readonly swin: VideoSwin;
  /** From the transformer's channels to those of a stage. */
  readonly couple: Conv3d[];
  readonly decoder3: Decoder;
  readonly decoder2: Decoder;
  readonly decoder1: Decoder;
  readonly head: Head;
  private readonly storage: FloatType;

  /** `storage`: of activations, and of weights where they meet them. What goes in and comes out is f32. */
  constructor({ width: k, swin, inChannels, classes, dropout }: CTNConfig, storage: FloatType = 'f32') {
    super();
    this.storage = storage;
    this.conv1 = new Conv3d(inChannels, k, 7, { stride: 2, padding: 3 });
    this.bn1 = norm(k);
    this.layer1 = new Stage(k, k, 1);
    this.layer2 = new Stage(k, 2 * k, 2);
    this.layer3 = new Stage(2 * k, 4 * k, 2);
    this.layer4 = new Stage(4 * k, 8 * k, 2);
    this.swin = new VideoSwin(inChannels, swin);
    this.couple = [2, 4, 8, 8].map((times, i) => new Conv3d(times * swin.dim, k * 2 ** i, 1));
    this.decoder3 = new Decoder(12 * k, 4 * k, k, dropout);
    this.decoder2 = new Decoder(3 * k, 2 * k, k, dropout);
    this.decoder1 = new Decoder(2 * k, 2 * k, k, dropout);
    this.head = new Head(4 * k, 2 * k, classes);
  }

  /** x [B, D, H, W, in], sides of any length -> logits [B, D, H, W, K] */
  forward(x: Tensor): Tensor {
    const image = castTo(x, this.storage);
    const seen = this.swin.forward(image);
    const e0 = this.bn1.forward(this.conv1.forward(image), { relu: true });
    const stages: Tensor[] = [];
    let y = e0;
    [this.layer1, this.layer2, this.layer3, this.layer4].forEach((layer, i) => {
      const own = layer.forward(y);
      stages.push((y = add(own, mulScalar(resize(this.couple[i].forward(seen[i]), sidesOf(own)), SHARES[i]))));
    });
    const [e1, e2, e3, bottom] = stages as [Tensor, Tensor, Tensor, Tensor];
    const d3 = this.decoder3.forward(bottom, e3);
    const d2 = this.decoder2.forward(d3, e2);
    const d1 = this.decoder1.forward(d2, e1);
    const up = (z: Tensor): Tensor => resize(z, sidesOf(e0));
    return castTo(resize(this.head.forward(concat([e0, d1, up(d2), up(d3)], { axis: -1 })), sidesOf(x)), 'f32');
  }
}
