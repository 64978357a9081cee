// SPDX-License-Identifier: MIT
// What is timed: products, convolutions, attentions and what moves memory, in shapes of SA-Net and of common networks. Shapes are in our
// layout (channels last, weights [O, (KD,) KH, KW, I / groups]). `outputs` names what a forward pass gives, `gradients` the inputs that a
// backward pass differentiates with respect to, for the loss sum(y * g). `flops` and `bytes` are those of the forward pass, `backward` what
// a pass with gradients has of them, in multiples.
import { numel } from './inputs.mjs';

const BACKWARD = 3; // forward and both gradients, in multiples of the forward pass

function matmul(n) {
  return {
    kind: 'matmul',
    inputs: { a: { shape: [n, n] }, b: { shape: [n, n] }, g: { shape: [n, n] } },
    y: [n, n],
    gradients: ['a', 'b'],
    flops: 2 * n ** 3,
  };
}

function conv({ n, size, from, to, kernel, stride = 1, padding = 0, rank = 2, groups = 1 }) {
  const space = (v) => Array(rank).fill(v);
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const y = [n, ...space(out), to];
  const w = [to, ...space(kernel), from / groups];
  return {
    kind: 'conv',
    rank,
    stride,
    padding,
    groups,
    y,
    gradients: ['x', 'w'],
    inputs: { x: { shape: [n, ...space(size), from] }, w: { shape: w, scale: 1 / Math.sqrt(numel(w) / to) }, g: { shape: y } },
    flops: 2 * numel(y) * kernel ** rank * (from / groups),
  };
}

function norm(kind, shape, more) {
  const affine = { gamma: { shape: [shape.at(-1)], scale: 0.2, offset: 1 }, beta: { shape: [shape.at(-1)] } };
  return {
    kind,
    y: shape,
    inputs: { x: { shape }, ...affine, g: { shape } },
    gradients: ['x', 'gamma', 'beta'],
    bytes: 8 * numel(shape),
    ...more,
  };
}

/** An op that reads x and writes y, and the other way round for the gradient. */
const mover = (kind, x, y, more) => ({
  kind,
  y,
  inputs: { x: { shape: x }, g: { shape: y } },
  gradients: ['x'],
  bytes: 4 * (numel(x) + numel(y)),
  backward: 2,
  ...more,
});
/** Windows along both axes of n square maps. */
function pool(kind, { n, size, channels, kernel, stride, padding = 0 }) {
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return mover(kind, [n, size, size, channels], [n, out, out, channels], { kernel, stride, padding });
}
function windows({ n, size, channels, kernel, stride }) {
  const out = Math.floor((size - kernel) / stride) + 1;
  return mover('windows', [n, size, size, channels], [n, out, out, kernel, kernel, channels], { kernel, stride });
}
const resize = ({ n, size, channels, factor }) =>
  mover('resize', [n, size, size, channels], [n, factor * size, factor * size, channels], { factor });
function permute(shape, order) {
  const y = order.map((axis) => shape[axis]);
  return { kind: 'permute', order, y, inputs: { x: { shape } }, gradients: [], bytes: 8 * numel(shape) };
}

const attention = ([heads, tokens, d]) => ({
  kind: 'attention',
  heads,
  inputs: Object.fromEntries(['q', 'k', 'v', 'g'].map((name) => [name, { shape: [1, heads, tokens, d] }])),
  y: [1, heads, tokens, d],
  gradients: ['q', 'k', 'v'],
  flops: 4 * heads * tokens ** 2 * d,
  backward: 3.5,
});

const big = { shape: [2 ** 24] };

const named = (table) =>
  Object.entries(table).map(([name, c]) => ({
    name,
    dtype: 'f32',
    ...c,
    passes: c.kind === 'step' ? ['step'] : c.gradients.length > 0 ? ['forward', 'backward'] : ['forward'],
  }));

export const CASES = named({
  matmul512: matmul(512),
  matmul1024: matmul(1024),
  conv3x3_64_56: conv({ n: 4, size: 56, from: 64, to: 64, kernel: 3, padding: 1 }),
  conv3x3_128_20: conv({ n: 1, size: 20, from: 128, to: 128, kernel: 3, padding: 1 }),
  conv1x1_256_64_40: conv({ n: 1, size: 40, from: 256, to: 64, kernel: 1 }),
  conv7x7s2_3_64_160: conv({ n: 1, size: 160, from: 3, to: 64, kernel: 7, stride: 2, padding: 3 }),
  conv3d_32_48: conv({ n: 1, size: 48, from: 32, to: 32, kernel: 3, padding: 1, rank: 3 }),
  dwconv3x3_64_56: conv({ n: 4, size: 56, from: 64, to: 64, kernel: 3, padding: 1, groups: 64 }),
  attn_6x512x64: attention([6, 512, 64]),
  softmax_3072x512: {
    kind: 'softmax',
    inputs: { x: { shape: [3072, 512] }, g: { shape: [3072, 512] } },
    y: [3072, 512],
    gradients: ['x'],
    bytes: 8 * 3072 * 512,
  },
  layernorm_4096x512: norm('layernorm', [4096, 512]),
  groupnorm_32_48c: norm('groupnorm', [1, 48, 48, 48, 32], { groups: 8 }),
  batchnorm_4x64x56: norm('batchnorm', [4, 56, 56, 64]),
  ew_add_16M: { kind: 'add', inputs: { x: big, z: big }, y: big.shape, gradients: [], bytes: 12 * 2 ** 24 },
  // relu(x * z + v) * 0.5 + x
  ew_chain_16M: { kind: 'chain', inputs: { x: big, z: big, v: big }, y: big.shape, gradients: [], bytes: 16 * 2 ** 24 },
  maxpool3s2_64_112: pool('maxpool', { n: 4, size: 112, channels: 64, kernel: 3, stride: 2, padding: 1 }),
  avgpool2_64_112: pool('avgpool', { n: 4, size: 112, channels: 64, kernel: 2, stride: 2 }),
  resize2x_64_28: resize({ n: 4, size: 28, channels: 64, factor: 2 }),
  windows8s4_64_64: windows({ n: 4, size: 64, channels: 64, kernel: 8, stride: 4 }),
  heads_4x1024x12x64: permute([4, 1024, 12, 64], [0, 2, 1, 3]),
  transpose4096: permute([4096, 4096], [1, 0]),
  resnet_step: { kind: 'step', inputs: {}, y: [4], gradients: [], flops: 8.27e9 },
});

/**
 * Sizes that fill a GPU: a large product, the convolutions of ResNet-50 at batch 32 (a 3 x 3, a 1 x 1 and the stem), maps of more than its
 * cache holds.
 */
const LARGE = named({
  matmul4096: matmul(4096),
  resnet50_3x3_64_56: conv({ n: 32, size: 56, from: 64, to: 64, kernel: 3, padding: 1 }),
  resnet50_3x3_256_14: conv({ n: 32, size: 14, from: 256, to: 256, kernel: 3, padding: 1 }),
  resnet50_1x1_256_56: conv({ n: 32, size: 56, from: 256, to: 64, kernel: 1 }),
  resnet50_7x7s2_224: conv({ n: 32, size: 224, from: 3, to: 64, kernel: 7, stride: 2, padding: 3 }),
  attn_16x2048x64: attention([16, 2048, 64]),
  resnet50_maxpool_112: pool('maxpool', { n: 32, size: 112, channels: 64, kernel: 3, stride: 2, padding: 1 }),
  avgpool2_64_112_32: pool('avgpool', { n: 32, size: 112, channels: 64, kernel: 2, stride: 2 }),
  resize2x_64_56_32: resize({ n: 32, size: 56, channels: 64, factor: 2 }),
  windows8s4_64_64_32: windows({ n: 32, size: 64, channels: 64, kernel: 8, stride: 4 }),
  heads_32x1024x12x64: permute([32, 1024, 12, 64], [0, 2, 1, 3]),
});

/** What bench/gpu.mjs adds: the large cases, and those with products in f16. */
export const GPU_CASES = [
  ...LARGE,
  ...[...CASES, ...LARGE]
    .filter((c) => ['matmul', 'conv', 'attention'].includes(c.kind))
    .map((c) => ({ ...c, name: `${c.name}_f16`, dtype: 'f16' })),
];

/** Gradients of convolutions cost twice the forward pass, those of norms one and a half. `backward` = forward and gradients together. */
export const workOf = ({ flops, bytes, backward = flops ? BACKWARD : 2.5 }, pass) => ({
  flops: flops && flops * (pass === 'backward' ? backward : 1),
  bytes: bytes && bytes * (pass === 'backward' ? backward : 1),
});

/** Names and shapes of what a pass gives: the result, then a gradient for each input. */
export function outputsOf({ y, inputs, gradients }, pass) {
  const out = { y };
  if (pass === 'backward') for (const name of gradients) out[`d${name}`] = inputs[name].shape;
  return out;
}
