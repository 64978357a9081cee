// SPDX-License-Identifier: MIT
// In both forms of SA-Net's step, averages of weights that keep nothing teach as the networks do, bit by bit (teacher_average.test.ts has
// cross-teaching).
import { expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { iterations, stepPlan } from '../train/phantom_step.ts';

it.each(['selected', 'full'] as const)('averages that keep nothing teach as the networks do, %s', async (pseudo) => {
  using _device = await openDevice();
  const rows = (teacherAverage: number): Promise<Record<string, number>[]> => {
    const plan = stepPlan(pseudo);
    Object.assign(plan.method.network2d, { useMSA: false, useBGC: false, useRM: false });
    plan.method.sam.clicks = 2;
    Object.assign(plan.method.cross, { teacherAverage, softThreshold: 0.5, hardThreshold: 0.5 }); // all labels count
    return iterations(plan, 3);
  };
  expect(await rows(1e-30)).toEqual(await rows(0));
});
