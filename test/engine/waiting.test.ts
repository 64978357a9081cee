// SPDX-License-Identifier: MIT
// Waiting for a software adapter leaves the processor to it, and ends when the work ends, however long earlier work took.
import { setTimeout as after } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { waitAsleep } from '../../src/gpu/provider.ts';

async function timed(ms: number): Promise<{ late: number; busy: number }> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  expect(await waitAsleep(after(ms, 'value'))).toBe('value');
  const { user, system } = process.cpuUsage(cpu);
  return { late: performance.now() - start - ms, busy: (user + system) / 1000 / ms };
}

it('a wait ends soon after its promise, also after a much longer one', async () => {
  // Late by itself every time; by others, who have the cores just then, not every time.
  let late = Infinity;
  for (let tries = 0; tries < 20 && late >= 40; tries++) {
    await timed(400);
    late = Math.min(late, (await timed(4)).late);
  }
  expect(late).toBeLessThan(40);
});

it('a wait takes a small part of one core', async () => {
  expect((await timed(500)).busy).toBeLessThan(0.35);
});

it('a promise that fails fails for the one who waits', async () => {
  await expect(waitAsleep(Promise.reject(new Error('lost')))).rejects.toThrow('lost');
});
