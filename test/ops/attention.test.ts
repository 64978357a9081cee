// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { evaluate } from '../../src/engine/program.ts';
import { backward } from '../../src/engine/autograd.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { attention, attentionCore, attentionPacked } from '../../src/ops/attention.ts';
import { attentionGrad } from '../../src/ops/attention_grad.ts';
import { ShapeError } from '../../src/errors.ts';
import { mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { noise } from '../kernels/harness.ts';
import { matchesFloat64, random, type Input } from './float64.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

interface Form {
  B: number;
  H: number;
  G?: number;
  T: number;
  S: number;
  d: number;
  dv?: number;
  scale?: number;
  cosine?: boolean;
  causal?: boolean;
  biasBatches?: number;
  biasHeads?: number;
}

/** q [B, H, G, T, d], k, v the same way; bias [bb, bh, T, S], key bias [B, S], tau [H]: written out. */
function reference(
  f: Form,
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  bias?: Float64Array,
  keyBias?: Float64Array,
  tau?: Float64Array,
): Float64Array {
  const { B, H, G = 1, T, S, d, dv = d } = f;
  const scale = f.scale ?? (f.cosine ? 1 : 1 / Math.sqrt(d));
  const out = new Float64Array(B * H * G * T * dv);
  const norm = (x: Float64Array, at: number): number => {
    if (!f.cosine) return 1;
    let s = 0;
    for (let c = 0; c < d; c++) s += x[at + c] ** 2;
    return Math.max(Math.sqrt(s), 1e-12);
  };
  for (let z = 0; z < B * H * G; z++) {
    const b = Math.floor(z / (H * G));
    const h = Math.floor(z / G) % H;
    for (let t = 0; t < T; t++) {
      const s = new Float64Array(S);
      const nq = norm(q, (z * T + t) * d);
      for (let u = 0; u < S; u++) {
        let dot = 0;
        for (let c = 0; c < d; c++) dot += q[(z * T + t) * d + c] * k[(z * S + u) * d + c];
        s[u] = (dot * scale * (tau ? tau[h] : 1)) / (nq * norm(k, (z * S + u) * d));
        if (bias)
          s[u] += bias[(((f.biasBatches ?? 1) > 1 ? b : 0) * (f.biasHeads ?? H) + ((f.biasHeads ?? H) > 1 ? h : 0)) * T * S + t * S + u];
        if (keyBias) s[u] += keyBias[b * S + u];
        if (f.causal && u > t) s[u] = -Infinity;
      }
      const top = Math.max(...s);
      const w = s.map((x) => Math.exp(x - top));
      const total = w.reduce((x, y) => x + y, 0);
      for (let u = 0; u < S; u++) for (let c = 0; c < dv; c++) out[(z * T + t) * dv + c] += (w[u] / total) * v[(z * S + u) * dv + c];
    }
  }
  return out;
}

/** [B, T, H d] -> [B, H, T, d] */
function split(x: Float64Array, B: number, T: number, H: number, d: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++)
      for (let h = 0; h < H; h++) for (let c = 0; c < d; c++) y[((b * H + h) * T + t) * d + c] = x[(b * T + t) * H * d + h * d + c]!;
  return y;
}
function join(x: Float64Array, B: number, T: number, H: number, d: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++)
      for (let h = 0; h < H; h++) for (let c = 0; c < d; c++) y[(b * T + t) * H * d + h * d + c] = x[((b * H + h) * T + t) * d + c]!;
  return y;
}

describe('attention', () => {
  it('splits heads from channels, with another token count for keys and more keys than a chunk', async () => {
    const [B, T, S, H, d] = [2, 37, 131, 2, 9];
    await matchesFloat64(
      ([q, k, v]) => attention(q, k, v, { heads: H }),
      ([q, k, v]) => join(reference({ B, H, T, S, d }, split(q, B, T, H, d), split(k, B, S, H, d), split(v, B, S, H, d)), B, T, H, d),
      [random([B, T, H * d], 1, 2), random([B, S, H * d], 2, 2), random([B, S, H * d], 3)],
    );
  });
  it('reads q, k and v from one packed tensor', async () => {
    const [B, T, H, d] = [1, 33, 3, 8];
    await matchesFloat64(
      ([x]) => attentionPacked(x, { heads: H }),
      ([x]) => {
        const part = (j: number): Float64Array =>
          split(
            Float64Array.from({ length: B * T * H * d }, (_, i) => x[Math.floor(i / (H * d)) * 3 * H * d + j * H * d + (i % (H * d))]),
            B,
            T,
            H,
            d,
          );
        return join(reference({ B, H, T, S: T, d }, part(0), part(1), part(2)), B, T, H, d);
      },
      [random([B, T, 3 * H * d], 4, 2)],
    );
  });
  it('adds a bias shared by slices and groups, with cosine scores (CCA and CSA)', async () => {
    const f: Form = { B: 2, H: 3, G: 4, T: 19, S: 19, d: 5, cosine: true };
    const shape = [f.B, f.H, f.G!, f.T, f.d];
    await matchesFloat64(
      ([q, k, v, b]) => attention(q, k, v, { bias: b, cosine: true }),
      ([q, k, v, b]) => reference(f, q, k, v, b),
      [random(shape, 5), random(shape, 6), random(shape, 7), random([3, 19, 19], 8)],
    );
  });
  it.each([16, 20])('scales by a learned temperature and adds a key bias (BAA), %i channels a head', async (d) => {
    const f: Form = { B: 2, H: 4, T: 70, S: 70, d, cosine: true };
    const shape = [f.B, f.H, f.T, f.d];
    const tau: Input = { values: Float32Array.from([10, 3, 0, 7]), shape: [4] };
    await matchesFloat64(
      ([q, k, v, b, s]) => attention(q, k, v, { keyBias: b, tau: s, cosine: true }),
      ([q, k, v, b, s]) => reference(f, q, k, v, undefined, b, s),
      [random(shape, 9), random(shape, 10), random(shape, 11), random([2, 70], 12, 3), tau],
    );
  });
  it('takes one bias per batch or for all heads, another width of v, a causal mask, one query', async () => {
    const f: Form = { B: 2, H: 2, T: 7, S: 9, d: 3, dv: 11, biasBatches: 2, biasHeads: 1, scale: 0.7, causal: true };
    await matchesFloat64(
      ([q, k, v, b]) => attention(q, k, v, { bias: b, scale: 0.7, causal: true }),
      ([q, k, v, b]) => reference(f, q, k, v, b),
      [random([2, 2, 7, 3], 13, 2), random([2, 2, 9, 3], 14, 2), random([2, 2, 9, 11], 15), random([2, 1, 7, 9], 16)],
    );
    const one: Form = { B: 1, H: 1, T: 1, S: 65, d: 1 };
    await matchesFloat64(
      ([q, k, v]) => attention(q, k, v),
      ([q, k, v]) => reference(one, q, k, v),
      [random([1, 1, 1, 1], 17, 2), random([1, 1, 65, 1], 18, 2), random([1, 1, 65, 1], 19)],
    );
  });
  it('gives zero rows a zero score and a zero gradient', async () => {
    const shape = [1, 1, 9, 4];
    const values = noise(36, 20);
    values.fill(0, 8, 12);
    const f: Form = { B: 1, H: 1, T: 9, S: 9, d: 4, cosine: true };
    const [q, k, v] = [tensor(values, { shape }), tensor(values, { shape }), tensor(noise(36, 21), { shape })];
    const out = evaluate(() => {
      const y = attention(q, k, v, { cosine: true });
      const g = backward(sum(y), [q, k]);
      return { y, dq: g.get(q)!, dk: g.get(k)! };
    });
    const wanted = reference(f, Float64Array.from(values), Float64Array.from(values), Float64Array.from(await v.data()));
    expect(Math.max(...(await out.y.data()).map((y, i) => Math.abs(y - wanted[i])))).toBeLessThan(1e-5);
    for (const g of [out.dq, out.dk]) expect(Array.from((await g.data()).slice(8, 12), Math.abs)).toEqual([0, 0, 0, 0]);
  });
  it('masks with -Infinity; a row without keys is 0 and has no gradient, as in PyTorch', async () => {
    const shape = [1, 1, 2, 2];
    const v = tensor([1, 2, 3, 4], { shape });
    const bias = tensor([0, -Infinity, -Infinity, -Infinity], { shape: [1, 2, 2] });
    const inputs = [tensor([1, 0, 0, 1], { shape }), tensor([1, 0, 0, 1], { shape }), v] as const;
    const out = evaluate(() => {
      const y = attention(...inputs, { bias });
      const g = backward(sum(y), [...inputs]);
      return { y, dq: g.get(inputs[0])!, dk: g.get(inputs[1])!, dv: g.get(v)! };
    });
    expect([...(await out.y.data())]).toEqual([1, 2, 0, 0]);
    expect([...(await out.dv.data())]).toEqual([1, 1, 0, 0]);
    for (const g of [out.dq, out.dk]) expect([...(await g.data())].map(Math.abs)).toEqual([0, 0, 0, 0]);
  });
  it.each([2, 17])('the same by the bias of keys, %i channels a head', async (d) => {
    const shape = [2, 1, 3, d];
    const inputs = [1, 2, 3].map((seed) => tensor(noise(6 * d, seed), { shape })) as [Tensor, Tensor, Tensor];
    const keyBias = tensor([0, -Infinity, 1, -Infinity, -Infinity, -Infinity], { shape: [2, 3] });
    const out = evaluate(() => {
      const y = attention(...inputs, { keyBias });
      const g = backward(sum(mul(y, inputs[2])), [...inputs, keyBias]);
      return { y, ...Object.fromEntries(['dq', 'dk', 'dv', 'dbias'].map((name, i) => [name, g.get([...inputs, keyBias][i])!])) };
    }) as Record<string, Tensor>;
    for (const [name, t] of Object.entries(out)) {
      const values = [...(await t.data())];
      expect(values.every(Number.isFinite), name).toBe(true);
      const masked = values.slice(values.length / 2);
      if (name !== 'dv') expect(masked.map(Math.abs), name).toEqual(masked.map(() => 0)); // the loss reads v itself
      if (name !== 'dv') expect(Math.max(...values.slice(0, values.length / 2).map(Math.abs)), name).toBeGreaterThan(0);
    }
  });
  it('gives the same gradients in pieces of slices and of queries', async () => {
    const attrs = { heads: 2, scale: undefined, cosine: true, causal: false, grid: null };
    const [q, k, v, dy] = [1, 2, 3, 4].map((s) => tensor(noise(2 * 70 * 8, s), { shape: [2, 70, 8] })) as [never, never, never, never];
    const bias = tensor(noise(2 * 70 * 70, 5), { shape: [2, 70, 70] });
    const keyBias = tensor(noise(140, 6), { shape: [2, 70] });
    const tau = tensor([4, 2]);
    const inputs = [q, k, v, bias, keyBias, tau] as const;
    const saved = attentionCore(inputs, attrs);
    const runs = [1 << 25, 2 * 8 * 70 * 70, 8 * 33 * 70].map((bytes) => attentionGrad(inputs, saved as never, dy, attrs, bytes));
    for (const name of ['q', 'k', 'v', 'bias', 'keyBias', 'tau'] as const) {
      const [whole, ...others] = await Promise.all(runs.map((r) => r[name]!.data()));
      for (const other of others) expect(Math.max(...whole.map((x, i) => Math.abs(x - other[i]))), name).toBeLessThan(1e-5);
    }
  });
  it('computes in f16 storage with f32 sums', async (context) => {
    if (!device.caps.f16) context.skip('the adapter has no shader-f16');
    const [B, T, H, d] = [1, 40, 2, 8];
    const values = [1, 2, 3].map((s) => noise(B * T * H * d, s));
    const y = await attention(...(values.map((x) => tensor(x, { shape: [B, T, H * d], dtype: 'f16' })) as [never, never, never]), {
      heads: H,
    }).data();
    const { fromF16 } = await import('../../src/engine/dtype.ts');
    const [q, k, v] = values.map((x) => split(Float64Array.from(x), B, T, H, d));
    const wanted = join(reference({ B, H, T, S: T, d }, q, k, v), B, T, H, d);
    expect(Math.max(...Array.from(y, (x, i) => Math.abs(fromF16(x) - wanted[i])))).toBeLessThan(2e-3);
  });
  it('names the shapes that do not fit', () => {
    const x = tensor(new Float32Array(24), { shape: [2, 3, 4] });
    expect(() => attention(x, x, x, { heads: 3 })).toThrow(ShapeError);
    expect(() => attention(x, x, x, { heads: 2, bias: tensor([1], { shape: [1, 1, 1] }) })).toThrow(/\[2 or 1, 2 or 1, 3, 3\]/);
    expect(() => attention(x, x, x, { heads: 2, tau: tensor([1]) })).toThrow(/tau/);
  });
});
