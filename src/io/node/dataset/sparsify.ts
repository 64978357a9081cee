// SPDX-License-Identifier: MIT
// Simulates sparse annotation on a densely labelled data set by writing annotations.json (specification 5.1).
import type { Triple } from '../../../axes.ts';
import { constants, copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Planes } from '../../../data/annotations.ts';
import { orientGeometry, rasOrientation, toRas } from '../../../data/orientation.ts';
import { checkedLabel, type Case } from '../../../data/dataset.ts';
import { annotatedShare, drawnCases, NO_PLANES, sparsePlanes, type AnnotatedShare, type SparseMode } from '../../../data/sparse_planes.ts';
import type { Volume } from '../../../data/volume.ts';
import { DataError } from '../../../errors.ts';
import { writeError, writeJson } from '../../../files/atomic.ts';
import { digestFile } from '../../../files/digest.ts';
import { readJson } from '../../../files/regular.ts';
import { readVolume } from '../volume.ts';
import { openDataset } from './open.ts';

/** The result of `sparsify`. */
export interface SparsifyResult {
  readonly file: string;
  readonly cases: readonly { readonly name: string; readonly size: Triple; readonly planes: Planes; readonly share: AnnotatedShare }[];
  /** Over all training cases: slices kept / slices, voxels kept / voxels. */
  readonly total: AnnotatedShare;
  /** Where the annotation that was replaced is kept, if a person may have written it. */
  readonly kept?: string;
}

/** Beside annotations.json: how it was simulated, and the digest of what was written, so that a person's work is told from it. */
const MARK = 'annotations.simulated.json';

/** Whether annotations.json names slices that nobody can be seen to have simulated. */
async function writtenByPerson(folder: string, file: string, before: Readonly<Record<string, unknown>>): Promise<boolean> {
  if (Object.keys(before).every((name) => name === 'unlabelled')) return false;
  const mark = join(folder, MARK);
  const said = existsSync(mark) ? (readJson(mark) as { sha256?: unknown } | null) : null;
  return said?.sha256 !== (await digestFile(file)).digest;
}

/** A copy under the first free name. */
function keepCopy(file: string): string {
  for (let n = 1; ; n++) {
    const copy = file.replace(/\.json$/, `.before${n === 1 ? '' : `-${n}`}.json`);
    try {
      copyFileSync(file, copy, constants.COPYFILE_EXCL);
      return copy;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw writeError(copy, cause);
    }
  }
}

export interface SparsifyOptions {
  /** Replace what a person may have written. */
  readonly force?: boolean;
  /** Another stride than the mode's. */
  readonly every?: number | null;
  /** How many cases are annotated at all; the others are left to be learnt from without a label. */
  readonly cases?: number | null;
}

/**
 * Writes annotations.json for every training case of `folder` ("unlabelled" entries are kept). DataError as `openDataset`, and where
 * a person may have written the one that is there, unless `force`: then a copy is kept.
 */
export async function sparsify(
  folder: string,
  mode: SparseMode,
  seed: number,
  { force = false, every = null, cases: count = null }: SparsifyOptions = {},
): Promise<SparsifyResult> {
  const file = join(folder, 'annotations.json');
  const dataset = await openDataset(folder);
  const before = existsSync(file) ? (readJson(file) as Record<string, unknown>) : {};
  const own = await writtenByPerson(folder, file, before);
  if (own && !force)
    throw new DataError(
      `${file}: was not written by sparsify, got annotated slices that a person may have drawn, expected none or simulated ones.`,
      'Add --force to replace it (a copy is kept), or simulate on a copy of the data set.',
    );
  const cases = [];
  const drawn =
    count === null
      ? null
      : new Set(
          drawnCases(
            dataset.training.map((c) => c.name),
            count,
            seed,
          ),
        );
  const entries = new Map<string, unknown>();
  let slices = 0,
    rows = 0,
    keptSlices = 0,
    keptRows = 0,
    voxels = 0,
    keptVoxels = 0;
  /** Where nodules are: 1 in the foreground, turned to RAS. */
  const foreground = ({ label }: Case, stored: Volume): Uint8Array =>
    label === undefined
      ? new Uint8Array(stored.data.length)
      : checkedLabel(label, toRas(stored).data, dataset.info).map((v) => Number(v > 0 && v !== dataset.info.ignore));
  for (const scan of dataset.training) {
    const stored = await readVolume(scan.label ?? scan.images[0]);
    const { size } = orientGeometry(stored, rasOrientation(stored));
    const bare = drawn !== null && !drawn.has(scan.name);
    const planes = bare
        ? NO_PLANES
        : sparsePlanes(scan.name, size, mode, seed, { every, ...(mode === 'central' && { label: foreground(scan, stored) }) }),
      share = annotatedShare(size, planes);
    entries.set(scan.name, bare ? 'none' : planes);
    cases.push({ name: scan.name, size, planes, share });
    const count = size[0] * size[1] * size[2];
    slices += size[0];
    keptSlices += planes.transverse.length;
    rows += size[1];
    keptRows += planes.coronal.length;
    voxels += count;
    keptVoxels += share.voxels * count;
  }
  if (before.unlabelled !== undefined) entries.set('unlabelled', before.unlabelled);
  const kept = own ? keepCopy(file) : undefined;
  writeJson(file, Object.fromEntries(entries));
  writeJson(join(folder, MARK), {
    mode,
    seed,
    ...(every !== null && { every }),
    ...(count !== null && { cases: count }),
    sha256: (await digestFile(file)).digest,
  });
  return {
    file,
    ...(kept !== undefined && { kept }),
    cases,
    total: { transverse: keptSlices / slices, coronal: keptRows / rows, voxels: keptVoxels / voxels },
  };
}
