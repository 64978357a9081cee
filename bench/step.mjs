// SPDX-License-Identifier: MIT
// The training step that every engine runs: conv 3->32, block(32), conv stride 2 32->64, block(64), each convolution 3 x 3 without bias
// and followed by batch norm and ReLU; mean over the pixels, linear 64->10, cross entropy, Adam 1e-3. A block is
// relu(bn(conv(relu(bn(conv(x))))) + x). Here are its parameters and its one batch.
import { noise, numel } from './inputs.mjs';

export const BATCH = 8;
export const SIZE = 64;
export const CLASSES = 10;
export const ADAM = { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 };
export const BN_EPS = 1e-5;

/** `add`: index of the layer whose output is added before the ReLU. */
export const LAYERS = [
  { from: 3, to: 32, stride: 1 },
  { from: 32, to: 32, stride: 1 },
  { from: 32, to: 32, stride: 1, add: 0 },
  { from: 32, to: 64, stride: 2 },
  { from: 64, to: 64, stride: 1 },
  { from: 64, to: 64, stride: 1, add: 3 },
];

/** By name, in our layout: convN.weight [O, 3, 3, I], bnN.weight, bnN.bias, fc.weight [10, 64], fc.bias. */
export function parameters() {
  const shapes = LAYERS.flatMap(({ from, to }, i) => [
    [`conv${i}.weight`, [to, 3, 3, from], Math.sqrt(2 / (9 * from))],
    [`bn${i}.weight`, [to], 0],
    [`bn${i}.bias`, [to], 0],
  ]);
  shapes.push(['fc.weight', [CLASSES, 64], 0.2], ['fc.bias', [CLASSES], 0]);
  return Object.fromEntries(
    shapes.map(([name, shape, scale], i) => [
      name,
      {
        shape,
        values: /^bn\d\.weight$/.test(name) ? new Float32Array(numel(shape)).fill(1) : noise(numel(shape), 1000 + i).map((v) => v * scale),
      },
    ]),
  );
}

/** image [8, 64, 64, 3], one-hot target [8, 10]. */
export const batch = () => ({
  image: noise(BATCH * SIZE * SIZE * 3, 4242),
  target: Float32Array.from({ length: BATCH * CLASSES }, (_, i) => Number((Math.floor(i / CLASSES) * 3) % CLASSES === i % CLASSES)),
});
