// SPDX-License-Identifier: MIT
// Every row of test/cases on the device; what is proved of a row is in ops/row.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineOp, dispatch, grid1d } from '../../src/engine/op.ts';
import { zeros, type Tensor } from '../../src/engine/tensor.ts';
import { fill } from '../../src/gen/fill.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { rows } from '../cases/case.ts';
import { elsewhereRows } from '../cases/elsewhere.ts';
import { families } from '../cases/index.ts';
import { guarded } from '../engine/guards.ts';
import { readGoldens, Row } from './ops/row.ts';

let device: Device;
beforeAll(async () => { device = await openDevice(); });
afterAll(() => device.close());

for (const [name, family] of Object.entries(families)) {
  const goldens = readGoldens(name);
  describe(name, () => {
    for (const row of rows(family)) {
      it(row.id, async (context) => {
        if (row.half && !device.caps.f16) context.skip('the adapter has no shader-f16');
        await new Row(row).prove(device, goldens);
      });
    }
  });
}

describe('guard bytes', () => {
  it.each(elsewhereRows)('$id, which has no goldens', async (row) => { await guarded(() => new Row(row).eager()); });

  it('show an element too many, by the name of the op', async () => {
    const wide = defineOp({ name: 'wide', call: (x: Tensor) => ({ inputs: [x], attrs: {} }), infer: ([x]) => x!,
      lower: ({ outputs: [y] }) => [dispatch(fill, { y: y! }, { n: 64, value: 1 }, grid1d(1))] });
    await guarded(async () => wide(zeros([64])));
    await expect(guarded(async () => wide(zeros([63])))).rejects.toThrow(/wrote outside of: expected 'wide'/);
  });
});
