// SPDX-License-Identifier: MIT
// Indices past 2^24, where f32 no longer counts, and past 2^30 where the limits allow: maps, gradients and what is slow.
import { expect, it } from 'vitest';
import { Philox } from '../../src/random/philox.ts';
import { numel, toF16 } from '../../src/engine/dtype.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { currentDevice } from '../../src/gpu/device.ts';
import * as vg from '../../src/index.ts';
import { update } from '../../src/ops/optim.ts';
import { at, look, N, PLACES, ROWS, waves } from './large.ts';

it('convolution, pooling and resize of a large map', async () => {
  const map = vg.reshape(waves, [1, ROWS, 1024, 1]);
  const shift = tensor([0, 0, 1], { shape: [1, 1, 3, 1] }); // picks the right neighbour
  const right = (i: number): number => (i % 1024 === 1023 ? 0 : (i + 1) % 251);
  expect(await at(vg.conv2d(map, shift, { padding: [0, 1] }))).toEqual(PLACES.map(right));
  const best = (i: number): number => Math.max(i % 251, right(i));
  expect(await at(vg.maxPool2d(map, { kernel: [1, 2], stride: 1, padding: [0, [0, 1]] }))).toEqual(PLACES.map(best));
  expect(await at(vg.resize(map, [ROWS, 1024], { mode: 'nearest', coordinates: 'asymmetric', scale: [1, 2] }))).toEqual(
    PLACES.map((i) => (i - (i % 1024) + Math.floor((i % 1024) / 2)) % 251),
  );
});

/** Gradient of sum(f(x) * g) with respect to x: f's adjoint at g, where f is linear. g is `waves` unless given. */
const pulled = (x: Tensor, f: (x: Tensor) => Tensor, g = waves): Tensor =>
  evaluate(() => {
    const y = f(x);
    return { dx: vg.backward(vg.sum(vg.mul(y, vg.reshape(g, y.shape))), [x]).get(x)! };
  }).dx;

it('gradients of convolution, pooling and resize', async () => {
  const map = vg.reshape(waves, [1, ROWS, 1024, 1]);
  const shift = tensor([0, 0, 1], { shape: [1, 1, 3, 1] });
  const inRow = (i: number, value: (i: number) => number): number => (i < 0 ? 0 : value(i));
  const left = (i: number): number => (i % 1024 === 0 ? -1 : i - 1);
  expect(await at(pulled(map, (x) => vg.conv2d(x, shift, { padding: [0, 1] })))).toEqual(PLACES.map((i) => inRow(left(i), (j) => j % 251)));
  // Weights: whole numbers whose sums f32 holds, so that one element too few would show.
  const [fives, sevenths] = [(i: number) => i % 5, (i: number) => Number(i % 7 === 0)];
  const [input, g] = [fives, sevenths].map((f) =>
    tensor(
      Float32Array.from({ length: N }, (_, i) => f(i)),
      { shape: map.shape },
    ),
  );
  const want = [0, 0, 0];
  for (let i = 0; i < N; i += 7)
    for (let k = -1; k <= 1; k++) if ((i % 1024) + k >= 0 && (i % 1024) + k < 1024) want[k + 1] += fives(i + k);
  expect([...(await pulled(shift, (w) => vg.conv2d(input, w, { padding: [0, 1] }), g).data())]).toEqual(want);
  for (const t of [input, g]) t.dispose();
  const holds = (i: number, other: number): boolean => i % 251 > other % 251;
  const pool = (x: Tensor): Tensor => vg.maxPool2d(x, { kernel: [1, 2], stride: 1, padding: [0, [0, 1]] });
  expect(await at(pulled(map, pool))).toEqual(
    PLACES.map(
      (i) =>
        // the window that begins at i, and the one before
        (i % 1024 === 1023 || holds(i, i + 1) ? i % 251 : 0) + inRow(left(i), (j) => (holds(i, j) ? j % 251 : 0)),
    ),
  );
  const spread = (x: Tensor): Tensor => vg.resize(x, [ROWS, 1024], { mode: 'nearest', coordinates: 'asymmetric', scale: [1, 2] });
  expect(await at(pulled(map, spread))).toEqual(
    PLACES.map((i) => {
      const column = i % 1024,
        first = i - column + 2 * column;
      return column < 512 ? (first % 251) + ((first + 1) % 251) : 0;
    }),
  );
});

it('batch and group norm, and their gradients', async () => {
  // Four channels, each its own group; the gradient is that of sum(y * waves), y up to rounding.
  const moments = (f: (i: number) => number, c: number): number => {
    let s = 0;
    for (let i = c; i < N; i += 4) s += f(i);
    return s / (N / 4);
  };
  const mean = [0, 1, 2, 3].map((c) => moments((i) => i % 251, c));
  const sigma = [0, 1, 2, 3].map((c) => Math.sqrt(moments((i) => ((i % 251) - mean[c]) ** 2, c)));
  const tilted = tensor(
    Float32Array.from({ length: N }, (_, i) => i % 7),
    { shape: [1, N / 4, 4] },
  );
  const y = (i: number): number => ((i % 251) - mean[i % 4]) / sigma[i % 4];
  const g = [0, 1, 2, 3].map((c) => moments((i) => i % 7, c));
  const gy = [0, 1, 2, 3].map((c) => moments((i) => (i % 7) * y(i), c));
  const x = vg.reshape(waves, [1, N / 4, 4]);
  const four = (v: number): Tensor => tensor(new Float32Array(4).fill(v));
  const norms = {
    batchNorm: (t: Tensor): Tensor => vg.batchNorm(t, four(1), four(0), four(0), four(1), { training: true, eps: 0 }),
    groupNorm: (t: Tensor): Tensor => vg.groupNorm(t, null, null, { groups: 4, eps: 0 }),
  };
  for (const [name, norm] of Object.entries(norms)) {
    (await at(norm(x))).forEach((v, k) => expect(v, `${name} at ${PLACES[k]}`).toBeCloseTo(y(PLACES[k]), 4));
    (await at(pulled(x, norm, tilted))).forEach((v, k) => {
      const i = PLACES[k];
      expect(v, `gradient of ${name} at ${i}`).toBeCloseTo(((i % 7) - g[i % 4] - y(i) * gy[i % 4]) / sigma[i % 4], 5);
    });
  }
  tilted.dispose();
});

it('running sums of short rows', async () => {
  const sums = (i: number): number => Array.from({ length: (i % 8) + 1 }, (_, k) => (i - k) % 251).reduce((a, b) => a + b);
  expect(await at(evaluate(() => ({ y: vg.cumsum(vg.reshape(waves, [N / 8, 8]), { axis: 1 }) })).y)).toEqual(PLACES.map(sums));
});

it('dropout', async () => {
  const random = new vg.RandomSource({ seed: 3, stream: 4, step: () => 5 });
  const kept = new Philox(3, 4).uniform(5, 0, N);
  expect(await at(vg.dropout(waves, { p: 0.5, random }))).toEqual(PLACES.map((i) => (kept[i] < 0.5 ? 0 : 2 * (i % 251))));
});

it('an update of as many parameters', async () => {
  const [p, m] = [vg.mulScalar(waves, 1), vg.mulScalar(waves, 2)];
  update(
    'sgd',
    { p, g: waves, m, v: m, hyper: tensor([0.25, 1, 1]), clip: tensor([2, 1]) },
    { beta1: 0.5, beta2: 0, eps: 0, weightDecay: 0, lrScale: 1 },
  );
  expect(await at(m)).toEqual(PLACES.map((i) => 3 * (i % 251))); // half of what it was, and twice the gradient
  expect(await at(p)).toEqual(PLACES.map((i) => (i % 251) / 4));
});

it('attention of as many values, and its gradient', async () => {
  const v = vg.reshape(waves, [N / 128, 2, 64]);
  const zero = vg.mulScalar(v, 0); // no query prefers a key: the mean of two
  const mean = PLACES.map((i) => {
    const first = i - (i % 128) + (i % 64);
    return ((first % 251) + ((first + 64) % 251)) / 2;
  });
  expect(await at(vg.attention(zero, v, v))).toEqual(mean);
  expect(await at(pulled(v, (x) => vg.attention(zero, zero, x)))).toEqual(mean);
  zero.dispose();
});

// The same code on a few rows, so that it is known to be right where no adapter binds 2 GiB.
it.for([2 ** 10 + 1, 2 ** 20 + 1])('halves, %i rows of 1,024: past 2^30 elements', async (rows, context) => {
  const n = rows * 1024;
  const {
    f16,
    limits: { maxStorageBufferBindingSize, maxBufferSize },
  } = currentDevice().caps;
  const largest = Math.min(maxStorageBufferBindingSize, maxBufferSize);
  if (!f16 || largest < 2 * n)
    context.skip(`needs shader-f16 and ${2 * n} bytes in one binding, the adapter has ${f16 ? '' : 'no '}shader-f16 and ${largest} bytes`);
  const half = (shape: number[], below: number): Tensor =>
    tensor(
      Uint16Array.from({ length: numel(shape) }, (_, i) => toF16(i % below)),
      { shape, dtype: 'f16' },
    );
  const places = [0, 1, 2 ** 24 + 1, 2 ** 29 + 3, 2 ** 30 - 1, 2 ** 30, 2 ** 30 + 1, n - 1025, n - 1].filter((i) => i < n);
  const value = (row: number, column: number): number => column + (row % 509);
  const x = vg.add(half([1, 1024], 1024), half([rows, 1], 509));
  expect(await look(x, places)).toEqual(places.map((i) => value(Math.floor(i / 1024), i % 1024)));
  expect(await at(vg.transpose(x), places)).toEqual(places.map((i) => value(i % rows, Math.floor(i / rows))));
  const far = tensor([rows - 1, 0, Math.floor(rows / 2)], { dtype: 'u32' });
  expect(await at(vg.indexSelect(x, far), [5, 1024, 3071])).toEqual([value(rows - 1, 5), value(0, 0), value(Math.floor(rows / 2), 1023)]);
  expect(await at(vg.flip(x, { axis: 0 }), places)).toEqual(places.map((i) => value(rows - 1 - Math.floor(i / 1024), i % 1024)));
  x.dispose();
});
