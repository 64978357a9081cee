// SPDX-License-Identifier: MIT
// What a device opened with `debug` keeps of the first index out of range that a call met (kernels/check_index.wgsl).
import { IndexError } from '../errors.ts';

export class IndexWatch {
  /** u32 [3]: number of the call or 0, the index, its place. */
  readonly buffer: GPUBuffer;
  private readonly calls: string[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly gpu: GPUDevice;

  constructor(gpu: GPUDevice) {
    this.gpu = gpu;
    this.buffer = gpu.createBuffer({ size: 16, usage: 0x80 | 0x8 | 0x4, label: 'indices out of range' }); // STORAGE | COPY_DST | COPY_SRC
  }

  /** The number of a call, from 1; calls that read alike share one. */
  call(label: string, below: number): number {
    const text = `${label}: got index INDEX, expected 0 to ${below - 1}.`;
    if (!this.numbers.has(text)) this.numbers.set(text, this.calls.push(text));
    return this.numbers.get(text)!;
  }

  /** @throws IndexError for what the buffer held; it is empty again then */
  expectNone(bytes: ArrayBuffer): void {
    const [call, index, place] = new Uint32Array(bytes);
    if (!call) return;
    this.gpu.queue.writeBuffer(this.buffer, 0, new Uint32Array(4));
    // Past 2^31 it may be a negative i32 as well.
    const value = index < 2 ** 31 ? String(index) : `${index} (or ${index | 0})`;
    throw new IndexError(this.calls[call - 1].replace('INDEX', `${value} at place ${place}`));
  }
}
