// SPDX-License-Identifier: MIT
// What a preset is said to take, on this machine: an iteration of the plan that training would have is timed.
import { expect, it } from 'vitest';
import { currentDevice } from '../../src/gpu/device.ts';
import { estimate } from '../../src/studio/session/estimate.ts';
import type { SessionRecord } from '../../src/studio/session/record.ts';
import type { StudioEvent } from '../../src/studio/protocol.ts';

it('is an iteration that was timed, times those that there are', async () => {
  const events: StudioEvent[] = [];
  const record = { name: 'session', classes: [{ name: 'background' }, { name: 'nodule' }], cases: [] } as unknown as SessionRecord;
  const found = (await estimate('demo', record, (event) => void events.push(event)))!;
  expect(found).toMatchObject({ preset: 'demo', iterations: 120 });
  expect(found.unfit).toBeUndefined();
  expect(found.secondsPerIteration).toBeGreaterThan(0.01);
  expect(found.seconds).toBeCloseTo(120 * found.secondsPerIteration, 6);
  expect(found.bytes).toBeGreaterThan(1e6);
  expect(events.at(-1)).toMatchObject({ kind: 'progress', work: 'estimate' });
});

it('is called off between two kernels: nothing comes of it, and the device is free', async () => {
  const off = new AbortController(),
    record = { name: 'session', classes: [{ name: 'background' }, { name: 'nodule' }], cases: [] } as unknown as SessionRecord;
  let told = 0;
  const hear = (): void => {
    if (++told === 3) off.abort();
  };
  expect(await estimate('demo', record, hear, off.signal)).toBeNull();
  expect(told).toBe(3);
  expect(() => currentDevice()).toThrow(/none is open/);
});
