// SPDX-License-Identifier: MIT
// Part 1: the answer in one sentence, the headline numbers, and what they stand between.

import * as Plot from '@observablehq/plot';
import { labelSourceNotes } from '../metrics/label_source.ts';
import { sameAsReference } from '../metrics/same.ts';
import type { Aggregate, Summary } from '../metrics/summary.ts';
import { chart, figure } from './figure.ts';
import { counted, decimalsOf, fixed, interval, listed, percent, shortened } from './format.ts';
import { html, Html } from './html.ts';
import type { AnnotationFacts, ReferenceResult, ReportInput } from './input.ts';
import { ACCENT, MUTED } from './palette.ts';

export function verdictSection(input: ReportInput): Html | null {
  const { summary, annotation, references = [], notices = [] } = input;
  if (!summary && !annotation && references.length === 0) return null;
  return html` ${notices.map((note) => html`<p class="notice">${note}</p>`)}
  ${
    summary &&
    html`<p class="verdict">${sentence(summary, input)}</p>
      ${[...standing(summary), ...labelSourceNotes(summary.settings)].map((note) => html`<p class="notice">${note}</p>`)}${tiles(summary)}${caution(summary)}${trainedLine(summary)}${votesLine(input)}${bestNetwork(input)}`
  }
  ${annotation && html`<p class="small">Annotated in training (${annotation.scheme}): ${shares(annotation)}.${annotation.transverse && annotation.coronal ? ' A voxel is annotated where a plane through it is, of either direction.' : null}</p>`}
  ${comparisonFigure(summary, references)}`;
}

/** What the cases and masks are, where a reader would take the numbers for more than they are. */
function standing({ evaluated, missing, missing_scored, unused, metric_per_case }: Summary): string[] {
  const copied = metric_per_case.filter((c) => c.n_copied).length;
  const same = sameAsReference(metric_per_case);
  return [
    ...(evaluated?.cases === 'trained on'
      ? ['No held-out result: the model was trained on these cases, or its weights were chosen by them.']
      : []),
    ...(copied > 0
      ? ['Annotated voxels of these masks were copied from the labels. Only the others are scored; surfaces of such masks are not.']
      : []),
    ...(missing.length > 0
      ? [
          `${counted(missing.length, 'case has', 'cases have')} no prediction and ${missing_scored ? 'count as an empty mask' : 'are left out of every mean'}: ${listed(missing)}.`,
        ]
      : []),
    ...(unused.length > 0
      ? [
          `${counted(unused.length, 'prediction has', 'predictions have')} no reference and ${unused.length === 1 ? 'is' : 'are'} not scored: ${listed(unused)}.`,
        ]
      : []),
    ...(same.length > 0 ? [`Predictions that are their references, byte for byte: ${listed(same)}.`] : []),
    ...(evaluated && evaluated.changed.length > 0
      ? [`Masks that are not as they were predicted (changed since, or never finished): ${listed(evaluated.changed)}.`]
      : []),
  ];
}

/** Cases that the model was trained on, beside held-out ones: a line, never part of the headline. */
function trainedLine({ training }: Summary): Html | null {
  if (!training) return null;
  const { Dice } = training.foreground.metrics,
    copied = training.metric_per_case.some((c) => c.n_copied);
  return html`<p class="small">
    Not in these numbers: ${counted(training.metric_per_case.length, 'case')} that the model was trained on, with a Dice of
    ${fixed(Dice.mean)}
    %${copied && ' on the voxels that were not annotated'}${training.missing.length > 0 && `, ${training.missing.length} of them without a prediction`}.
  </p>`;
}

/** Who is not in the ensemble. */
const votesLine = ({ ensemble }: ReportInput): Html | null =>
  ensemble === undefined ? null : html`<p class="small">Of the weights evaluated here, ${ensemble}.</p>`;

/** A network that does better alone than what the headline is about. */
function bestNetwork({ summary, networks = [], headline = 'ensemble' }: ReportInput): Html | null {
  const dice = (s: Summary): number => s.foreground.metrics.Dice.mean ?? -Infinity;
  const best = networks
    .filter(({ name }) => name !== headline)
    .reduce<(typeof networks)[number] | undefined>((a, b) => (a === undefined || dice(b.summary) > dice(a.summary) ? b : a), undefined);
  if (!summary || !best || fixed(dice(best.summary)) === fixed(dice(summary)) || dice(best.summary) < dice(summary)) return null;
  return html`<p class="small">
    “${best.name}” alone does better on these cases: Dice ${fixed(dice(best.summary))} %, against ${fixed(dice(summary))} % of
    “${headline}”, which the plan names as the headline. Choosing by these cases would make them no held-out cases any more.
  </p>`;
}

function shares({ voxels, transverse, coronal }: AnnotationFacts): string {
  return (
    [
      voxels !== undefined && `${percent(voxels)} of the voxels`,
      transverse !== undefined && `${percent(transverse)} of the transverse slices`,
      coronal !== undefined && `${percent(coronal)} of the coronal slices`,
    ]
      .filter(Boolean)
      .join(', ') || 'share not recorded'
  );
}

function sentence(summary: Summary, { annotation, evaluated, references = [] }: ReportInput): Html {
  const { Dice, BF } = summary.foreground.metrics;
  const level = fixed(summary.settings.level * 100, 0);
  const trained =
    annotation?.voxels === undefined
      ? 'The model'
      : html`Trained on <strong>${percent(annotation.voxels)}</strong> of the voxels, the model`;
  const against = references
    .filter(({ role }) => role !== 'published')
    .flatMap((reference) => {
      const dice = diceOf(reference);
      return dice === null ? [] : [`${reference.name} (${reference.role}) ${fixed(dice)} %`];
    });
  const copied = summary.metric_per_case.some((c) => c.n_copied);
  return html`${trained} reaches a Dice of <strong>${fixed(Dice.mean)} %</strong>${Dice.ci && ` (${level} % interval ${interval(Dice.ci)})`}
    ${BF.mean === null ? null : html`and a boundary F1 of <strong>${fixed(BF.mean)} %</strong>${BF.ci && ` (${interval(BF.ci)})`}`} on
    ${copied && 'the voxels that were not annotated, of '}${evaluated ?? counted(summary.metric_per_case.length, 'case')}.${against.length > 0 && ` Dice of what it is compared with: ${against.join(', ')}.`}`;
}

function tiles({ foreground: { metrics }, settings }: Summary): Html {
  const tile = (name: string, metric: Aggregate): Html =>
    html`<div class="tile">
      <b>${fixed(metric.mean, decimalsOf(metric.unit))} ${metric.unit}</b><span>${name}</span
      ><span>${metric.ci ? interval(metric.ci, decimalsOf(metric.unit)) : 'no interval'}</span>
    </div>`;
  return html`<div class="tiles">
    ${tile('Dice', metrics.Dice)} ${tile(`Boundary F1, tolerance ${thetaText(settings.theta)}`, metrics.BF)}
    ${tile(`Surface Dice at ${fixed(settings.surface_mm, Number.isInteger(settings.surface_mm) ? 0 : 1)} mm`, metrics.SurfaceDice)}
    ${tile('HD95, 95th percentile of surface distance', metrics.HD95)}
  </div>`;
}

/** "2 voxels", "1 to 3 voxels" */
export function thetaText(theta: readonly number[]): string {
  if (theta.length === 0) return 'not used';
  const [low, high] = [theta[0], theta[theta.length - 1]];
  return low === high ? counted(low, 'voxel') : `${low} to ${high} voxels`;
}

/** With fewer cases than this, a percentile bootstrap is known to be too narrow. */
const FEW_CASES = 20;

function caution({ metric_per_case, classes, foreground: f }: Summary): Html {
  const pairs = classes.length > 1 ? counted(f.n_pairs, 'pair of case and class', 'pairs of case and class') : counted(f.n_pairs, 'case');
  return html`<p class="small">
    ${f.n_defined} of ${pairs} scored; ${f.n_missed} missed
    altogether${f.n_not_predicted > 0 && f.n_missed > 0 && ` (or not predicted: ${f.n_not_predicted})`}, ${f.n_spurious} predicted where
    there is none, ${f.n_both_empty} empty in both (undefined, left
    out)${f.n_unlabelled > 0 && `, ${f.n_unlabelled} left out because nobody drew that class`}.
    ${metric_per_case.length < FEW_CASES && `With ${counted(metric_per_case.length, 'case')}, the intervals are rough and tend to be too narrow.`}
  </p>`;
}

function diceOf({ summary, dice }: ReferenceResult): number | null {
  return summary ? summary.foreground.metrics.Dice.mean : (dice ?? null);
}

function comparisonFigure(summary: Summary | undefined, references: readonly ReferenceResult[]): Html | null {
  const evaluated = [
    ...(summary ? [{ name: 'this run', note: '', summary, own: true, dice: null as number | null, bf: null as number | null }] : []),
    ...references.map(({ name, role, note, summary: s, dice, boundaryF1 }) => ({
      name: `${name} (${role})`,
      note,
      summary: s,
      own: false,
      dice: dice ?? null,
      bf: boundaryF1 ?? null,
    })),
  ];
  if (references.length === 0) return null;
  const rows = evaluated
    .flatMap(({ name, summary: s, own, dice, bf }) => [
      { name, own, metric: 'Dice', value: s ? s.foreground.metrics.Dice.mean : dice, ci: s?.foreground.metrics.Dice.ci ?? null },
      { name, own, metric: 'Boundary F1', value: s ? s.foreground.metrics.BF.mean : bf, ci: s?.foreground.metrics.BF.ci ?? null },
    ])
    .filter((row) => row.value !== null);
  if (rows.length === 0) return null;
  const names = evaluated.map(({ name }) => name);
  const svg = chart('Dice and boundary F1 in per cent of this run and of what it is compared with', {
    width: 860,
    height: 76 + 34 * names.length,
    marginLeft: 250,
    marginTop: 28,
    x: { label: 'per cent', labelAnchor: 'right', grid: true, nice: true, insetLeft: 12, insetRight: 12 },
    y: { domain: names, label: null, tickSize: 0, tickFormat: (name: string) => shortened(name) },
    fx: { domain: ['Dice', 'Boundary F1'], label: null, padding: 0.08 },
    marks: [
      Plot.ruleY(
        rows.filter((row) => row.ci !== null),
        { fx: 'metric', y: 'name', x1: (d) => d.ci[0], x2: (d) => d.ci[1], stroke: (d) => (d.own ? ACCENT : MUTED), strokeWidth: 2.5 },
      ),
      Plot.dot(rows, {
        fx: 'metric',
        y: 'name',
        x: 'value',
        fill: (d) => (d.ci === null ? '#fff' : d.own ? ACCENT : MUTED),
        stroke: (d) => (d.own ? ACCENT : MUTED),
        strokeWidth: 2,
        r: 5,
      }),
      Plot.text(rows, { fx: 'metric', y: 'name', x: 'value', text: (d) => fixed(d.value), dy: -12, fill: '#1b2733' }),
    ],
  });
  const notes = evaluated.filter(({ note }) => note).map(({ name, note }) => `${name}: ${note}`);
  return figure(
    svg,
    html`Means with bootstrap intervals over cases. Open circles are quoted, not measured
    here.${notes.length > 0 && ` ${notes.join('. ')}.`}`,
  );
}
