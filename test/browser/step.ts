// SPDX-License-Identifier: MIT
// One training step of a small network, with the engine given as a module: the same text runs in Node and in a browser.
import type * as Voxelgrad from '../../src/index.ts';

export interface Result {
  readonly adapter: string;
  readonly losses: readonly number[];
  readonly weights: readonly number[];
  readonly error?: string;
}

/**
 * Two convolutions with batch norm around a pooling, attention over the pixels, cross entropy, AdamW.
 * @returns three losses, and one layer's weights after them
 */
export async function train(vg: typeof Voxelgrad): Promise<Result> {
  const device = await vg.openDevice();
  const CLASSES = 5;
  class Net extends vg.Module {
    first = new vg.CBR(3, 8, 3);
    second = new vg.Conv2d(8, 16, 3, { padding: 1, bias: true });
    head = new vg.Linear(16, CLASSES);
    forward(x: Voxelgrad.Tensor): Voxelgrad.Tensor {
      const y = this.second.forward(vg.maxPool2d(this.first.forward(x), { kernel: 2 }));
      const tokens = vg.reshape(y, [y.shape[0], y.shape[1] * y.shape[2], 16]);
      return this.head.forward(vg.mean(vg.add(tokens, vg.attention(tokens, tokens, tokens, { heads: 2 })), { axes: 1 }));
    }
  }
  const net = new Net().initialise(7);
  const opt = vg.adamw(net.parameters(), { lr: 1e-2 });
  const step = await vg.compile(
    ({ image, target }) => {
      const loss = vg.mulScalar(vg.mean(vg.mul(vg.logSoftmax(net.forward(image)), target)), -CLASSES);
      opt.step(vg.backward(loss, net.parameters()));
      return { loss };
    },
    { image: vg.spec([4, 16, 16, 3]), target: vg.spec([4, CLASSES]) },
  );

  const image = Float32Array.from({ length: 4 * 16 * 16 * 3 }, (_, i) => Math.sin(i * 0.37) + 0.3 * Math.sin(i * i * 0.001));
  const target = Float32Array.from({ length: 4 * CLASSES }, (_, i) => (i % CLASSES === Math.floor(i / CLASSES) ? 1 : 0));
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push(await step.run({ image, target }).loss.item());
  const weights = [...(await net.stateDict()).get('second.weight')!.data];
  const adapter = device.info.name;
  step.dispose();
  opt.dispose();
  device.close();
  return { adapter, losses, weights };
}
