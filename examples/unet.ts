// SPDX-License-Identifier: MIT
// A U-Net that finds discs in noise: two scales, skip connections, cross entropy and Dice.
import {
  add, adamw, addScalar, backward, compile, concat, Conv2d, ConvTranspose2d, div, GroupNorm, maxPool2d, mean, Module, mul, mulScalar, neg, openDevice, sigmoid, softplus, spec, sub, sum,
  type Tensor,
} from 'voxelgrad';

const [SIZE, BATCH] = [32, 4];
/** Two convolutions with group norm and ReLU. */
class Block extends Module {
  conv1; norm1; conv2; norm2;
  constructor(from: number, to: number) {
    super();
    this.conv1 = new Conv2d(from, to, 3, { padding: 1 });
    this.norm1 = new GroupNorm(4, to);
    this.conv2 = new Conv2d(to, to, 3, { padding: 1 });
    this.norm2 = new GroupNorm(4, to);
  }
  forward(x: Tensor): Tensor {
    return this.norm2.forward(this.conv2.forward(this.norm1.forward(this.conv1.forward(x), { relu: true })), { relu: true });
  }
}

/** x [N, H, W, 1] -> logits [N, H, W, 1] */
class UNet extends Module {
  down1 = new Block(1, 8);
  down2 = new Block(8, 16);
  bottom = new Block(16, 32);
  up2 = new ConvTranspose2d(32, 16, 2, { stride: 2 });
  join2 = new Block(32, 16);
  up1 = new ConvTranspose2d(16, 8, 2, { stride: 2 });
  join1 = new Block(16, 8);
  head = new Conv2d(8, 1, 1, { bias: true });
  forward(x: Tensor): Tensor {
    const a = this.down1.forward(x);
    const b = this.down2.forward(maxPool2d(a, { kernel: 2 }));
    const c = this.bottom.forward(maxPool2d(b, { kernel: 2 }));
    const d = this.join2.forward(concat([b, this.up2.forward(c)], { axis: -1 }));
    return this.head.forward(this.join1.forward(concat([a, this.up1.forward(d)], { axis: -1 })));
  }
}
const crossEntropy = (z: Tensor, y: Tensor): Tensor => mean(sub(softplus(z), mul(z, y)));
const dice = (p: Tensor, y: Tensor): Tensor => div(mulScalar(sum(mul(p, y)), 2), addScalar(add(sum(p), sum(y)), 1e-6));

using device = await openDevice();
const net = new UNet().initialise(1);
const opt = adamw(net.parameters(), { lr: 1e-2 });
const step = await compile(({ image, mask }) => {
  const logits = net.forward(image);
  const overlap = dice(sigmoid(logits), mask);
  opt.step(backward(addScalar(add(crossEntropy(logits, mask), neg(overlap)), 1), net.parameters()));
  return { overlap };
}, { image: spec([BATCH, SIZE, SIZE, 1]), mask: spec([BATCH, SIZE, SIZE, 1]) });
console.log(`${net.countParameters()} parameters, ${step.report().dispatches} dispatches an iteration on ${device.info.name}`);
for (let i = 0; i <= 80; i++) {
  const discs = Array.from({ length: BATCH }, () => [8 + 16 * Math.random(), 8 + 16 * Math.random(), 3 + 5 * Math.random()]);
  const mask = Float32Array.from(discs.flatMap(([x, y, r]) => Array.from({ length: SIZE * SIZE }, (_, p) => Number(Math.hypot(p % SIZE - x, Math.floor(p / SIZE) - y) < r))));
  const { overlap } = step.run({ image: mask.map((m) => m + 1.2 * (Math.random() - 0.5)), mask }); // valid until the next run
  if (i % 20 === 0) console.log(`iteration ${i}: Dice ${(await overlap.item()).toFixed(3)}`);
}
