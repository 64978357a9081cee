// SPDX-License-Identifier: MIT
// Kernel times from timestamp queries: one pass a dispatch, so that each has its own pair of timestamps.
import { LimitError } from '../errors.ts';
import type { Device } from './device.ts';

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
}

/** Queries in one set, by WebGPU's limit of 4,096. */
const BATCH = 2048;

/** Times of all calls in order. What a run submits apart, for the sake of a driver watchdog, is submitted apart here too. */
export async function timestamps(device: Device, submits: readonly (readonly Call[])[]): Promise<KernelTime[]> {
  if (!device.caps.timestamps)
    throw new LimitError('profile: the adapter has no timestamp-query feature.', 'Time whole runs with sync() instead.');
  const times: KernelTime[] = [];
  for (const calls of submits) {
    for (let start = 0; start < calls.length; start += BATCH) times.push(...(await timeBatch(device, calls.slice(start, start + BATCH))));
  }
  return times;
}

async function timeBatch(device: Device, calls: readonly Call[]): Promise<KernelTime[]> {
  const { gpu } = device;
  const count = calls.length * 2;
  const querySet = gpu.createQuerySet({ type: 'timestamp', count });
  const buffer = gpu.createBuffer({ size: count * 8, usage: 0x200 | 0x4, label: 'timestamps' }); // QUERY_RESOLVE | COPY_SRC
  const encoder = gpu.createCommandEncoder();
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
  const ns = new BigUint64Array(await device.read(buffer, 0, count * 8));
  buffer.destroy();
  querySet.destroy();
  return calls.map((call, i) => ({ label: call.label, ms: Number(ns[2 * i + 1] - ns[2 * i]) / 1e6 }));
}
