// SPDX-License-Identifier: MIT
// Where `navigator.gpu` comes from in a browser.
import { DeviceLostError } from '../errors.ts';

export async function provideGPU(): Promise<GPU> {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) throw new DeviceLostError('openDevice: this browser offers no WebGPU.', 'Use a browser with WebGPU enabled.');
  return gpu;
}

export function freeMemory(): number | undefined {
  return undefined;
}

/** A browser polls elsewhere: nothing to slow down. */
export function waitAsleep<T>(promise: Promise<T>): Promise<T> {
  return promise;
}
