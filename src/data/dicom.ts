// SPDX-License-Identifier: MIT
// A folder of DICOM slices as one volume: slices of one series ordered by position along their normal, never by file name.
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DataError } from '../errors.ts';
import { dicomDamage, holdsPixels } from './dicom_check.ts';
import { type Triple } from './geometry.ts';
import { unreadable } from '../files/regular.ts';
import { loadImageIo, volumeFromItk } from './itk.ts';
import type { Volume, VoxelArray } from './volume.ts';

interface Slice { readonly file: string; readonly series: string; readonly volume: Volume; readonly position: number }

/** Gaps between slices may differ by this share of the spacing (positions are decimal strings in the files). */
const GAP_TOLERANCE = 0.01;

/**
 * Reads the DICOM series in `folder` (image files only; structure sets and other objects are passed over).
 * DataError: no image, several series, missing or double slices, unequal orientation or size.
 */
export async function readDicomSeries(folder: string): Promise<Volume> {
  let names: string[];
  try {
    names = (await readdir(folder, { withFileTypes: true })).filter((e) => e.isFile() && !e.name.startsWith('.') && e.name !== 'DICOMDIR').map((e) => e.name).sort();
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  const slices: Slice[] = [];
  let firstFailure: unknown;
  const io = await loadImageIo(folder);
  for (const name of names) {
    const file = join(folder, name);
    const bytes = await readFile(file).catch((cause) => { throw unreadable(file, cause); });
    const damage = dicomDamage(bytes, name);
    if (damage) throw new DataError(`${file}: truncated DICOM image: ${damage}.`, 'Copy or export the series again.');
    try {
      const { couldRead, image } = await io.gdcmReadImageNode(resolve(file));
      if (!couldRead || image.size.length < 2 || image.data.length === 0) continue;
      const volume = volumeFromItk(file, image);
      const normal: Triple = [volume.direction[2], volume.direction[5], volume.direction[8]];
      slices.push({ file, series: String(image.metadata.get('0020|000e') ?? ''), volume, position: dot(normal, volume.origin) });
    } catch (cause) {
      // Silently leaving out the first or last slice would shorten the volume without anyone noticing.
      if (holdsPixels(bytes)) throw new DataError(`${file}: a DICOM image that cannot be decoded.`, 'Convert the series to uncompressed DICOM or NIfTI with another tool.', { cause });
      firstFailure ??= cause;
    }
  }
  if (slices.length === 0) {
    throw new DataError(`${folder}: no DICOM image, got ${names.length} files, expected the slices of one series.`, 'Point at the folder that holds the .dcm files themselves.', { cause: firstFailure });
  }
  const series = [...new Set(slices.map((s) => s.series))];
  if (series.length > 1) {
    throw new DataError(`${folder}: several series, got ${series.length} (${series.map((uid) => `${uid}: ${slices.filter((s) => s.series === uid).length} slices`).join('; ')}), expected 1.`, 'Put each series into a folder of its own.');
  }
  return slices.length === 1 && slices[0].volume.size[0] > 1 ? slices[0].volume : stack(folder, slices);
}

const dot = (a: readonly number[], b: readonly number[]): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function stack(folder: string, slices: Slice[]): Volume {
  slices.sort((a, b) => a.position - b.position);
  const first = slices[0].volume;
  for (const { file, volume } of slices) {
    const fits = volume.size[0] === 1 && volume.size[1] === first.size[1] && volume.size[2] === first.size[2]
      && volume.direction.every((v, i) => Math.abs(v - first.direction[i]) < 1e-4)
      && Math.abs(volume.spacing[1] - first.spacing[1]) < 1e-4 && Math.abs(volume.spacing[2] - first.spacing[2]) < 1e-4;
    if (!fits) throw new DataError(`${file}: does not fit the series in ${folder}, got ${volume.size.join('x')} at ${volume.spacing.join(' x ')} mm, expected ${first.size.join('x')} at ${first.spacing.join(' x ')} mm in the same orientation.`, 'Remove localisers and reformats from the folder.');
  }
  const gaps = slices.slice(1).map((s, i) => s.position - slices[i].position);
  const gap = gaps.length ? [...gaps].sort((a, b) => a - b)[gaps.length >> 1] : first.spacing[0];
  gaps.forEach((g, i) => {
    if (Math.abs(g - gap) <= GAP_TOLERANCE * gap) return;
    const what = g < 1e-3 ? 'two slices at one position' : 'slices missing or unevenly spaced';
    throw new DataError(`${folder}: ${what}, got ${g.toFixed(3)} mm between ${slices[i].file} and ${slices[i + 1].file}, expected ${gap.toFixed(3)} mm.`, 'Export the whole series again, one image a position.');
  });
  // A slice without a last step along the normal (oblique gantry) would shear the volume.
  const last = slices[slices.length - 1].volume.origin, normal: Triple = [first.direction[2], first.direction[5], first.direction[8]];
  const step: Triple = [last[0] - first.origin[0], last[1] - first.origin[1], last[2] - first.origin[2]];
  const sideways = Math.sqrt(Math.max(0, dot(step, step) - dot(step, normal) ** 2));
  if (sideways > 0.5 * first.spacing[2]) {
    throw new DataError(`${folder}: the slices are shifted sideways (tilted gantry), got ${sideways.toFixed(2)} mm from first to last, expected 0.`, 'Resample the scan to an orthogonal grid first.');
  }
  const count = first.size[1] * first.size[2];
  // Slices may be stored in different integer types after rescaling; f32 holds every Hounsfield number exactly.
  const sameType = slices.every((s) => s.volume.data.constructor === first.data.constructor);
  const data = sameType ? new (first.data.constructor as new (n: number) => VoxelArray)(count * slices.length) : new Float32Array(count * slices.length);
  slices.forEach((s, i) => data.set(s.volume.data, i * count));
  return { data, size: [slices.length, first.size[1], first.size[2]], spacing: [gap, first.spacing[1], first.spacing[2]], origin: first.origin, direction: first.direction };
}
