// SPDX-License-Identifier: MIT
// What a program tells of itself: times of its dispatches, and the sums of its report.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { spec } from '../../src/engine/dtype.ts';
import { defineOp, dispatch, grid1d } from '../../src/engine/op.ts';
import { compile } from '../../src/engine/program.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { LimitError } from '../../src/errors.ts';
import { fill } from '../../src/gen/fill.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { addScalar, exp } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const x = spec([65, 64]);
const step = ({ x: a }: { x: Tensor }) => ({ y: sum(exp(exp(matmul(a, a, { transA: true })))) });
const feed = { x: new Float32Array(65 * 64).fill(0.01) };

describe('profile()', () => {
  it('is a run with a time for every dispatch, by its label', async (context) => {
    if (!device.caps.timestamps) context.skip('the adapter has no timestamp-query');
    using program = await compile(step, { x });
    const times = await program.profile(feed);
    expect(times.map(({ label }) => label)).toEqual(
      program
        .toString()
        .split('\n')
        .map((line) => line.split('  ').slice(0, 2).join(' ')),
    );
    expect(times).toHaveLength(program.report().dispatches);
    expect(times.every(({ ms }) => ms >= 0 && ms < 60_000)).toBe(true);
    expect(times.some(({ ms }) => ms > 0)).toBe(true);
    const [profiled] = await program.run(feed).y.data();
    expect(profiled).toBeCloseTo(64 * 64 * Math.exp(Math.exp(65e-4)), 0);
  });

  it('submits apart what a run does, for a watchdog', async (context) => {
    if (!device.caps.timestamps) context.skip('the adapter has no timestamp-query');
    const heavy = defineOp({
      name: 'heavy',
      call: (a: Tensor) => ({ inputs: [a], attrs: {} }),
      infer: ([a]) => a,
      flops: () => 3e11,
      lower: ({ outputs: [y] }) => [dispatch(fill, { y: y }, { n: 8, value: 1 }, grid1d(1))],
    });
    using program = await compile(({ a }: { a: Tensor }) => heavy(heavy(heavy(a))), { a: spec([8]) });
    const submit = vi.spyOn(device.gpu.queue, 'submit');
    const count = async (work: () => unknown): Promise<number> => {
      submit.mockClear();
      await work();
      return submit.mock.calls.length;
    };
    const feeds = { a: new Float32Array(8) };
    expect(await count(() => program.run(feeds))).toBe(3);
    expect(await count(() => program.profile(feeds))).toBe(2 * 3); // and three times read back
    submit.mockRestore();
  });

  it('of more dispatches than a query set holds', async (context) => {
    if (!device.caps.timestamps) context.skip('the adapter has no timestamp-query');
    using program = await compile(
      ({ a }: { a: Tensor }) => {
        let y = a;
        for (let i = 0; i < 2100; i++) y = addScalar(y, 1);
        return { y };
      },
      { a: spec([1]) },
      { fuse: false },
    );
    expect(await program.profile({ a: Float32Array.of(0) })).toHaveLength(2100);
  });

  it('needs timestamps, and says so', async () => {
    using program = await compile(step, { x });
    const { caps } = device;
    Object.assign(device, { caps: { ...caps, timestamps: false } });
    const error = await program.profile(feed).catch((e: unknown) => e);
    Object.assign(device, { caps });
    expect(error).toBeInstanceOf(LimitError);
    expect((error as LimitError).message).toMatch(/^profile: .*timestamp-query/);
  });
});

it('report() adds up what the program holds and does', async () => {
  using program = await compile(step, { x }, { fuse: false });
  const report = program.report();
  const lines = program.toString().split('\n');
  expect(report.dispatches).toBe(lines.length);
  expect(report.pipelines).toBe(report.dispatches - 1); // the second exp is the first one's
  expect(report.slots).toBe(device.slots.length);
  expect(report.slotBytes).toBe(device.slots.reduce((s, b) => s + b.size, 0));
  expect(report.lowerBound).toBe(2 * 4 * 64 ** 2); // exp reads one square and writes another; the product is gone when the sum is made
  expect(report.slotBytes).toBeGreaterThanOrEqual(report.lowerBound);
  expect(report.flops).toBe(2 * 64 * 64 * 65 + 64 * 64); // the product, and the sum
  expect(report.largest.map(({ bytes, first, last }) => bytes * (last - first + 1))).toEqual(
    [...report.largest].map(({ bytes, first, last }) => bytes * (last - first + 1)).sort((a, b) => b - a),
  );
  expect(report.largest[0].name).toMatch(/^matmul#0/);
});
