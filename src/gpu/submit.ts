// SPDX-License-Identifier: MIT
// Recorded dispatches on their way to the device.
import type { Device } from './device.ts';
import type { Call } from './profile.ts';

/** Submits calls as one compute pass; with a line for each on a device opened with `debug`. */
export function submit(device: Device, calls: readonly Call[], label?: string): void {
  if (device.debug?.calls) device.debug.submit(calls, label ?? '');
  else pass(device.gpu, calls, label);
}

export function pass(gpu: GPUDevice, calls: readonly Call[], label = ''): void {
  const encoder = gpu.createCommandEncoder({ label });
  const open = encoder.beginComputePass({ label });
  let last: GPUComputePipeline | null = null;
  for (const call of calls) {
    if (call.pipeline !== last) {
      open.setPipeline(call.pipeline);
      last = call.pipeline;
    }
    open.setBindGroup(0, call.group);
    open.dispatchWorkgroups(call.x, call.y, call.z);
  }
  open.end();
  gpu.queue.submit([encoder.finish()]);
}
