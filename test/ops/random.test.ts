// SPDX-License-Identifier: MIT
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Philox, STREAMS } from '../../src/random/philox.ts';
import { numel } from '../../src/engine/dtype.ts';
import { compile, evaluate } from '../../src/engine/program.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { dropout, manualSeed, normal, rand, randn, RandomSource, uniform } from '../../src/ops/random.ts';
import { noise } from '../kernels/harness.ts';
import { checkLinear, gradients } from './check.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const host = new Philox(0xdeadbeef, 'dropout');
const source = (step: () => number = () => 5, firstOp = 0): RandomSource =>
  new RandomSource({ seed: 0xdeadbeef, stream: STREAMS.dropout, step, firstOp });

describe('random numbers', () => {
  it.each([1, 7, 64, 1001])("are the host's to the bit: %i uniforms", async (n) => {
    const random = source();
    expect(await uniform([n], { random }).data()).toEqual(host.uniform(5, 0, n));
    expect(await uniform([n], { random }).data()).toEqual(host.uniform(5, 1, n));
    expect(await uniform([n], { random: source(() => 4294967295, 77) }).data()).toEqual(host.uniform(4294967295, 77, n));
  });
  it("are the host's normals to rounding", async () => {
    const n = 20001;
    const y = await normal([n], { random: source() }).data();
    const want = host.normal(5, 0, n);
    expect(Math.max(...want.map((v, i) => Math.abs(v - y[i])))).toBeLessThan(2e-5);
    const z = await normal([3], { random: source(), mean: 10, std: 0.5 }).data();
    expect(z[0]).toBeCloseTo(10 + 0.5 * want[0], 4);
  });
  it('change with the step of a replayed program, and come back with it', async () => {
    let step = 0;
    const random = source(() => step);
    using p = await compile(() => ({ a: uniform([9], { random }), b: uniform([9], { random, low: -1 }) }), {});
    const seen: number[][] = [];
    for (const s of [0, 1, 0]) {
      step = s;
      const out = p.run();
      expect(await out.a.data()).toEqual(host.uniform(s, 0, 9));
      seen.push([...(await out.b.data())]);
    }
    expect(seen[2]).toEqual(seen[0]);
    expect(seen[1]).not.toEqual(seen[0]);
    expect(seen[0]).toEqual([...host.uniform(0, 1, 9)].map((v) => Math.fround(2 * v - 1)));
  });
});

describe('dropout', () => {
  it('keeps what its number says, and scales it', async () => {
    const x = noise(1003, 2);
    const y = await dropout(tensor(x), { p: 0.3, random: source() }).data();
    const u = host.uniform(5, 0, 1003);
    const kept = [...u].map((v) => v >= Math.fround(0.3));
    kept.forEach((k, i) => expect(y[i]).toBeCloseTo(k ? x[i] / 0.7 : 0, 5));
    expect(kept.filter(Boolean).length / 1003).toBeCloseTo(0.7, 1);
  });
  it('is the same in the backward pass and in replay', async () => {
    await checkLinear((x) => dropout(x, { p: 0.5, random: source() }), [7, 9]);
    const {
      y,
      w,
      grads: [g],
    } = await gradients((x) => dropout(x, { p: 0.25, random: source() }), [tensor(new Float32Array(99).fill(1))]);
    y.forEach((v, i) => expect(g[i]).toBeCloseTo(w[i] * v, 6));
  });
  it('drops channels or samples as a whole', async () => {
    const shape = [3, 4, 5, 8];
    const ones = tensor(new Float32Array(numel(shape)).fill(1), { shape });
    const y = await dropout(ones, { p: 0.5, random: source(), shared: [1, 2] }).data();
    const u = host.uniform(5, 0, 24);
    y.forEach((v, i) => expect(v).toBe(u[Math.floor(i / 160) * 8 + (i % 8)] >= 0.5 ? 2 : 0));
    await checkLinear((x) => dropout(x, { p: 0.5, random: source(), shared: [1, -2, -1] }), shape);
  });
  it('has its ends', async () => {
    const x = tensor([1, 2, 3]);
    expect(dropout(x, { p: 0, random: source() })).toBe(x);
    expect([...(await dropout(x, { p: 1, random: source() }).data())]).toEqual([0, 0, 0]);
    expect(() => dropout(x, { p: 1.5, random: source() })).toThrow('expected a number from 0 to 1');
    const random = source();
    const two = evaluate(() => ({ a: dropout(x, { p: 0.5, random }), b: uniform([3], { random }) }));
    expect(await two.b.data()).toEqual(host.uniform(5, 1, 3));
  });
});

describe('the default generator', () => {
  const drawn = new Philox(7, 'draw');
  it('gives new numbers at every call, and the same ones after manualSeed', async () => {
    const draw = async (): Promise<unknown> => {
      manualSeed(7);
      return [await rand([5]).data(), await randn([2, 2]).data(), await rand([5]).data()];
    };
    const first = (await draw()) as Float32Array[];
    expect(first[0]).toEqual(drawn.uniform(0, 0, 5));
    expect(first[2]).toEqual(drawn.uniform(2, 0, 5));
    expect(await draw()).toEqual(first);
    expect(() => manualSeed(-1)).toThrow('manualSeed: got seed -1');
  });
  it('gives a program other numbers in each run, which manualSeed begins anew', async () => {
    const program = await compile(() => ({ a: rand([4]), b: rand([4]) }), {});
    const run = async (): Promise<unknown[]> => {
      const { a, b } = program.run({});
      return [await a.data(), await b.data()];
    };
    manualSeed(7);
    const [one, two] = [await run(), await run()];
    expect(one).toEqual([drawn.uniform(0, 0, 4), drawn.uniform(0, 1, 4)]);
    expect(two).toEqual([drawn.uniform(1, 0, 4), drawn.uniform(1, 1, 4)]);
    manualSeed(7);
    expect(await run()).toEqual(one);
    program.dispose();
  });
});
