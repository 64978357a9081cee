// SPDX-License-Identifier: MIT
// Losses and validation as lines, drawn anew with every point.
import type { JSX } from 'preact';
import type { LogPoint } from '../protocol.ts';

const COLOURS = ['#5cc8ff', '#ffb454', '#7ee081', '#ff8fc7'];
const WIDTH = 300,
  HEIGHT = 110,
  LEFT = 40,
  BOTTOM = 20;

export function Curves({ log, total }: { readonly log: readonly LogPoint[]; readonly total: number }): JSX.Element {
  return (
    <>
      <Curve title="Loss" log={log} total={total} of={(p) => p.loss} />
      <Curve title="Validation Dice" log={log} total={total} of={(p) => p.dice} most={1} />
      <Curve title="Dice on what it learns from" log={log} total={total} of={(p) => p.fit} most={1} />
    </>
  );
}

interface CurveProps {
  readonly title: string;
  readonly log: readonly LogPoint[];
  readonly total: number;
  readonly of: (point: LogPoint) => Readonly<Record<string, number>> | undefined;
  readonly most?: number;
}

function Curve({ title, log, total, of, most }: CurveProps): JSX.Element | null {
  const points = log.filter((p) => of(p));
  const names = [...new Set(points.flatMap((p) => Object.keys(of(p)!)))];
  if (names.length === 0) return null;
  const values = points.flatMap((p) => Object.values(of(p)!)).filter(Number.isFinite);
  const top = most ?? Math.max(...values, 1e-6);
  const last = Math.max(total, ...points.map((p) => p.iteration));
  const x = (iteration: number): number => LEFT + ((WIDTH - LEFT - 6) * iteration) / last;
  const y = (value: number): number => 6 + (HEIGHT - BOTTOM - 6) * (1 - Math.min(1, Math.max(0, value / top)));
  const line = (name: string): string =>
    points
      .filter((p) => Number.isFinite(of(p)![name]))
      .map((p) => `${x(p.iteration).toFixed(1)},${y(of(p)![name]).toFixed(1)}`)
      .join(' ');
  const newest = (name: string): number | undefined => {
    const point = points.filter((p) => of(p)![name] !== undefined).at(-1);
    return point && of(point)![name];
  };
  return (
    <figure class="curve">
      <figcaption>
        {title}
        {names.map((name, i) => (
          <span key={name} class={`key key-${i % COLOURS.length}`}>
            {name} <b>{newest(name)?.toFixed(3)}</b>
          </span>
        ))}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title} over iterations`}>
        {[0, 0.5, 1].map((t) => (
          <g key={t}>
            <line x1={LEFT} x2={WIDTH - 6} y1={y(t * top)} y2={y(t * top)} class="grid" />
            <text x={LEFT - 6} y={y(t * top) + 4} text-anchor="end">
              {(t * top).toPrecision(2)}
            </text>
          </g>
        ))}
        <text x={LEFT} y={HEIGHT - 4}>
          0
        </text>
        <text x={WIDTH - 6} y={HEIGHT - 4} text-anchor="end">
          {last}
        </text>
        {names.map((name, i) => (
          <polyline key={name} points={line(name)} class="line" stroke={COLOURS[i % COLOURS.length]} />
        ))}
      </svg>
    </figure>
  );
}
