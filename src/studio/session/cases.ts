// SPDX-License-Identifier: MIT
// The cases of a session as the page sees them: voxels in RAS order, what is drawn on them, and which slices are annotated.
import type { SlicePlane } from '../../axes.ts';
import { orientGeometry, rasOrientation, toRas } from '../../data/orientation.ts';
import type { Geometry } from '../../data/geometry.ts';
import type { Volume } from '../../data/volume.ts';
import { DataError, VoxelgradError } from '../../errors.ts';
import { readVolume } from '../../io/browser/volume.ts';
import type { CaseInfo, SliceEdit, Voxels } from '../protocol.ts';
import { gridOf, type CaseRecord } from './record.ts';
import type { SessionStore } from './session_store.ts';

/** The RAS grid of a case. */
export const rasGrid = (record: CaseRecord): Geometry => {
  const stored = gridOf(record);
  return orientGeometry(stored, rasOrientation(stored));
};

export const labelsFile = (name: string): string => `labels/${name}.u8`;

/** NIfTI's affine of a grid: LPS turned to RAS, columns for w, h and d. */
function affineOf({ spacing, origin, direction }: Geometry): number[] {
  const sign = [-1, -1, 1];
  return [
    ...[0, 1, 2].flatMap((row) => [
      ...[2, 1, 0].map((axis) => sign[row] * direction[3 * row + 2 - axis] * spacing[axis] + 0),
      sign[row] * origin[row] + 0,
    ]),
    0,
    0,
    0,
    1,
  ];
}

/** Share of voxels on annotated slices; those where two planes meet count once. */
function shareOf({ transverse, coronal }: CaseRecord, [D, H]: readonly number[]): number {
  const [t, c] = [transverse.length / D, coronal.length / H];
  return t + c - t * c;
}

export function caseInfo(record: CaseRecord): CaseInfo {
  const grid = rasGrid(record);
  return {
    name: record.name,
    format: record.format,
    size: grid.size,
    spacing: grid.spacing,
    affine: affineOf(grid),
    remarks: record.remarks,
    annotated: { transverse: record.transverse, coronal: record.coronal },
    share: shareOf(record, grid.size),
    ...(record.masked && { masked: record.masked }),
  };
}

/** The scan of a case, in the orientation of its file. */
export async function scanOf(store: SessionStore, { image }: CaseRecord): Promise<Volume> {
  const way = `data/${image}`,
    file = await store.files.file(way);
  if (!file) throw new DataError(`${way}: is not there any more.`, 'Open the scan again.');
  return readVolume(way, file, { tell: () => {} }); // what it remarks was said when it was opened
}

const isShort = (v: number): boolean => Number.isInteger(v) && v >= -32768 && v <= 32767;

export async function voxelsOf(store: SessionStore, name: string): Promise<Voxels> {
  const { data, size } = toRas(await scanOf(store, store.caseOf(name)));
  let low = Infinity,
    high = -Infinity,
    short = true;
  for (let i = 0; i < data.length; i++) {
    const v = data[i];
    if (v < low) low = v;
    if (v > high) high = v;
    short &&= isShort(v);
  }
  return { size, data: short ? (data instanceof Int16Array ? data : Int16Array.from(data)) : Float32Array.from(data), range: [low, high] };
}

/** What is drawn [D, H, W]. */
export async function drawnOn(store: SessionStore, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const [D, H, W] = rasGrid(store.caseOf(name)).size,
    file = labelsFile(name);
  if (!(await store.files.has(file))) return new Uint8Array(D * H * W);
  const labels = await store.files.read(file);
  if (labels.length !== D * H * W)
    throw new DataError(
      `${file}: damaged, got ${labels.length} voxels, expected ${D * H * W}.`,
      'Import the session again, or remove the case.',
    );
  return labels;
}

/** The bytes of a slice in the file of the whole, each run of them at its place. */
function* piecesOf({ plane, index, labels }: SliceEdit, [D, H, W]: readonly [number, number, number]): Generator<[number, Uint8Array]> {
  if (!labels) return;
  if (plane === 'transverse') yield [index * H * W, labels];
  else for (let d = 0; d < D; d++) yield [(d * H + index) * W, labels.subarray(d * W, (d + 1) * W)];
}

function assertEdit(
  { plane, index, labels }: SliceEdit,
  name: string,
  [D, H, W]: readonly [number, number, number],
  classes: number,
): void {
  const wrong = (what: string): never => {
    throw new VoxelgradError('USAGE', `annotate: ${name}: ${what}.`);
  };
  if (plane !== 'transverse' && plane !== 'coronal') wrong(`got the plane ${JSON.stringify(plane)}, expected transverse or coronal`);
  const n = plane === 'transverse' ? D : H,
    voxels = plane === 'transverse' ? H * W : D * W;
  if (!Number.isInteger(index) || index < 0 || index >= n) wrong(`got ${plane} slice ${index}, expected 0 to ${n - 1}`);
  if (!labels) return;
  if (labels.length !== voxels) wrong(`got ${labels.length} voxels of ${plane} slice ${index}, expected ${voxels}`);
  const stray = labels.find((v) => v >= classes);
  if (stray !== undefined) wrong(`got class ${stray} in ${plane} slice ${index}, expected 0 to ${classes - 1}`);
}

/** Saves drawn slices. The voxels come first: a slice is not marked before they are there. */
export async function annotate(store: SessionStore, name: string, slices: readonly SliceEdit[]): Promise<CaseInfo> {
  const { size } = rasGrid(store.caseOf(name));
  for (const slice of slices) assertEdit(slice, name, size, store.record.classes.length);
  const pieces = slices.flatMap((slice) => [...piecesOf(slice, size)]);
  const marks = (plane: SlicePlane, before: readonly number[]): number[] => {
    const now = new Set(before);
    for (const { plane: own, index, annotated } of slices)
      if (own === plane && annotated !== undefined) now[annotated ? 'add' : 'delete'](index);
    return [...now].sort((a, b) => a - b);
  };
  if (pieces.length > 0 || slices.some(({ annotated }) => annotated)) {
    // Also where only marks came: what is marked and not drawn is background, and that is stored. Dirty before they change: else a tab
    // closed in between would train on what `data` has.
    if (!store.caseOf(name).dirty) await store.saveCase(name, () => ({ dirty: true }));
    await store.files.patch(labelsFile(name), size[0] * size[1] * size[2], pieces);
  }
  await store.saveCase(name, ({ transverse, coronal }) => ({
    transverse: marks('transverse', transverse),
    coronal: marks('coronal', coronal),
    dirty: true,
  }));
  return caseInfo(store.caseOf(name));
}
