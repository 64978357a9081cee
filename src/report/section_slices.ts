// SPDX-License-Identifier: MIT
// Part 4: annotated against unannotated slices. A model that only copies its annotation falls from left to right.

import * as Plot from '@observablehq/plot';
import type { Summary } from '../metrics/summary.ts';
import type { SliceDistanceRow } from '../metrics/summary_slices.ts';
import { chart, figure } from './figure.ts';
import { counted, fixed, interval, percent, signed } from './format.ts';
import { html, Html } from './html.ts';
import { ACCENT, MUTED } from './palette.ts';

export function slicesSection(summary: Summary | undefined): Html | null {
  const found = summary?.slice_distance;
  if (!summary || !found) return null;
  const { rows, annotated, n_cases, contrast } = found;
  const defined = rows.filter((row) => row.mean !== null);
  if (defined.length === 0) return null;
  const svg = chart('Dice in per cent by distance to the nearest annotated slice, with intervals', {
    width: 620,
    height: 260,
    marginLeft: 48,
    x: { type: 'band', domain: defined.map(rangeName), label: 'slices to the nearest annotated slice', padding: 0.4, tickSize: 0 },
    y: { label: 'Dice, %', grid: true, domain: [0, 100] },
    marks: [
      Plot.barY(defined, { x: rangeName, y: 'mean', fill: (row: SliceDistanceRow) => (row.from === 0 ? MUTED : ACCENT) }),
      Plot.ruleX(
        defined.filter((row) => row.ci !== null),
        { x: rangeName, y1: (row) => row.ci[0], y2: (row) => row.ci[1], strokeWidth: 2, stroke: '#1b2733' },
      ),
      Plot.text(defined, { x: rangeName, y: (row) => row.ci?.[1] ?? row.mean, text: (row) => fixed(row.mean), dy: -9, fill: '#1b2733' }),
      Plot.ruleY([0]),
    ],
  });
  const several = summary.classes.length > 1;
  const shares = [
    `${percent(annotated.voxels)} of the voxels`,
    ...(['transverse', 'coronal'] as const)
      .filter((plane) => annotated[plane] > 0)
      .map((plane) => `${percent(annotated[plane])} of the ${plane} slices`),
  ].join(', ');
  return html` <p>
      ${contrast && html`On annotated planes Dice is <strong>${fixed(contrast.annotated)} %</strong>, on planes nobody drew <strong>${fixed(contrast.others)} %</strong>: ${signed(contrast.difference)} points${contrast.ci && ` (interval ${interval(contrast.ci, 1, signed)})`}. `}${counted(n_cases, 'case')}${summary.evaluated?.cases === 'trained on' && ' that the model was trained on'};
      annotated on average: ${shares}.
    </p>
    ${figure(svg, html`<strong>Dice by distance to the nearest annotated slice.</strong> Grey: planes that were annotated; blue: planes nobody drew. Mean over cases of the mean over classes; lines are ${fixed(summary.settings.level * 100, 0)} % bootstrap intervals.`)}
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Distance<small>slices</small></th>
            <th scope="col">Cases</th>
            <th scope="col">Dice<small>%</small></th>
            <th scope="col">Interval</th>
            ${several && summary.classes.map(({ name }) => html`<th scope="col">${name}<small>%</small></th>`)}
          </tr>
        </thead>
        <tbody>
          ${defined.map(
            (row) =>
              html`<tr>
                <th scope="row">${row.from === 0 ? '0 (annotated)' : rangeName(row)}</th>
                <td>${row.n_defined}</td>
                <td>${fixed(row.mean)}${row.std !== null && ` ± ${fixed(row.std)}`}</td>
                <td>${interval(row.ci)}</td>
                ${several && summary.classes.map(({ label }) => html`<td>${fixed(row.classes[label])}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function rangeName({ from, to }: SliceDistanceRow): string {
  return from === to ? String(from) : `${from}–${to}`;
}
