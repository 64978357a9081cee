// SPDX-License-Identifier: MIT
// The dynamic loss scale: what one overflow does and what it leaves alone, growth, and that nothing of it depends on the host.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backward } from '../../src/engine/autograd.ts';
import { spec } from '../../src/engine/dtype.ts';
import { compile } from '../../src/engine/program.ts';
import { tensor } from '../../src/engine/tensor.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { constant } from '../../src/nn/init.ts';
import { Parameter } from '../../src/nn/parameter.ts';
import { judgeGradients } from '../../src/ops/optim.ts';
import { cast, mul } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { adam, adamw, sgd } from '../../src/optim/optimiser.ts';
import type { OptimiserOptions } from '../../src/optim/options.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());
beforeEach((context) => {
  if (!device.caps.f16) context.skip('the adapter has no shader-f16');
});

/** One weight w = 1 in f32, met as f16 by x: loss = w x, gradient x. */
async function line(make: typeof adamw, options: OptimiserOptions, how: 'written' | 'gathered' = 'written') {
  const w = new Parameter([1], constant(1));
  w.draw(0, 0);
  const optimiser = make([w], options);
  const gradients = (x: Parameters<typeof mul>[0]) =>
    backward(optimiser.scaled(sum(cast(mul(cast(w, 'f16'), cast(x, 'f16')), 'f32'))), [w]);
  const gather =
    how === 'gathered'
      ? await compile(
          ({ x }) => {
            optimiser.accumulate(gradients(x));
            return {};
          },
          { x: spec([1]) },
        )
      : null;
  const step = gather
    ? await compile(() => ({ clip: optimiser.step() }), {})
    : await compile(({ x }) => ({ clip: optimiser.step(gradients(x)) }), { x: spec([1]) });
  /** One update; [w, first moment, second moment] after it, and the norm. */
  const run = async (...xs: number[]) => {
    if (gather) for (const x of xs) gather.run({ x: Float32Array.of(x) });
    const { clip } = step.run(gather ? {} : { x: Float32Array.of(xs[0]) });
    const moments = [...(await optimiser.stateDict()).values()].map(({ data }) => data[0]);
    return { norm: (await clip.data())[1], state: [(await w.data())[0], ...moments] };
  };
  return { run, scale: async () => [...(await optimiser.lossScale!.values())], optimiser };
}

const start = 2 ** 10;
const HUGE = 2 ** 9; // times the scale that a run starts with it overflows f16, up to a sixteenth of it
const OPTIONS = { lr: 0.01, lossScale: true };

describe('an overflow', () => {
  it.each([
    ['adamw', adamw],
    ['adam', adam],
    ['sgd', sgd],
  ] as const)('%s: skips the update, halves the scale; the next iteration is the first one', async (_, make) => {
    const { run, scale } = await line(make, { ...OPTIONS, weightDecay: 0.1, momentum: 0.9 });
    const {
      norm,
      state: [weight, ...moments],
    } = await run(HUGE);
    expect([norm, weight, ...new Set(moments)]).toEqual([0, 1, 0]);
    expect((await scale()).slice(0, 2)).toEqual([start / 2, 0]);
    const scaled = await run(0.25);
    const plain = await (await line(make, { lr: 0.01, weightDecay: 0.1, momentum: 0.9 })).run(0.25);
    // The bias correction counts updates, not iterations; a power of two comes out of the gradient without rounding.
    scaled.state.forEach((v, i) => expect(Math.abs(v - plain.state[i])).toBeLessThanOrEqual(1e-6 * Math.abs(plain.state[i])));
    expect(scaled.norm).toBe(0.25);
  });

  it('in one of several micro-batches skips the whole update and leaves nothing behind', async () => {
    const { run, scale } = await line(adamw, OPTIONS, 'gathered');
    expect(await run(0.5, HUGE, 0.5)).toEqual({ norm: 0, state: [1, 0, 0] });
    expect((await run(0.25, 0.125)).norm).toBe(0.375);
    expect((await scale()).slice(0, 2)).toEqual([start / 2, 1]);
  });

  it('halves until the gradient fits', async () => {
    const { run, scale } = await line(adamw, OPTIONS);
    const norms = [];
    for (let i = 0; i < 6; i++) norms.push((await run(HUGE)).norm);
    expect(norms).toEqual([0, 0, 0, 0, HUGE, HUGE]);
    expect((await scale()).slice(0, 2)).toEqual([start / 16, 2]);
  });

  it.each([Infinity, -Infinity, NaN])('%f in the loss counts as one', async (x) => {
    const { run, scale } = await line(adamw, OPTIONS);
    expect(await run(x)).toEqual({ norm: 0, state: [1, 0, 0] });
    expect((await scale())[0]).toBe(start / 2);
  });
});

describe('finite gradients', () => {
  /** The verdicts on norms, one after another: [factor, norm, learning rate, 1 - beta1^t, 1 - beta2^t, scale, in a row]. */
  async function verdicts(norms: readonly number[], { scale = 1024, maxNorm = Infinity } = {}): Promise<number[][]> {
    const state = tensor([scale, 0, 1, 1]);
    const rows: number[][] = [];
    for (const norm of norms) {
      const { clip, hyper } = judgeGradients(
        { scaled: tensor([1, norm]), rate: tensor([0.01, 0, 0]), state },
        { maxNorm, beta1: 0.9, beta2: 0.999, growth: 3 },
      );
      rows.push([...(await clip.data()), ...(await hyper.data()), ...(await state.data()).subarray(0, 2)]);
    }
    return rows;
  }

  it('let the scale grow after so many in a row, and no more often', async () => {
    const rows = await verdicts([1, 1, NaN, 1, 1, 1, 1, 1, 1, 1]);
    expect(rows.map((r) => r[5] / 512)).toEqual([2, 2, 1, 1, 1, 2, 2, 2, 4, 4]);
    expect(rows.map((r) => r[6])).toEqual([1, 2, 0, 1, 2, 0, 1, 2, 0, 1]);
  });

  it('let it grow to 2^24 and no further', async () => {
    expect((await verdicts([0, 0, 0, 0, 0, 0], { scale: 2 ** 23 })).map((r) => r[5] / 2 ** 23)).toEqual([1, 1, 2, 2, 2, 2]);
  });

  it('are clipped by their norm without the scale', async () => {
    const [below, above] = await verdicts([1024, 16 * 1024], { maxNorm: 4 });
    expect([below[0], below[1]]).toEqual([1 / 1024, 1]);
    expect(above[0] * 1024).toBeCloseTo(0.25, 6);
    expect(above[1]).toBe(16);
  });

  it('count for the bias correction; skipped ones do not', async () => {
    const rows = await verdicts([1, NaN, 1, NaN, 1]);
    [1, 1, 2, 2, 3].forEach((t, i) => {
      expect(rows[i][3] / (1 - 0.9 ** t)).toBeCloseTo(1, 5);
      expect(rows[i][4] / (1 - 0.999 ** t)).toBeCloseTo(1, 4);
    });
    expect(rows.map((r) => r[2])).toEqual(Array(5).fill(Math.fround(0.01)));
  });
});

it('what is read back puts another optimiser in the same place', async () => {
  const [a, b] = [await line(adamw, OPTIONS), await line(adamw, OPTIONS)];
  await a.run(HUGE);
  await a.run(0.5);
  b.optimiser.loadStateDict(await a.optimiser.stateDict(), a.optimiser.steps);
  b.optimiser.lossScale!.restore(await a.optimiser.lossScale!.values());
  expect(await b.scale()).toEqual(await a.scale());
  expect((await b.run(0.25)).state.slice(1)).toEqual((await a.run(0.25)).state.slice(1));
  expect(() => b.optimiser.lossScale!.restore(undefined)).toThrow(/loss scale: got 0 values, expected 4/);
});
