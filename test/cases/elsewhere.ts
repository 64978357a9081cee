// SPDX-License-Identifier: MIT
// Public functions of src/ops without rows: random choices have an oracle of their own, a plan is an argument, a table is
// overwritten, a module's goldens hold it. Or with rows in which another op stands beside them: the call by itself.
import type { Tensor } from '../../src/engine/tensor.ts';
import { frequencyStatistics } from '../../src/ops/frequency_statistics.ts';
import { detach } from '../../src/ops/pointwise.ts';
import { putRows } from '../../src/ops/put_rows.ts';
import { dropout, normal, RandomSource, uniform } from '../../src/ops/random.ts';
import { sampleVoxel } from '../../src/ops/sample_voxel.ts';
import { input, type Case } from './case.ts';

/** Where a function is tested; against what and one call, if it is an op and so in the README's table. */
export interface Elsewhere extends Partial<Pick<Case, 'inputs'>> {
  readonly test: string;
  readonly against?: string;
  readonly call?: (...inputs: Tensor[]) => unknown;
}

const source = (): RandomSource => new RandomSource({ seed: 1, stream: 1, step: () => 0 });
const random = { test: '../ops/random.test.ts', against: 'the same Philox stream on the host' };

export const elsewhere: Readonly<Record<string, Elsewhere>> = {
  dropout: { ...random, inputs: [input([8])], call: (x) => dropout(x!, { p: 0.5, random: source() }) },
  uniform: { ...random, inputs: [], call: () => uniform([8], { random: source() }) },
  normal: { ...random, inputs: [], call: () => normal([8], { random: source() }) },
  putRows: { test: '../ops/put_rows.test.ts', against: 'its definition', inputs: [input([4, 2]), input([1, 2]), input([1], { dtype: 'u32' })], call: (table, rows, index) => putRows(table!, rows!, index!) },
  sampleVoxel: { test: '../ops/sample_voxel.test.ts', against: 'a reference on the host', inputs: [input([1, 2, 2, 2]), input([1])], call: (mask, u) => sampleVoxel(mask!, u!) },
  frequencyStatistics: { test: '../models/net2d.test.ts', against: 'PyTorch, as part of MFCA', inputs: [input([1, 4, 2]), input([3, 4])], call: (x, patterns) => frequencyStatistics(x!, patterns!) },
  detach: { test: '../golden/ops.test.ts', inputs: [input([8])], call: detach },
  RandomSource: { test: '../ops/random.test.ts' },
  interpolationPlan: { test: '../ops/table_interpolate.test.ts' },
};
