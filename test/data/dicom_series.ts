// SPDX-License-Identifier: MIT
// A volume as a DICOM series, for tests: CT slices of 16 bits, named out of order.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axisVector, voxelToWorld } from '../../src/data/geometry.ts';
import type { Volume } from '../../src/data/volume.ts';
import type { Coded } from './dicom_encoders.ts';
import { cells, ctSlice, INTERCEPT, part10 } from './dicom_writer.ts';

/** Compresses a slice, and the transfer syntax that says so. */
export interface Compression {
  readonly syntax: string;
  encode(slice: Coded): Uint8Array | Promise<Uint8Array>;
}

/** Writes `volume` (whole Hounsfield units) into `folder`, compressed where asked for. */
export async function writeDicomSeries(folder: string, volume: Volume, compression?: Compression): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const [depth, rows, columns] = volume.size;
  for (let d = 0; d < depth; d++) {
    const pixels = Array.from(volume.data.subarray(d * rows * columns, (d + 1) * rows * columns), (v) => v - INTERCEPT);
    const stored = compression
      ? { offsets: [], fragments: [await compression.encode({ values: pixels, rows, columns, bits: 16, signed: true })] }
      : undefined;
    writeFileSync(
      join(folder, `${(d * 5 + 3) % depth}_${d % 2}.dcm`),
      part10(
        ctSlice(d, {
          '00200032': ['DS', voxelToWorld(volume, [d, 0, 0])],
          '00200037': ['DS', [...axisVector(volume, 2), ...axisVector(volume, 1)]],
          '00280010': ['US', rows],
          '00280011': ['US', columns],
          '00280030': ['DS', [volume.spacing[1], volume.spacing[2]]],
          '00280103': ['US', 1],
          '7fe00010': stored ? ['OB', stored] : ['OW', cells(pixels)],
        }),
        compression?.syntax,
      ),
    );
  }
}
