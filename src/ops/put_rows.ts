// SPDX-License-Identifier: MIT
// Rows written into a table that lives across programs: one program's slices gathered into a volume that others read.
import { DTypeError, ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, type Dispatch } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { put_rows } from '../gen/put_rows.ts';
import { elementLaunch } from './lanes.ts';

/**
 * Overwrites table[index[i]] [k, ...] with rows[i] [m, ...]; index u32 [m], every entry below k and there once. Rows whose index the device
 * finds outside go nowhere. @throws IndexError for one that the host knows
 */
export const putRows = defineOp({
  name: 'put_rows',
  takes: { table: aTensor, rows: aTensor, index: aTensor },
  call: (table: Tensor, rows: Tensor, index: Tensor) => ({ inputs: [table, rows, index], attrs: {} }),
  infer([table, rows, index]) {
    expectDType('putRows', [table, rows], 'f32', 'f16', 'i32', 'u32');
    if (index.dtype !== 'u32') throw new DTypeError(`putRows: got an index of dtype ${index.dtype}, expected u32.`, 'Convert with cast().');
    const row = table.shape.slice(1);
    if (index.shape.length !== 1 || rows.shape.join() !== [index.shape[0], ...row].join()) {
      throw new ShapeError(
        `putRows: got rows [${rows.shape}] and index [${index.shape}] for a table [${table.shape}], expected ` +
          `[m${row.map((d) => `, ${d}`).join('')}] and [m].`,
      );
    }
    return [];
  },
  mutates: () => [0],
  indices: ([table]) => [{ input: 2, below: table.shape[0] }],
  result: () => undefined,
  lower({ caps, inputs: [table, rows, index] }): Dispatch[] {
    const n = numel(rows.shape);
    const { grid, overrides } = elementLaunch(caps, n);
    return [
      dispatch(put_rows, { rows, index, table }, { n, width: numel(rows.shape.slice(1)), k: table.shape[0] }, grid, {
        spec: { T: rows.dtype },
        overrides,
      }),
    ];
  },
});
