// SPDX-License-Identifier: MIT
import type { Triple } from '../../src/axes.ts';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from 'vitest';
import { DataError } from '../../src/errors.ts';
import type { Volume, VoxelArray } from '../../src/data/volume.ts';

/** A folder removed after the test file. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-data-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Real data beside the repository, or undefined with the reason printed. */
export function sharedData(path: string): string | undefined {
  const full = fileURLToPath(new URL(`../../../shared/data/${path}`, import.meta.url));
  if (existsSync(full)) return full;
  console.log(`skipped: ../shared/data/${path} is not there`);
  return undefined;
}

/** The DataError `action` ends in. */
export async function dataError(action: () => unknown): Promise<DataError> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return error as DataError;
  }
  throw new Error('expected a DataError, nothing was thrown');
}

/** A volume with the given voxels and an unremarkable grid. */
export function volumeOf(size: Triple, data: VoxelArray, more: Partial<Volume> = {}): Volume {
  return { data, size, spacing: [2.5, 0.75, 0.5], origin: [10, -20, 30], direction: [1, 0, 0, 0, 1, 0, 0, 0, 1], ...more };
}

export interface NiftiOptions {
  dims?: number[];
  datatype?: number;
  little?: boolean;
  slope?: number;
  inter?: number;
  /** sform rows (RAS), or null for none. */
  sform?: number[][] | null;
  /** Quaternion b, c, d with offsets and qfac, or null for none. */
  qform?: { b: number; c: number; d: number; offset: Triple; qfac: number } | null;
  pixdim?: number[];
}

const WRITERS: Record<number, [bits: number, (v: DataView, at: number, x: number, little: boolean) => void]> = {
  2: [8, (v, at, x) => v.setUint8(at, x)],
  256: [8, (v, at, x) => v.setInt8(at, x)],
  4: [16, (v, at, x, l) => v.setInt16(at, x, l)],
  512: [16, (v, at, x, l) => v.setUint16(at, x, l)],
  8: [32, (v, at, x, l) => v.setInt32(at, x, l)],
  16: [32, (v, at, x, l) => v.setFloat32(at, x, l)],
  64: [64, (v, at, x, l) => v.setFloat64(at, x, l)],
};

/** A NIfTI-1 file written field by field from nifti1.h, independently of the code under test. */
export function niftiBytes(values: ArrayLike<number>, options: NiftiOptions = {}): Buffer {
  const {
    dims = [3, 2, 2],
    datatype = 4,
    little = true,
    slope = 0,
    inter = 0,
    sform = [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
    ],
    qform = null,
    pixdim = [1, 1, 1],
  } = options;
  const [bits, write] = WRITERS[datatype];
  const bytes = Buffer.alloc(352 + (values.length * bits) / 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setInt32(0, 348, little);
  [dims.length, ...dims].forEach((n, i) => view.setInt16(40 + 2 * i, n, little));
  for (let i = dims.length + 1; i < 8; i++) view.setInt16(40 + 2 * i, 1, little);
  view.setInt16(70, datatype, little);
  view.setInt16(72, bits, little);
  [qform?.qfac ?? 1, ...pixdim].forEach((p, i) => view.setFloat32(76 + 4 * i, p, little));
  view.setFloat32(108, 352, little);
  view.setFloat32(112, slope, little);
  view.setFloat32(116, inter, little);
  view.setUint8(123, 2); // millimetres
  if (qform) {
    view.setInt16(252, 1, little);
    [qform.b, qform.c, qform.d, ...qform.offset].forEach((q, i) => view.setFloat32(256 + 4 * i, q, little));
  }
  if (sform) {
    view.setInt16(254, 1, little);
    sform.flat().forEach((s, i) => view.setFloat32(280 + 4 * i, s, little));
  }
  bytes.write('n+1\0', 344, 'latin1');
  for (let i = 0; i < values.length; i++) write(view, 352 + (i * bits) / 8, values[i], little);
  return bytes;
}
