// SPDX-License-Identifier: MIT
// Where `navigator.gpu` comes from in Node: Dawn through the `webgpu` package. The browser bundle swaps this file for
// provider.browser.ts (package.json, field `browser`).
import os from 'node:os';

/** Toggles given to Dawn: experimental features visible, timestamps not rounded to 65,536 ns, f16 on NVIDIA. */
const TOGGLES = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
];

// The object that create() returns must stay alive: were it collected, every pending promise would hang.
const instances: GPU[] = [];

/** A WebGPU entry point. `backend` forces one of Dawn's backends (`null` compiles but computes nothing). */
export async function provideGPU(backend?: string): Promise<GPU> {
  const { create } = await import('webgpu');
  const gpu = create(backend ? [...TOGGLES, `backend=${backend}`] : TOGGLES);
  instances.push(gpu);
  return gpu;
}

/** Bytes of memory that the operating system could give us now; undefined where that cannot be known. */
export function freeMemory(): number | undefined {
  return os.freemem();
}

/**
 * Waits for a promise of Dawn's with this thread mostly asleep. While one is pending Dawn polls on this thread, once a turn of the event
 * loop and without a pause, so each turn is made to last: 2 % of the wait so far, at most 5 ms.
 */
export async function waitAsleep<T>(promise: Promise<T>): Promise<T> {
  let pending = true;
  const settled = (): void => { pending = false; };
  promise.then(settled, settled);
  for (let ms = 0.02; ; ms = Math.min(1.02 * ms, 5)) {
    await new Promise((turn) => { setImmediate(turn); });
    if (!pending) return promise;
    Atomics.wait(bed, 0, 0, ms);
  }
}

/** Nobody ever notifies it: a wait on it is a sleep. */
const bed = new Int32Array(new SharedArrayBuffer(4));
