// SPDX-License-Identifier: MIT
// voxelgrad sparsify: simulates sparse annotation by writing annotations.json.
import { Option } from 'commander';
import { SPARSE_MODES, type SparseMode } from '../data/sparse_planes.ts';
import { sparsify as writeAnnotations } from '../io/node/dataset/sparsify.ts';
import { integer } from './numbers.ts';
import { percent } from './text.ts';
import type { Outcome, Verb } from './verb.ts';

export const sparsify: Verb = {
  configure: (command) => {
    command
      .argument('<dataset>', 'folder with dataset.json; its annotations.json is replaced ("unlabelled" is kept)')
      .addOption(
        new Option('--mode <mode>', 'both: every 3rd slice of both planes; transverse: every 3rd; budget: every 6th of both')
          .choices(Object.keys(SPARSE_MODES))
          .makeOptionMandatory(),
      )
      .option('--seed <n>', 'draws the first slice of each case', integer(0, 2 ** 32 - 1), 1337)
      .option('--force', 'replace an annotation that sparsify did not write; a copy is kept beside it');
  },
  async run([folder], { mode, seed, force }: { mode: SparseMode; seed: number; force?: boolean }): Promise<Outcome> {
    const result = await writeAnnotations(folder, mode, seed, { ...(force && { force }) });
    const { transverse, coronal, voxels } = result.total;
    return {
      text: `${result.file}: ${result.cases.length} cases, mode ${mode}, seed ${seed}\nannotated: ${percent(transverse)} of the transverse slices, ${percent(coronal)} of the coronal slices, ${percent(voxels)} of the voxels${result.kept === undefined ? '' : `\nwhat was there is kept as ${result.kept}`}`,
      json: { ...result, mode, seed },
    };
  },
};
