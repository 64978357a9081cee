// SPDX-License-Identifier: MIT
// Lowering is pure: the same calls from the same shapes, and no GPU object touched, for every row of the case tables and its gradients.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { packParams } from '../../src/gpu/params.ts';
import { lowerCall } from '../../src/engine/lower.ts';
import { rows } from '../cases/case.ts';
import { elsewhereRows } from '../cases/elsewhere.ts';
import { families } from '../cases/index.ts';
import { nodesOf } from '../cases/trace.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

it('lower() gives equal dispatches twice and touches no GPU object', () => {
  const nodes = [...Object.values(families).flatMap(rows), ...elsewhereRows].flatMap(nodesOf);
  expect(nodes.length).toBeGreaterThan(3500);
  expect(nodes.map((n) => n.op.name)).toEqual(expect.arrayContaining(['conv3d_dweight', 'attention_grad', 'batch_norm_dx', 'update']));
  const touched: (string | symbol)[] = [];
  const { gpu } = device;
  const watched = new Proxy(gpu, {
    get(target, key) {
      touched.push(key);
      return Reflect.get(target, key) as unknown;
    },
  });
  Object.defineProperty(device, 'gpu', { value: watched, configurable: true });
  try {
    for (const n of nodes) {
      const [first, second] = [0, 1].map(() => lowerCall(n.op, n.inputs, n.outputs, n.attrs, device.caps));
      expect(second, n.label).toEqual(first);
      for (const d of first.dispatches) packParams(d.def, d.params); // throws for a number that its type cannot hold
    }
    expect(touched).toEqual([]);
    void device.gpu.label;
    expect(touched).toEqual(['label']); // the watch works
  } finally {
    Object.defineProperty(device, 'gpu', { value: gpu, configurable: true });
  }
});
