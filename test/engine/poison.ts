// SPDX-License-Identifier: MIT
// Fills the memory that programs recycle with NaN: an element that a kernel does not write, or reads too early, then shows.
import type { Device } from '../../src/gpu/device.ts';

const CHUNK = new Uint32Array(1 << 18).fill(0x7fff7fff); // NaN as f32 and as two f16

export function poison(device: Device, buffers: readonly GPUBuffer[] = device.slots): void {
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.size; at += CHUNK.byteLength) {
      device.gpu.queue.writeBuffer(buffer, at, CHUNK, 0, Math.min(CHUNK.byteLength, buffer.size - at) / 4);
    }
  }
}
