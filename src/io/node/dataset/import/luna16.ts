// SPDX-License-Identifier: MIT
// LUNA16: subset0..subset9/<seriesuid>.mhd + .raw and annotations.csv (centre in world mm, diameter). It has no masks: they come
// from a folder, or are spheres of the annotated diameter, which dataset.json then says for every result to repeat.
import type { Triple } from '../../../../axes.ts';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../../../errors.ts';
import { worldToVoxel } from '../../../../data/geometry.ts';
import { unreadable } from '../../../../files/regular.ts';
import { readVolume } from '../../volume.ts';
import type { Volume } from '../../../../data/volume.ts';
import { csvNumber, readCsv } from './csv.ts';
import { listFiles, volumeStem, withNewDataset, type ImportResult } from './new_dataset.ts';

/** Where the masks come from: exactly one of the two. */
export interface Luna16Options {
  /** A folder of masks named `<seriesuid>.<ending>`, on the grids of the scans. */
  readonly masks?: string;
  /** Make spheres from annotations.csv instead. */
  readonly spheres?: boolean;
  readonly onCase?: (done: number, total: number, name: string) => void;
}

/** Below this a scan holds padding outside the scanner's circle. */
const AIR = -1024;

/** Millimetres, and nodules of a scan: a sphere takes time with its volume. LUNA16 has 33 and 12. */
const LARGEST = 300,
  MOST = 1000;

/** A nodule of annotations.csv. */
export interface LunaNodule {
  readonly centre: Triple;
  readonly diameter: number;
}

/** Imports scans that have a mask (`masks`) or an annotated nodule (`spheres`). DataError if neither or both are asked for. */
export async function importLuna16(source: string, target: string, options: Luna16Options): Promise<ImportResult> {
  if ((options.masks !== undefined) === (options.spheres === true)) {
    throw new DataError(
      `${source}: LUNA16 has no segmentation masks, got ` +
        `${options.masks ? 'both --masks and --spheres' : 'neither --masks nor --spheres'}, expected one.`,
      'Give a folder of masks made from the LIDC-IDRI contours (--masks DIR), or balls of the annotated diameter for smoke tests ' +
        '(--spheres).',
    );
  }
  const scans = await findScans(source);
  const masks = options.masks === undefined ? undefined : await masksIn(options.masks);
  if (masks?.size === 0)
    throw new DataError(`${options.masks}: no mask in it, expected volumes named like the scans.`, 'Check the path of --masks.');
  const nodules = options.spheres ? await readNodules(join(source, 'annotations.csv')) : undefined;
  const wanted = scans.filter((s) => masks?.has(s.uid) || nodules?.has(s.uid));
  if (masks && wanted.length === 0)
    throw new DataError(
      `${options.masks}: no mask of any scan in ${source}, got ${[...masks.keys()].slice(0, 2).join(', ')}, expected names such as ` +
        `${scans[0].uid}.`,
      'Name each mask like its scan.',
    );
  return withNewDataset(target, async (builder) => {
    const folds: Record<string, number> = {};
    for (const [i, scan] of wanted.entries()) {
      const stored = await readVolume(scan.file);
      const image = { ...stored, data: stored.data.map((v) => Math.max(AIR, v)) as Volume['data'] };
      await builder.add(scan.uid, image, masks?.get(scan.uid) ?? sphereMask(stored, nodules!.get(scan.uid)!), scan.file);
      if (scan.subset !== undefined) folds[scan.uid] = scan.subset >> 1; // ten subsets, five folds of two
      options.onCase?.(i + 1, wanted.length, scan.uid);
    }
    builder.notes.push(`${wanted.length} of ${scans.length} scans have ${masks ? 'a mask' : 'an annotated nodule'}.`);
    if (nodules)
      builder.notes.push('The masks are spheres of the annotated diameter: for smoke tests only, and marked so in dataset.json.');
    return {
      labels: { background: 0, nodule: 1 },
      ...(Object.keys(folds).length === wanted.length && { folds }),
      ...(nodules && { label_source: 'sphere' }),
    };
  });
}

async function masksIn(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const file of await listFiles(folder)) {
    const stem = volumeStem(file),
      other = stem === undefined ? undefined : found.get(stem);
    if (other !== undefined)
      throw new DataError(`${join(folder, file)}: two masks for one scan, got ${other} too, expected one.`, 'Keep one of them.');
    if (stem !== undefined) found.set(stem, join(folder, file));
  }
  return found;
}

async function findScans(source: string): Promise<{ uid: string; file: string; subset: number | undefined }[]> {
  let folders: string[];
  try {
    folders = (await readdir(source, { withFileTypes: true }))
      .filter((e) => e.isDirectory() && /^subset\d$/.test(e.name))
      .map((e) => e.name)
      .sort();
  } catch (cause) {
    throw unreadable(source, cause);
  }
  const scans = [];
  for (const folder of ['', ...folders]) {
    for (const file of await listFiles(join(source, folder))) {
      if (file.endsWith('.mhd'))
        scans.push({ uid: file.slice(0, -4), file: join(source, folder, file), subset: folder ? Number(folder.at(-1)) : undefined });
    }
  }
  if (scans.length === 0)
    throw new DataError(
      `${source}: no scan, got no .mhd file here or in subset0 .. subset9.`,
      'Unpack the subsets of LUNA16 into this folder.',
    );
  return scans;
}

async function readNodules(file: string): Promise<Map<string, LunaNodule[]>> {
  const nodules = new Map<string, LunaNodule[]>();
  for (const row of await readCsv(file, ['seriesuid', 'coordX', 'coordY', 'coordZ', 'diameter_mm'])) {
    const number = (column: string): number => csvNumber(file, row, column);
    const list = nodules.get(row.seriesuid) ?? [];
    const diameter = number('diameter_mm');
    if (!(diameter > 0 && diameter <= LARGEST))
      throw new DataError(`${file}: column diameter_mm, got ${diameter}, expected more than 0 and at most ${LARGEST}.`, 'Correct the row.');
    if (list.length === MOST)
      throw new DataError(`${file}: more than ${MOST} nodules of ${row.seriesuid}.`, 'Is this the file that came with LUNA16?');
    list.push({ centre: [number('coordX'), number('coordY'), number('coordZ')], diameter });
    nodules.set(row.seriesuid, list);
  }
  return nodules;
}

/** Voxels whose centre lies within the radius of a nodule's centre, in mm on the scan's own grid; the nearest voxel always does. */
export function sphereMask(scan: Volume, nodules: readonly LunaNodule[]): Volume {
  const [D, H, W] = scan.size,
    [sD, sH, sW] = scan.spacing;
  const data = new Uint8Array(D * H * W);
  for (const { centre, diameter } of nodules) {
    const c = worldToVoxel(scan, centre),
      radius = diameter / 2;
    const range = (axis: number): [number, number] => [
      Math.max(0, Math.floor(c[axis] - radius / scan.spacing[axis])),
      Math.min(scan.size[axis] - 1, Math.ceil(c[axis] + radius / scan.spacing[axis])),
    ];
    const [d0, d1] = range(0),
      [h0, h1] = range(1),
      [w0, w1] = range(2);
    for (let d = d0; d <= d1; d++)
      for (let h = h0; h <= h1; h++)
        for (let w = w0; w <= w1; w++) {
          const distance = Math.hypot((d - c[0]) * sD, (h - c[1]) * sH, (w - c[2]) * sW);
          if (distance <= radius) data[(d * H + h) * W + w] = 1;
        }
    const nearest = c.map(Math.round);
    if (nearest.every((k, axis) => k >= 0 && k < scan.size[axis])) data[(nearest[0] * H + nearest[1]) * W + nearest[2]] = 1;
  }
  const { data: _voxels, ...grid } = scan;
  return { ...grid, data };
}
