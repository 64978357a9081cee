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
