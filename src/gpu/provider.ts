// SPDX-License-Identifier: MIT
// Where `navigator.gpu` comes from in Node: Dawn through the `webgpu` package. The browser bundle swaps this file for
// provider.browser.ts (package.json, field `browser`).
import os from 'node:os';
import { VoxelgradError } from '../errors.ts';

/** Toggles given to Dawn: experimental features visible, timestamps not rounded to 65,536 ns, f16 on NVIDIA. */
const TOGGLES = ['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia', 'disable-dawn-features=timestamp_quantization'];

/**
 * By backend. The object that create() returns must stay alive, or every pending promise would hang; and none of what it holds (a driver's
 * instance, its threads) is ever given back, so that every device of a backend comes from one.
 */
const instances = new Map<string | undefined, GPU>();

/**
 * A WebGPU entry point. `backend` forces one of Dawn's backends (`null` compiles but computes nothing).
 * On Lavapipe Dawn warns of two `maxDynamic...` limits when it first sees the adapter. It writes to the process's stderr itself, and has
 * neither a toggle nor a variable nor a callback for it in Node: only all of stderr could be held back, errors among it, so the lines stay.
 */
export async function provideGPU(backend?: string): Promise<GPU> {
  const { create } = await import('webgpu').catch(missing);
  let gpu = instances.get(backend);
  const own = [...(backend ? [`backend=${backend}`] : []), ...(taken === undefined ? [] : [`adapter=${taken}`])];
  if (!gpu) instances.set(backend, (gpu = create([...TOGGLES, ...own])));
  return gpu;
}

let taken: string | undefined;

/** Devices that are opened from here on are on the first adapter whose name, as `adapterNames` has it, contains `name`. */
export function takeAdapter(name: string): void {
  taken = name;
  instances.clear();
}

/** The adapters that Dawn sees, in its order. Its Node binding lists them to whoever asks for one that there is not. */
export async function adapterNames(): Promise<string[]> {
  const { create } = await import('webgpu').catch(missing);
  try {
    await create(['adapter=\u0001']).requestAdapter();
  } catch (error) {
    const rows = (error as Error).message.matchAll(/^ \* backend: '(?:vulkan|metal|d3d12)', name: '(.*)'$/gm);
    return [...rows].map(([, name]) => name);
  }
  return [];
}

/** @throws VoxelgradError NO_WEBGPU: the package is left out, or holds no binary for this system */
function missing(cause: unknown): never {
  throw new VoxelgradError(
    'NO_WEBGPU',
    `openDevice: the package \`webgpu\` (Dawn, WebGPU for Node) cannot be loaded, got ${(cause as Error).message.split('\n', 1)[0]}.`,
    'It is an optional dependency: `npm install webgpu` beside voxelgrad. It has binaries for Linux, macOS and Windows on x64 and arm64.',
    { cause },
  );
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
  const settled = (): void => {
    pending = false;
  };
  promise.then(settled, settled);
  for (let ms = 0.02; ; ms = Math.min(1.02 * ms, 5)) {
    await new Promise((turn) => {
      setImmediate(turn);
    });
    if (!pending) return promise;
    Atomics.wait(bed, 0, 0, ms);
  }
}

/** Nobody ever notifies it: a wait on it is a sleep. */
const bed = new Int32Array(new SharedArrayBuffer(4));
