// SPDX-License-Identifier: MIT
// Flat memory for many tensors: a few large buffers in which each tensor has a 256-byte aligned range. Ranges of one arena
// lie in the order given, none crosses a window, and no window is larger than the device can bind.
import { LimitError } from '../errors.ts';
import { currentDevice, type Device } from '../gpu/device.ts';
import { byteSize, type Spec } from '../engine/dtype.ts';
import { Storage, Tensor } from '../engine/tensor.ts';

const ALIGN = 256;

export interface Range {
  /** Index of the buffer. */
  readonly window: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Where each tensor goes. Pure. @throws LimitError if one alone is larger than a window. */
export function layoutArena(specs: readonly (Spec & { name?: string })[], windowBytes: number): { ranges: Range[]; windows: number[] } {
  const windows: number[] = [];
  const ranges = specs.map((s) => {
    const bytes = byteSize(s);
    if (bytes > windowBytes) {
      throw new LimitError(
        `parameter ${s.name ?? `[${s.shape}]`}: ${bytes} bytes, got limit maxStorageBufferBindingSize ${windowBytes}.`,
        'Use a smaller preset.',
      );
    }
    const end = windows.at(-1) ?? Infinity;
    const offset = end + bytes > windowBytes ? 0 : end;
    if (offset === 0) windows.push(0);
    windows[windows.length - 1] = Math.ceil((offset + bytes) / ALIGN) * ALIGN;
    return { window: windows.length - 1, offset, bytes };
  });
  return { ranges, windows };
}

/** Buffers for a layout, filled with zeros. */
export class Arena {
  private readonly windows: readonly Storage[];

  constructor(windows: readonly number[], label: string, device: Device = currentDevice()) {
    const made: Storage[] = [];
    try {
      for (const bytes of windows) made.push(Storage.alloc(device, bytes, label));
    } catch (e) {
      for (const window of made) window.release();
      throw e;
    }
    this.windows = made;
    const encoder = device.gpu.createCommandEncoder();
    for (const { buffer } of this.windows) encoder.clearBuffer(buffer);
    device.gpu.queue.submit([encoder.finish()]);
  }

  /** A range, which keeps its window until it is released. */
  storage({ window, offset, bytes }: Range): Storage {
    return this.windows[window].part(offset, bytes);
  }

  /** All of it, to be read or written from the host; kept by the arena. */
  whole(): Storage[] {
    return [...this.windows];
  }

  /** A range as a flat f32 tensor, which keeps its window until it is disposed; in a trace it goes with that. */
  flat(range: Range): Tensor {
    return new Tensor({ shape: [range.bytes / 4], dtype: 'f32' }, this.storage(range));
  }

  /** Its memory goes when no parameter and no program has a part of it any more. */
  dispose(): void {
    for (const window of this.windows) window.release();
  }
}
