// SPDX-License-Identifier: MIT
// Frames of one series as a volume: ordered by their place along the normal, never by name or number, and rescaled each by its own.
import type { Triple } from '../../axes.ts';
import { DataError } from '../../errors.ts';
import type { Geometry } from '../../data/geometry.ts';
import { cross, type DicomImage, type Frame } from './image.ts';
import type { Keyword } from './tags.ts';

export type Voxels = Int16Array | Int32Array | Float32Array | Float64Array;

/** Gaps between slices may differ by this share of the spacing (positions are decimal strings in the files). */
const GAP_TOLERANCE = 0.01;
/** Slices nearer than this (mm) lie at one position. */
const SAME_PLACE = 1e-3;
/** Slices may lie off their common axis by this share of a pixel. */
const SIDEWAYS_TOLERANCE = 0.1;
/** As many voxels as any volume may have. */
const MAX_VOXELS = 2 ** 30;
/** Voxels that any series may ask for, and that each of its bytes may: compressed slices hold some ten a byte, air a hundred. */
const FREE_VOXELS = 2 ** 27,
  VOXELS_PER_BYTE = 100;

const dot = (a: readonly number[], b: readonly number[]): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/**
 * The volume of `images` of `bytes` bytes in all. DataError: several series, stacks or phases, missing or double slices, unequal size or
 * orientation, tilt.
 */
export async function stackImages(
  folder: string,
  images: readonly DicomImage[],
  bytes: number,
): Promise<Geometry & { readonly data: Voxels }> {
  const series = [...new Set(images.map((image) => image.series))];
  if (series.length > 1) {
    const slices = (uid: string): number =>
      images.filter((image) => image.series === uid).reduce((sum, image) => sum + image.frames.length, 0);
    throw new DataError(
      `${folder}: several series, got ${series.length} (${series
        .slice(0, 10)
        .map((uid) => `${uid || 'no UID'}: ${slices(uid)} slices`)
        .join('; ')}), expected 1.`,
      'Put each series into a folder of its own.',
    );
  }
  const frames = images.flatMap((image) => image.frames),
    voxels = frames.reduce((sum, f) => sum + f.rows * f.columns, 0);
  if (voxels > Math.min(MAX_VOXELS, FREE_VOXELS + VOXELS_PER_BYTE * bytes)) {
    throw new DataError(
      `${folder}: the headers promise ${voxels.toExponential(2)} voxels, got ${bytes} bytes of files, expected at most ` +
        `${MAX_VOXELS} voxels and ${VOXELS_PER_BYTE} a byte.`,
      'If the scan is really that large, crop it; otherwise its headers are damaged.',
    );
  }
  const geometry = arrange(folder, frames);
  return { data: await rescaled(geometry.order), ...geometry.grid };
}

function arrange(folder: string, frames: readonly Frame[]): { order: readonly Frame[]; grid: Geometry } {
  const [first] = frames,
    normal = cross(first.across, first.down);
  for (const f of frames) {
    const fits =
      f.rows === first.rows &&
      f.columns === first.columns &&
      f.across.every((v, i) => Math.abs(v - first.across[i]) < 1e-4) &&
      f.down.every((v, i) => Math.abs(v - first.down[i]) < 1e-4) &&
      f.spacing.every((mm, i) => Math.abs(mm - first.spacing[i]) < 1e-4 * mm);
    if (!fits)
      throw new DataError(
        `${f.name}: does not fit the series in ${folder}, got ${f.rows} x ${f.columns} pixels at ${f.spacing.join(' x ')} mm along ` +
          `(${f.across.join(', ')}) and (${f.down.join(', ')}), expected ${first.rows} x ${first.columns} at ` +
          `${first.spacing.join(' x ')} mm along (${first.across.join(', ')}) and (${first.down.join(', ')}), as ${first.name}.`,
        'Remove localisers and reformats from the folder.',
      );
  }
  for (const [keyword, what] of ONE) assertOne(folder, frames, keyword, what);
  const order = [...frames].sort((a, b) => dot(normal, a.position) - dot(normal, b.position)),
    places = order.map((f) => dot(normal, f.position));
  const gap = order.length > 1 ? assertEven(folder, order, places) : thickness(first);
  // A step that is not along the normal (tilted gantry) would shear the volume.
  const start = order[0],
    [across, down] = [first.across, first.down];
  for (const f of order) {
    const step: Triple = [0, 1, 2].map((i) => f.position[i] - start.position[i]) as Triple,
      sideways = Math.hypot(dot(step, across), dot(step, down));
    if (sideways > SIDEWAYS_TOLERANCE * Math.min(...first.spacing)) {
      throw new DataError(
        `${folder}: the slices are shifted sideways (tilted gantry), got ${sideways.toFixed(2)} mm from ${start.name} to ` +
          `${f.name}, expected 0.`,
        'Resample the scan to an orthogonal grid first.',
      );
    }
  }
  return {
    order,
    grid: {
      size: [order.length, first.rows, first.columns],
      spacing: [gap, ...first.spacing],
      origin: start.position,
      // + 0 removes negative zeros.
      direction: [0, 1, 2].flatMap((row) => [across[row] + 0, down[row] + 0, normal[row] + 0]),
    },
  };
}

/** What all frames of a volume share, and what it is called where they do not. */
const ONE: readonly (readonly [Keyword, string])[] = [
  ['PatientID', 'patients'],
  ['FrameOfReferenceUID', 'frames of reference'],
  ['StackID', 'stacks'],
  ['TemporalPositionIndex', 'temporal phases'],
  ['TemporalPositionIdentifier', 'temporal phases'],
  ['EchoNumbers', 'echoes'],
  ['RescaleType', 'units (RescaleType)'],
];

function assertOne(folder: string, frames: readonly Frame[], keyword: Keyword, what: string): void {
  const values = [...new Set(frames.map((f) => f.labels[keyword] ?? ''))];
  if (values.length === 1) return;
  throw new DataError(
    `${folder}: several ${what} in one series, got ${values.length} (${values
      .slice(0, 5)
      .map((v) => JSON.stringify(v.slice(0, 64)))
      .join(', ')}), expected 1.`,
    'Put each into a folder of its own.',
  );
}

/** The distance between neighbours, all equal. */
function assertEven(folder: string, order: readonly Frame[], places: readonly number[]): number {
  const gaps = places.slice(1).map((place, i) => place - places[i]),
    steps = gaps.filter((g) => g >= SAME_PLACE).sort((a, b) => a - b),
    usual = steps[steps.length >> 1] ?? 0;
  gaps.forEach((g, i) => {
    const [a, b] = [order[i], order[i + 1]];
    if (g < SAME_PLACE) {
      const differ = (Object.keys({ ...a.labels, ...b.labels }) as Keyword[])
        .filter((k) => a.labels[k] !== b.labels[k])
        .map((k) => `${k} ${a.labels[k] ?? 'none'} and ${b.labels[k] ?? 'none'}`);
      throw new DataError(
        `${folder}: two slices at one position, got ${g.toFixed(3)} mm between ${a.name} and ${b.name}` +
          `${differ.length ? ` (${differ.join(', ').slice(0, 300)})` : ''}, expected ` +
          `${usual ? `${usual.toFixed(3)} mm` : 'different positions'}.`,
        'Export one image a position: a single phase, echo and reconstruction.',
      );
    }
    if (Math.abs(g - usual) > GAP_TOLERANCE * usual) {
      throw new DataError(
        `${folder}: slices missing or unevenly spaced, got ${g.toFixed(3)} mm between ${a.name} and ${b.name}, expected ` +
          `${usual.toFixed(3)} mm.`,
        'Export the whole series again, one image a position.',
      );
    }
  });
  assertContiguous(folder, order);
  // The mean: a usual gap that is rounded would be off by slices at the far end.
  return (places[places.length - 1] - places[0]) / gaps.length;
}

/** Acquisitions may follow one another along the table; two that interleave are two scans of the same place. */
function assertContiguous(folder: string, order: readonly Frame[]): void {
  const numbers = order.map((f) => f.labels.FrameAcquisitionNumber ?? f.labels.AcquisitionNumber ?? ''),
    changes = numbers.slice(1).filter((n, i) => n !== numbers[i]).length,
    distinct = new Set(numbers).size;
  if (distinct > 1 && changes > distinct - 1)
    throw new DataError(
      `${folder}: several acquisitions between one another, got ${distinct} (AcquisitionNumber ` +
        `${[...new Set(numbers)].slice(0, 5).join(', ')}) with ${changes} changes along the slices, expected one after the other.`,
      'Put each acquisition into a folder of its own.',
    );
}

/** The extent of a single slice, which no neighbour gives, is what it images: its thickness. */
function thickness(frame: Frame): number {
  if (frame.thickness !== undefined && frame.thickness > 0) return frame.thickness;
  throw new DataError(
    `${frame.name}: a single slice whose third spacing is not known, got SliceThickness ${frame.thickness ?? 'missing'}, expected ` +
      'a positive number.',
    'Add its neighbours, or export it with SliceThickness.',
  );
}

/** Values of all frames after rescaling: int16 or int32 where slopes and intercepts are whole, float32 otherwise. */
async function rescaled(order: readonly Frame[]): Promise<Voxels> {
  const [{ rows, columns }] = order,
    count = rows * columns,
    total = count * order.length;
  const whole = order.every(({ slope, intercept }) => Number.isInteger(slope) && Number.isInteger(intercept));
  let out: Voxels = whole ? new Int16Array(total) : new Float32Array(total);
  for (const [i, { stored, slope, intercept }] of order.entries()) {
    const values = await stored(),
      at = i * count;
    if (whole) {
      let low = Infinity,
        high = -Infinity;
      for (let k = 0; k < count; k++) {
        if (values[k] < low) low = values[k];
        if (values[k] > high) high = values[k];
      }
      const ends = [low * slope + intercept, high * slope + intercept],
        fits = (bits: number): boolean => ends.every((v) => v >= -(2 ** (bits - 1)) && v < 2 ** (bits - 1));
      if (out instanceof Int16Array && !fits(16)) out = Int32Array.from(out);
      if (out instanceof Int32Array && !fits(32)) out = Float64Array.from(out);
    }
    for (let k = 0; k < count; k++) out[at + k] = values[k] * slope + intercept;
  }
  return out;
}
