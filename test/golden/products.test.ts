// SPDX-License-Identifier: MIT
// The families of product kernels that software adapters do not choose, on the rows of the case tables that hold a product: the whole
// proof of ops/row.ts with workgroup tiles in every size, and in half precision with subgroup matrices where the adapter has them.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { blocks, matrices, TABLE } from '../../src/ops/gemm.ts';
import { rows } from '../cases/case.ts';
import { families } from '../cases/index.ts';
import { readGoldens, Row } from './ops/row.ts';

let device: Device;
beforeAll(async () => { device = await openDevice(); });
afterAll(() => device.close());

const FAMILIES = {
  'workgroup tiles 4 x 4': blocks(4, 4, 1), 'workgroup tiles 8 x 4': blocks(8, 4, 1), 'workgroup tiles 8 x 8': blocks(8, 8, 1),
  'subgroup matrices 2 x 2': matrices(2, 2, 1), 'subgroup matrices 4 x 2': matrices(4, 2, 1),
};

for (const [family, candidate] of Object.entries(FAMILIES)) {
  const half = family.startsWith('subgroup');
  describe(family, () => {
    beforeAll(() => { TABLE.unshift({ when: ({ dtype }) => !half || dtype === 'f16', candidates: (caps) => [candidate(caps)] }); });
    afterAll(() => { TABLE.shift(); });
    for (const name of ['matmul', 'conv']) {
      const goldens = readGoldens(name);
      for (const row of rows(families[name]!)) {
        if (half && !row.half) continue;
        it(row.id, async (context) => {
          if (half && !device.caps.subgroupMatrix) context.skip('the adapter has no subgroup matrices of f16');
          if (row.half && !device.caps.f16) context.skip('the adapter has no shader-f16');
          await new Row(row).prove(device, goldens);
        });
      }
    }
  });
}
