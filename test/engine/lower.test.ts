// SPDX-License-Identifier: MIT
// Lowering is pure: the same calls from the same shapes, and no GPU object touched, for every row of the case tables.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { packParams } from '../../src/gpu/params.ts';
import { spec } from '../../src/engine/dtype.ts';
import { lowerCall } from '../../src/engine/op.ts';
import { zeros, type Tensor } from '../../src/engine/tensor.ts';
import { record, type Node } from '../../src/engine/trace.ts';
import { rows } from '../cases/case.ts';
import { families } from '../cases/index.ts';

let device: Device;
beforeAll(async () => { device = await openDevice(); });
afterAll(() => device.close());

it('lower() gives equal dispatches twice and touches no GPU object', () => {
  const nodes: Node[] = Object.values(families).flatMap(rows).flatMap((c) => {
    const inputs = c.inputs.map((i) => zeros(i.shape, spec(i.shape, i.dtype ?? (c.half && !i.wide ? 'f16' : 'f32'))));
    const { trace } = record(() => c.call(...inputs) as Tensor);
    for (const t of inputs) t.dispose();
    return trace.nodes;
  });
  expect(nodes.length).toBeGreaterThan(400);
  const touched: (string | symbol)[] = [];
  const { gpu } = device;
  const watched = new Proxy(gpu, { get(target, key) { touched.push(key); return Reflect.get(target, key) as unknown; } });
  Object.defineProperty(device, 'gpu', { value: watched, configurable: true });
  try {
    for (const n of nodes) {
      const [first, second] = [0, 1].map(() => lowerCall(n.op, n.inputs, n.outputs, n.attrs, device.caps));
      expect(second, n.label).toEqual(first);
      for (const d of first!.dispatches) packParams(d.def, d.params); // throws for a number that its type cannot hold
    }
    expect(touched).toEqual([]);
    void device.gpu.label;
    expect(touched).toEqual(['label']); // the watch works
  } finally {
    Object.defineProperty(device, 'gpu', { value: gpu, configurable: true });
  }
});
