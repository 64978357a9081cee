// SPDX-License-Identifier: MIT
// Batch, group and instance norm against float64, forward and backward.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { fromF16, numel, spec, type HostArray } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { batchNorm } from '../../src/ops/batch_norm.ts';
import { groupNorm, instanceNorm } from '../../src/ops/group_norm.ts';
import { cast, mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { half, nmse, noise, rounded } from '../kernels/harness.ts';

let device: Device;
// Drivers that compile slowly keep one vector of channels a lane: here large rows get four on every adapter.
beforeAll(async () => {
  const opened = await openDevice();
  device = Object.assign(opened, { caps: { ...opened.caps, driver: 'a fast compiler' } });
});
afterAll(() => device.close());

const range = (n: number) => [...Array(n).keys()];
const add = (v: number[]) => v.reduce((a, b) => a + b, 0);
const EPS = 1e-5;
interface Case {
  n: number;
  rows: number;
  c: number;
  groups: number;
  x: ArrayLike<number>;
  dy: ArrayLike<number>;
  gamma?: ArrayLike<number>;
  beta?: ArrayLike<number>;
  z?: ArrayLike<number>;
  relu?: boolean;
  fixed?: { mean: ArrayLike<number>; variance: ArrayLike<number> };
}

/** x [n, rows, c]; batch norm is n = 1, groups = c. `fixed`: statistics that are constants. */
function reference({ n, rows, c, groups, x, dy, gamma, beta, z, relu, fixed }: Case) {
  const width = c / groups,
    size = n * rows * c;
  const y = new Array<number>(size),
    dx = new Array<number>(size),
    dz = new Array<number>(size);
  const dgamma = new Array<number>(c).fill(0),
    dbeta = new Array<number>(c).fill(0),
    means: number[] = [],
    variances: number[] = [];
  for (const s of range(n))
    for (const g of range(groups)) {
      const at = range(rows).flatMap((r) => range(width).map((j) => (s * rows + r) * c + g * width + j));
      const mean = fixed ? fixed.mean[g] : add(at.map((i) => x[i])) / at.length;
      const variance = fixed ? fixed.variance[g] : add(at.map((i) => (x[i] - mean) ** 2)) / at.length;
      const rstd = 1 / Math.sqrt(variance + EPS);
      means.push(mean);
      variances.push(variance);
      const h = at.map((i) => (x[i] - mean) * rstd);
      const w = at.map((i) => gamma?.[i % c] ?? 1);
      at.forEach((i, k) => {
        y[i] = h[k] * w[k] + (beta?.[i % c] ?? 0) + (z?.[i] ?? 0);
        if (relu) y[i] = Math.max(y[i], 0);
      });
      const cut = at.map((i) => (relu && y[i] <= 0 ? 0 : dy[i]));
      const c1 = fixed ? 0 : add(cut.map((v, k) => v * w[k])) / at.length;
      const c2 = fixed ? 0 : add(cut.map((v, k) => v * w[k] * h[k])) / at.length;
      at.forEach((i, k) => {
        dx[i] = rstd * (cut[k] * w[k] - c1 - h[k] * c2);
        dz[i] = cut[k];
        dgamma[i % c] += cut[k] * h[k];
        dbeta[i % c] += cut[k];
      });
    }
  return { y, dx, dz, dgamma, dbeta, means, variances };
}

/** y and the gradients of sum(y * dy). */
async function both(f: () => Tensor, dy: Tensor, inputs: Record<string, Tensor>) {
  const out = evaluate(() => {
    const y = f();
    const grads = backward(sum(mul(cast(y, 'f32'), dy)), Object.values(inputs));
    return { y, ...Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, grads.get(t)!])) };
  }) as Record<string, Tensor>;
  const values: Record<string, ArrayLike<number>> = {};
  for (const [name, t] of Object.entries(out)) {
    const data: HostArray = await t.data();
    values[name] = t.dtype === 'f16' ? Float32Array.from(data, fromF16) : data;
  }
  return values;
}

describe('batch norm', () => {
  it.each([
    [[2, 3, 5, 7], false, false, 'f32'],
    [[4, 9, 9, 8], true, false, 'f32'],
    [[3, 50, 12], true, true, 'f32'],
    [[3000, 6], false, true, 'f32'],
    [[5, 40, 8], true, true, 'f16'],
    [[1, 3], false, false, 'f32'],
    [[1030, 128], true, true, 'f32'],
    [[2060, 64], false, false, 'f32'],
    [[1030, 128], true, true, 'f16'], // four vectors a lane, on processors
  ] as const)('training, %j, relu %s, add %s, %s', async (shape, relu, withAdd, dtype) => {
    const c = shape.at(-1)!,
      rows = numel(shape) / c;
    const see = dtype === 'f16' ? rounded : (a: Float32Array) => a;
    const put = (v: Float32Array) => tensor(dtype === 'f16' ? half(v) : v, { shape: [...shape], dtype });
    const x = see(noise(rows * c, 1, 2, dtype === 'f16' ? 1 : 100)),
      dy = see(noise(rows * c, 2)),
      z = see(noise(rows * c, 5));
    const gamma = noise(c, 3, 0.5, 1),
      beta = noise(c, 4),
      m0 = noise(c, 6),
      v0 = noise(c, 7, 0.2, 1);
    const want = reference({ n: 1, rows, c, groups: c, x, dy, gamma, beta, relu, ...(withAdd && { z }) });
    const t = { x: put(x), gamma: tensor(gamma), beta: tensor(beta), ...(withAdd && { z: put(z) }) };
    const mean = tensor(m0),
      variance = tensor(v0);
    const got = await both(
      () => batchNorm(t.x, t.gamma, t.beta, mean, variance, { training: true, momentum: 0.2, eps: EPS, relu, add: t.z ?? null }),
      tensor(dy, { shape: [...shape] }),
      t,
    );
    const tolerance = dtype === 'f16' ? 5e-7 : 1e-10;
    expect(nmse(got.y, want.y)).toBeLessThan(tolerance);
    if (rows > 1) expect(nmse(got.x, want.dx)).toBeLessThan(tolerance); // one row: dx is 0
    if (rows > 1) expect(nmse(got.gamma, want.dgamma)).toBeLessThan(tolerance);
    expect(nmse(got.beta, want.dbeta)).toBeLessThan(tolerance);
    if (withAdd) expect(nmse(got.z, want.dz)).toBeLessThan(tolerance);
    expect(
      nmse(
        await mean.data(),
        want.means.map((v, i) => 0.8 * m0[i] + 0.2 * v),
      ),
    ).toBeLessThan(1e-12);
    expect(
      nmse(
        await variance.data(),
        want.variances.map((v, i) => 0.8 * v0[i] + (0.2 * v * rows) / Math.max(1, rows - 1)),
      ),
    ).toBeLessThan(1e-11);
  });

  it('evaluation: running values are constants, and stay', async () => {
    const [rows, c] = [37, 8];
    const x = noise(rows * c, 1, 2),
      dy = noise(rows * c, 2),
      gamma = noise(c, 3),
      beta = noise(c, 4),
      m = noise(c, 6),
      v = noise(c, 7, 0.2, 1);
    const want = reference({ n: 1, rows, c, groups: c, x, dy, gamma, beta, relu: true, fixed: { mean: m, variance: v } });
    const t = { x: tensor(x, { shape: [rows, c] }), gamma: tensor(gamma), beta: tensor(beta) };
    const mean = tensor(m),
      variance = tensor(v);
    const got = await both(
      () => batchNorm(t.x, t.gamma, t.beta, mean, variance, { training: false, eps: EPS, relu: true }),
      tensor(dy, { shape: [rows, c] }),
      t,
    );
    for (const [a, b] of [
      [got.y, want.y],
      [got.x, want.dx],
      [got.gamma, want.dgamma],
      [got.beta, want.dbeta],
    ])
      expect(nmse(a, b)).toBeLessThan(1e-11);
    expect([...(await mean.data())]).toEqual([...m]);
    expect([...(await variance.data())]).toEqual([...v]);
  });
});

it('batch norm replays like eager, running values included', async () => {
  const [rows, c] = [50, 12];
  const gamma = tensor(noise(c, 3)),
    beta = tensor(noise(c, 4));
  const running = () => [tensor(new Float32Array(c)), tensor(new Float32Array(c).fill(1))] as const;
  const [m1, v1] = running(),
    [m2, v2] = running();
  using program = await compile(({ x }: { x: Tensor }) => ({ y: batchNorm(x, gamma, beta, m1, v1, { training: true, relu: true }) }), {
    x: spec([rows, c]),
  });
  for (const seed of [1, 2, 3]) {
    const x = noise(rows * c, seed);
    const replayed = await program.run({ x }).y.data();
    const eager = await batchNorm(tensor(x, { shape: [rows, c] }), gamma, beta, m2, v2, { training: true, relu: true }).data();
    expect([...replayed]).toEqual([...eager]);
  }
  expect([...(await m1.data())]).toEqual([...(await m2.data())]);
  expect([...(await v1.data())]).toEqual([...(await v2.data())]);
});

describe('group norm', () => {
  it.each([
    [[2, 5, 7, 12], 3, true, false, 'f32'],
    [[3, 40, 6], 2, false, true, 'f32'],
    [[2, 700, 8], 8, true, true, 'f32'],
    [[40, 9, 16], 4, true, true, 'f16'],
    [[1, 4, 5], 1, false, false, 'f32'],
    [[1, 1, 8], 2, false, false, 'f32'],
    [[2, 700, 8], 4, true, true, 'f32'],
    [[3, 50, 64], 2, false, true, 'f32'],
    [[2, 30, 10, 16], 4, true, false, 'f16'], // more than 1,024 elements a group
    [[2, 515, 128], 8, true, true, 'f32'], // four vectors a lane, on processors
  ] as const)('%j in %i groups, relu %s, add %s, %s', async (shape, groups, relu, withAdd, dtype) => {
    const n = shape[0],
      c = shape.at(-1)!,
      rows = numel(shape) / c / n;
    const see = dtype === 'f16' ? rounded : (a: Float32Array) => a;
    const x = see(noise(n * rows * c, 1, 2, dtype === 'f16' ? 1 : 100)),
      dy = see(noise(n * rows * c, 2)),
      z = see(noise(n * rows * c, 5)),
      gamma = noise(c, 3, 0.5, 1),
      beta = noise(c, 4);
    const want = reference({ n, rows, c, groups, x, dy, gamma, beta, relu, ...(withAdd && { z }) });
    const put = (v: Float32Array) => tensor(dtype === 'f16' ? half(v) : v, { shape: [...shape], dtype });
    const t = { x: put(x), gamma: tensor(gamma), beta: tensor(beta), ...(withAdd && { z: put(z) }) };
    const got = await both(
      () => groupNorm(t.x, t.gamma, t.beta, { groups, eps: EPS, relu, add: t.z ?? null }),
      tensor(dy, { shape: [...shape] }),
      t,
    );
    const tolerance = dtype === 'f16' ? 5e-7 : 1e-10;
    for (const [a, b] of [
      [got.y, want.y],
      [got.x, want.dx],
      [got.gamma, want.dgamma],
      [got.beta, want.dbeta],
      ...(withAdd ? [[got.z, want.dz]] : []),
    ])
      expect(nmse(a, b)).toBeLessThan(tolerance);
  });

  it('without weights, as instance norm', async () => {
    const [n, rows, c] = [2, 30, 8];
    const x = noise(n * rows * c, 1),
      dy = noise(n * rows * c, 2);
    const want = reference({ n, rows, c, groups: c, x, dy });
    const t = { x: tensor(x, { shape: [n, rows, c] }) };
    const got = await both(() => instanceNorm(t.x, null, null, { eps: EPS }), tensor(dy, { shape: [n, rows, c] }), t);
    expect(nmse(got.y, want.y)).toBeLessThan(1e-11);
    expect(nmse(got.x, want.dx)).toBeLessThan(1e-11);
  });

  it('refuses groups that do not divide the channels', () => {
    expect(() => groupNorm(tensor(noise(12), { shape: [2, 6] }), null, null, { groups: 4 })).toThrow(
      'group_norm: got 4 groups for 6 channels, expected a divisor.',
    );
  });
});

it('parts of a batch must divide it', () => {
  const c = (): Tensor => tensor([1, 1], { shape: [2] });
  const x = tensor(new Float32Array(12), { shape: [3, 2, 2] });
  expect(() => batchNorm(x, c(), c(), c(), c(), { training: true, parts: 2 })).toThrow(/2 parts of \[3,2,2\]/);
  expect(batchNorm(x, c(), c(), c(), c(), { training: false, parts: 2 }).shape).toEqual([3, 2, 2]); // running values have no parts
});
