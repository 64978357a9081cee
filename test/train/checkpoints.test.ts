// SPDX-License-Identifier: MIT
// How often a run writes a checkpoint: by what one costs, whatever the preset and wherever it is stored. The clock is the test's own.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { Checkpoints } from '../../src/train/checkpoints.ts';
import type { RunState } from '../../src/train/checkpoint.ts';
import type { RunStore } from '../../src/train/run_store.ts';

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
