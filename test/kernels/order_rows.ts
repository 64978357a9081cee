// SPDX-License-Identifier: MIT
// No workgroup reads what another one writes: rows of the case tables give the same bits whatever the order in which
// workgroups take their work. Here the kernels' texts are changed, so that the engine runs them unaware.
import { expect } from 'vitest';
import type { Caps } from '../../src/gpu/caps.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { blocks, matrices, TABLE } from '../../src/ops/gemm.ts';
import type { NamedCase } from '../cases/case.ts';
import { Row } from '../golden/ops/row.ts';
import { INDEX, ORDERS } from './harness.ts';

/** Runs as one workgroup: there is no order. */
const ALONE = 'loss_scale.wgsl';

/**
 * Bytes of every output and gradient by row, with workgroups in an order; the kernel files, and those that do not number their workgroups.
 */
async function run(
  list: readonly NamedCase[],
  order: keyof typeof ORDERS | null,
  caps: Partial<Caps>,
): Promise<{ bytes: Map<string, string>; files: Set<string>; unnumbered: Set<string> }> {
  const device: Device = await openDevice();
  Object.assign(device, { caps: { ...device.caps, ...caps } });
  const files = new Set<string>();
  const unnumbered = new Set<string>();
  const gpu = device.gpu as unknown as { createShaderModule: GPUDevice['createShaderModule'] };
  const make = device.gpu.createShaderModule.bind(device.gpu);
  gpu.createShaderModule = (descriptor) => {
    const code = descriptor.code;
    files.add(descriptor.label!);
    if (!code.includes(INDEX) && descriptor.label !== ALONE) unnumbered.add(descriptor.label!);
    return make({ ...descriptor, code: order ? code.replaceAll(INDEX, ORDERS[order]) : code });
  };
  const bytes = new Map<string, string>();
  for (const c of list) {
    for (const [key, v] of Object.entries(await new Row(c).eager()))
      bytes.set(`${c.id}/${key}`, Buffer.from(v.buffer, v.byteOffset, v.byteLength).toString('base64'));
  }
  device.close();
  return { bytes, files, unnumbered };
}

/** The kernel files whose workgroups were swapped; `caps` that the device claims to have. */
export async function orderDoesNotMatter(list: readonly NamedCase[], caps: Partial<Caps> = {}): Promise<Set<string>> {
  const straight = await run(list, null, caps);
  expect([...straight.unnumbered]).toEqual([]);
  expect(straight.bytes.size).toBeGreaterThan(0);
  for (const order of ['reversed', 'interleaved'] as const) {
    const { bytes } = await run(list, order, caps);
    for (const [key, value] of straight.bytes) expect(bytes.get(key) === value, `${key}, ${order}`).toBe(true);
  }
  return straight.files;
}

/** The same for the families of products that software adapters do not choose. */
export async function orderDoesNotMatterInTiles(list: readonly NamedCase[]): Promise<Set<string>> {
  TABLE.unshift(
    { when: ({ caps, dtype }) => dtype === 'f16' && caps.subgroupMatrix !== null, candidates: (caps) => [matrices(2, 1)(caps)] },
    { when: () => true, candidates: () => [blocks(4, 4, 1)()] },
  );
  try {
    return await orderDoesNotMatter(list);
  } finally {
    TABLE.splice(0, 2);
  }
}
