// SPDX-License-Identifier: MIT
// What a device opened with `debug` tells on the console: each dispatch with its time and bytes, and memory that nobody gave back.
import type { Device } from './device.ts';
import { timed, type Call } from './profile.ts';
import { pass } from './submit.ts';

/** `indices`: those out of range are an IndexError that names the op. `calls`: a line a dispatch. `memory`: what was never given back. */
export const ASPECTS = ['indices', 'calls', 'memory'] as const;
export type DebugAspect = (typeof ASPECTS)[number];

/** Memory in use, by what it was taken for. */
interface Held {
  readonly label: string;
  readonly bytes: number;
  /** Given back. */
  back: boolean;
}

export class DebugLog {
  private readonly device: Device;
  private readonly aspects: readonly DebugAspect[];
  private readonly held = new Map<GPUBuffer, Held>();
  /** Until all lines are written. */
  private told: Promise<unknown> = Promise.resolve();
  private readonly collected: FinalizationRegistry<Held>;

  constructor(device: Device, aspects: readonly DebugAspect[]) {
    this.device = device;
    this.aspects = aspects;
    this.collected = new FinalizationRegistry((memory) => {
      if (!memory.back) say(`${memory.label}: ${bytesText(memory.bytes)} are lost: the tensor was collected without dispose().`);
    });
  }

  get calls(): boolean {
    return this.aspects.includes('calls');
  }

  /** Submits calls with a line for each once its time has come; a device without timestamps times them together. */
  submit(calls: readonly Call[], label: string): void {
    const since = performance.now();
    const { caps, gpu } = this.device;
    const times = caps.timestamps ? timed(this.device, [calls], label) : null;
    if (!times) pass(gpu, calls, label);
    const whole = times ?? this.device.wait(gpu.queue.onSubmittedWorkDone()).then(() => null);
    this.told = Promise.all([whole, this.told])
      .then(([each]) => {
        calls.forEach((call, i) => {
          const { x, y, z, bytes } = call;
          say(`${call.label}  ${x} x ${y} x ${z}  ${bytesText(bytes)}${each ? `  ${each[i].ms.toFixed(3)} ms` : ''}`);
        });
        const ms = each?.reduce((sum, t) => sum + t.ms, 0) ?? performance.now() - since;
        if (calls.length > 1 || !each) say(`${calls.length} ${calls.length === 1 ? 'dispatch' : 'dispatches'}  ${ms.toFixed(3)} ms`);
      })
      .catch(() => undefined); // a device that is lost or closed meanwhile says so itself
  }

  /** All calls so far have their lines. */
  async settled(): Promise<void> {
    await this.told;
  }

  take(buffer: GPUBuffer, label: string): void {
    if (this.aspects.includes('memory')) this.held.set(buffer, { label, bytes: buffer.size, back: false });
  }
  giveBack(buffer: GPUBuffer): void {
    const memory = this.held.get(buffer);
    if (memory) memory.back = true;
    this.held.delete(buffer);
  }
  /** When `owner` is collected, its buffer should have been given back. */
  expect(owner: object, buffer: GPUBuffer): void {
    const memory = this.held.get(buffer);
    if (memory) this.collected.register(owner, memory);
  }

  /** What is in use as the device closes: parameters and programs too, unless they were disposed. */
  close(): void {
    const kinds = new Map<string, { count: number; bytes: number }>();
    for (const { label, bytes } of this.held.values()) {
      const kind = kinds.get(label) ?? { count: 0, bytes: 0 };
      kinds.set(label, { count: kind.count + 1, bytes: kind.bytes + bytes });
    }
    const list = [...kinds].sort(([, a], [, b]) => b.bytes - a.bytes);
    if (list.length > 0) say(`closed with ${this.held.size} buffers still held, of a peak of ${bytesText(this.device.memory().peak)}:`);
    for (const [label, { count, bytes }] of list) say(`  ${bytesText(bytes)}  ${label}${count > 1 ? `, ${count} times` : ''}`);
    this.held.clear();
  }
}

const say = (line: string): void => {
  console.log(`voxelgrad: ${line}`);
};

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB'];
function bytesText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${(bytes / 2 ** (10 * power)).toFixed(power && 1)} ${UNITS[power]}`;
}
