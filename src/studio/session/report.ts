// SPDX-License-Identifier: MIT
// The report of the command line about a session's newest run: what was annotated, how training went, on what machine. Nothing was held
// out, so nothing is evaluated, and the report says so.
import manifest from '../../../package.json' with { type: 'json' };
import { renderReport } from '../../report/report.ts';
import type { Plan } from '../../methods/plan.ts';
import { newestIn } from '../../train/start.ts';
import type { PageRun } from '../../io/browser/run.ts';
import { caseInfo } from './cases.ts';
import { isTrained } from './publish.ts';
import type { SessionRecord } from './record.ts';

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);

export async function reportOf(record: SessionRecord, run: PageRun, plan: Plan): Promise<string> {
  const cases = record.cases.filter(isTrained).map(caseInfo),
    { state } = await newestIn(run);
  return renderReport({
    title: `${plan.method.name}: ${record.name}`,
    date: new Date().toISOString().slice(0, 10),
    annotation: {
      scheme: 'as drawn in the studio',
      voxels: mean(cases.map(({ share }) => share)),
      transverse: mean(cases.map(({ annotated, size }) => annotated.transverse.length / size[0])),
      coronal: mean(cases.map(({ annotated, size }) => annotated.coronal.length / size[1])),
    },
    log: (await run.entries()).map(({ iteration, loss, dice, lr, agreement, resumed }) => ({
      iteration,
      ...(loss && { loss }),
      ...(dice && { dice }),
      ...(lr && { lr }),
      ...(agreement && { agreement }),
      ...(resumed && { resumed }),
    })),
    stages: (['compile', 'train', 'validate'] as const).map((name) => ({ name, seconds: state.stages[name] })),
    machine: { adapter: state.adapter },
    headline: plan.evaluation.headline,
    notices: ['Nothing was evaluated: no case was held out. Look at the masks.'],
    provenance: {
      datasets: [{ name: record.name, cases: record.cases.length }],
      seeds: { training: plan.training.seed, split: plan.split.seed, annotation: plan.annotation.seed },
      version: manifest.version,
      runtime: `voxelgrad studio, ${navigator.userAgent}`,
      plan,
      limitations: [
        'Research software: not a medical device, not for clinical use.',
        'No case was held out: nothing measured on these cases says how well others are segmented.',
        ...(state.changes ?? []).map(
          ({ iteration, files }) => `Annotation was changed after ${iteration} iterations: ${files.length} files.`,
        ),
      ],
    },
  });
}
