// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromF16, numel } from '../../src/engine/dtype.ts';
import { backward } from '../../src/engine/autograd.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { conv2d, conv3d } from '../../src/ops/conv.ts';
import { convTranspose2d, convTranspose3d } from '../../src/ops/conv_transpose.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { half, nmse, noise, rounded } from '../kernels/harness.ts';
import { gradcheck } from './gradcheck.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

interface Case {
  big: number[];
  small: number[];
  w: number[];
  stride?: number[];
  pad?: number[];
  dil?: number[];
  groups?: number;
}

/** Every (big, small, weight) index triple that meets, in five axes: the definition of all three maps. */
function meet(
  { big, small, w, stride = [1, 1, 1], pad = [0, 0, 0], dil = [1, 1, 1], groups = 1 }: Case,
  f: (b: number, s: number, k: number) => void,
): void {
  const [n, D, H, W, cb] = big,
    [, d, h, v, cs] = small,
    [, KD, KH, KW, gb] = w;
  const gs = cs / groups;
  for (let i = 0; i < n; i++)
    for (let z = 0; z < d; z++)
      for (let y = 0; y < h; y++)
        for (let x = 0; x < v; x++) {
          for (let kz = 0; kz < KD; kz++)
            for (let ky = 0; ky < KH; ky++)
              for (let kx = 0; kx < KW; kx++) {
                const [Z, Y, X] = [
                  z * stride[0] - pad[0] + kz * dil[0],
                  y * stride[1] - pad[1] + ky * dil[1],
                  x * stride[2] - pad[2] + kx * dil[2],
                ];
                if (Z < 0 || Y < 0 || X < 0 || Z >= D || Y >= H || X >= W) continue;
                for (let o = 0; o < cs; o++)
                  for (let c = 0; c < gb; c++) {
                    f(
                      (((i * D + Z) * H + Y) * W + X) * cb + Math.floor(o / gs) * gb + c,
                      (((i * d + z) * h + y) * v + x) * cs + o,
                      (((o * KD + kz) * KH + ky) * KW + kx) * gb + c,
                    );
                  }
              }
        }
}
const size = (i: number, k: number, s: number, p0: number, p1: number, d: number) => Math.floor((i + p0 + p1 - d * (k - 1) - 1) / s) + 1;

/** Forward and both gradients of the convolution and of the transposed one against the definition. */
async function all(
  x: number[],
  w: number[],
  {
    stride = [1, 1, 1],
    padding = [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
    dil = [1, 1, 1],
    groups = 1,
  } = {},
): Promise<void> {
  const out = [0, 1, 2].map((i) => size(x[i + 1], w[i + 1], stride[i], padding[i][0], padding[i][1], dil[i]));
  const small = [x[0], ...out, w[0]];
  const c: Case = { big: x, small, w, stride, pad: padding.map((p) => p[0]), dil, groups };
  const [xb, xs, xw] = [noise(numel(x), 1), noise(numel(small), 2), noise(numel(w), 3)];
  const want = { down: new Float64Array(xs.length), up: new Float64Array(xb.length), dw: new Float64Array(xw.length) };
  meet(c, (b, s, k) => {
    want.down[s] += xb[b] * xw[k];
    want.up[b] += xs[s] * xw[k];
    want.dw[k] += xb[b] * xs[s];
  });
  const [big, weight, g] = [tensor(xb, { shape: x }), tensor(xw, { shape: w }), tensor(xs, { shape: small })];
  const options = { stride, padding: padding as [number, number][], dilation: dil, groups };
  const down = evaluate(() => {
    const y = conv3d(big, weight, options);
    const grads = backward(sum(mul(y, g)), [big, weight]);
    return { y, dx: grads.get(big)!, dw: grads.get(weight)! };
  });
  expect(down.y.shape).toEqual(small);
  expect(nmse(await down.y.data(), want.down)).toBeLessThan(1e-11);
  expect(nmse(await down.dx.data(), want.up)).toBeLessThan(1e-11);
  expect(nmse(await down.dw.data(), want.dw)).toBeLessThan(1e-11);
  const extra = [0, 1, 2].map((i) => x[i + 1] - ((out[i] - 1) * stride[i] - padding[i][0] - padding[i][1] + dil[i] * (w[i + 1] - 1) + 1));
  if (extra.some((e) => e < 0)) return; // the big grid is smaller than the window's reach: no transposed convolution has it
  const up = evaluate(() => {
    const y = convTranspose3d(g, weight, { ...options, outputPadding: extra });
    const grads = backward(sum(mul(y, big)), [g, weight]);
    return { y, dx: grads.get(g)!, dw: grads.get(weight)! };
  });
  expect(up.y.shape).toEqual(x);
  expect(nmse(await up.y.data(), want.up)).toBeLessThan(1e-11);
  expect(nmse(await up.dx.data(), want.down)).toBeLessThan(1e-11);
  expect(nmse(await up.dw.data(), want.dw)).toBeLessThan(1e-11);
}
const same = (p: number) => [
  [p, p],
  [p, p],
  [p, p],
];
const flat = (p: number) => [
  [0, 0],
  [p, p],
  [p, p],
];

describe('convolution, transposed convolution and their gradients', () => {
  it.each([
    ['3x3', [2, 1, 9, 7, 8], [16, 1, 3, 3, 8], { padding: flat(1) }],
    ['3x3 odd channels', [2, 1, 6, 5, 7], [5, 1, 3, 3, 7], { padding: flat(1) }],
    ['3x3 of 65 to 63', [1, 1, 4, 4, 65], [63, 1, 3, 3, 65], { padding: flat(1) }],
    ['7x7 stride 2 of one channel', [2, 1, 17, 16, 1], [16, 1, 7, 7, 1], { stride: [1, 2, 2], padding: flat(3) }],
    // rows of taps padded to vectors, on Mesa 25
    ['7x7 stride 2 of three channels, large', [1, 1, 96, 96, 3], [52, 1, 7, 7, 3], { stride: [1, 2, 2], padding: flat(3) }],
    ['3x3 stride 2', [1, 1, 9, 10, 16], [8, 1, 3, 3, 16], { stride: [1, 2, 2], padding: flat(1) }],
    ['3x3 on 2x2, batch 8', [8, 1, 2, 2, 24], [16, 1, 3, 3, 24], { padding: flat(1) }],
    ['1x1', [3, 1, 5, 5, 12], [20, 1, 1, 1, 12], {}],
    ['1x1 stride 2', [2, 1, 5, 6, 12], [20, 1, 1, 1, 12], { stride: [1, 2, 2] }],
    ['dilation 4', [1, 1, 11, 9, 8], [8, 1, 3, 3, 8], { padding: flat(4), dil: [1, 4, 4] }],
    ['dilation 3 stride 2', [1, 1, 12, 9, 5], [8, 1, 3, 3, 5], { padding: flat(3), dil: [1, 3, 3], stride: [1, 2, 2] }],
    ['dilation 2 stride 2', [1, 1, 12, 9, 5], [8, 1, 3, 3, 5], { padding: flat(2), dil: [1, 2, 2], stride: [1, 2, 2] }],
    [
      'asymmetric',
      [1, 1, 7, 8, 4],
      [6, 1, 2, 4, 4],
      {
        padding: [
          [0, 0],
          [1, 0],
          [0, 3],
        ],
        stride: [1, 1, 3],
      },
    ],
    ['groups', [2, 1, 5, 6, 12], [18, 1, 3, 3, 4], { padding: flat(1), groups: 3 }],
    ['3x3x3', [1, 3, 4, 5, 9], [10, 3, 3, 3, 9], { padding: same(1) }],
    ['2x2x2 stride 2', [1, 4, 6, 4, 5], [12, 2, 2, 2, 5], { stride: [2, 2, 2] }],
    ['3x3x3 stride 2, 3, 1', [2, 5, 7, 4, 3], [4, 3, 3, 3, 3], { padding: same(1), stride: [2, 3, 1] }],
    ['patches of 4', [1, 8, 8, 8, 1], [24, 4, 4, 4, 1], { stride: [4, 4, 4] }],
    ['stride beyond the kernel', [1, 1, 9, 9, 3], [4, 1, 2, 2, 3], { stride: [1, 4, 4] }],
    ['depthwise 3x3', [2, 1, 7, 9, 12], [12, 1, 3, 3, 1], { padding: flat(1), groups: 12 }],
    ['depthwise 3x3 stride 2', [2, 1, 7, 9, 5], [5, 1, 3, 3, 1], { padding: flat(1), groups: 5, stride: [1, 2, 2] }],
    [
      'depthwise 3x5x7',
      [1, 4, 6, 21, 36],
      [36, 3, 5, 7, 1],
      {
        padding: [
          [1, 1],
          [2, 2],
          [3, 3],
        ],
        groups: 36,
      },
    ],
    ['depthwise 5x5 in bands', [2, 1, 35, 9, 4], [4, 1, 5, 5, 1], { padding: flat(2), groups: 4 }],
    ['depthwise 7x7', [1, 1, 8, 11, 9], [9, 1, 7, 7, 1], { padding: flat(3), groups: 9 }],
    [
      'depthwise 1x3',
      [1, 1, 5, 17, 8],
      [8, 1, 1, 3, 1],
      {
        padding: [
          [0, 0],
          [0, 0],
          [1, 1],
        ],
        groups: 8,
      },
    ],
    [
      'depthwise 3x3x3 dilation 2 along z',
      [1, 7, 37, 6, 8],
      [8, 3, 3, 3, 1],
      {
        padding: [
          [2, 2],
          [1, 1],
          [1, 1],
        ],
        groups: 8,
        dil: [2, 1, 1],
      },
    ],
    ['depthwise 3x3 without padding', [2, 1, 5, 20, 8], [8, 1, 3, 3, 1], { groups: 8, dil: [1, 2, 1] }],
    ['depthwise multiplier 2', [1, 1, 5, 5, 5], [10, 1, 3, 3, 1], { padding: flat(1), groups: 5 }],
    ['depthwise 4x4x4 dilation 2', [1, 7, 8, 9, 9], [9, 4, 4, 4, 1], { padding: same(3), groups: 9, dil: [2, 2, 2] }],
  ] as [string, number[], number[], object][])('%s', (_, x, w, options) => all(x, w, options));

  it('in two dimensions, with bias and activation', async () => {
    const [x, w, b] = [noise(2 * 6 * 5 * 4, 1), noise(9 * 9 * 4, 2), noise(9, 3)];
    const shapes = [[2, 6, 5, 4], [9, 3, 3, 4], [9]];
    const make = () => [x, w, b].map((v, i) => tensor(v, { shape: shapes[i] })) as [Tensor, Tensor, Tensor];
    const [tx, tw, tb] = make();
    const pre = await conv2d(tx, tw, { bias: tb, padding: 1 }).data();
    expect(
      nmse(
        await conv2d(tx, tw, { bias: tb, padding: 1, activation: 'relu' }).data(),
        pre.map((v) => Math.max(v, 0)),
      ),
    ).toBe(0);
    expect(
      nmse(
        await conv2d(tx, tw, { bias: tb, padding: 1, activation: 'silu' }).data(),
        pre.map((v) => v / (1 + Math.exp(-v))),
      ),
    ).toBeLessThan(1e-12);
    expect(await gradcheck(([a, c, d]) => conv2d(a, c, { bias: d, padding: 1, activation: 'silu' }), [x, w, b], shapes)).toBeLessThan(1e-3);
    expect(
      await gradcheck(
        ([a, c, d]) => convTranspose2d(a, c, { bias: d, stride: 2, padding: 1, outputPadding: 1 }),
        [noise(2 * 3 * 2 * 9, 1), w, noise(4, 3)],
        [[2, 3, 2, 9], [9, 3, 3, 4], [4]],
      ),
    ).toBeLessThan(1e-3);
    expect(
      await gradcheck(
        ([a, c, d]) => conv2d(a, c, { bias: d, padding: 1, groups: 4 }),
        [x, w.slice(0, 36), b.slice(0, 4)],
        [[2, 6, 5, 4], [4, 3, 3, 1], [4]],
      ),
    ).toBeLessThan(1e-3);
  });

  it('takes f16', async (context) => {
    if (!device.caps.f16) context.skip('the adapter has no shader-f16');
    const [x, w] = [noise(2 * 6 * 5 * 8, 1), noise(9 * 9 * 8, 2)];
    const f32 = await conv2d(tensor(rounded(x), { shape: [2, 6, 5, 8] }), tensor(rounded(w), { shape: [9, 3, 3, 8] }), {
      padding: 1,
    }).data();
    const f16 = await conv2d(
      tensor(half(x), { shape: [2, 6, 5, 8], dtype: 'f16' }),
      tensor(half(w), { shape: [9, 3, 3, 8], dtype: 'f16' }),
      { padding: 1 },
    ).data();
    expect(nmse(Array.from(f16, fromF16), f32)).toBeLessThan(1e-6);
  });

  it('says what does not fit', () => {
    const t = (shape: number[]) => tensor(new Float32Array(numel(shape)), { shape });
    expect(() => conv2d(t([1, 8, 8, 32]), t([16, 3, 3, 64]))).toThrow(
      'conv2d: weight [16,3,3,64] expects 64 input channels / groups 1, got 32',
    );
    expect(() => conv2d(t([1, 2, 2, 4]), t([16, 3, 3, 4]))).toThrow(/does not fit into input/);
    expect(() => conv2d(t([1, 2, 2, 4]), t([16, 3, 3, 4]), { stride: 0 })).toThrow(/got stride 0/);
    expect(() => conv3d(t([1, 2, 2, 4]), t([16, 3, 3, 4]))).toThrow(/expected \[N, D, H, W, C\]/);
  });
});
