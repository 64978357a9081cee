// SPDX-License-Identifier: MIT
// Tiles that stick out: with one row, column or value of the reduction too many everywhere, every element is written and none outside
// (outputs lie between guard words and start as NaN, harness.ts).
import { expect, it } from 'vitest';
import { numel, type DType } from '../../src/engine/dtype.ts';
import type { Dispatch, Ref } from '../../src/engine/op.ts';
import type { Caps } from '../../src/gpu/caps.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { blocks, lowerGemm, matrices, TABLE } from '../../src/ops/gemm.ts';
import { lowerDown, lowerDweight, lowerUp, type Window } from '../../src/ops/window.ts';
import { half, noise, run } from './harness.ts';

const ref = (shape: readonly number[], dtype: DType): Ref => ({ role: 'input', index: 0, shape, dtype });
const window: Window = { stride: [1, 2, 1], before: [0, 1, 1], after: [0, 1, 0], dilation: [1, 1, 1], groups: 1 };
const [big, small, weight] = [
  [1, 1, 12, 11, 66],
  [1, 1, 6, 10, 65],
  [65, 1, 3, 3, 66],
];

function dispatches(caps: Caps, dtype: DType): Dispatch[] {
  const c = { caps, scratch: (shape: readonly number[], d: DType = 'f32'): Ref => ref(shape, d) };
  const at = (shape: readonly number[]): Ref => ref(shape, dtype);
  return [
    ...lowerGemm(c, {
      a: at([65, 17]),
      b: at([17, 66]),
      bias: at([66]),
      y: at([65, 66]),
      m: 65,
      n: 66,
      k: 17,
      aRow: 17,
      aK: 1,
      bK: 66,
      bCol: 1,
      act: 2,
    }),
    ...lowerDown(c, [at(big), at(weight), null, at(small), at(small)], window, 5),
    ...lowerUp(c, [at(small), at(weight), null, at(big), at(big)], window, 6),
    lowerDweight(c, at(big), at(small), at(weight), window)[0],
  ];
}

it.for([
  ['blocks', 'f32', blocks(4, 4, 1)],
  ['matrices', 'f16', matrices(2, 1)],
  ['matrices', 'f16', matrices(4, 1, 4, 4)],
] as const)('%s, %s', async ([family, dtype, tile], context) => {
  using device = await openDevice();
  const { caps } = device;
  if (family === 'matrices' && !caps.subgroupMatrix) context.skip('the adapter has no subgroup matrices of f16 added in f32');
  TABLE.unshift({ when: () => true, candidates: (on) => [tile(on)] });
  const list = dispatches(caps, dtype).filter(({ def }) => !def.entry.startsWith('split_')); // of a reduction that is cut
  TABLE.shift();
  expect(list.map((d) => d.def.entry)).toEqual(['matmul', 'conv', 'conv', 'conv_dweight'].map((op) => `${op}_${family}`));
  for (const d of list) {
    const buffers = Object.fromEntries(
      d.def.bindings
        .filter((b) => b.kind !== 'uniform')
        .map((b, i) => {
          const r = d.bindings[b.name];
          const n = numel(r.shape);
          return [
            b.name,
            b.kind === 'read_write' ? (r.dtype === 'f16' ? { f16: n } : { f32: n }) : r.dtype === 'f16' ? half(noise(n, i)) : noise(n, i),
          ];
        }),
    );
    const { y, partial } = await run(d.def, {
      buffers,
      params: d.params,
      grid: [d.grid[0], d.grid[1]],
      spec: d.spec,
      overrides: d.overrides,
    });
    expect((y ?? partial).every(Number.isFinite), d.def.entry).toBe(true);
  }
});
