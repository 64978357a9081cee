// SPDX-License-Identifier: MIT
// Softmax, and its logarithm: rows that hold NaN and infinities, and rows far from 0 whose differences are what counts.
import type { Tensor } from '../../../src/engine/tensor.ts';
import { logSoftmax, softmax } from '../../../src/ops/softmax.ts';
import { rowsOf, transposed, type Special, type SpecialInput, type Specials } from './form.ts';

/** Rows [c, c + 1, c - 1, c, ...] with 1 as far as f32 tells it from c. */
const shifted = (n: number): SpecialInput => {
  const list = [0, 1e3, -1e4, 1e6, 1e8, -1e20, 3e38];
  return {
    values: list.flatMap((c) => Array.from({ length: n }, (_, i) => c + (i % 3 === 1 ? 1 : i % 3 === 2 ? -1 : 0))),
    shape: [list.length, n],
  };
};

const rows = (call: (a: Tensor, axis: number) => Tensor, torch: string): Special[] => {
  const near: Partial<Special> = { ulp: { y: 16, g: 64, least: 1, why: "WGSL's exp, and sums that cancel" } };
  const along = (name: string, input: SpecialInput, axis: 0 | 1, more: Partial<Special> = {}): Special => ({
    name,
    inputs: [input],
    call: (a) => call(a, axis),
    torch: torch.replace('AXIS', String(axis)),
    ...near,
    ...more,
  });
  return [
    along('rows of 6', rowsOf(6), 1, { f16: true }),
    along('rows of 8', rowsOf(8), 1, { f16: true }),
    along('columns of 6', transposed(rowsOf(6)), 0),
    along('columns of 130', transposed(rowsOf(130, 4)), 0),
    along('rows of 7 far from 0', shifted(7), 1),
    along('rows of 8 far from 0', shifted(8), 1),
    along('columns far from 0', transposed(shifted(8)), 0),
  ];
};

export const softmaxes: Specials = { softmax: rows(softmax, 'a.softmax(AXIS)'), logSoftmax: rows(logSoftmax, 'a.log_softmax(AXIS)') };
