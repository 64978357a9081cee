// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { defineOp, dispatch, grid1d } from '../../src/engine/op.ts';
import { zeros, type Tensor } from '../../src/engine/tensor.ts';
import { fill } from '../../src/gen/fill.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { elsewhereRows } from '../cases/elsewhere.ts';
import { guarded } from '../engine/guards.ts';
import { Row } from './ops/row.ts';
import { proveTable } from './ops/table.ts';

proveTable(openDevice);

describe('guard bytes', () => {
  it.each(elsewhereRows)('$id, which has no goldens', async (row) => {
    await guarded(() => new Row(row).eager());
  });

  it('show an element too many, by the name of the op', async () => {
    const wide = defineOp({
      name: 'wide',
      call: (x: Tensor) => ({ inputs: [x], attrs: {} }),
      infer: ([x]) => x,
      lower: ({ outputs: [y] }) => [dispatch(fill, { y: y }, { n: 64, value: 1 }, grid1d(1))],
    });
    await guarded(async () => wide(zeros([64])));
    await expect(guarded(async () => wide(zeros([63])))).rejects.toThrow(/wrote outside of: expected 'wide'/);
  });
});
