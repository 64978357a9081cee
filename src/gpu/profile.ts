// SPDX-License-Identifier: MIT
// Kernel times from timestamp queries: one pass a dispatch, so that each has its own pair of timestamps.
import { LimitError } from '../errors.ts';
import type { Device } from './device.ts';
import { Readback } from './readback.ts';

export interface KernelTime {
  readonly label: string;
  readonly ms: number;
}

/** One dispatch as it is recorded: x * y * z workgroups of a pipeline on a bind group. */
export interface Call {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly label: string;
  /** Of all that it binds. */
  readonly bytes: number;
}

/** Queries in one set, by WebGPU's limit of 4,096. */
const BATCH = 2048;

/** Times of all calls in order. What a run submits apart, for the sake of a driver watchdog, is submitted apart here too. */
export async function timestamps(device: Device, submits: readonly (readonly Call[])[]): Promise<KernelTime[]> {
  if (!device.caps.timestamps)
    throw new LimitError('profile: the adapter has no timestamp-query feature.', 'Time whole runs with sync() instead.');
  return timed(device, submits);
}

/** The same on a device with timestamps. All is submitted when it returns, and what is submitted afterwards is timed no more. */
export async function timed(device: Device, submits: readonly (readonly Call[])[], label = ''): Promise<KernelTime[]> {
  const batches = submits.flatMap((calls) =>
    Array.from({ length: Math.ceil(calls.length / BATCH) }, (_, i) => calls.slice(i * BATCH, (i + 1) * BATCH)),
  );
  return (await Promise.all(batches.map((calls) => timeBatch(device, calls, label)))).flat();
}

async function timeBatch(device: Device, calls: readonly Call[], label: string): Promise<KernelTime[]> {
  const { gpu } = device;
  const count = calls.length * 2;
  const querySet = gpu.createQuerySet({ type: 'timestamp', count });
  const buffer = gpu.createBuffer({ size: count * 8, usage: 0x200 | 0x4, label: 'timestamps' }); // QUERY_RESOLVE | COPY_SRC
  const encoder = gpu.createCommandEncoder({ label });
  calls.forEach((call, i) => {
    const pass = encoder.beginComputePass({
      timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
    });
    pass.setPipeline(call.pipeline);
    pass.setBindGroup(0, call.group);
    pass.dispatchWorkgroups(call.x, call.y, call.z);
    pass.end();
  });
  encoder.resolveQuerySet(querySet, 0, count, buffer, 0);
  gpu.queue.submit([encoder.finish()]);
  using readback = new Readback(device, [{ buffer, offset: 0, bytes: count * 8 }]);
  const ns = new BigUint64Array((await readback.views())[0].slice().buffer);
  buffer.destroy();
  querySet.destroy();
  return calls.map((call, i) => ({ label: call.label, ms: Number(ns[2 * i + 1] - ns[2 * i]) / 1e6 }));
}
