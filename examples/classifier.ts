// SPDX-License-Identifier: MIT
// An image classifier: discs, squares and crosses in noise, told apart by two convolutions and a linear layer.
import * as vg from 'voxelgrad';

const [SIZE, BATCH, CLASSES] = [16, 32, ['disc', 'square', 'cross']];
/** x [N, H, W, 1] -> logits [N, 3] */
class Classifier extends vg.Module {
  first = new vg.Conv2d(1, 8, 3, { padding: 1 });
  norm1 = new vg.BatchNorm(8);
  second = new vg.Conv2d(8, 16, 3, { padding: 1 });
  norm2 = new vg.BatchNorm(16);
  head = new vg.Linear(16, CLASSES.length);
  forward(x: vg.Tensor): vg.Tensor {
    const half = vg.maxPool2d(this.norm1.forward(this.first.forward(x), { relu: true }), { kernel: 2 });
    const pooled = vg.globalAvgPool(this.norm2.forward(this.second.forward(half), { relu: true }));
    return this.head.forward(vg.reshape(pooled, [x.shape[0], 16]));
  }
}

let state = 1; // a small generator, so that every run is the same
const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
function draw(): { image: Float32Array; label: Uint32Array } {
  const image = Float32Array.from({ length: BATCH * SIZE * SIZE }, () => 0.8 * (random() - 0.5));
  const label = Uint32Array.from({ length: BATCH }, () => Math.floor(random() * CLASSES.length));
  label.forEach((kind, n) => {
    const [cx, cy, r] = [5 + 6 * random(), 5 + 6 * random(), 3 + 2 * random()];
    for (let p = 0; p < SIZE * SIZE; p++) {
      const [dx, dy] = [Math.abs((p % SIZE) - cx), Math.abs(Math.floor(p / SIZE) - cy)];
      if ([Math.hypot(dx, dy) < r, Math.max(dx, dy) < 0.8 * r, Math.max(dx, dy) < r && Math.min(dx, dy) < 1][kind])
        image[n * SIZE * SIZE + p] += 1;
    }
  });
  return { image, label };
}

using _device = await vg.openDevice();
const net = new Classifier().initialise(1);
const opt = vg.adamw(net.parameters(), { lr: 1e-2 });
const batch = { image: vg.spec([BATCH, SIZE, SIZE, 1]), label: vg.spec([BATCH], 'u32') };
const train = await vg.compile(({ image, label }) => {
  const loss = vg.crossEntropy(net.forward(image), label);
  opt.step(vg.backward(loss, net.parameters()));
  return { loss };
}, batch);
net.eval(); // running statistics from here on: a program of its own
const predict = await vg.compile(({ image }) => ({ kind: vg.argmax(net.forward(image), { axis: -1 }) }), { image: batch.image });

for (let i = 0; i <= 150; i++) {
  const { loss } = train.run(draw());
  if (i % 50 === 0) console.log(`iteration ${i}: loss ${(await loss.item()).toFixed(3)}`);
}
let right = 0;
for (let i = 0; i < 4; i++) {
  const { image, label } = draw();
  const kind = await predict.run({ image }).kind.data();
  right += label.filter((k, j) => k === kind[j]).length;
}
console.log(`${((right / (4 * BATCH)) * 100).toFixed(1)} % of ${4 * BATCH} new images right`);
