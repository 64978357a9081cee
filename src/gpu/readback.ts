// SPDX-License-Identifier: MIT
// Many ranges of device memory on their way to the host in one piece, as they are when they are asked for: what is submitted
// afterwards may overwrite them.
import { DeviceLostError } from '../errors.ts';
import type { Device } from './device.ts';

export interface DeviceRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** Neighbours this near are copied with what lies between them. */
const GAP = 1024;
/** Of one staging buffer, unless a range alone is larger. */
const STAGING = 2 ** 29;

/** Where a range lies in the staging buffers. */
interface Place {
  staging: number;
  at: number;
}
interface Copy {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  bytes: number;
  readonly staging: number;
  readonly at: number;
}

const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** Copies and places for ranges, neighbours in memory side by side. Pure. */
export function layoutReadback(ranges: readonly DeviceRange[]): { copies: Copy[]; places: Place[]; sizes: number[] } {
  const order = new Map<GPUBuffer, number>();
  for (const { buffer } of ranges) if (!order.has(buffer)) order.set(buffer, order.size);
  const sorted = ranges
    .map((range, index) => ({ ...range, index }))
    .sort((a, b) => order.get(a.buffer)! - order.get(b.buffer)! || a.offset - b.offset);
  const copies: Copy[] = [];
  const places: Place[] = [];
  const sizes: number[] = [];
  for (const { buffer, offset, bytes, index } of sorted) {
    const end = offset + padded(bytes);
    let copy = copies.at(-1);
    if (copy?.buffer === buffer && offset <= copy.offset + copy.bytes + GAP && copy.at + end - copy.offset <= STAGING) {
      copy.bytes = Math.max(copy.bytes, end - copy.offset);
    } else {
      if (sizes.length === 0 || sizes.at(-1)! + end - offset > STAGING) sizes.push(0);
      copies.push((copy = { buffer, offset, bytes: end - offset, staging: sizes.length - 1, at: sizes.at(-1)! }));
    }
    sizes[copy.staging] = copy.at + copy.bytes;
    places[index] = { staging: copy.staging, at: copy.at + offset - copy.offset };
  }
  return { copies, places, sizes };
}

export class Readback implements Disposable {
  private readonly device: Device;
  private readonly ranges: readonly DeviceRange[];
  private readonly places: readonly Place[];
  private readonly staging: readonly GPUBuffer[];

  constructor(device: Device, ranges: readonly DeviceRange[]) {
    device.check();
    this.device = device;
    this.ranges = ranges;
    const { copies, places, sizes } = layoutReadback(ranges);
    this.places = places;
    // MAP_READ | COPY_DST
    this.staging = sizes.map((size) => device.gpu.createBuffer({ size: Math.max(4, size), usage: 0x1 | 0x8, label: 'readback' }));
    const encoder = device.gpu.createCommandEncoder({ label: 'readback' });
    for (const { buffer, offset, bytes, staging, at } of copies)
      encoder.copyBufferToBuffer(buffer, offset, this.staging[staging], at, bytes);
    device.gpu.queue.submit([encoder.finish()]);
  }

  /** The bytes of each range, in the order asked for; views that end with this object. */
  async views(): Promise<Uint8Array<ArrayBuffer>[]> {
    const whole = await mapped(this.device, this.staging);
    return this.places.map(({ staging, at }, i) => new Uint8Array(whole[staging], at, this.ranges[i].bytes));
  }

  [Symbol.dispose](): void {
    for (const buffer of this.staging) buffer.destroy();
  }
}

/** What many runs leave, in one piece: a range is copied aside when it is added, before the next run; one wait brings them all. */
export class Gathering implements Disposable {
  private readonly device: Device;
  private readonly staging: GPUBuffer;
  private readonly taken: { readonly at: number; readonly bytes: number }[] = [];
  private end = 0;

  /** `bytes`: of all ranges that will be added, whose sizes are multiples of 4. */
  constructor(device: Device, bytes: number) {
    device.check();
    this.device = device;
    this.staging = device.gpu.createBuffer({ size: Math.max(4, bytes), usage: 0x1 | 0x8, label: 'gathering' }); // MAP_READ | COPY_DST
  }

  add({ buffer, offset, bytes }: DeviceRange): void {
    const encoder = this.device.gpu.createCommandEncoder({ label: 'gathering' });
    encoder.copyBufferToBuffer(buffer, offset, this.staging, this.end, bytes);
    this.device.gpu.queue.submit([encoder.finish()]);
    this.taken.push({ at: this.end, bytes });
    this.end += bytes;
  }

  /** The bytes of each range, in the order added; views that end with this object. */
  async views(): Promise<Uint8Array<ArrayBuffer>[]> {
    const whole = await mapped(this.device, [this.staging]);
    return this.taken.map(({ at, bytes }) => new Uint8Array(whole[0], at, bytes));
  }

  [Symbol.dispose](): void {
    this.staging.destroy();
  }
}

/** The contents of staging buffers, once the device has come to their copies. @throws what the device met, DeviceLostError */
async function mapped(device: Device, staging: readonly GPUBuffer[]): Promise<ArrayBuffer[]> {
  await Promise.all(staging.map((buffer) => device.wait(buffer.mapAsync(0x1)))).catch((cause: unknown) => {
    device.check();
    throw new DeviceLostError('device: reading back failed.', 'Open a new device.', { cause });
  });
  device.check();
  return staging.map((buffer) => buffer.getMappedRange());
}
