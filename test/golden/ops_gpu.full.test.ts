// SPDX-License-Identifier: MIT
// Every row of test/cases once more on a device that claims to be a GPU: the launches, tiles and kernels that a software adapter does
// not choose, but for those whose size asks for more rows or columns than these cases have (products.test.ts).
import { afterAll, beforeAll, describe, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { rows } from '../cases/case.ts';
import { families } from '../cases/index.ts';
import { readGoldens, Row } from './ops/row.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
  Object.assign(device, { caps: { ...device.caps, software: false } });
});
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
