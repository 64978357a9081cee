// SPDX-License-Identifier: MIT
// Every row of test/cases, or of some families, on a device; what is proved of a row is in row.ts.
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Device } from '../../../src/gpu/device.ts';
import { rows } from '../../cases/case.ts';
import { families } from '../../cases/index.ts';
import { readGoldens, Row } from './row.ts';

export function proveTable(open: () => Promise<Device>, select: (family: string) => boolean = () => true): void {
  let device: Device;
  beforeAll(async () => {
    device = await open();
  });
  afterAll(() => device.close());

  for (const [name, family] of Object.entries(families).filter(([name]) => select(name))) {
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
}
