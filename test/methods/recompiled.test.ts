// SPDX-License-Identifier: MIT
// Networks outlive their programs: what a trace makes is gone with it, so nothing of it may be kept for the next one.
import { expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { networkList } from '../../src/methods/method.ts';
import { METHODS } from '../../src/methods/methods.ts';
import { buildNetworks } from '../../src/train/networks.ts';
import { presetPlan } from '../../src/train/presets.ts';

it.each(Object.keys(METHODS))('%s predicts the same from a second program', async (name) => {
  const plan = presetPlan('demo', name);
  plan.data.roi = [32, 32, 32];
  using _device = await openDevice();
  const nets = buildNetworks(plan);
  const image = Float32Array.from({ length: 32 ** 3 }, (_, i) => Math.sin(i / 7));
  const found = [];
  for (let again = 0; again < 2; again++) {
    const predictor = await METHODS[name].predictor(plan, nets);
    found.push(await predictor.run([image]));
    predictor.dispose();
  }
  expect(Object.keys(found[0][0])).toEqual(expect.arrayContaining(networkList(nets).map((n) => n.name)));
  expect(found[1]).toEqual(found[0]);
});
