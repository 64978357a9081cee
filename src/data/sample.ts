// SPDX-License-Identifier: MIT
// What training sees: a case brought to its working spacing and intensity scale, and samples of one shape cut from it.
import type { Triple } from '../axes.ts';
import type { LoadedCase } from './dataset.ts';
import type { Geometry } from './geometry.ts';
import { gridAtSpacing, resizeLinear, resizeNearest, stepBetween } from './resample.ts';

/** A training sample, every array of shape `size` = [D, H, W]. */
export interface Sample {
  /** Normalised intensities. */
  readonly image: Float32Array;
  /** Classes 0..K-1; meaningful only where `weight` is 1. */
  readonly label: Uint8Array;
  /** 1 = annotated, 0 = not, and in padding. */
  readonly weight: Uint8Array;
  readonly size: Triple;
}

/** Intensities are clamped to [low, high], mapped linearly to [outLow, outHigh], then standardised over the volume if `zScore`. */
export interface IntensityWindow {
  readonly low: number;
  readonly high: number;
  readonly outLow: number;
  readonly outHigh: number;
  readonly zScore: boolean;
}

/** Windows of specification 7.1 and 7.2, HU. */
export const WINDOWS = {
  lung: { low: -1200, high: 600, outLow: -1, outHigh: 1, zScore: false },
  abdomen: { low: -160, high: 240, outLow: 0, outHigh: 1, zScore: true },
} as const satisfies Record<string, IntensityWindow>;

/** A case ready to be cut: label and weight are null for cases without a label. */
export interface PreparedCase {
  readonly name: string;
  readonly image: Float32Array;
  /** Least and largest value before that: HU, if it is CT. */
  readonly range: readonly [low: number, high: number];
  readonly label: Uint8Array | null;
  readonly weight: Uint8Array | null;
  /** RAS grid of the arrays (resampled); `size` is their shape. */
  readonly grid: Geometry;
  /** RAS grid of the case before resampling, where results go back to. */
  readonly native: Geometry;
  /** The grid of the file. */
  readonly stored: Geometry;
  /** Image value of what lies outside the scan: the window's lower end. */
  readonly outside: number;
  readonly unlabelled: readonly number[];
}

/** Clamps and scales intensities; also returns what the window's lower end became, the value of padding. */
export function normalise(image: ArrayLike<number>, window: IntensityWindow): { image: Float32Array; outside: number } {
  const { low, high, outLow, outHigh, zScore } = window;
  const scale = (outHigh - outLow) / (high - low);
  const out = new Float32Array(image.length); // plain loops: TypedArray.from takes ten times as long
  for (let i = 0; i < out.length; i++) out[i] = outLow + scale * (Math.min(high, Math.max(low, image[i])) - low);
  if (!zScore) return { image: out, outside: outLow };
  let sum = 0,
    squares = 0;
  for (const v of out) {
    sum += v;
    squares += v * v;
  }
  const mean = sum / out.length,
    deviation = Math.sqrt(Math.max(0, squares / out.length - mean * mean)) || 1; // a constant volume becomes 0
  for (let i = 0; i < out.length; i++) out[i] = (out[i] - mean) / deviation;
  return { image: out, outside: (outLow - mean) / deviation };
}

export function rangeOf(values: ArrayLike<number>): [low: number, high: number] {
  let low = Infinity,
    high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return [low, high];
}

/** Resamples (image linear, label and weight nearest; not at all if `spacing` is null) and normalises a loaded case. */
export function prepareCase(loaded: LoadedCase, spacing: Triple | null, window: IntensityWindow): PreparedCase {
  const { data, ...native } = loaded.image;
  const { label, weight } = loaded;
  const grid = spacing ? gridAtSpacing(native, spacing) : native;
  const step = stepBetween(native, grid);
  const same = step.every((s) => Math.abs(s - 1) < 1e-6);
  const scalar = same ? data : resizeLinear(new Float32Array(data), native.size, grid.size, 1, step);
  const nearest = (v: Uint8Array | null): Uint8Array | null => (v && !same ? resizeNearest(v, native.size, grid.size, step) : v);
  return {
    name: loaded.name,
    ...normalise(scalar, window),
    range: rangeOf(data),
    label: nearest(label),
    weight: nearest(weight),
    grid,
    native,
    stored: loaded.stored,
    unlabelled: loaded.unlabelled,
  };
}
