// SPDX-License-Identifier: MIT
// No workgroup reads what another writes: the bits do not change when workgroups swap their work.
import { expect, it } from 'vitest';
import { bn_apply, bn_dx_add, bn_finish, bn_grad, bn_moments, bn_sums } from '../../src/gen/batch_norm.ts';
import { convert } from '../../src/gen/cast.ts';
import { fill } from '../../src/gen/fill.ts';
import { gn_finish, gn_grad } from '../../src/gen/group_norm.ts';
import { l2, l2_dx, norm, norm_dweight, norm_dx } from '../../src/gen/norm.ts';
import { match_cols, match_rows, reduce_cols, reduce_rows } from '../../src/gen/reduce.ts';
import { softmax_cols, softmax_cols_dx, softmax_rows, softmax_rows_dx } from '../../src/gen/softmax.ts';
import type { KernelDef } from '../../src/gpu/kernel.ts';
import { noise, run, type Values } from './harness.ts';

// 12 rows of 16 values, in runs of 4 where a kernel cuts them: several workgroups each.
const [ROWS, N, CHUNK] = [12, 16, 4];
const PARAMS = {
  rows: ROWS,
  n: N,
  eps: 1e-5,
  chunk: CHUNK,
  outer: ROWS,
  inner: 1,
  parts: ROWS / CHUNK,
  scale: 1,
  c: N,
  momentum: 0.1,
  share: 1 / ROWS,
  groups: 4,
  value: 2,
};
const cases: [KernelDef, Record<string, number>][] = [
  [fill, { n: 100 }],
  [convert, { n: 100 }],
  [reduce_rows, { parts: N / CHUNK }],
  [match_rows, { parts: N / CHUNK }],
  [reduce_cols, { outer: 1, n: ROWS, inner: N }],
  [match_cols, { outer: 1, n: ROWS, inner: N }],
  [softmax_rows, {}],
  [softmax_rows_dx, {}],
  [softmax_cols, { outer: 1, n: ROWS, inner: N }],
  [softmax_cols_dx, { outer: 1, n: ROWS, inner: N }],
  [norm, {}],
  [norm_dx, {}],
  [norm_dweight, {}],
  [l2, {}],
  [l2_dx, {}],
  [bn_moments, { n: 1 }],
  [bn_sums, { n: 1 }],
  [bn_finish, { n: 2, rows: 6, parts: 2 }],
  [bn_grad, { n: 2, rows: 6, parts: 2 }],
  [bn_apply, { n: 1 }],
  [bn_dx_add, { n: 1 }],
  [gn_finish, { n: 2, rows: 6, parts: 2 }],
  [gn_grad, { n: 2, rows: 6, parts: 2 }],
] as never;

it.each(cases.map(([def, params]) => [def.entry, def, params] as const))('%s', async (_, def, params) => {
  const once = (order?: 'reversed' | 'interleaved') =>
    run(def, {
      buffers: Object.fromEntries(
        def.bindings.map(({ name, kind }, i) => [name, kind === 'read' ? noise(ROWS * N, i) : new Float32Array(ROWS * N).fill(0.5)]),
      ) as Record<string, Values>,
      params: { ...PARAMS, ...params },
      grid: [6, 3],
      overrides: 'WG' in def.overrides ? { WG: 8 } : {},
      ...(order && { order }),
    });
  const [straight, reversed, interleaved] = [await once(), await once('reversed'), await once('interleaved')];
  expect(reversed).toEqual(straight);
  expect(interleaved).toEqual(straight);
  expect(Object.values(straight).some((v) => v.some((x) => x !== 0.5))).toBe(true);
});
