// SPDX-License-Identifier: MIT
// Public functions of src/ops without rows: random choices have an oracle of their own, a plan is an argument, a table is
// overwritten, a module's goldens hold it. Or with rows in which another op stands beside them: the call by itself. The calls give
// several workgroups work, and are rows without goldens where bytes are looked at and not values.
import { arange, eye, linspace, ones } from '../../src/ops/create.ts';
import { frequencyStatistics } from '../../src/ops/frequency_statistics.ts';
import { detach } from '../../src/ops/pointwise.ts';
import { putRows } from '../../src/ops/put_rows.ts';
import { dropout, manualSeed, normal, rand, randn, RandomSource, uniform } from '../../src/ops/random.ts';
import { sampleVoxel } from '../../src/ops/sample_voxel.ts';
import { input, type Case, type NamedCase } from './case.ts';

/** Where a function is tested; against what and one call, if it is an op and so in docs/ops.md. */
export interface Elsewhere extends Partial<Pick<Case, 'inputs' | 'call' | 'grad'>> {
  readonly test: string;
  readonly against?: string;
}

const source = (): RandomSource => new RandomSource({ seed: 1, stream: 1, step: () => 0 });
const random = { test: '../ops/random.test.ts', against: 'the same Philox stream on the host' };

const made = { test: '../ops/create.test.ts', against: 'its definition', inputs: [] };

export const elsewhere: Readonly<Record<string, Elsewhere>> = {
  dropout: { ...random, inputs: [input([999])], call: (x) => dropout(x, { p: 0.5, random: source() }) },
  uniform: { ...random, inputs: [], call: () => uniform([999], { random: source() }) },
  normal: { ...random, inputs: [], call: () => normal([999], { random: source() }) },
  rand: { ...random, inputs: [], call: () => (manualSeed(1), rand([999])) },
  randn: { ...random, inputs: [], call: () => (manualSeed(1), randn([999])) },
  manualSeed: { test: '../ops/random.test.ts' },
  putRows: {
    test: '../ops/put_rows.test.ts',
    against: 'its definition',
    inputs: [input([9, 63]), input([7, 63]), input([7], { dtype: 'u32', values: [8, 0, 3, 2, 5, 7, 4] })],
    call: (table, rows, index) => {
      putRows(table, rows, index);
      return table;
    },
    grad: [],
  },
  sampleVoxel: {
    test: '../ops/sample_voxel.test.ts',
    against: 'a reference on the host',
    inputs: [input([65, 3, 5, 7], { below: 2 }), input([65], { scale: 0.5, offset: 0.5 })],
    call: (mask, u) => {
      const { coords, value } = sampleVoxel(mask, u);
      return [coords, value];
    },
    grad: [],
  },
  frequencyStatistics: {
    test: '../models/net2d.test.ts',
    against: 'PyTorch, as part of MFCA',
    inputs: [input([3, 7, 65]), input([5, 7])],
    call: (x, patterns) => frequencyStatistics(x, patterns),
    grad: [0],
  },
  arange: { ...made, call: () => arange(2, 65, { step: 3 }) },
  linspace: { ...made, call: () => linspace(-1, 1, 65) },
  ones: { ...made, call: () => ones([7, 9]) },
  eye: { ...made, call: () => eye(7, 9) },
  detach: { test: '../golden/ops.test.ts', inputs: [input([8])], call: detach, grad: [] },
  RandomSource: { test: '../ops/random.test.ts' },
  interpolationPlan: { test: '../ops/table_interpolate.test.ts' },
  tuneShape: { test: '../ops/tune.test.ts' },
};

export const elsewhereRows: readonly NamedCase[] = Object.entries(elsewhere).flatMap(([op, { inputs, call, grad }]) =>
  inputs && call ? [{ op, id: op, name: op, inputs, call, torch: '', half: false, ...(grad && { grad }) }] : [],
);
