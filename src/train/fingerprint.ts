// SPDX-License-Identifier: MIT
// What planning needs of a data set: the classes and the usual grid of its training cases.
import type { Dataset } from '../data/dataset.ts';
import type { Geometry } from '../data/geometry.ts';
import { orientGeometry, rasOrientation } from '../data/orientation.ts';
import type { DatasetFingerprint } from './presets.ts';

/** Enough for a median; more only cost reading time. */
const MOST = 40;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** What presets ask of a data set: medians of sizes (voxels) and spacings (mm) over at most 40 of its training cases. @throws DataError */
export async function fingerprintOf(
  dataset: Dataset,
  onCase?: (done: number, total: number, name: string) => void,
): Promise<DatasetFingerprint> {
  const every = Math.max(1, dataset.training.length / MOST);
  const sample = Array.from({ length: Math.min(MOST, dataset.training.length) }, (_, i) => dataset.training[Math.floor(i * every)]);
  const grids: Geometry[] = [];
  for (const [i, scan] of sample.entries()) {
    const volume = await dataset.source.volume(scan.label ?? scan.images[0]);
    grids.push(orientGeometry(volume, rasOrientation(volume)));
    onCase?.(i + 1, sample.length, scan.name);
  }
  const axes = [0, 1, 2] as const;
  return {
    name: dataset.info.json.name ?? dataset.source.name,
    classes: dataset.info.classes.map((c) => c.name),
    ...(dataset.folds?.count !== undefined && { folds: dataset.folds.count }),
    medianSpacing: axes.map((a) => median(grids.map((g) => g.spacing[a]))) as [number, number, number],
    medianSize: axes.map((a) => median(grids.map((g) => g.size[a]))) as [number, number, number],
  };
}
