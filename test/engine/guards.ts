// SPDX-License-Identifier: MIT
// Guard bytes around every tensor and scratch buffer that some work allocates, outputs and gradients among them. All of it starts
// as NaN: an element that a kernel does not write, or reads from beyond an end and uses, shows too.
import { expect, vi } from 'vitest';
import { Storage } from '../../src/engine/tensor.ts';

const GUARD = 256; // bytes: the largest offset alignment that a device may ask
const WORD = 0x7fff7fff; // NaN as f32 and as two f16

/** @throws if a kernel of the work wrote before or behind a buffer. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  const made: { storage: Storage; bytes: number; label: string }[] = [];
  const hook = vi.spyOn(Storage, 'alloc').mockImplementation((device, bytes, label) => {
    const buffer = device.alloc(bytes + 2 * GUARD, label);
    device.gpu.queue.writeBuffer(buffer, 0, new Uint32Array(buffer.size / 4).fill(WORD));
    // The binding holds the guard behind the tensor too: WebGPU clamps what leaves a binding to its last element.
    const storage = new Storage(device, buffer, GUARD, bytes + GUARD, false); // kept, and so not recycled, until it is checked
    made.push({ storage, bytes, label });
    return storage;
  });
  const result = await work().finally(() => hook.mockRestore());
  const [first] = made;
  if (!first) return result;
  const { device } = first.storage;
  const guards = device.alloc(2 * GUARD * made.length, 'guards');
  const encoder = device.gpu.createCommandEncoder();
  for (const [
    i,
    {
      storage: { buffer },
      bytes,
    },
  ] of made.entries()) {
    encoder.copyBufferToBuffer(buffer, 0, guards, 2 * GUARD * i, GUARD);
    encoder.copyBufferToBuffer(buffer, GUARD + bytes, guards, 2 * GUARD * i + GUARD, GUARD);
  }
  device.gpu.queue.submit([encoder.finish()]);
  const words = new Uint32Array(await device.read(guards, 0, 2 * GUARD * made.length));
  for (const { storage } of made) device.free(storage.buffer);
  device.free(guards);
  const touched = words.findIndex((word) => word !== WORD);
  expect(touched < 0 ? null : made[Math.floor((touched * 4) / (2 * GUARD))].label, 'a kernel wrote outside of').toBeNull();
  return result;
}
