// SPDX-License-Identifier: MIT
// Part 7: ablations, annotation schemes, folds and seeds: mean and spread of every run, and its paired difference from the first.

import * as Plot from '@observablehq/plot';
import { compareRuns, type Comparison, type Run } from '../metrics/compare.ts';
import { mean, standardDeviation } from '../metrics/statistics.ts';
import type { MetricName, Summary } from '../metrics/summary.ts';
import { chart, figure } from './figure.ts';
import { counted, decimalsOf, fixed, interval, meanStd, pValue, shortened, signed } from './format.ts';
import { html, Html } from './html.ts';
import { ACCENT } from './palette.ts';

const COLUMNS: readonly { name: MetricName; title: string }[] = [
  { name: 'Dice', title: 'Dice' },
  { name: 'IoU', title: 'Jaccard' },
  { name: 'BF', title: 'Boundary F1' },
  { name: 'HD95', title: 'HD95' },
];

export function runsSection(runs: readonly Run[] | undefined): Html | null {
  if (!runs?.some((run) => run.summaries.length > 0)) return null;
  const [baseline, ...others] = runs.filter((run) => run.summaries.length > 0);
  const { seed, resamples, level } = baseline.summaries[0].settings;
  const dice = compareRuns(baseline, others, 'Dice', { seed, resamples, level });
  const jaccard = compareRuns(baseline, others, 'IoU', { seed, resamples, level });
  return html` <div class="scroll">
      <table>
        <caption>
          Mean over classes. With several folds or seeds: mean ± standard deviation over them; with one evaluation: over its cases.
        </caption>
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Evaluations<small>folds or seeds</small></th>
            <th scope="col">Cases</th>
            ${COLUMNS.map(({ title, name }) => html`<th scope="col">${title}<small>${name === 'HD95' ? 'mm' : '%'}</small></th>`)}
          </tr>
        </thead>
        <tbody>
          ${[baseline, ...others].map(
            (run) =>
              html`<tr>
                <th scope="row">${run.name}</th>
                <td>${run.summaries.length}</td>
                <td>${new Set(run.summaries.flatMap((s) => s.metric_per_case.map((entry) => entry.case))).size}</td>
                ${COLUMNS.map(({ name }) => html`<td>${spread(run.summaries, name)}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${others.length > 0 && differences(baseline, dice, jaccard, level)}`;
}

function spread(summaries: readonly Summary[], name: MetricName): string {
  const aggregates = summaries.map((summary) => summary.foreground.metrics[name]);
  if (aggregates.length === 1) return meanStd(aggregates[0]);
  const values = aggregates.flatMap(({ mean: value }) => value ?? []);
  return meanStd({ mean: mean(values), std: standardDeviation(values), unit: aggregates[0].unit });
}

function differences(baseline: Run, dice: readonly Comparison[], jaccard: readonly Comparison[], level: number): Html {
  const percentLevel = fixed(level * 100, 0);
  return html`${differenceFigure(baseline, dice, percentLevel)}
    <div class="scroll">
      <table>
        <caption>
          Each run minus “${baseline.name}”, case by case on the cases both have. p: two-sided Wilcoxon signed-rank test on the Jaccard
          index (exact up to 25 differing cases), corrected by Holm for ${counted(jaccard.length, 'comparison')}. Effect: matched-pairs
          rank-biserial correlation, 1 when the run is better in every case, −1 when worse in every case.
        </caption>
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Cases</th>
            <th scope="col">Δ Dice<small>points</small></th>
            <th scope="col">${percentLevel} % interval</th>
            <th scope="col">Δ Jaccard<small>points</small></th>
            <th scope="col">p</th>
            <th scope="col">p, Holm</th>
            <th scope="col">Effect</th>
            <th scope="col">Paired t<small>p</small></th>
            <th scope="col">d<sub>z</sub></th>
          </tr>
        </thead>
        <tbody>
          ${dice.map((d, i) => {
            const j = jaccard[i];
            return html`<tr>
              <th scope="row">${d.run}</th>
              <td>${d.n_cases}</td>
              <td>${signed(d.difference)}</td>
              <td>${interval(d.ci, decimalsOf(d.unit), signed)}</td>
              <td>${signed(j.difference)}</td>
              <td>${pValue(j.p)}</td>
              <td>${pValue(j.p_holm)}</td>
              <td>${signed(j.rank_biserial, 2)}</td>
              <td>${pValue(j.t?.p ?? null)}</td>
              <td>${signed(j.t?.d_z, 2)}</td>
            </tr>`;
          })}
        </tbody>
      </table>
    </div>`;
}

function differenceFigure(baseline: Run, dice: readonly Comparison[], level: string): Html | null {
  const rows = dice.filter((row) => row.difference !== null);
  if (rows.length === 0) return null;
  const svg = chart(`Difference in Dice from ${baseline.name} with paired intervals`, {
    width: 760,
    height: 66 + 32 * rows.length,
    marginLeft: 220,
    marginTop: 20,
    x: { label: 'difference in Dice, percentage points', grid: true, nice: true, inset: 14 },
    y: { domain: rows.map((row) => row.run), label: null, tickSize: 0, tickFormat: (name: string) => shortened(name) },
    marks: [
      Plot.ruleX([0], { stroke: '#1b2733' }),
      Plot.ruleY(
        rows.filter((row) => row.ci !== null),
        { y: 'run', x1: (d: Comparison) => d.ci![0], x2: (d: Comparison) => d.ci![1], stroke: ACCENT, strokeWidth: 2.5 },
      ),
      Plot.dot(rows, { y: 'run', x: 'difference', fill: ACCENT, r: 5 }),
      Plot.text(rows, { y: 'run', x: 'difference', text: (d: Comparison) => signed(d.difference), dy: -12 }),
    ],
  });
  return figure(
    svg,
    html`<strong>Difference from “${baseline.name}”</strong> with ${level} % bootstrap intervals over cases. Left of zero: worse. An
      interval that leaves zero out is a difference these cases can show.`,
  );
}
