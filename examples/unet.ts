// SPDX-License-Identifier: MIT
// A U-Net that finds discs in noise: three scales, skip connections, cross entropy and Dice.
import * as vg from 'voxelgrad';

const [SIZE, BATCH] = [32, 4];
/** Two convolutions with group norm and ReLU. */
class Block extends vg.Sequential {
  constructor(from: number, to: number) {
    const conv = (inputs: number): vg.Conv2d => new vg.Conv2d(inputs, to, 3, { padding: 1 });
    super(conv(from), new vg.GroupNorm(4, to), new vg.ReLU(), conv(to), new vg.GroupNorm(4, to), new vg.ReLU());
  }
}

/** x [N, H, W, 1] -> logits [N, H, W, 1] */
class UNet extends vg.Module {
  down1 = new Block(1, 8);
  down2 = new Block(8, 16);
  bottom = new Block(16, 32);
  up2 = new vg.ConvTranspose2d(32, 16, 2, { stride: 2 });
  join2 = new Block(32, 16);
  up1 = new vg.ConvTranspose2d(16, 8, 2, { stride: 2 });
  join1 = new Block(16, 8);
  head = new vg.Conv2d(8, 1, 1, { bias: true });
  forward(x: vg.Tensor): vg.Tensor {
    const a = this.down1.forward(x);
    const b = this.down2.forward(vg.maxPool2d(a, { kernel: 2 }));
    const c = this.bottom.forward(vg.maxPool2d(b, { kernel: 2 }));
    const d = this.join2.forward(vg.concat([b, this.up2.forward(c)], { axis: -1 }));
    return this.head.forward(this.join1.forward(vg.concat([a, this.up1.forward(d)], { axis: -1 })));
  }
}
/** 2 |p y| / (|p| + |y|): what the mask and the prediction share. */
const overlapOf = (p: vg.Tensor, y: vg.Tensor): vg.Tensor => p.mul(y).sum().mul(2).div(p.sum().add(y.sum()).add(1e-6));

using device = await vg.openDevice();
const net = new UNet().initialise(1);
const opt = vg.adamw(net.parameters(), { lr: 1e-2 });
const map = vg.spec([BATCH, SIZE, SIZE, 1]);
const step = await vg.compile(
  ({ image, mask }) => {
    const logits = net.forward(image);
    const overlap = overlapOf(logits.sigmoid(), mask);
    opt.step(vg.backward(vg.bceWithLogits(logits, mask).sub(overlap).add(1), net.parameters()));
    return { overlap };
  },
  { image: map, mask: map },
);
console.log(`${net.countParameters()} parameters, ${step.report().dispatches} dispatches an iteration on ${device.info.name}`);
const random = (low: number, high: number): number => low + (high - low) * Math.random();
for (let i = 0; i <= 80; i++) {
  const discs = Array.from({ length: BATCH }, () => ({ x: random(8, 24), y: random(8, 24), r: random(3, 8) }));
  const pixels = Array.from({ length: SIZE * SIZE }, (_, p) => [p % SIZE, Math.floor(p / SIZE)]);
  const mask = Float32Array.from(discs.flatMap(({ x, y, r }) => pixels.map(([u, v]) => Number(Math.hypot(u - x, v - y) < r))));
  const { overlap } = step.run({ image: mask.map((m) => m + random(-0.6, 0.6)), mask }); // valid until the next run
  if (i % 20 === 0) console.log(`iteration ${i}: Dice ${(await overlap.item()).toFixed(3)}`);
}
