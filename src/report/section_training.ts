// SPDX-License-Identifier: MIT
// Part 2: loss, validation Dice, learning rate and agreement over iterations, with the points where training was resumed.

import * as Plot from '@observablehq/plot';
import { chart, figure, legend } from './figure.ts';
import { counted } from './format.ts';
import { html, Html } from './html.ts';
import type { LogRow } from './input.ts';
import { SERIES } from './palette.ts';

const KEYS = ['loss', 'dice', 'agreement', 'lr'] as const;
type SeriesKey = (typeof KEYS)[number];
type Point = { iteration: number; series: string; value: number };

/** More lines where training was resumed hide the curves, more curves each other. */
const MOST_RESUMES = 50,
  MOST_CURVES = 40;

/** More points than this a curve are averaged in equal windows: a page is about as wide, and the file stays small. */
const MOST_POINTS = 300;

export function trainingSection(log: readonly LogRow[] | undefined): Html | null {
  if (!log?.length) return null;
  const rows = [...log].sort((a, b) => a.iteration - b.iteration);
  const resumes = rows.filter((row) => row.resumed).map((row) => row.iteration);
  const names = [...new Set(rows.flatMap((row) => KEYS.flatMap((key) => Object.keys(row[key] ?? {}))))];
  const places = new Map(names.map((name, i) => [name, i]));
  const colour = (name: string): string => SERIES[places.get(name)! % SERIES.length];
  const curve = (key: SeriesKey, title: string, options: Plot.ScaleOptions): Html | null =>
    curveFigure(rows, key, title, options, colour, resumes);
  const curves = [
    curve('loss', 'Training loss', { label: 'loss', zero: true }),
    curve('dice', 'Validation Dice', { label: 'Dice, %', domain: [0, 100] }),
    curve('agreement', 'Agreement of pseudo labels', { label: 'voxels in agreement, %', domain: [0, 100] }),
    curve('lr', 'Learning rate', { label: 'learning rate', type: 'log', tickFormat: '.0e', ticks: 4 }),
  ].filter((each) => each !== null);
  if (curves.length === 0) return null;
  const pretrained = rows.filter((row) => row.pretrains === 1).at(-1)?.iteration;
  const measured = new Set(rows.filter((row) => row.loss).map((row) => row.iteration)).size;
  return html`<p>
      ${counted(rows[rows.length - 1].iteration, 'iteration')}, of which ${measured} are in the log and
      drawn.${resumes.length > 0 && ` Grey dashed lines: training was resumed ${counted(resumes.length, 'time')}, at iteration ${resumes.slice(0, MOST_RESUMES).join(', ')}${resumes.length > MOST_RESUMES ? ', ... (the first of them are drawn)' : ''}.`}${pretrained !== undefined && ` Up to iteration ${pretrained} no label was learnt: the loss is that of painting what was hidden of the scans.`}
    </p>
    <div class="pair">${curves}</div>`;
}

function curveFigure(
  rows: readonly LogRow[],
  key: SeriesKey,
  title: string,
  scale: Plot.ScaleOptions,
  colour: (name: string) => string,
  resumes: readonly number[],
): Html | null {
  const factor = key === 'dice' || key === 'agreement' ? 100 : 1;
  const bySeries = new Map<string, Point[]>();
  let [lost, firstLost, left] = [0, 0, 0];
  for (const row of rows) {
    for (const [series, value] of Object.entries(row[key] ?? {})) {
      if (!Number.isFinite(value)) {
        if (lost++ === 0) firstLost = row.iteration;
        continue;
      }
      if (key === 'lr' && value <= 0) continue;
      let points = bySeries.get(series);
      if (!points) {
        if (bySeries.size === MOST_CURVES) {
          left++;
          continue;
        }
        bySeries.set(series, (points = []));
      }
      points.push({ iteration: row.iteration, series, value: value * factor });
    }
  }
  if (bySeries.size === 0) return null;
  const longest = Math.max(...[...bySeries.values()].map((points) => points.length)); // of at most MOST_CURVES
  const window = Math.ceil(longest / MOST_POINTS);
  const points = [...bySeries.values()].flatMap((list) => averaged(list, window));
  const first = rows[0].iteration,
    last = rows[rows.length - 1].iteration;
  const svg = chart(`${title} by iteration for ${[...bySeries.keys()].join(', ')}`, {
    width: 440,
    height: 250,
    marginLeft: 56,
    x: { label: 'iteration', domain: [first, last], ticks: Math.min(5, last - first), tickFormat: 'd' },
    y: { grid: true, nice: scale.domain === undefined, ...scale },
    marks: [
      Plot.ruleX(resumes.slice(0, MOST_RESUMES), { stroke: '#8a949e', strokeDasharray: '3,3' }),
      Plot.line(points, { x: 'iteration', y: 'value', z: 'series', stroke: (d: Point) => colour(d.series), strokeWidth: 1.75 }),
      // A validation is a measurement at one moment, a loss a stream: only the former gets points.
      ...(key === 'dice' && longest <= 60
        ? [Plot.dot(points, { x: 'iteration', y: 'value', fill: (d: Point) => colour(d.series), r: 2.5 })]
        : []),
    ],
  });
  return figure(
    svg,
    html`<strong>${title}</strong
      >${key === 'agreement' && ': of the voxels without annotation that an iteration looked at, those that become pseudo labels, because networks agree on them and none that is surer contradicts. Every point is one iteration on one region, so a single one may be low'}${window > 1 && `, means of ${window} logged values in a row`}.${lost > 0 && ` ${counted(lost, 'value')} from iteration ${firstLost} on ${lost === 1 ? 'is' : 'are'} no number and not drawn.`}${left > 0 && ` Only the first ${MOST_CURVES} curves are drawn.`}`,
    legend([...bySeries.keys()].map((name) => ({ name, colour: colour(name), kind: 'line' }))),
  );
}

function averaged(points: readonly Point[], window: number): Point[] {
  const means: Point[] = [];
  for (let start = 0; start < points.length; start += window) {
    const part = points.slice(start, start + window);
    means.push({
      iteration: part[part.length - 1].iteration,
      series: part[0].series,
      value: part.reduce((sum, p) => sum + p.value, 0) / part.length,
    });
  }
  return means;
}
