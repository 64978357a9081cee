// SPDX-License-Identifier: MIT
// comparison.html: the methods' table, the ablation, bubbles, surfaces, and which runs it is made of.
import { COMPARED, type MethodTable } from '../metrics/compare_methods.ts';
import { differenceCells, metricCells, millions, perIteration, TITLES, type Comparison } from './comparison.ts';
import { bubbles } from './comparison_bubbles.ts';
import { counted, fixed } from './format.ts';
import { html, Html } from './html.ts';
import { page } from './page.ts';
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
    <table class="compared">
      <caption>
        Mean ± standard deviation over cases, below it the ${percent} % bootstrap interval of the mean; seeds of one case are averaged,
        folds stand side by side. Δ: minus “${reference}”, case by case on the cases both have; “left out”: cases in no pair. p: two-sided
        Wilcoxon signed-rank test on the Jaccard index of each case, corrected by Holm. Bold: the best mean, where it is significantly (p ≤
        ${fixed(alpha, 2)}, Holm) better than that of every other method on the pairs. “Without”: cases (times classes and runs) in which
        one of the masks is empty, so that there is no such number; where that is so and another method has one, nothing is bold. Cases of
        one patient are taken as independent.
      </caption>
      <thead>
        <tr>
          <th scope="col">Method</th>
          <th scope="col">Cases<small>runs</small></th>
          ${COMPARED.map((m) => html`<th scope="col">${TITLES[m]}<small>${m === 'HD95' ? 'mm' : '%'}</small></th>`)}
          <th scope="col">Δ Jaccard<small>points</small></th>
          <th scope="col">p<small>pairs, left out</small></th>
          <th scope="col">Parameters<small>iteration</small></th>
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => {
          const d = differenceCells(row);
          return html`<tr>
            <th scope="row">${row.name}</th>
            <td>${row.n_cases}<small>${row.n_runs}</small></td>
            ${COMPARED.map((m) => {
              const { mean, interval, without, best } = metricCells(row, m);
              return html`<td>
                ${best ? html`<strong>${mean}</strong>` : mean}<small>${interval}</small>${without && html`<small>${without}</small>`}
              </td>`;
            })}${
              d
                ? html`<td>${d.difference}<small>${d.interval}</small></td>
                    <td>${d.p}<small>${d.pairs}, ${d.left}</small></td>`
                : html`<td>reference</td>
                    <td>–</td>`
            }
            <td>${millions(row.parameters)}<small>${perIteration(row.seconds)}</small></td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
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
