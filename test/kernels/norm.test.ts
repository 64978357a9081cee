// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { l2, l2_dx, norm, norm_dweight, norm_dx } from '../../src/gen/norm.ts';
import { device, fold, half, nmse, noise, rounded, run } from './harness.ts';

const range = (n: number) => [...Array(n).keys()];
const add = (v: number[]) => v.reduce((a, b) => a + b, 0);
const EPS = 1e-5;

function reference(
  x: ArrayLike<number>,
  gamma: ArrayLike<number>,
  beta: ArrayLike<number>,
  dy: ArrayLike<number>,
  rows: number,
  n: number,
  layer: boolean,
) {
  const out = {
    y: [] as number[],
    stats: [] as number[],
    dx: [] as number[],
    dgamma: new Array<number>(n).fill(0),
    dbeta: new Array<number>(n).fill(0),
  };
  for (const r of range(rows)) {
    const v = range(n).map((i) => x[r * n + i]);
    const mean = layer ? add(v) / n : 0;
    const rstd = 1 / Math.sqrt(add(v.map((e) => (e - mean) ** 2)) / n + EPS);
    const h = v.map((e) => (e - mean) * rstd);
    const g = range(n).map((i) => dy[r * n + i] * gamma[i]);
    const c1 = layer ? add(g) / n : 0;
    const c2 = add(g.map((e, i) => e * h[i])) / n;
    out.stats.push(mean, rstd);
    for (const i of range(n)) {
      out.y.push(h[i] * gamma[i] + (layer ? beta[i] : 0));
      out.dx.push(rstd * (g[i] - c1 - h[i] * c2));
      out.dgamma[i] += dy[r * n + i] * h[i];
      out.dbeta[i] += dy[r * n + i];
    }
  }
  return out;
}

describe.each([true, false])('norm, layer %s', (layer) => {
  it.each([
    ['f32', 5, 63, { WG: 8, LANES: 8 }],
    ['f32', 33, 7, { WG: 32, LANES: 2 }],
    ['vec4<f32>', 9, 64, { WG: 16, LANES: 4 }],
    ['vec4<f16>', 9, 36, { WG: 8, LANES: 8 }],
    ['f16', 3, 65, { WG: 8, LANES: 4 }],
  ])('%s [%i, %i] %j', async (V, rows, n, lanes) => {
    const f16 = V.includes('f16');
    const W = V.startsWith('vec4') ? 4 : 1;
    const see = f16 ? rounded : (a: Float32Array) => a;
    const store = f16 ? half : (a: Float32Array) => a;
    const fresh = f16 ? { f16: rows * n } : { f32: rows * n };
    // A mean far from 0: E[x^2] - E[x]^2 would lose every digit of the f32 case.
    const x = see(noise(rows * n, 1, 1, f16 ? 2 : 1000)),
      dy = see(noise(rows * n, 2)),
      gamma = noise(n, 3, 0.5, 1),
      beta = noise(n, 4);
    const want = reference(x, gamma, beta, dy, rows, n, layer);
    const common = {
      params: { rows, n: n / W, eps: EPS, chunk: 4 },
      spec: { V },
      overrides: { ...lanes, MEAN: Number(layer) },
      grid: fold(Math.ceil((rows * lanes.LANES) / lanes.WG)),
    };
    const a = await run(norm, { ...common, buffers: { x: store(x), gamma, beta, z: store(x), y: fresh, stats: { f32: 2 * rows } } });
    // f32: the mean of values near 1000 is known to 3e-5 where the sum is divided exactly, as processors do; WGSL allows a division
    // 2.5 units in the last place.
    const { software } = await device();
    const tolerance = f16 ? 2e-7 : layer ? (software ? 1e-8 : 2.5 ** 2 * 1e-8) : 1e-12;
    expect(nmse(a.y, want.y)).toBeLessThan(tolerance);
    expect(nmse(a.stats, want.stats)).toBeLessThan(1e-12);
    const stats_in = Float32Array.from(want.stats);
    const b = await run(norm_dx, { ...common, buffers: { x: store(x), gamma, stats_in, dy: store(dy), z: store(x), dx: fresh } });
    expect(nmse(b.dx, want.dx)).toBeLessThan(f16 ? 2e-7 : 2e-8);
    const parts = Math.ceil(rows / 4);
    const summed = (v: ArrayLike<number>) => range(n).map((i) => add(range(parts).map((p) => v[p * n + i])));
    for (const per of (n / W) % 4 === 0 ? [1, 4] : [1]) {
      const c = await run(norm_dweight, {
        ...common,
        spec: { V, PER: `${per}u` },
        grid: fold(Math.ceil((parts * n) / W / per / lanes.WG)),
        overrides: { WG: lanes.WG },
        buffers: { x: store(x), stats_in, dy: store(dy), dgamma: { f32: parts * n }, dbeta: { f32: parts * n } },
      });
      expect(nmse(summed(c.dgamma), want.dgamma)).toBeLessThan(2e-8);
      expect(nmse(summed(c.dbeta), want.dbeta)).toBeLessThan(1e-11);
    }
  });
});

describe('l2', () => {
  it.each([
    ['f32', 6, 25, { WG: 8, LANES: 8 }],
    ['vec4<f32>', 20, 16, { WG: 8, LANES: 2 }],
    ['vec4<f16>', 4, 40, { WG: 8, LANES: 4 }],
  ])('%s [%i, %i] %j', async (V, rows, n, lanes) => {
    const f16 = V.includes('f16');
    const W = V.startsWith('vec4') ? 4 : 1;
    const see = f16 ? rounded : (a: Float32Array) => a;
    const store = f16 ? half : (a: Float32Array) => a;
    const fresh = f16 ? { f16: rows * n } : { f32: rows * n };
    const x = see(noise(rows * n, 1)),
      dy = see(noise(rows * n, 2));
    x.fill(0, n, 2 * n);
    const lengths = range(rows).map((r) => Math.hypot(...x.slice(r * n, r * n + n)));
    const y = Array.from(x, (v, k) => (v === 0 ? 0 : v / lengths[Math.floor(k / n)]));
    const dx = Array.from(dy, (g, k) => {
      const r = Math.floor(k / n);
      return lengths[r] === 0 ? 0 : (g - y[k] * add(range(n).map((i) => y[r * n + i] * dy[r * n + i]))) / lengths[r];
    });
    const common = {
      params: { rows, n: n / W, eps: 1e-12, chunk: 0 },
      spec: { V },
      overrides: lanes,
      grid: fold(Math.ceil((rows * lanes.LANES) / lanes.WG)),
    };
    const a = await run(l2, { ...common, buffers: { x: store(x), y: fresh, stats: { f32: rows } } });
    expect(nmse(a.y, y)).toBeLessThan(f16 ? 2e-7 : 1e-12);
    const b = await run(l2_dx, { ...common, buffers: { x: store(Float32Array.from(y)), stats_in: a.stats, dy: store(dy), dx: fresh } });
    expect(nmse(b.dx, dx)).toBeLessThan(f16 ? 2e-6 : 1e-12);
  });

  it('divides by eps below it', async () => {
    const x = Float32Array.from([3e-4, 4e-4, 0, 0]),
      dy = Float32Array.from([1, 2, 3, 4]);
    const common = { params: { rows: 1, n: 4, eps: 1e-2, chunk: 0 }, grid: [1] as [number] };
    const { y, stats } = await run(l2, { ...common, buffers: { x, y: { f32: 4 }, stats: { f32: 1 } } });
    expect(nmse(y, [0.03, 0.04, 0, 0])).toBeLessThan(1e-12);
    const { dx } = await run(l2_dx, { ...common, buffers: { x: y, stats_in: stats, dy, dx: { f32: 4 } } });
    expect(nmse(dx, [100, 200, 300, 400])).toBeLessThan(1e-12);
  });
});
