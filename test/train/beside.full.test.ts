// SPDX-License-Identifier: MIT
// A training step of SA-Net as a GPU has it, its calls side by side, against the same step with a dispatch for every call.
import { expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { networkList } from '../../src/methods/method.ts';
import { methodOf } from '../../src/methods/methods.ts';
import { buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import { poison } from '../engine/poison.ts';
import { phantomSampler, read, stepPlan } from './phantom_step.ts';

/** Two iterations, with at most so many bindings a dispatch. */
async function trained(pseudo: 'selected' | 'full', storages: number) {
  const device = await openDevice();
  const { caps } = device;
  const limits = { ...caps.limits, maxStorageBuffersPerShaderStage: storages };
  Object.assign(device, { caps: { ...caps, software: false, limits } });
  const plan = stepPlan(pseudo);
  const nets = buildNetworks(plan);
  const optimisers = buildOptimisers(plan, nets);
  const step = await methodOf(plan).step(plan, nets, optimisers, { partial: false });
  const dispatches = step.programs.reduce((n, { program }) => n + program.report().dispatches, 0);
  const sampler = phantomSampler(plan);
  const rows: Record<string, number>[] = [];
  for (let iteration = 0; iteration < 2; iteration++) {
    poison(device);
    rows.push(await read(await step.run(await sampler.iteration(iteration), { iteration, lambda: 0.5 })));
  }
  const values = new Map<string, Float32Array>();
  for (const { net } of networkList(nets)) for (const [, p] of net.namedParameters()) values.set(p.name!, (await p.torchValues()).slice());
  device.close();
  return { dispatches, rows, values };
}

it.each(['selected', 'full'] as const)('pseudo %s: fewer dispatches, the same bits', async (pseudo) => {
  const one = await trained(pseudo, 1);
  const several = await trained(pseudo, 16);
  expect(several.rows).toEqual(one.rows);
  expect([...several.values.keys()]).toEqual([...one.values.keys()]);
  for (const [name, values] of one.values) expect(several.values.get(name), name).toEqual(values);
  expect(several.dispatches).toBeLessThan(0.75 * one.dispatches);
});
