// SPDX-License-Identifier: MIT
// The bytes of a NIfTI-1 file: qform and sform of one grid, both with the scanner's code, so that all readers take the same place.
import type { Volume } from '../data/volume.ts';
import { DataError } from '../errors.ts';
import { elementOf } from './elements.ts';

const HEADER = 352;
const TYPES = { uint8: 2, int16: 4, int32: 8, float32: 16, float64: 64, int8: 256, uint16: 512, uint32: 768 } as const;
/** int16 holds a dimension. */
const MOST = 32767;
const SCANNER = 1,
  MILLIMETRES = 2;

type Columns = number[][];

const cross = (a: readonly number[], b: readonly number[]): number[] => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const dot = (a: readonly number[], b: readonly number[]): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** The rotation nearest to three almost perpendicular unit vectors: the mean with the inverse transposed, until it stays. */
function nearestRotation(columns: Columns): Columns {
  let m = columns;
  for (let round = 0; round < 8; round++) {
    const det = dot(m[0], cross(m[1], m[2]));
    const inverse = [cross(m[1], m[2]), cross(m[2], m[0]), cross(m[0], m[1])];
    m = m.map((v, i) => v.map((x, j) => (x + inverse[i][j] / det) / 2));
  }
  return m;
}

/** b, c, d of the unit quaternion of a rotation given by columns (a is not below 0). */
function quaternionOf(c: Columns): number[] {
  const trace = c[0][0] + c[1][1] + c[2][2];
  if (trace > 0) {
    const s = 2 * Math.sqrt(1 + trace);
    return [(c[1][2] - c[2][1]) / s, (c[2][0] - c[0][2]) / s, (c[0][1] - c[1][0]) / s];
  }
  const i = c[0][0] >= c[1][1] && c[0][0] >= c[2][2] ? 0 : c[1][1] >= c[2][2] ? 1 : 2,
    j = (i + 1) % 3,
    k = (i + 2) % 3;
  const s = 2 * Math.sqrt(1 + c[i][i] - c[j][j] - c[k][k]),
    q = [0, 0, 0];
  q[i] = s / 4;
  q[j] = (c[j][i] + c[i][j]) / s;
  q[k] = (c[k][i] + c[i][k]) / s;
  return c[j][k] - c[k][j] < 0 ? q.map((x) => -x) : q;
}

/** Header and voxels. DataError for more voxels along an axis than the format can say. */
export function niftiParts(file: string, volume: Volume): Uint8Array[] {
  const { data, size, spacing, origin, direction, unoriented } = volume;
  const dims = [size[2], size[1], size[0]],
    mm = [spacing[2], spacing[1], spacing[0]];
  if (dims.some((n) => n > MOST))
    throw new DataError(
      `${file}: too long for NIfTI, got ${dims.join(' x ')} voxels, expected at most ${MOST} along an axis.`,
      'Write it as .nrrd or .mha, or crop it.',
    );
  const view = new DataView(new ArrayBuffer(HEADER));
  view.setInt32(0, 348, true);
  [3, ...dims, 1, 1, 1, 1].forEach((n, i) => view.setInt16(40 + 2 * i, n, true));
  view.setInt16(70, TYPES[elementOf(data)], true);
  view.setInt16(72, 8 * data.BYTES_PER_ELEMENT, true);
  const ras = (row: number): number => (row < 2 ? -1 : 1);
  const columns = [0, 1, 2].map((axis) => [0, 1, 2].map((row) => ras(row) * direction[3 * row + axis] + 0));
  const left = dot(columns[0], cross(columns[1], columns[2])) < 0;
  [left ? -1 : 1, ...mm, 0, 0, 0, 0].forEach((p, i) => view.setFloat32(76 + 4 * i, p, true));
  view.setFloat32(108, HEADER, true);
  view.setFloat32(112, 1, true); // scl_slope
  view.setUint8(123, MILLIMETRES);
  if (!unoriented) {
    view.setInt16(252, SCANNER, true);
    view.setInt16(254, SCANNER, true);
    const rotation = nearestRotation([columns[0], columns[1], left ? columns[2].map((x) => -x) : columns[2]]),
      place = origin.map((o, row) => ras(row) * o + 0);
    [...quaternionOf(rotation), ...place].forEach((q, i) => view.setFloat32(256 + 4 * i, q + 0, true));
    place.forEach((o, row) =>
      [...columns.map((v, axis) => v[row] * mm[axis]), o].forEach((s, i) => view.setFloat32(280 + 16 * row + 4 * i, s, true)),
    );
  }
  [0x6e, 0x2b, 0x31, 0].forEach((b, i) => view.setUint8(344 + i, b)); // n+1
  return [new Uint8Array(view.buffer), littleBytes(data)];
}

/** Voxels as little-endian bytes: a view of them on all machines that we know. */
export function littleBytes(data: Volume['data']): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    width = data.BYTES_PER_ELEMENT;
  return width === 1 || new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
    ? bytes
    : bytes.map((_, i) => bytes[i - (i % width) + width - 1 - (i % width)]);
}
