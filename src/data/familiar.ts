// SPDX-License-Identifier: MIT
// Whether a scan's voxels are of a size that a network has learnt from. It sees voxels, not millimetres: in a scan of another spacing a
// lesion is larger or smaller to it than any that it knows.
import type { Triple } from '../axes.ts';

/** Smallest and largest spacing of some scans, mm [D, H, W] in RAS. */
export interface SpacingRange {
  readonly low: Readonly<Triple>;
  readonly high: Readonly<Triple>;
}

/** Beyond the range by this factor, a size is another one. */
const FACTOR = 1.25;

const triple = (f: (axis: 0 | 1 | 2) => number): Triple => [f(0), f(1), f(2)];

/** The range that holds all of these; undefined where one is not known, or there is none. */
export const spacingOver = (ranges: readonly (SpacingRange | undefined)[]): SpacingRange | undefined =>
  ranges.length > 0 && ranges.every((range) => range !== undefined)
    ? {
        low: triple((axis) => Math.min(...ranges.map(({ low }) => low[axis]))),
        high: triple((axis) => Math.max(...ranges.map(({ high }) => high[axis]))),
      }
    : undefined;

/**
 * How a scan of this spacing is unlike those that were learnt from; undefined where it is like them. `resampled`: all are brought to one
 * spacing, so that a finer scan loses nothing but detail that none of them had.
 */
export function unfamiliarSpacing(spacing: Readonly<Triple>, { low, high }: SpacingRange, resampled: boolean): string | undefined {
  const axes = [0, 1, 2] as const;
  if (axes.every((a) => spacing[a] <= high[a] * FACTOR && (resampled || spacing[a] >= low[a] / FACTOR))) return undefined;
  const mm = (v: number): string => String(Number(v.toPrecision(3)));
  const range = (a: 0 | 1 | 2): string => (mm(low[a]) === mm(high[a]) ? mm(low[a]) : `${mm(low[a])} to ${mm(high[a])}`);
  const own = axes.map((a) => mm(spacing[a])).join(' x ');
  return `voxels of ${own} mm, where the scans that were trained on have ${axes.map(range).join(' x ')}`;
}

export const SPACING_REMEDY =
  'What was learnt of sizes and shapes may not hold: look at this mask before it is used, or train with scans of that spacing.';
