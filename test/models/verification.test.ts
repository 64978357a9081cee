// SPDX-License-Identifier: MIT
// Specification E.2 to E.6, E.8, E.9 and E.11: properties that a wrong module cannot have by accident. E.1 is counts.test.ts, E.7 the
// op tests, E.10 losses.test.ts, E.12 toy.test.ts, E.13 and E.14 the tests of metrics and formats.
import type { SlicePlane } from '../../src/axes.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { evaluate } from '../../src/engine/program.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { BGC } from '../../src/models/sanet/bgc.ts';
import { CCA, CSA } from '../../src/models/sanet/cross_layer.ts';
import { dctTable, MFCA } from '../../src/models/sanet/mfca.ts';
import { putSlices, takeSlices } from '../../src/models/sanet/planes.ts';
import { attention } from '../../src/ops/attention.ts';
import { bilateralAdjacency } from '../../src/ops/bilateral_graph.ts';
import { edgeConvGather } from '../../src/ops/edge_conv.ts';
import { slice, split } from '../../src/ops/layout.ts';
import { linear } from '../../src/ops/matmul.ts';
import { l2Normalize } from '../../src/ops/norm.ts';
import { mul, sub } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { crossTargets, type SparseLabels } from '../../src/methods/sanet/cross.ts';
import { oneHotOf, segLoss } from '../../src/losses/segmentation.ts';
import { checkLinear } from '../ops/check.ts';
import { noise } from '../kernels/harness.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const random = (shape: readonly number[], seed: number): Tensor =>
  tensor(
    noise(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    { shape },
  );
const values = async (t: Tensor): Promise<Float32Array> => (await t.data()) as Float32Array;
const largestDifference = async (a: Tensor, b: Tensor): Promise<number> => {
  const [x, y] = [await values(a), await values(b)];
  return x.reduce((worst, v, i) => Math.max(worst, Math.abs(v - y[i])), 0);
};
/** The grouping of an attention module, which is its own business otherwise. */
interface Grouping {
  group(qkv: Tensor, ratio: number): Tensor;
  ungroup(tokens: Tensor, ratio: number, slices: number, smallest: [number, number]): Tensor;
}
const groupingOf = (m: CCA | CSA): Grouping => m as unknown as Grouping;

describe('grouping (E.2, E.3)', () => {
  it('makes 16 groups a head along channels and one a cell in space', () => {
    // C = 256: C' = 64; the smallest map is 2 x 5, as for 64 x 160 slices.
    for (const [module, ratio, shape] of [
      [new CCA(256), 8, [16, 65, 3 * 4 * 10]],
      [new CCA(256), 1, [16, 1, 3 * 4 * 10]],
      [new CSA(256), 4, [10, 25, 3 * 64]],
    ] as const) {
      expect(groupingOf(module).group(random([1, 2 * ratio, 5 * ratio, 192], 1), ratio).shape).toEqual(shape);
    }
  });

  it.each([
    [CCA, 2],
    [CCA, 4],
    [CCA, 1],
    [CSA, 2],
    [CSA, 8],
    [CSA, 1],
  ] as const)('%o at ratio %i: overlap-add is the adjoint of grouping', async (Kind, r) => {
    const m = groupingOf(new Kind(32));
    // q, k and v are grouped alike and lie side by side: one of them, since ungroup takes one.
    const shape = [2, 2 * r, 3 * r, 24];
    const grouped = (x: Tensor): Tensor => split(m.group(x, r), 3, { axis: -1 })[1];
    const y = random([...grouped(random(shape, 1)).shape], 2);
    const { dx, back } = evaluate(() => {
      const x = random(shape, 3);
      const dx = backward(sum(mul(grouped(x), y)), [x]).get(x)!;
      return { dx, back: m.ungroup(y, r, 2, [2, 3]) };
    });
    expect(await largestDifference(slice(dx, { axis: -1, start: 8, end: 16 }), back)).toBeLessThan(1e-6);
  });

  it.each(['transverse', 'coronal'] as const)('%s slices: taking and putting back', async (plane: SlicePlane) => {
    const [d, h, w] = [3, 4, 5];
    const count = plane === 'transverse' ? d : h;
    const volume = random([1, d, h, w, 2], 4);
    const all = tensor(
      Uint32Array.from({ length: count }, (_, i) => i),
      { dtype: 'u32' },
    );
    expect(await values(putSlices(takeSlices(volume, plane, all), plane, reshape(all, [1, count])))).toEqual(await values(volume));
    const some = tensor(Uint32Array.of(2, 0), { dtype: 'u32' });
    await checkLinear((x) => takeSlices(x, plane, some), [1, d, h, w, 2]);
    await checkLinear(
      (x) =>
        putSlices(
          x,
          plane,
          tensor(
            Uint32Array.from({ length: count }, (_, i) => i % 2),
            { shape: [1, count], dtype: 'u32' },
          ),
        ),
      plane === 'transverse' ? [2, h, w, 2] : [2, d, w, 2],
    );
  });
});

describe('MFCA (E.4)', () => {
  it('frequencies but the first have no mean', () => {
    const table = dctTable();
    const means = Array.from({ length: 16 }, (_, m) => table.subarray(49 * m, 49 * m + 49).reduce((a, b) => a + b, 0) / 49);
    expect(means[0]).toBeCloseTo(1 / 7, 6);
    for (const mean of means.slice(1)) expect(Math.abs(mean)).toBeLessThan(1e-7);
  });

  /** Direct loops in float64 over channels, frequencies and cells. */
  function reference(
    m: { fc1: Float32Array; fc2: Float32Array },
    x: Float32Array,
    [h, w, c]: readonly [number, number, number],
  ): Float64Array {
    const table = dctTable();
    const statistics = [0, 1, 2].map(() => new Float64Array(c));
    for (let k = 0; k < c; k++) {
      for (let f = 0; f < 16; f++) {
        const cells = Array.from({ length: 49 }, (_, i) => {
          const [p, q] = [Math.floor(i / 7), i % 7];
          let total = 0;
          let n = 0;
          for (let y = Math.floor((p * h) / 7); y < Math.ceil(((p + 1) * h) / 7); y++) {
            for (let z = Math.floor((q * w) / 7); z < Math.ceil(((q + 1) * w) / 7); z++) {
              total += x[(y * w + z) * c + k];
              n++;
            }
          }
          return (total / n) * table[49 * f + i];
        });
        [cells.reduce((a, b) => a + b) / 49, Math.max(...cells), Math.min(...cells)].forEach((v, s) => {
          statistics[s][k] += v / 16;
        });
      }
    }
    const gate = new Float64Array(c);
    for (const s of statistics) {
      const hidden = Array.from({ length: c / 16 }, (_, j) =>
        Math.max(
          0,
          s.reduce((a, v, k) => a + v * m.fc1[j * c + k], 0),
        ),
      );
      gate.forEach((_, k) => {
        gate[k] += hidden.reduce((a, v, j) => a + v * m.fc2[k * (c / 16) + j], 0);
      });
    }
    return Float64Array.from(x, (v, i) => v / (1 + Math.exp(-gate[i % c])));
  }

  it.each(['constant a channel', 'random'])('agrees with loops where the input is %s', async (kind) => {
    const shape = [1, 3, 9, 32] as const;
    const m = new MFCA(32).initialise(3);
    const x = kind === 'random' ? noise(864, 5) : Float32Array.from(noise(864, 5), (_, i, all = noise(32, 6)) => 3 * all[i % 32]);
    const expected = reference({ fc1: await m.fc1.weight.torchValues(), fc2: await m.fc2.weight.torchValues() }, x, [
      shape[1],
      shape[2],
      shape[3],
    ]);
    const y = await values(m.forward(tensor(x, { shape })));
    expected.forEach((want, i) => {
      expect(Math.abs(y[i] - want)).toBeLessThan(2e-6);
    });
  });
});

it('ESG: gathered sums are the direct pairs (E.5)', async () => {
  const [n, nodes, c] = [12, 32, 8];
  const [x, v, w] = [random([2, n, c], 1), random([2, nodes, c], 2), random([c, 2 * c], 3)];
  const index = Uint32Array.from({ length: 2 * n * 5 }, (_, i) => (7 * i + (i >> 3)) % nodes);
  const [w1, w2] = [slice(w, { axis: 1, start: 0, end: c }), slice(w, { axis: 1, start: c, end: 2 * c })];
  const y = await values(edgeConvGather(linear(v, w1), linear(x, sub(w2, w1)), tensor(index, { shape: [2, n, 5], dtype: 'u32' })));
  const [X, V, W] = [await values(x), await values(v), await values(w)];
  for (let i = 0; i < y.length; i++) {
    const [o, pair] = [i % c, Math.floor(i / c)];
    const row = Math.floor(pair / 5);
    const node = Math.floor(row / n) * nodes + index[pair];
    let want = 0;
    for (let k = 0; k < c; k++) want += W[o * 2 * c + k] * (V[node * c + k] - X[row * c + k]) + W[o * 2 * c + c + k] * X[row * c + k];
    expect(Math.abs(y[i] - want)).toBeLessThan(1e-5);
  }
});

describe('BGC (E.6)', () => {
  it('adjacency: rows sum to 1, and zero score vectors leave messages between graphs', async () => {
    const [z, p, q] = [random([2, 64, 16], 1), random([4, 16], 2), random([4, 16], 3)];
    const inside = Float32Array.from({ length: 64 }, (_, i) => (Math.floor(i / 16) % 3 === 0 ? 1 : 0)); // relations s -> s and b -> b
    for (const mask of [new Float32Array(64).fill(1), inside]) {
      const keep = tensor(mask, { shape: [4, 16] });
      const a = await values(bilateralAdjacency(z, mul(p, keep), mul(q, keep)));
      for (let row = 0; row < 128; row++) expect(a.subarray(64 * row, 64 * row + 64).reduce((s, v) => s + v, 0)).toBeCloseTo(1, 5);
      expect(
        a.subarray(32, 64).reduce((s, v) => s + v, 0),
        'mass that node 0 of s takes from b',
      ).toBeGreaterThan(0.05);
    }
  });

  it('does not know the order of its nodes: permuted assignment channels permute the nodes and nothing else', async () => {
    const bgc = new BGC(16).initialise(5);
    const [region, boundary] = [random([2, 3, 4, 16], 1), random([2, 3, 4, 16], 2)];
    let nodes!: Tensor;
    const forward = bgc.norm_s.forward.bind(bgc.norm_s);
    bgc.norm_s.forward = (x) => (nodes = forward(x));
    const before = { ...bgc.forward(region, boundary), nodes: await values(nodes) };
    const order = Array.from({ length: 32 }, (_, i) => (i * 11 + 3) % 32);
    for (const parameter of [bgc.assign_s.weight, bgc.assign_s.bias!]) {
      const old = await parameter.torchValues();
      const row = old.length / 32;
      parameter.setTorchValues(old.map((_, i) => old[order[Math.floor(i / row)] * row + (i % row)]));
    }
    const after = bgc.forward(region, boundary);
    expect(await largestDifference(before.j1, after.j1)).toBeLessThan(2e-5);
    expect(await largestDifference(before.j2, after.j2)).toBeLessThan(2e-5);
    const permuted = await values(nodes);
    const moved = permuted.map((_, i) => before.nodes[(Math.floor(i / 4096) * 32 + order[Math.floor(i / 128) % 32]) * 128 + (i % 128)]);
    expect(Math.max(...permuted.map((v, i) => Math.abs(v - moved[i])))).toBeLessThan(2e-5);
    expect(Math.max(...permuted.map((v, i) => Math.abs(v - before.nodes[i])))).toBeGreaterThan(1e-3);
  });
});

describe('level bias (E.8)', () => {
  it.each([CCA, CSA])('%o: matters on keys', async (Kind) => {
    const m = new Kind(32).initialise(2);
    const maps = [8, 4, 2, 1].map((r, i) => random([1, 2 * r, 3 * r, 32], i + 1));
    const before = m.forward(maps);
    m.level_bias.setTorchValues((await m.level_bias.torchValues()).map((v, i) => v + (i >> 2 === 1 ? 1 : 0)));
    const after = m.forward(maps);
    const changes = await Promise.all(before.map((y, i) => largestDifference(y, after[i])));
    expect(Math.max(...changes)).toBeGreaterThan(1e-3);
  });

  it('would not on queries', async () => {
    const [q, k, v] = [random([2, 9, 8], 1), random([2, 9, 8], 2), random([2, 9, 8], 3)];
    const bias = (row: number): Tensor =>
      tensor(
        Float32Array.from({ length: 81 }, (_, i) => (Math.floor(i / 9) === 4 ? row : 0)),
        { shape: [1, 9, 9] },
      );
    expect(
      await largestDifference(attention(q, k, v, { cosine: true, bias: bias(0) }), attention(q, k, v, { cosine: true, bias: bias(1) })),
    ).toBeLessThan(1e-6);
  });
});

it('zero tokens have zero direction and zero gradient (E.9)', async () => {
  const { y, dx, attended, dq, dk } = evaluate(() => {
    const x = tensor(new Float32Array(15), { shape: [3, 5] });
    const y = l2Normalize(x);
    const dx = backward(sum(mul(y, random([3, 5], 1))), [x]).get(x)!;
    const [q, k] = [tensor(new Float32Array(12), { shape: [1, 3, 4] }), tensor(new Float32Array(12), { shape: [1, 3, 4] })];
    const attended = attention(q, k, random([1, 3, 4], 2), { cosine: true });
    const grads = backward(sum(mul(attended, random([1, 3, 4], 3))), [q, k]);
    return { y, dx, attended, dq: grads.get(q)!, dk: grads.get(k)! };
  });
  for (const t of [y, dx, dq, dk]) expect((await values(t)).every((v) => v === 0)).toBe(true);
  expect((await values(attended)).every(Number.isFinite)).toBe(true);
});

describe('MIX (E.11)', () => {
  const size = [4, 6, 8] as const;
  const n = 192;
  const truth = (annotated: Float32Array): SparseLabels => ({
    label: tensor(
      noise(n, 8).map((v) => (v > 0 ? 1 : 0)),
      { shape: size },
    ),
    annotated: tensor(annotated, { shape: size }),
  });
  const probability = (seed: number): Tensor => {
    const p = noise(n, seed).map((v) => 1 / (1 + Math.exp(-5 * v)));
    return tensor(
      Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 ? p[i >> 1] : 1 - p[i >> 1])),
      { shape: [...size, 2] },
    );
  };
  const predictions = () => ({ sam: probability(1), transverse: probability(2), coronal: probability(3) });
  const options = { hardThreshold: 0.9, softThreshold: 0.7, quality: 'dice', qualityBar: 0.85 } as const;
  const loss = async ({ target, weight }: { target: Tensor; weight: Tensor }): Promise<number> =>
    segLoss(random([...size, 2], 9), oneHotOf(target, 2), weight).item();

  it('annotated everywhere: fully supervised', async () => {
    const labels = truth(new Float32Array(n).fill(1));
    const { sam, slices } = crossTargets(predictions(), labels, tensor(new Float32Array(n), { shape: size }), tensor([0.5]), options);
    const full = await loss({ target: labels.label, weight: labels.annotated });
    expect([await loss(sam), await loss(slices)]).toEqual([full, full]);
  });

  it('lambda 0: sparse labels alone; and otherwise not', async () => {
    const annotated = noise(n, 4).map((v) => (v > 0 ? 1 : 0));
    const labels = truth(annotated);
    const all = tensor(new Float32Array(n).fill(1), { shape: size });
    const sparse = await loss({ target: labels.label, weight: labels.annotated });
    const at = async (lambda: number): Promise<number[]> => {
      const { sam, slices } = crossTargets(predictions(), labels, all, tensor([lambda]), options);
      return [await loss(sam), await loss(slices)];
    };
    expect(await at(0)).toEqual([sparse, sparse]);
    for (const value of await at(0.5)) expect(Math.abs(value - sparse)).toBeGreaterThan(1e-4);
  });
});
