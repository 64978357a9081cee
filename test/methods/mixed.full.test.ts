// SPDX-License-Identifier: MIT
// Compared networks in mixed precision: the first losses and norms are those of f32 but for rounding, and they learn on. SA-Net's own are
// in train/mixed.test.ts.
import { expect } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { METHODS, methodOf } from '../../src/methods/methods.ts';
import type { Plan } from '../../src/methods/plan.ts';
import { buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import { needs } from '../needs.ts';
import { phantomSampler, read } from '../train/phantom_step.ts';
import { smallPlan } from './whole_way.ts';

const able = await (async () => {
  using device = await openDevice();
  return device.caps.f16;
})();

/** What the first iterations report, pseudo labels at half their weight. */
async function rowsOf(plan: Plan<any>, count: number): Promise<Record<string, number>[]> {
  const sampler = phantomSampler(plan);
  const nets = buildNetworks(plan);
  const optimisers = buildOptimisers(plan, nets);
  const step = await methodOf(plan).step(plan, nets, optimisers, { partial: false });
  const rows: Record<string, number>[] = [];
  for (let i = 0; i < count; i++) rows.push(await read(await step.run(await sampler.iteration(i), { iteration: i, lambda: 0.5 })));
  step.dispose();
  for (const o of optimisers.values()) o.dispose();
  return rows;
}

needs(able, 'shader-f16').it.each(Object.keys(METHODS).filter((name) => name !== 'sanet'))(
  '%s trains in mixed precision',
  async (method) => {
    using _device = await openDevice();
    const plan = smallPlan(method, (p) => {
      p.training.batch = 1;
      if (p.method.slices) p.method.slices = 4;
      if (p.method.cross) p.method.cross.slices = [4, 4];
    });
    const [f32] = await rowsOf(plan, 1);
    plan.training.precision = 'mixed';
    const rows = await rowsOf(plan, 2);
    for (const row of rows) for (const [key, value] of Object.entries(row)) expect(Number.isFinite(value), key).toBe(true);
    for (const name of Object.keys(methodOf(plan).networks(plan))) {
      const [loss, norm, scale] = [name, `${name}_norm`, `${name}_scale`].map((key) => rows[0][key]);
      expect(Math.abs(loss / f32[name] - 1), name).toBeLessThan(0.06);
      expect(scale, name).toBe(norm === 0 ? 2 ** 9 : 2 ** 10);
      if (norm !== 0) expect(Math.abs(norm / f32[`${name}_norm`] - 1), name).toBeLessThan(0.3);
      expect(rows.some((row) => row[`${name}_norm`] > 0)).toBe(true);
    }
  },
);
