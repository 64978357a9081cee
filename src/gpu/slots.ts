// SPDX-License-Identifier: MIT
// One slot pool a device: buffers that programs share for activations, since they never overlap in time.
import type { Device } from './device.ts';

export class SlotPool {
  /** Largest first. */
  readonly buffers: GPUBuffer[] = [];
  private readonly users = new Map<GPUBuffer, number>();
  private readonly device: Device;

  constructor(device: Device) {
    this.device = device;
  }

  /** A buffer for every slot of a program: the i-th largest slot takes the i-th largest buffer that is large enough. `release` them. */
  take(slotBytes: readonly number[]): GPUBuffer[] {
    const order = slotBytes.map((_, i) => i).sort((i, j) => slotBytes[j] - slotBytes[i]);
    const chosen = new Array<GPUBuffer>(slotBytes.length);
    const taken: GPUBuffer[] = [];
    try {
      for (const [next, i] of order.entries()) {
        const existing = this.buffers[next];
        let buffer = existing;
        if (!existing || existing.size < slotBytes[i]) {
          buffer = this.device.alloc(slotBytes[i], 'slot');
          this.buffers.splice(next, 0, buffer);
        }
        chosen[i] = buffer!;
        this.users.set(buffer, (this.users.get(buffer) ?? 0) + 1);
        taken.push(buffer);
      }
    } catch (e) {
      this.release(taken);
      throw e;
    }
    return chosen;
  }

  /** Frees the buffers that no program uses any more. */
  release(taken: readonly GPUBuffer[]): void {
    for (const buffer of taken) {
      const left = this.users.get(buffer)! - 1;
      if (left > 0) {
        this.users.set(buffer, left);
        continue;
      }
      this.users.delete(buffer);
      this.buffers.splice(this.buffers.indexOf(buffer), 1);
      this.device.free(buffer);
    }
  }
}
