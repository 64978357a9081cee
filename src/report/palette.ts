// SPDX-License-Identifier: MIT
// Colours that stay apart for colour-blind readers (Okabe and Ito 2008), and the meaning each has throughout the report.

/** The reference drawn by people. */
export const REFERENCE = '#56b4e9';
/** The prediction. */
export const PREDICTION = '#e69f00';
/** Both have something there, but not the same class. */
export const WRONG_CLASS = '#cc79a7';

/** Emphasis in charts: the run the report is about. */
export const ACCENT = '#0072b2';
export const MUTED = '#8a949e';

/** Series of a chart, in order of appearance; beyond eight they repeat. Dark enough to read on white. */
export const SERIES: readonly string[] = ['#0072b2', '#d55e00', '#009e73', '#aa4499', '#e69f00', '#56b4e9', '#333333', '#8c6d31'];

type Colour = readonly [number, number, number];
const NOT_SCORED: Colour = [176, 184, 192],
  WITHIN: Colour = [64, 160, 96];
/** From just beyond the tolerance to far beyond it: too small, too large. */
const INSIDE: readonly [Colour, Colour] = [
    [158, 206, 240],
    [10, 62, 130],
  ],
  OUTSIDE: readonly [Colour, Colour] = [
    [250, 214, 140],
    [176, 42, 0],
  ];

/** Distances from the tolerance to this are told apart by colour. */
export const farDistance = (tolerance: number): number => Math.max(4 * tolerance, tolerance + 2);

/** Colour of a point of a surface by its signed distance to the reference: green within the tolerance, blue inside, orange outside. */
export function distanceColour(distance: number, tolerance: number): Colour {
  if (Number.isNaN(distance)) return NOT_SCORED;
  const beyond = Math.abs(distance) - tolerance;
  if (beyond <= 1e-6) return WITHIN;
  const [near, far] = distance < 0 ? INSIDE : OUTSIDE,
    t = Math.min(1, beyond / (farDistance(tolerance) - tolerance));
  return [0, 1, 2].map((k) => Math.round(near[k] + t * (far[k] - near[k]))) as unknown as Colour;
}

export const hex = (colour: Colour): string => `#${colour.map((c) => c.toString(16).padStart(2, '0')).join('')}`;
