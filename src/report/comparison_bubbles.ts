// SPDX-License-Identifier: MIT
// Methods as bubbles: mean Jaccard index across, significance of the difference up, parameters as area. Names stand where they hide
// nothing.
import * as Plot from '@observablehq/plot';
import type { MethodTable } from '../metrics/compare_methods.ts';
import { millions } from './comparison.ts';
import { chart, figure } from './figure.ts';
import { fixed, pValue, shortened } from './format.ts';
import { html, Html } from './html.ts';
import { ACCENT, MUTED } from './palette.ts';

/** p-values this small are drawn at the edge. */
const SMALLEST = 1e-6;

const FRAME = { width: 860, height: 360, marginLeft: 56, marginRight: 40, marginTop: 28, marginBottom: 46 };
/** Room at both ends of the axis, for the largest bubble; px. */
const INSET = 40,
  LARGEST = 34,
  LINE = 15,
  CHARACTER = 6.6;

interface Placed {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly name: string;
}

/**
 * Where each name stands, px from its bubble's centre: above, below, and further off where others are in the way; at the frame's ends
 * it is moved inwards.
 */
export function labelOffsets(placed: readonly Placed[]): { dx: number; dy: number }[] {
  const taken: { x: number; y: number; half: number }[] = [];
  return placed.map(({ x, y, radius, name }) => {
    const half = (CHARACTER * name.length) / 2;
    const dx = Math.max(0, FRAME.marginLeft + half + 4 - x) + Math.min(0, FRAME.width - half - x);
    const middle = x + dx;
    const free = (dy: number): boolean =>
      !taken.some((t) => Math.abs(t.x - middle) < t.half + half + 4 && Math.abs(t.y - y - dy) < LINE) &&
      !placed.some((b) => b.radius > 0 && Math.abs(b.x - middle) < b.radius + half && Math.abs(b.y - y - dy) < b.radius + LINE / 2);
    const candidates = Array.from({ length: 12 }, (_, i) => (i % 2 ? 1 : -1) * (radius + 10 + LINE * Math.floor(i / 2)));
    const dy = candidates.find((each) => y + each > 0 && free(each)) ?? candidates[0];
    taken.push({ x: middle, y: y + dy, half });
    return { dx, dy };
  });
}

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
            parameters: row.parameters ?? 0,
            own: row.name === reference,
          },
        ];
  });
  if (points.length < 2) return null;
  const values = points.map((p) => p.jaccard),
    pad = Math.max(1, 0.15 * (Math.max(...values) - Math.min(...values)));
  const across = [Math.max(0, Math.min(...values) - pad), Math.min(100, Math.max(...values) + pad)] as const;
  const top = Math.max(-Math.log10(alpha) * 1.4, ...points.map((p) => p.significance * 1.3));
  const up = [-0.2 * top, top] as const;
  const most = Math.max(1, ...points.map((p) => p.parameters));
  const along = (v: number, [low, high]: readonly [number, number], from: number, to: number): number =>
    from + ((v - low) / (high - low)) * (to - from);
  const offsets = labelOffsets(
    points.map((p) => ({
      x: along(p.jaccard, across, FRAME.marginLeft + INSET, FRAME.width - FRAME.marginRight - INSET),
      y: along(p.significance, up, FRAME.height - FRAME.marginBottom, FRAME.marginTop),
      radius: LARGEST * Math.sqrt(p.parameters / most),
      name: shortened(p.name),
    })),
  );
  const svg = chart('Mean Jaccard index against significance of the difference; the area of a bubble is the number of parameters', {
    ...FRAME,
    x: { label: 'mean Jaccard index, %', grid: true, domain: across, inset: INSET },
    y: {
      label: '−log₁₀ p (Holm)',
      grid: true,
      domain: up,
      ticks: Array.from({ length: Math.floor(top) + 1 }, (_, i) => i),
      tickFormat: 'd',
    },
    r: { range: [0, LARGEST], domain: [0, most] },
    marks: [
      Plot.ruleY([-Math.log10(alpha)], { stroke: '#1b2733', strokeDasharray: '4,3' }),
      Plot.text([`p = ${fixed(alpha, 2)}`], { y: -Math.log10(alpha), frameAnchor: 'right', textAnchor: 'end', dy: -8, dx: -4 }),
      Plot.dot(points, {
        x: 'jaccard',
        y: 'significance',
        r: 'parameters',
        fill: (d) => (d.own ? MUTED : ACCENT),
        fillOpacity: 0.35,
        stroke: (d) => (d.own ? MUTED : ACCENT),
        title: (d) => `${d.name}: Jaccard ${fixed(d.jaccard)} %, p ${pValue(d.p)}, ${millions(d.parameters)}`,
      }),
      ...points.map((point, i) =>
        Plot.text([point], {
          x: 'jaccard',
          y: 'significance',
          text: (d) => shortened(d.name),
          fill: '#1b2733',
          stroke: '#fff',
          strokeWidth: 3,
          ...offsets[i],
        }),
      ),
    ],
  });
  return figure(
    svg,
    html`<strong>Mean Jaccard index, significance of the difference from “${reference}” (grey) and size of the model</strong> (area:
      trainable parameters). Above the dashed line: significant. The reference itself stands at p = 1; p below ${SMALLEST} is drawn there.`,
  );
}
