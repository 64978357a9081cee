// SPDX-License-Identifier: MIT
// voxelgrad sparsify: simulates sparse annotation by writing annotations.json.
import { Option } from 'commander';
import { SPARSE_MODES, type SparseMode } from '../data/sparse_planes.ts';
import { sparsify as writeAnnotations } from '../io/node/dataset/sparsify.ts';
import { integer } from './numbers.ts';
import { percent } from './text.ts';
import type { Outcome, Verb } from './verb.ts';

interface Options {
  readonly mode: SparseMode;
  readonly seed: number;
  readonly every?: number;
  readonly cases?: number;
  readonly force?: boolean;
}

export const sparsify: Verb = {
  configure: (command) => {
    command
      .argument('<dataset>', 'folder with dataset.json; its annotations.json is replaced ("unlabelled" is kept)')
      .addOption(
        new Option(
          '--mode <mode>',
          'both: every 3rd slice of both planes; transverse: every 3rd; budget: every 6th of both; central: the transverse slice ' +
            'with the largest section of each nodule',
        )
          .choices([...SPARSE_MODES])
          .makeOptionMandatory(),
      )
      .option('--every <n>', "another stride than the mode's", integer(1, 512))
      .option('--cases <n>', 'how many cases are annotated at all; the others are marked "none"', integer(1, 100_000))
      .option('--seed <n>', 'draws the first slice of each case, and the cases', integer(0, 2 ** 32 - 1), 1337)
      .option('--force', 'replace an annotation that sparsify did not write; a copy is kept beside it');
  },
  async run([folder], { mode, seed, every, cases, force }: Options): Promise<Outcome> {
    const result = await writeAnnotations(folder, mode, seed, {
      ...(force && { force }),
      ...(every !== undefined && { every }),
      ...(cases !== undefined && { cases }),
    });
    const { transverse, coronal, voxels } = result.total;
    return {
      text:
        `${result.file}: ${result.cases.length} cases, mode ${mode}, seed ${seed}\nannotated: ${percent(transverse)} of the ` +
        `transverse slices, ${percent(coronal)} of the coronal slices, ${percent(voxels)} of the voxels` +
        (result.kept === undefined ? '' : `\nwhat was there is kept as ${result.kept}`),
      json: { ...result, mode, seed, ...(every !== undefined && { every }), ...(cases !== undefined && { annotatedCases: cases }) },
    };
  },
};
