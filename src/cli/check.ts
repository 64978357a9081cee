// SPDX-License-Identifier: MIT
// voxelgrad check: everything that is wrong with a data set, in one go.
import { checkDataset, type CheckResult } from '../io/node/dataset/check.ts';
import { NAME_RULE } from '../data/names.ts';
import { progress } from './progress.ts';
import { percent, table } from './text.ts';
import type { Outcome, Verb } from './verb.ts';

interface Options {
  readonly fixHeader?: boolean;
  readonly inferUnlabelled?: boolean;
}

function describe({ findings, cases, proposal }: CheckResult, { inferUnlabelled }: Options): string {
  const lines = findings.flatMap(({ level, file, message, remedy }) => [
    `${level}: ${file}: ${message}`,
    ...(remedy ? [`  -> ${remedy}`] : []),
  ]);
  if (cases.length) {
    lines.push(
      '',
      table(
        ['case', 'patient', 'size', 'spacing mm', 'values', 'annotated', 'voxels of each class'],
        cases.map((c) => [
          c.name,
          c.patient,
          c.size.join(' x '),
          c.spacing.map((s) => s.toFixed(2)).join(' x '),
          c.range.join(' to '),
          percent(c.annotated),
          c.counts.join(' '),
        ]),
      ),
    );
  }
  if (inferUnlabelled && proposal) {
    const count = Object.keys(proposal.unlabelled).length;
    lines.push(
      '',
      count === 0
        ? 'No class looks unlabelled.'
        : 'Classes without a voxel in a case though others have them. Where they were not drawn, put this into annotations.json:\n' +
            JSON.stringify({ unlabelled: proposal.unlabelled }, null, 2),
    );
  }
  const errors = findings.filter((f) => f.level === 'error').length;
  lines.push('', `${cases.length} cases read, ${errors} errors, ${findings.length - errors} warnings`);
  return lines.join('\n').trimStart();
}

export const check: Verb = {
  configure: (command) => {
    command
      .argument('<dataset>', 'folder with dataset.json, imagesTr, labelsTr')
      .option('--fix-header', "give a label of the image's size the image's grid (rewrites the label file)")
      .option('--infer-unlabelled', 'propose which classes were not drawn in which case')
      .addHelpText('after', '\nExit code 3 if there is an error; warnings alone are exit code 0.\n' + NAME_RULE);
  },
  async run([folder], options: Options, context): Promise<Outcome> {
    const result = await checkDataset(folder, { onCase: progress('check', context), ...(options.fixHeader && { fixHeader: true }) });
    return { text: describe(result, options), json: result, exitCode: result.findings.some((f) => f.level === 'error') ? 3 : 0 };
  },
};
