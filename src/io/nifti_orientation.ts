// SPDX-License-Identifier: MIT
// Where a NIfTI volume lies. It may say so twice, by a quaternion (qform) and by a matrix (sform), or not at all; nibabel's rule is
// followed (the sform if its code is above 0, else the qform), and what other readers would take otherwise is told or refused.
import { gridDifference, type Geometry } from '../data/geometry.ts';
import { DataError } from '../errors.ts';
import type { Forms } from './nifti_header.ts';
import { geometryOf } from './promises.ts';
import type { Tell } from './source.ts';

/** Spacing and the length of an sform's columns may differ by this share: both are rounded to f32, and some tools round more. */
const SPACING_TOLERANCE = 1e-3;
/** Within this share they are one number, and pixdim has more of its digits. */
const SAME = 2.5e-7;
/**
 * Forms that differ by less (in voxels, at the farthest corner) are one, rounded; by no more than the second, one without its slight shear.
 */
const ROUNDED_VOXELS = 0.05,
  NEAR_VOXELS = 0.5;
/** Quaternions whose vector is longer than 1 by no more than this are rounded half turns. */
const QUATERNION_TOLERANCE = 1e-4;
const SCANNER = 1;

const list = (v: readonly number[]): string => v.map((x) => Number(x.toPrecision(6))).join(', ');

/** Columns of a matrix to RAS (RAS millimetres) and its origin as a grid in LPS. */
function gridOf(
  file: string,
  dims: readonly number[],
  columns: readonly (readonly number[])[],
  origin: readonly number[],
  spacing?: number[],
): Geometry {
  const lps = ([x, y, z]: readonly number[]): number[] => [-x, -y, z];
  return geometryOf(file, dims, columns.map(lps), lps(origin), spacing);
}

function fromSform(file: string, dims: readonly number[], { rows, pixdim, unit }: Forms): Geometry {
  const columns = [0, 1, 2].map((column) => rows.map((row) => row[column] * unit)),
    origin = rows.map((row) => row[3] * unit);
  const lengths = columns.map((v) => Math.hypot(...v)),
    stated = pixdim.map((p) => Math.abs(p) * unit);
  const grid = gridOf(
    file,
    dims,
    columns,
    origin,
    lengths.map((l, i) => (Math.abs(l - stated[i]) <= SAME * l ? stated[i] : l)),
  );
  if (lengths.some((l, i) => !(Math.abs(l - stated[i]) <= SPACING_TOLERANCE * l))) {
    throw new DataError(
      `${file}: two voxel spacings, got pixdim ${pixdim.map((p) => Number((p * unit).toPrecision(6))).join(' x ')} mm and sform ` +
        `columns of ${lengths.map((l) => Number(l.toPrecision(6))).join(' x ')} mm, expected the same.`,
      'Find out which one is right and correct the other in the header (for example with nibabel: image.header.set_zooms).',
    );
  }
  return grid;
}

function checkedPixdim(file: string, { pixdim }: Forms): void {
  if (pixdim.some((p) => !(p > 0) || !Number.isFinite(p))) {
    throw new DataError(
      `${file}: no voxel spacing, got pixdim ${pixdim.map((p) => Number(p.toPrecision(6))).join(' x ')} and no sform, expected ` +
        'millimetres above 0.',
      'Set pixdim in the header, or convert the scan again from its source.',
    );
  }
}

function fromQform(file: string, dims: readonly number[], forms: Forms): Geometry {
  checkedPixdim(file, forms);
  const { pixdim, qfac, quaternion, offset, unit, epsilon } = forms;
  let [b, c, d] = quaternion;
  const length = b * b + c * c + d * d;
  if (
    !(length <= 1 + QUATERNION_TOLERANCE) ||
    !Number.isFinite(qfac) ||
    (qfac < 0 && qfac !== -1) ||
    offset.some((o) => !Number.isFinite(o))
  ) {
    throw new DataError(
      `${file}: the qform is no orientation, got quaternion (${quaternion.join(', ')}), offset (${offset.join(', ')}) and qfac ` +
        `${qfac}, expected finite numbers, a quaternion of length 1 at most and a qfac of 1 or -1.`,
      'The orientation in the header is damaged: convert the scan again from its source.',
    );
  }
  // A vector of length 1 but for its rounding is a half turn: the rest would tilt it by a thousandth.
  const half = length > 1 - 3 * epsilon,
    over = half ? Math.sqrt(length) : 1;
  [b, c, d] = [b / over, c / over, d / over];
  const a = half ? 0 : Math.sqrt(1 - length);
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
    [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
    [2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c],
  ]; // by columns
  const spacing = pixdim.map((p) => p * unit),
    signs = [1, 1, qfac < 0 ? -1 : 1];
  return gridOf(
    file,
    dims,
    rotation.map((v, i) => v.map((x) => x * spacing[i] * signs[i])),
    offset.map((o) => o * unit),
    spacing,
  );
}

/**
 * Neither form: what nibabel takes, the middle of the volume at 0, x to the left, y to the front, z upwards. Others put the first voxel at
 * 0.
 */
function withoutForms(file: string, dims: readonly number[], forms: Forms): Geometry {
  checkedPixdim(file, forms);
  const spacing = forms.pixdim.map((p) => p * forms.unit),
    signs = [-1, 1, 1];
  const columns = [0, 1, 2].map((i) => [0, 1, 2].map((row) => (row === i ? signs[i] * spacing[i] : 0)));
  return {
    ...gridOf(
      file,
      dims,
      columns,
      [0, 1, 2].map((i) => (-signs[i] * spacing[i] * (dims[i] - 1)) / 2),
      spacing,
    ),
    unoriented: true,
  };
}

const formText = (name: string, code: number, g: Geometry): string =>
  `${name} (code ${code}) with its first voxel at LPS ${list(g.origin)} mm and axes ${list(g.direction)}`;

/** The grid of a NIfTI header. DataError where the form that counts is damaged, or readers would not agree on which counts. */
export function orientation(file: string, dims: readonly number[], forms: Forms, tell: Tell): Geometry {
  const { qformCode, sformCode } = forms;
  if (sformCode === 0 && qformCode === 0) {
    const grid = withoutForms(file, dims, forms);
    tell({
      file,
      message: 'states no orientation (qform and sform code 0): x is taken to the left, y to the front, z upwards.',
      remedy: 'Set the orientation in the header, or convert the scan again from its source.',
      doubtful: true,
    });
    return grid;
  }
  if (sformCode === 0) return fromQform(file, dims, forms);
  const grid = fromSform(file, dims, forms);
  if (qformCode === 0) return grid;
  const other = fromQform(file, dims, { ...forms, pixdim: forms.pixdim.map(Math.abs) });
  const apart = gridDifference(grid, other);
  if (apart <= ROUNDED_VOXELS) return grid;
  const both = `${formText('the sform', sformCode, grid)}, and ${formText('the qform', qformCode, other)}`;
  const remedy =
    'Find out which one is right and set the other from it (for example with nibabel: image.set_qform(image.affine, 1); ' +
    'image.set_sform(image.affine, 1)).';
  // Of a sform that is the scanner's own, nibabel, ITK and what is built on them all take it; of others, ITK takes the qform.
  if (sformCode !== SCANNER && apart > NEAR_VOXELS)
    throw new DataError(`${file}: two orientations ${Number(apart.toPrecision(3))} voxels apart, got ${both}, expected the same.`, remedy);
  tell({
    file,
    message: `two orientations ${Number(apart.toPrecision(3))} voxels apart, ${both}; the sform is taken.`,
    remedy,
    doubtful: false,
  });
  return grid;
}
