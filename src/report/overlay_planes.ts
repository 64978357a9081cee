// SPDX-License-Identifier: MIT
// Cuts a case into the three planes a radiologist reads, with mask outlines as paths along voxel edges.

import type { Plane } from '../axes.ts';
import { quantile } from '../metrics/statistics.ts';
import type { OverlayCase } from './input.ts';

/** One plane, already turned the way it is shown. */
export interface PlaneView {
  plane: Plane;
  /** Index of the slice along its axis, from 0. */
  slice: number;
  width: number;
  height: number;
  /** Size of a pixel, mm. */
  pixel: readonly [x: number, y: number];
  /** Grey values after windowing, 0 to 255. */
  grey: Uint8Array;
  reference: Uint8Array;
  prediction: Uint8Array;
  /** Letters at the left, right, top and bottom edge; null when the orientation is unknown. */
  letters: readonly [string, string, string, string] | null;
}

export interface CaseViews {
  planes: PlaneView[];
  window: { low: number; high: number };
}

// Fixed axis, axis down the page, axis across, letters; axes 0 D (superior), 1 H (anterior), 2 W (right).
const PLANES: readonly { plane: Plane; axes: readonly [number, number, number]; letters: PlaneView['letters'] }[] = [
  { plane: 'transverse', axes: [0, 1, 2], letters: ['R', 'L', 'A', 'P'] },
  { plane: 'coronal', axes: [1, 0, 2], letters: ['R', 'L', 'S', 'I'] },
  { plane: 'sagittal', axes: [2, 0, 1], letters: ['A', 'P', 'S', 'I'] },
];

/** Space shown around what is segmented, mm, and the least field of view: enough anatomy to know where one is. */
const MARGIN_MM = 12;
const LEAST_FIELD_MM = 45;

/** Three planes through the largest section of the reference (of the prediction where there is none). */
export function caseViews(input: OverlayCase): CaseViews {
  const box = fieldOfView(input);
  const centre = largestSections(input);
  const window = input.window ?? percentileWindow(input, box);
  return { window, planes: PLANES.map(({ plane, axes, letters }) => cut(input, box, centre, plane, axes, letters, window)) };
}

type Box = { low: number[]; high: number[] };

function cut(
  input: OverlayCase,
  box: Box,
  centre: number[],
  plane: Plane,
  [fixed, down, across]: readonly [number, number, number],
  letters: PlaneView['letters'],
  window: { low: number; high: number },
): PlaneView {
  const { size, spacing, image } = input;
  const width = box.high[across] - box.low[across] + 1,
    height = box.high[down] - box.low[down] + 1;
  const grey = new Uint8Array(width * height),
    reference = new Uint8Array(width * height),
    prediction = new Uint8Array(width * height);
  // Indices grow towards S, A and R, all of which belong at the top or the left edge: both directions turn round.
  const turned = input.orientation === 'RAS';
  const at = [0, 0, 0];
  at[fixed] = centre[fixed];
  for (let v = 0, i = 0; v < height; v++) {
    at[down] = turned ? box.high[down] - v : box.low[down] + v;
    for (let u = 0; u < width; u++, i++) {
      at[across] = turned ? box.high[across] - u : box.low[across] + u;
      const voxel = (at[0] * size[1] + at[1]) * size[2] + at[2];
      grey[i] = Math.round(255 * Math.min(1, Math.max(0, (image[voxel] - window.low) / (window.high - window.low || 1))));
      reference[i] = input.reference[voxel];
      prediction[i] = input.prediction[voxel];
    }
  }
  return {
    plane,
    slice: centre[fixed],
    width,
    height,
    pixel: [spacing[across], spacing[down]],
    grey,
    reference,
    prediction,
    letters: turned ? letters : null,
  };
}

/** Visits every voxel that either mask holds. */
function eachSegmented(
  { size, reference, prediction }: OverlayCase,
  visit: (at: readonly [number, number, number], inReference: boolean) => void,
): void {
  let i = 0;
  for (let z = 0; z < size[0]; z++)
    for (let y = 0; y < size[1]; y++)
      for (let x = 0; x < size[2]; x++, i++) {
        if (reference[i] > 0 || prediction[i] > 0) visit([z, y, x], reference[i] > 0);
      }
}

function fieldOfView(input: OverlayCase): Box {
  const low: number[] = [...input.size],
    high = [-1, -1, -1];
  eachSegmented(input, (at) =>
    at.forEach((v, axis) => {
      low[axis] = Math.min(low[axis], v);
      high[axis] = Math.max(high[axis], v);
    }),
  );
  if (high[0] < 0) return { low: [0, 0, 0], high: input.size.map((n) => n - 1) };
  for (let axis = 0; axis < 3; axis++) {
    const step = input.spacing[axis];
    const margin = Math.max(MARGIN_MM, (LEAST_FIELD_MM - (high[axis] - low[axis] + 1) * step) / 2);
    low[axis] = Math.max(0, low[axis] - Math.ceil(margin / step));
    high[axis] = Math.min(input.size[axis] - 1, high[axis] + Math.ceil(margin / step));
  }
  return { low, high };
}

function largestSections(input: OverlayCase): number[] {
  const areas = input.size.map((n) => ({ reference: new Float64Array(n), prediction: new Float64Array(n) }));
  let referenceVoxels = 0,
    voxels = 0;
  eachSegmented(input, (at, inReference) => {
    voxels++;
    if (inReference) referenceVoxels++;
    at.forEach((v, axis) => areas[axis][inReference ? 'reference' : 'prediction'][v]++);
  });
  if (voxels === 0) return input.size.map((n) => Math.floor(n / 2));
  return areas.map(({ reference, prediction }) => {
    const area = referenceVoxels > 0 ? reference : prediction;
    return area.indexOf(Math.max(...area));
  });
}

/** What is shown but for its extremes, and what is segmented but for its own: a small bright nodule must not turn all white. */
function percentileWindow({ size, image, reference, prediction }: OverlayCase, { low, high }: Box): { low: number; high: number } {
  const shown: number[] = [],
    segmented: number[] = [];
  for (let z = low[0]; z <= high[0]; z++)
    for (let y = low[1]; y <= high[1]; y++)
      for (let x = low[2]; x <= high[2]; x++) {
        const at = (z * size[1] + y) * size[2] + x,
          value = image[at];
        if (!Number.isFinite(value)) continue;
        shown.push(value);
        if (reference[at] > 0 || prediction[at] > 0) segmented.push(value);
      }
  if (shown.length === 0) return { low: 0, high: 1 };
  const range = (values: readonly number[]): readonly [number, number] => {
    const sorted = Float64Array.from(values).sort();
    return [quantile(sorted, 0.01), quantile(sorted, 0.99)];
  };
  const [a, b] = [range(shown), segmented.length > 0 ? range(segmented) : [Infinity, -Infinity]];
  const bottom = Math.min(a[0], b[0]);
  // Room above it, so that what is segmented is grey with its texture, and brighter things can be told from it.
  return { low: bottom, high: Math.max(a[1], b[1] + 0.2 * (b[1] - bottom)) };
}

/** SVG path, in pixels, along the edges between different labels; runs of edges are joined, the edge of the picture is not drawn. */
export function outline(labels: Uint8Array, width: number, height: number): string {
  const parts: string[] = [];
  const runs = (
    lines: number,
    length: number,
    differs: (line: number, i: number) => boolean,
    write: (line: number, from: number, to: number) => string,
  ): void => {
    for (let line = 1; line < lines; line++) {
      for (let i = 0, from = -1; i <= length; i++) {
        const edge = i < length && differs(line, i);
        if (edge && from < 0) from = i;
        if (!edge && from >= 0) {
          parts.push(write(line, from, i));
          from = -1;
        }
      }
    }
  };
  runs(
    height,
    width,
    (y, x) => labels[y * width + x] !== labels[(y - 1) * width + x],
    (y, from, to) => `M${from} ${y}H${to}`,
  );
  runs(
    width,
    height,
    (x, y) => labels[y * width + x] !== labels[y * width + x - 1],
    (x, from, to) => `M${x} ${from}V${to}`,
  );
  return parts.join('');
}
