// SPDX-License-Identifier: MIT
// How often a run writes a checkpoint: by what one costs, whatever the preset and wherever it is stored. The clock is the test's own.
// And what is left of them.
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { dryDevice } from '../../src/gpu/dry.ts';
import { folderStore } from '../../src/io/node/run/folder.ts';
import { networkList } from '../../src/methods/method.ts';
import type { Preset } from '../../src/methods/plan.ts';
import { buildOptimisers, makeNetworks } from '../../src/train/networks.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { planDigest } from '../../src/train/start.ts';
import { Checkpoints } from '../../src/train/checkpoints.ts';
import type { RunState } from '../../src/train/checkpoint.ts';
import type { RunStore } from '../../src/train/run_store.ts';
import { memoryScratch } from '../cli/processes.ts';

const root = memoryScratch();

let now = 0;
beforeEach(() => {
  now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => void vi.restoreAllMocks());

/** A store of which writing takes so long. */
function slowStore(ms: number): RunStore {
  const file = { write: () => Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() };
  const writer = (): Promise<unknown> => {
    now += ms;
    return Promise.resolve({ ...file, commit: () => Promise.resolve() });
  };
  return { folder: 'run', path: (name: string) => name, writer } as unknown as RunStore;
}

it.each([
  ['a small network on a fast disk', 20, 7],
  ['a large one', 1500, 442],
  ['one that takes longer than an iteration, by far', 60_000, 122],
])('%s: %i ms each, iterations of %i ms', async (_, cost, iteration) => {
  using device = await openDevice();
  expect(device.isLost).toBe(false);
  await using checkpoints = new Checkpoints(slowStore(cost), {}, new Map(), new Map(), 'auto');
  let written = 0;
  const [end, begun] = [200 * Math.max(cost, iteration), now];
  for (let i = 1; now - begun < end; i++) {
    now += iteration;
    if (!checkpoints.due(i)) continue;
    await checkpoints.save(['latest'], { iteration: i } as RunState);
    await checkpoints.settle();
    written++;
  }
  // A twentieth of the run, but for the first; and no more seldom than that allows.
  expect((cost * (written - 1)) / (now - begun)).toBeLessThanOrEqual(0.05);
  expect((cost * written) / (now - begun)).toBeGreaterThan(0.03);
});

it('of a run as `npm run demo` has it two files are left, and of the best iteration the weights alone: no 600 MB', async () => {
  const script = readFileSync(fileURLToPath(new URL('../../scripts/demo.mjs', import.meta.url)), 'utf8');
  const plan = presetPlan(/'--preset', '(\w+)'/.exec(script)![1] as Preset);
  using _device = await openDevice({ gpuDevice: dryDevice() }); // sizes count, not values
  const nets = makeNetworks(plan);
  for (const { net } of networkList(nets)) net.blank();
  const folder = join(root, 'checkpoints');
  mkdirSync(folder);
  const at = (iteration: number): RunState => ({
    version: 1,
    iteration,
    iterations: 120,
    plan: planDigest(plan),
    steps: {},
    best: { score: 0.9, iteration: Math.min(iteration, 60) },
    seconds: 1,
    stages: { compile: 0, train: 1, validate: 0 },
    pace: { iterations: 0, seconds: 0 },
    resumed: [],
    adapter: 'none',
  });
  await using checkpoints = new Checkpoints(folderStore(root), nets, buildOptimisers(plan, nets), new Map(), 'auto');
  await checkpoints.save(['latest'], at(0));
  await checkpoints.save(['latest', 'best'], at(60));
  await checkpoints.save(['final'], at(120));
  await checkpoints.finish(at(120));
  const sizes = Object.fromEntries(readdirSync(folder).map((file) => [file, statSync(join(folder, file)).size]));
  expect(Object.keys(sizes).sort()).toEqual(['best.safetensors', 'final.safetensors']);
  const weights = 4 * networkList(nets).reduce((n, { net }) => n + net.countParameters(), 0);
  expect(sizes['best.safetensors'] / weights).toBeLessThan(1.05); // running statistics and names
  expect(sizes['final.safetensors'] / weights).toBeLessThan(3.1); // two moments
  expect(sizes['best.safetensors'] + sizes['final.safetensors']).toBeLessThan(300e6);
});
