// SPDX-License-Identifier: MIT
// comparison.html: the methods' table, the ablation, bubbles, surfaces, and which runs it is made of.

import * as Plot from '@observablehq/plot';
import { COMPARED, type MethodTable } from '../metrics/compare_methods.ts';
import { differenceCells, metricCells, millions, perIteration, TITLES, type Comparison } from './comparison.ts';
import { chart, figure } from './figure.ts';
import { counted, fixed, pValue, shortened } from './format.ts';
import { html, Html } from './html.ts';
import { page } from './page.ts';
import { ACCENT, MUTED } from './palette.ts';
import { distanceFigure } from './section_distances.ts';

export function renderComparison(
  comparison: Comparison,
  { title, date, viewer }: { title: string; date: string; viewer?: string },
): string {
  const { notices, methods, ablation, surfaces, tolerance, level } = comparison;
  return page({
    title,
    byline: `Comparison of ${counted(methods.rows.length, 'method')}, ${date}`,
    viewer,
    sections: [
      {
        id: 'differs',
        title: 'What differs between the runs',
        body:
          notices.length === 0
            ? null
            : html`<ul class="notes">
                ${notices.map((notice) => html`<li>${notice}</li>`)}
              </ul>`,
      },
      { id: 'methods', title: 'Methods', body: tableOf(methods, level) },
      { id: 'ablation', title: 'Ablation of SA-Net', body: ablation && tableOf(ablation, level) },
      { id: 'bubbles', title: 'Accuracy, significance and size', body: bubbles(methods) },
      {
        id: 'surfaces',
        title: 'Surfaces of the best, median and worst case',
        body: distanceFigure(surfaces, tolerance, viewer !== undefined),
      },
      { id: 'runs', title: 'Runs', body: runsOf(comparison) },
    ],
  });
}

function tableOf({ rows, reference, alpha }: MethodTable, level: number): Html {
  const percent = fixed(level * 100, 0);
  return html`<div class="scroll">
    <table>
      <caption>
        Mean ± standard deviation over cases, below it the ${percent} % bootstrap interval of the mean; seeds of one case are averaged,
        folds stand side by side. Δ: minus “${reference}”, case by case on the cases both have; “left out”: cases in no pair. p: two-sided
        Wilcoxon signed-rank test on the Jaccard index of each case, corrected by Holm. Bold: the best mean, where it is significantly (p ≤
        ${fixed(alpha, 2)}, Holm) better than that of every other method on the pairs. Cases of one patient are taken as independent.
      </caption>
      <thead>
        <tr>
          <th scope="col">Method</th>
          <th scope="col">Cases<small>runs</small></th>
          ${COMPARED.map((m) => html`<th scope="col">${TITLES[m]}<small>${m === 'HD95' ? 'mm' : '%'}</small></th>`)}
          <th scope="col">Δ Jaccard<small>points</small></th>
          <th scope="col">p<small>pairs, left out</small></th>
          <th scope="col">Parameters</th>
          <th scope="col">Iteration</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => {
          const d = differenceCells(row);
          return html`<tr>
            <th scope="row">${row.name}</th>
            <td>${row.n_cases}<small>${row.n_runs}</small></td>
            ${COMPARED.map((m) => {
              const { mean, interval, best } = metricCells(row, m);
              return html`<td>${best ? html`<strong>${mean}</strong>` : mean}<small>${interval}</small></td>`;
            })}${
              d
                ? html`<td>${d.difference}<small>${d.interval}</small></td>
                    <td>${d.p}<small>${d.pairs}, ${d.left}</small></td>`
                : html`<td>reference</td>
                    <td>–</td>`
            }
            <td>${millions(row.parameters)}</td>
            <td>${perIteration(row.seconds)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** p-values this small are drawn at the edge. */
const SMALLEST = 1e-6;

/** Mean Jaccard index across, significance of the difference up, parameters as area. */
export function bubbles({ rows, reference, alpha }: MethodTable): Html | null {
  const points = rows.flatMap((row) => {
    const p = row.against ? row.against.IoU.p_holm : 1;
    return row.metrics.IoU.mean === null || p === null
      ? []
      : [
          {
            name: row.name,
            jaccard: row.metrics.IoU.mean,
            significance: -Math.log10(Math.max(p, SMALLEST)),
            p,
            parameters: row.parameters,
            own: row.name === reference,
          },
        ];
  });
  if (points.length < 2) return null;
  const values = points.map((p) => p.jaccard),
    pad = Math.max(1, 0.15 * (Math.max(...values) - Math.min(...values)));
  const top = Math.max(-Math.log10(alpha) * 1.4, ...points.map((p) => p.significance * 1.2));
  const svg = chart('Mean Jaccard index against significance of the difference; the area of a bubble is the number of parameters', {
    width: 860,
    height: 360,
    marginLeft: 56,
    marginTop: 28,
    marginRight: 40,
    x: { label: 'mean Jaccard index, %', grid: true, domain: [Math.min(...values) - pad, Math.max(...values) + pad], inset: 40 },
    y: { label: '−log₁₀ p (Holm)', grid: true, domain: [-0.12 * top, top] },
    r: { range: [4, 34], domain: [0, Math.max(1, ...points.map((p) => p.parameters ?? 0))] },
    marks: [
      Plot.ruleY([-Math.log10(alpha)], { stroke: '#1b2733', strokeDasharray: '4,3' }),
      Plot.text([`p = ${fixed(alpha, 2)}`], { y: -Math.log10(alpha), frameAnchor: 'right', textAnchor: 'end', dy: -8, dx: -4 }),
      Plot.dot(points, {
        x: 'jaccard',
        y: 'significance',
        r: (d) => d.parameters ?? 0,
        fill: (d) => (d.own ? MUTED : ACCENT),
        fillOpacity: 0.35,
        stroke: (d) => (d.own ? MUTED : ACCENT),
        title: (d) => `${d.name}: Jaccard ${fixed(d.jaccard)} %, p ${pValue(d.p)}, ${millions(d.parameters)}`,
      }),
      Plot.text(points, {
        x: 'jaccard',
        y: 'significance',
        text: (d) => shortened(d.name),
        fill: '#1b2733',
        stroke: '#fff',
        strokeWidth: 3,
        dy: -12,
      }),
    ],
  });
  return figure(
    svg,
    html`<strong>Mean Jaccard index, significance of the difference from “${reference}” (grey) and size of the model</strong> (area:
      trainable parameters). Above the dashed line: significant. The reference itself stands at p = 1; p below ${SMALLEST} is drawn there.`,
  );
}

function runsOf({ runs }: Comparison): Html {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">Method</th>
          <th scope="col" class="text">Run</th>
          <th scope="col">Fold</th>
          <th scope="col">Seed</th>
          <th scope="col" class="text">Evaluated on</th>
        </tr>
      </thead>
      <tbody>
        ${runs.map(
          ({ method, run, fold, seed, evaluated }) =>
            html`<tr>
              <th scope="row">${method}</th>
              <td class="text">${run}</td>
              <td>${fold + 1}</td>
              <td>${seed}</td>
              <td class="text">${evaluated}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
