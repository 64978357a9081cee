// SPDX-License-Identifier: MIT
// The small residual network whose training the engine is proved with; the same in test/golden/engine/resnet_step.py.
import { Philox } from '../../src/random/philox.ts';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { Conv2d } from '../../src/nn/convolution.ts';
import { BatchNorm, Linear } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { mul, neg } from '../../src/ops/pointwise.ts';
import { mean, sum } from '../../src/ops/reduce.ts';
import { logSoftmax } from '../../src/ops/softmax.ts';
import { adam, type Optimiser } from '../../src/optim/optimiser.ts';

export const BATCH = 4,
  SIZE = 16,
  CLASSES = 10;
const conv = (from: number, to: number, stride = 1): Conv2d => new Conv2d(from, to, 3, { stride, padding: 1 });

class Block extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm;
  constructor(c: number) {
    super();
    this.conv1 = conv(c, c);
    this.bn1 = new BatchNorm(c);
    this.conv2 = conv(c, c);
    this.bn2 = new BatchNorm(c);
  }
  forward(x: Tensor): Tensor {
    const y = this.bn1.forward(this.conv1.forward(x), { relu: true });
    return this.bn2.forward(this.conv2.forward(y), { add: x, relu: true });
  }
}

export class SmallResNet extends Module {
  readonly conv1 = conv(3, 32);
  readonly bn1 = new BatchNorm(32);
  readonly block1 = new Block(32);
  readonly conv2 = conv(32, 64, 2);
  readonly bn2 = new BatchNorm(64);
  readonly block2 = new Block(64);
  readonly head = new Linear(64, CLASSES);
  forward(x: Tensor): Tensor {
    const low = this.block1.forward(this.bn1.forward(this.conv1.forward(x), { relu: true }));
    const high = this.block2.forward(this.bn2.forward(this.conv2.forward(low), { relu: true }));
    return this.head.forward(mean(high, { axes: [1, 2] }));
  }
}

export const example = { x: spec([BATCH, SIZE, SIZE, 3]), target: spec([BATCH, CLASSES]) };

const data = new Philox(2, 0);
/** The batch of every step: images and one-hot targets. */
export function batch(): { x: Float32Array; target: Float32Array } {
  const x = data.uniform(0, 0, BATCH * SIZE * SIZE * 3).map((u) => 2 * u - 1);
  const target = new Float32Array(BATCH * CLASSES);
  data.uniform(0, 1, BATCH).forEach((u, i) => {
    target[i * CLASSES + Math.floor(u * CLASSES)] = 1;
  });
  return { x, target };
}

export interface Training {
  net: SmallResNet;
  opt: Optimiser;
  step(input: { x: Tensor; target: Tensor }): { loss: Tensor };
}

/** A network with fresh weights and moments, and its training step. */
export function training(): Training {
  const net = new SmallResNet().initialise(1);
  const opt = adam(net.parameters(), { lr: 1e-3 });
  return {
    net,
    opt,
    step({ x, target }) {
      const loss = neg(mean(sum(mul(target, logSoftmax(net.forward(x))), { axes: -1 })));
      opt.step(backward(loss, net.parameters()));
      return { loss };
    },
  };
}

/** Every value that training changes. */
export async function stateOf({ net, opt }: Training): Promise<Map<string, Float32Array>> {
  return new Map([...(await net.stateDict()), ...(await opt.stateDict())].map(([name, { data: values }]) => [name, values]));
}
