// SPDX-License-Identifier: MIT
// From a scan to masks on its own grid: prepared like training data, predicted, cleaned as the plan says, brought back to the
// file's voxels (specification 5.4).
import type { Triple } from '../axes.ts';
import type { LoadedCase } from '../data/dataset.ts';
import { SPACING_REMEDY, unfamiliarSpacing, type SpacingRange } from '../data/familiar.ts';
import { HOUNSFIELD_REMEDY, notHounsfield } from '../data/hounsfield.ts';
import { rasOrientation, orientGeometry, fromRas, toRas } from '../data/orientation.ts';
import { connectedComponents } from '../data/morphology.ts';
import type { Geometry } from '../data/geometry.ts';
import { resizeNearest, stepBetween } from '../data/resample.ts';
import { prepareCase, type PreparedCase } from '../data/sample.ts';
import type { Volume } from '../data/volume.ts';
import { intensityWindow } from './cases.ts';
import { methodOf } from '../methods/methods.ts';
import type { Plan } from '../methods/plan.ts';
import { predictionBytes, predictVolumes, type RoiNetworks, type Windows } from '../predict/predict_volume.ts';

/** `ensemble`: who votes in it, default all. `keep`: the output whose probabilities are kept, default none. */
export const windowsOf = (
  { data: { roi }, prediction: { step, mirror }, classes }: Plan,
  ensemble?: readonly string[],
  keep?: string,
): Windows => ({
  roi: [...roi],
  step,
  mirror,
  classes: classes.length,
  ...(ensemble && { means: { ensemble } }),
  ...(keep !== undefined && { keep }),
});

/** Bytes of host memory that a scan on the grid `native`, predicted on `grid`, takes at most. */
export const scanBytes = (plan: Plan, native: Triple, grid: Triple, keep?: string): number =>
  predictionBytes(
    windowsOf(plan, undefined, keep),
    Object.keys(methodOf(plan).networks(plan)).length,
    native,
    grid,
    plan.data.spacing !== 'native',
  );

/** A scan without labels, for prediction. `image` is in RAS, `stored` the file's own grid. */
export function prepareScan(plan: Plan, name: string, image: Volume, stored: Geometry): PreparedCase {
  const loaded: LoadedCase = { name, image, label: null, weight: null, unlabelled: [], stored };
  return prepareCase(loaded, plan.data.spacing === 'native' ? null : ([...plan.data.spacing] as Triple), intensityWindow(plan.data));
}

/** Why a scan may be none that the networks can know anything of, and what to do; `seen`: spacings of what was trained on. */
export function doubtsOf({ range, native: { spacing } }: PreparedCase, { data }: Plan, seen: SpacingRange | undefined): string[] {
  const hounsfield = notHounsfield(range),
    size = seen && unfamiliarSpacing(spacing, seen, data.spacing !== 'native');
  return [
    ...(hounsfield === undefined ? [] : [`${hounsfield}. ${HOUNSFIELD_REMEDY}`]),
    ...(size === undefined ? [] : [`${size}. ${SPACING_REMEDY}`]),
  ];
}

/** What a scan was found to be: masks of each output by name, on the RAS grid of the file before resampling. */
export interface Segmented<S> {
  readonly scan: S;
  readonly masks: Record<string, Uint8Array>;
  /**
   * Of the output `keep`, for each class but the background. They come to the grid of the file as masks do, voxel by voxel from the
   * nearest, and are not cleaned: before cleaning, a mask is where they are largest.
   */
  readonly probabilities: readonly Float32Array[];
}

/** `ensemble`: who votes in it, as a checkpoint's state has it. `keep`: the output whose probabilities are kept, default none. */
export interface Outputs {
  readonly ensemble?: readonly string[] | undefined;
  readonly keep?: string | undefined;
}

/** Scans one after another, in order; small ones share runs, so that a mask may come when several more scans have been read. */
export async function* segmentEach<S extends PreparedCase>(
  plan: Plan,
  networks: RoiNetworks,
  scans: Iterable<S> | AsyncIterable<S>,
  { ensemble, keep }: Outputs = {},
): AsyncGenerator<Segmented<S>> {
  for await (const { scan, labels, probabilities } of predictVolumes(windowsOf(plan, ensemble, keep), networks, scans)) {
    const { grid, native } = scan;
    const back = <A extends Uint8Array | Float32Array>(values: A): A =>
      sameSize(grid, native) ? values : resizeNearest(values, grid.size, native.size, stepBetween(grid, native));
    const masks = Object.entries(labels).map(([name, label]) => [name, clean(plan, back(label), native)] as const);
    yield { scan, masks: Object.fromEntries(masks), probabilities: probabilities.map(back) };
  }
}

/** Masks of each output of a scan by name, on the RAS grid of the file before resampling. `ensemble`: as a checkpoint's state has it. */
export async function segment(
  plan: Plan,
  networks: RoiNetworks,
  scan: PreparedCase,
  ensemble?: readonly string[],
): Promise<Record<string, Uint8Array>> {
  for await (const { masks } of segmentEach(plan, networks, [scan], { ensemble })) return masks;
  return {};
}

/**
 * Masks of each output of one scan, on its voxels turned to RAS. `ensemble`: who votes in it, as the run's state has it (`members`), which
 * is not everybody where one network alone did better; default all.
 */
export function predictCase(
  plan: Plan,
  networks: RoiNetworks,
  scan: Volume,
  ensemble?: readonly string[],
): Promise<Record<string, Uint8Array>> {
  const { data: _data, ...stored } = scan;
  return segment(plan, networks, prepareScan(plan, 'scan', toRas(scan), stored), ensemble);
}

/** A mask on the RAS grid as a volume on the grid of the file. */
export function onStoredGrid(mask: Uint8Array | Float32Array, { native, stored }: Pick<PreparedCase, 'native' | 'stored'>): Volume {
  return fromRas({ ...orientGeometry(stored, rasOrientation(stored)), size: native.size, data: mask }, stored);
}

const sameSize = (a: Geometry, b: Geometry): boolean => a.size.every((n, i) => n === b.size[i]);

/** Keeps each class's largest component, or drops components below a volume, where the plan says so. */
function clean({ prediction, classes }: Plan, mask: Uint8Array, grid: Geometry): Uint8Array {
  if (!prediction.largestComponent && prediction.minVolume === 0) return mask;
  const voxel = grid.spacing.reduce((a, b) => a * b, 1);
  const out = mask.slice();
  for (let c = 1; c < classes.length; c++) {
    const { labels, sizes } = connectedComponents(
      mask.map((v) => (v === c ? 1 : 0)),
      grid.size,
    );
    const largest = Math.max(0, ...sizes.slice(1));
    for (let i = 0; i < out.length; i++) {
      const size = sizes[labels[i]];
      if (labels[i] > 0 && ((prediction.largestComponent && size < largest) || size * voxel < prediction.minVolume)) out[i] = 0;
    }
  }
  return out;
}
