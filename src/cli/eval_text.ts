// SPDX-License-Identifier: MIT
// An evaluation as a table on the terminal, with everything that a reader of the numbers must know, and as CSV.
import type { ClassMetrics } from '../metrics/evaluate.ts';
import { labelSourceNotes } from '../metrics/label_source.ts';
import { sameAsReference } from '../metrics/same.ts';
import { METRIC_NAMES, type Summary } from '../metrics/summary.ts';
import { csvText } from '../report/csv.ts';
import { listed } from '../report/format.ts';
import { doubtWords, evaluatedWords } from './known_run.ts';
import { table } from './text.ts';

const COLUMNS = ['Dice', 'IoU', 'BF', 'HD95', 'ASSD', 'SurfaceDice', 'RAVD'] as const;

/** One line a case and class; undefined values are empty. Cases that the model was trained on, and those without a prediction, say so. */
export function csvOf(summary: Summary): string {
  const columns: (keyof ClassMetrics)[] = [...METRIC_NAMES, 'TP', 'FP', 'FN', 'TN'];
  const rows = [summary, ...(summary.training ? [summary.training] : [])].flatMap(
    ({ metric_per_case: scored, missing, missing_scored, evaluated, classes }) => [
      ...scored.flatMap((c) =>
        Object.entries(c.metrics).map(([label, m]) =>
          [
            csvText(c.case),
            label,
            ...columns.map((name) => m[name] ?? ''),
            evaluated?.cases ?? '',
            c.prediction_file === null ? 'missing' : c.n_copied ? 'annotated voxels copied; not scored' : '',
          ].join(','),
        ),
      ),
      ...(missing_scored ? [] : missing).flatMap((name) =>
        classes.map(({ label }) => [csvText(name), label, ...columns.map(() => ''), evaluated?.cases ?? '', 'missing'].join(',')),
      ),
    ],
  );
  return `${['case', 'label', ...columns, 'model', 'prediction'].join(',')}\n${rows.join('\n')}\n`;
}

/** Everything that a reader of the numbers must know and the numbers do not say. */
function remarks(summary: Summary): string[] {
  const { evaluated, missing, missing_scored, unused, not_evaluated, metric_per_case, settings, classes, foreground } = summary;
  const strangers = classes.filter((c) => c.n_spurious > 0 && c.n_spurious === c.n_defined),
    [apart, pairs] = [foreground.n_missed + foreground.n_spurious, foreground.n_defined];
  const copied = metric_per_case.filter((c) => c.n_copied).length;
  const same = sameAsReference(metric_per_case);
  return [
    ...(missing.length > 0
      ? [
          `${missing.length === 1 ? '1 reference has' : `${missing.length} references have`} no prediction: ${listed(missing)}; ` +
            `${missing_scored ? 'scored as empty masks (--allow-missing leaves them out)' : 'left out of the means'}.`,
        ]
      : []),
    ...(unused.length > 0
      ? [`${unused.length === 1 ? '1 prediction has' : `${unused.length} predictions have`} no reference: ${listed(unused)}.`]
      : []),
    ...Object.entries(not_evaluated).map(([part, names]) => `Nothing was predicted of ${part}, not evaluated: ${listed(names)}.`),
    ...(strangers.length > 0
      ? [`No reference holds ${listed(strangers.map((c) => c.name))}, and predictions do: are the masks numbered alike?`]
      : []),
    ...(apart > 0 && copied === 0
      ? [
          `HD95 and ASSD are over ${foreground.metrics.HD95.n_defined} of ${pairs} pairs of case and class: ` +
            `in ${apart} one of the masks is empty.`,
        ]
      : []),
    ...(copied > 0
      ? [
          'Annotated voxels were copied from the labels, so they are not scored, and distances between surfaces are undefined ' +
            `(${copied} cases).`,
        ]
      : []),
    ...(evaluated && evaluated.changed.length > 0
      ? [`Not the masks that were written there (changed since, or never finished): ${listed(evaluated.changed)}.`]
      : []),
    ...doubtWords(evaluated),
    ...(same.length > 0 ? [`Predictions that are their references, byte for byte: ${listed(same)}.`] : []),
    ...(evaluated && evaluated.cases !== 'not known' && evaluated.masks === null
      ? ['Nothing says which weights made these masks: they are taken for those of the run in whose folder they lie.']
      : []),
    ...(evaluated?.cases === 'not known'
      ? ['Whether the model was trained on these cases is not known: no run is known to have made these masks.']
      : []),
    ...labelSourceNotes(settings),
  ];
}

function tableOf({ classes, foreground }: Summary): string {
  const value = (group: Summary['foreground'], name: (typeof COLUMNS)[number]): string => {
    const { mean, ci, unit } = group.metrics[name];
    return mean === null
      ? '-'
      : `${mean.toFixed(2)}${unit === 'mm' ? ' mm' : ''}${ci ? ` [${ci.map((v) => v.toFixed(2)).join(', ')}]` : ''}`;
  };
  const rows = [...classes.map((c) => ({ name: c.name, group: c as Summary['foreground'] })), { name: 'foreground', group: foreground }];
  return table(
    ['class', ...COLUMNS, 'defined', 'missed', 'spurious', 'both empty', 'unlabelled', 'not predicted'],
    rows.map(({ name, group: g }) => [
      name,
      ...COLUMNS.map((c) => value(g, c)),
      ...[g.n_defined, g.n_missed, g.n_spurious, g.n_both_empty, g.n_unlabelled, g.n_not_predicted].map(String),
    ]),
  );
}

export function describe(summary: Summary): string {
  const {
    settings: { theta, surface_mm },
    evaluated,
    training,
  } = summary;
  return [
    ...(evaluated ? [`${evaluatedWords(evaluated)}:`] : []),
    tableOf(summary),
    ...(training ? [`${evaluatedWords(training.evaluated)}, apart from the above:`, tableOf(training)] : []),
    `Means over cases where defined, 95 % bootstrap interval; boundary F1 within ${theta.join(', ')} voxels, surface Dice within ` +
      `${surface_mm} mm.`,
    ...remarks(summary).map((remark) => `note: ${remark}`),
    ...(training
      ? remarks(training)
          .filter((remark) => !remarks(summary).includes(remark))
          .map((remark) => `note, trained on: ${remark}`)
      : []),
  ].join('\n');
}
