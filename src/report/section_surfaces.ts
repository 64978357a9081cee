// SPDX-License-Identifier: MIT
// Part 6: how far the surfaces lie apart, and whether volumes are over- or underestimated (Bland and Altman 1986).

import * as Plot from '@observablehq/plot';
import { mean, standardDeviation } from '../metrics/statistics.ts';
import type { Summary } from '../metrics/summary.ts';
import type { OverlayCase } from './input.ts';
import { placeOf, rankCases } from './overlay_choice.ts';
import { distanceFigure, type SurfaceCase } from './section_distances.ts';
import { chart, figure, legend } from './figure.ts';
import { counted, fixed, interval, meanStd, percent, signed } from './format.ts';
import { html, Html } from './html.ts';
import { ACCENT, PREDICTION, REFERENCE, SERIES } from './palette.ts';

export function surfacesSection(summary: Summary | undefined, overlays: readonly OverlayCase[] = [], turning = false): Html | null {
  if (!summary) return null;
  const figures = [histogramFigure(summary), blandAltman(summary)].filter((each) => each !== null);
  if (figures.length === 0) return null;
  return html`<div class="pair">${figures}</div>
    ${surfaceDiceTable(summary)}${distanceFigure(surfaceCases(summary, overlays), summary.settings.surface_mm, turning)}`;
}

/** The overlays' cases, best first. */
function surfaceCases(summary: Summary, overlays: readonly OverlayCase[]): SurfaceCase[] {
  const ranked = rankCases(summary);
  return ranked.flatMap(({ case: name, dice }, rank) => {
    const overlay = overlays.find((o) => o.case === name);
    if (!overlay) return [];
    const { size, spacing, reference, prediction } = overlay;
    return [
      {
        title: placeOf(rank, ranked.length),
        note: `${name}, Dice ${percent(dice)}`,
        reference: { data: reference, size, spacing },
        prediction: { data: prediction, size, spacing },
      },
    ];
  });
}

function histogramFigure({ surface_histogram: histogram, classes }: Summary): Html | null {
  if (!histogram) return null;
  const labels = classes.filter(({ label }) => histogram.classes[label]);
  const bars = histogram.centres_mm.map((centre, bin) => ({
    centre,
    share: 100 * mean(labels.map(({ label }) => histogram.classes[label][bin]))!,
  }));
  const within = (mm: number): number => bars.filter(({ centre }) => Math.abs(centre) <= mm).reduce((sum, { share }) => sum + share, 0);
  const colour = (centre: number): string => (centre < 0 ? REFERENCE : centre > 0 ? PREDICTION : '#52606d');
  const svg = chart('Histogram of signed distances from the predicted to the reference surface in millimetres', {
    width: 440,
    height: 280,
    marginLeft: 48,
    x: { label: 'distance to the reference surface, mm', domain: [-10.25, 10.25], ticks: 9 },
    y: { label: 'share of predicted surface, %', grid: true, nice: true },
    marks: [
      Plot.rectY(
        bars.filter(({ share }) => share > 0),
        { x1: (d) => d.centre - 0.25, x2: (d) => d.centre + 0.25, y: 'share', fill: (d) => colour(d.centre), inset: 0.5 },
      ),
      Plot.ruleY([0]),
    ],
  });
  return figure(
    svg,
    html`<strong>Signed surface distance</strong>, bins of 0.5 mm, mean over cases${labels.length > 1 && ' and classes'}.
      ${percent(within(1) / 100, 0)} of the predicted surface lies within 1 mm of the reference (to the nearest bin); the outermost bins
      hold everything beyond 10 mm.`,
    legend([
      { name: 'inside the reference (too small)', colour: REFERENCE },
      { name: 'on it', colour: '#52606d' },
      { name: 'outside (too large)', colour: PREDICTION },
    ]),
  );
}

function blandAltman({ metric_per_case, classes }: Summary): Html | null {
  const points = metric_per_case.flatMap(({ case: name, metrics }) =>
    classes.flatMap(({ label, name: className }) => {
      const m = metrics[label];
      if (!m || m.n_ref === 0 || m.n_pred === 0) return [];
      const average = (m.volume_ref_mm3 + m.volume_pred_mm3) / 2;
      return [{ name, className, ml: average / 1000, difference: (100 * (m.volume_pred_mm3 - m.volume_ref_mm3)) / average }];
    }),
  );
  if (points.length < 3) return null;
  const bias = mean(points.map((p) => p.difference))!,
    spread = 1.96 * standardDeviation(points.map((p) => p.difference))!;
  const lines = [
    { at: bias, text: `bias ${signed(bias)} %` },
    { at: bias + spread, text: `+1.96 SD ${signed(bias + spread)} %` },
    { at: bias - spread, text: `−1.96 SD ${signed(bias - spread)} %` },
  ];
  const ends = [0, ...points.map((p) => p.difference), ...lines.map((line) => line.at)];
  const [low, high] = [Math.min(...ends), Math.max(...ends)],
    pad = 0.06 * (high - low || 1);
  const domain = [low - pad, high + pad] as const;
  const present = classes.filter(({ name }) => points.some((p) => p.className === name));
  const colour = (name: string): string =>
    present.length === 1 ? ACCENT : SERIES[present.findIndex((c) => c.name === name) % SERIES.length];
  const svg = chart('Bland-Altman plot: relative volume difference against mean volume', {
    width: 440,
    height: 280,
    marginLeft: 48,
    marginRight: 116,
    x: { type: 'log', label: 'mean of both volumes, ml', nice: true, tickFormat: '~g', ticks: 5 },
    y: { label: 'prediction − reference, % of the mean', grid: true, domain },
    marks: [
      Plot.ruleY([0], { stroke: '#8a949e' }),
      Plot.ruleY(lines.slice(0, 1), { y: 'at', stroke: '#1b2733' }),
      Plot.ruleY(lines.slice(1), { y: 'at', stroke: '#1b2733', strokeDasharray: '4,3' }),
      Plot.text(apart(lines, (13 / 214) * (domain[1] - domain[0])), {
        y: 'at',
        text: 'text',
        frameAnchor: 'right',
        textAnchor: 'start',
        dx: 6,
      }),
      Plot.dot(points, {
        x: 'ml',
        y: 'difference',
        fill: (d) => colour(d.className),
        fillOpacity: 0.75,
        r: 3.5,
        title: (d) => `${d.name}: ${fixed(d.difference)} %`,
      }),
    ],
  });
  return figure(
    svg,
    html`<strong>Volume agreement</strong> (Bland–Altman, ${counted(points.length, 'pair')} where both volumes exist). Above zero: the
      prediction is too large. Solid line: mean difference; dashed: where 95 % of the differences are expected.`,
    present.length > 1 ? legend(present.map(({ name }) => ({ name, colour: colour(name) }))) : null,
  );
}

/** Labels moved apart until each has `least` of the axis to itself; the middle one stays. */
function apart(labels: readonly { at: number; text: string }[], least: number): { at: number; text: string }[] {
  const [middle, upper, lower] = labels;
  return [middle, { ...upper, at: Math.max(upper.at, middle.at + least) }, { ...lower, at: Math.min(lower.at, middle.at - least) }];
}

function surfaceDiceTable({ classes, foreground, settings }: Summary): Html {
  const rows = [
    ...classes.map((group) => ({ name: group.name, group: group as typeof foreground })),
    ...(classes.length > 1 ? [{ name: 'Mean over classes', group: foreground }] : []),
  ];
  const columns = ['SurfaceDice_1mm', 'SurfaceDice_2mm', 'SurfaceDice_3mm', 'HD95', 'ASSD'] as const;
  return html`<div class="scroll">
    <table>
      <caption>
        Surface Dice: share of both surfaces within the tolerance of the other. HD95: larger of the two directed 95th percentiles. ASSD:
        average symmetric surface distance. Below: ${fixed(settings.level * 100, 0)} % interval.
      </caption>
      <thead>
        <tr>
          <th scope="col">Class</th>
          <th scope="col">Surface Dice<small>1 mm, %</small></th>
          <th scope="col">Surface Dice<small>2 mm, %</small></th>
          <th scope="col">Surface Dice<small>3 mm, %</small></th>
          <th scope="col">HD95<small>mm</small></th>
          <th scope="col">ASSD<small>mm</small></th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ name, group }) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${columns.map((metric) => {
                const value = group.metrics[metric];
                return html`<td>${meanStd(value)}<small>${interval(value.ci, value.unit === '%' ? 1 : 2)}</small></td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
