// SPDX-License-Identifier: MIT
// ResNet with bottlenecks (K. He et al. 2016), torchvision's state-dict names: the encoder of SA-Net's 2D networks.
import type { Tensor } from '../engine/tensor.ts';
import { maxPool2d } from '../ops/pool.ts';
import { kaimingFanOut } from '../nn/init.ts';
import { Conv2d } from '../nn/convolution.ts';
import { BatchNorm } from '../nn/layers.ts';
import { Module } from '../nn/module.ts';

const EXPANSION = 4;

const conv = (inChannels: number, outChannels: number, kernel: number, stride = 1): Conv2d =>
  new Conv2d(inChannels, outChannels, kernel, { stride, padding: (kernel - 1) / 2, init: kaimingFanOut });

/**
 * The block of ResNet-50 (He et al. 2016): 1 x 1, 3 x 3 (with the stride) and 1 x 1 convolutions with batch norms, added to x:
 * [N, H, W, in] to [N, H / stride, W / stride, 4 width]. State dict as in torchvision.
 */
export class Bottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm;
  /** [1 x 1 convolution, batch norm], where the shape changes. */
  readonly downsample?: [Conv2d, BatchNorm];

  constructor(inChannels: number, width: number, stride: number, zeroInitLastGamma = false) {
    super();
    const out = width * EXPANSION;
    this.conv1 = conv(inChannels, width, 1);
    this.bn1 = new BatchNorm(width);
    this.conv2 = conv(width, width, 3, stride);
    this.bn2 = new BatchNorm(width);
    this.conv3 = conv(width, out, 1);
    this.bn3 = new BatchNorm(out, { zero: zeroInitLastGamma });
    if (stride !== 1 || inChannels !== out) this.downsample = [conv(inChannels, out, 1, stride), new BatchNorm(out)];
  }

  forward(x: Tensor): Tensor {
    let y = this.bn1.forward(this.conv1.forward(x), { relu: true });
    y = this.bn2.forward(this.conv2.forward(y), { relu: true });
    const shortcut = this.downsample ? this.downsample[1].forward(this.downsample[0].forward(x)) : x;
    return this.bn3.forward(this.conv3.forward(y), { add: shortcut, relu: true });
  }
}

export interface ResNetOptions {
  /** 1 for CT; torchvision's weights have 3. */
  inChannels?: number;
  /** Channels of the stem; the stages have 4, 8, 16, 32 times as many. 64 in ResNet-50. */
  width?: number;
  /** Bottlenecks a stage: 3, 4, 6, 3 in ResNet-50. */
  blocks?: readonly number[];
  /** Start every residual branch at zero. */
  zeroInitLastGamma?: boolean;
}

/** ResNet (He et al. 2016) without its classifier: [N, H, W, in] to five maps. By default ResNet-50; state dict as in torchvision. */
export class ResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm;
  readonly layer1: Bottleneck[];
  readonly layer2: Bottleneck[];
  readonly layer3: Bottleneck[];
  readonly layer4: Bottleneck[];
  /** Channels of E1..E5. */
  readonly channels: readonly number[];

  constructor({ inChannels = 1, width = 64, blocks = [3, 4, 6, 3], zeroInitLastGamma }: ResNetOptions = {}) {
    super();
    this.conv1 = conv(inChannels, width, 7, 2);
    this.bn1 = new BatchNorm(width);
    let channels = width;
    const stage = (index: number): Bottleneck[] =>
      Array.from({ length: blocks[index] }, (_, b) => {
        const block = new Bottleneck(channels, width << index, b === 0 && index > 0 ? 2 : 1, zeroInitLastGamma);
        channels = (width << index) * EXPANSION;
        return block;
      });
    this.layer1 = stage(0);
    this.layer2 = stage(1);
    this.layer3 = stage(2);
    this.layer4 = stage(3);
    this.channels = [width, ...[0, 1, 2, 3].map((i) => (width << i) * EXPANSION)];
  }

  /** x [N, H, W, in] -> E1..E5 at strides 2, 4, 8, 16, 32. */
  forward(x: Tensor): Tensor[] {
    const e1 = this.bn1.forward(this.conv1.forward(x), { relu: true });
    const maps = [e1];
    let y = maxPool2d(e1, { kernel: 3, stride: 2, padding: 1 });
    for (const stage of [this.layer1, this.layer2, this.layer3, this.layer4]) {
      for (const block of stage) y = block.forward(y);
      maps.push(y);
    }
    return maps;
  }
}
