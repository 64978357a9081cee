// SPDX-License-Identifier: MIT
// A volume as a DICOM series, for tests: uncompressed CT slices of 16 bits, named out of order.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axisVector, voxelToWorld } from '../../src/data/geometry.ts';
import type { Volume } from '../../src/data/volume.ts';

const CT = '1.2.840.10008.5.1.4.1.1.2', LITTLE_ENDIAN = '1.2.840.10008.1.2.1', ROOT = '1.2.826.0.1.3680043.10.1000';
const INTERCEPT = -1024;

/** One element with an explicit value representation. */
function element(group: number, number: number, vr: string, value: string | number | Buffer): Buffer {
  const long = vr === 'OW';
  const raw = typeof value === 'number' ? Buffer.from(Uint16Array.of(value).buffer) : Buffer.from(value);
  const padded = raw.length % 2 === 0 ? raw : Buffer.concat([raw, Buffer.from(vr === 'UI' ? '\0' : ' ')]);
  const head = Buffer.alloc(long ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, 'latin1');
  if (long) head.writeUInt32LE(padded.length, 8);
  else head.writeUInt16LE(padded.length, 6);
  return Buffer.concat([head, padded]);
}

/** Writes `volume` (whole Hounsfield units) into `folder`. */
export function writeDicomSeries(folder: string, volume: Volume): void {
  mkdirSync(folder, { recursive: true });
  const [depth, rows, columns] = volume.size;
  const decimals = (values: readonly number[]): string => values.map((v) => String(Number(v.toFixed(8)))).join('\\');
  for (let d = 0; d < depth; d++) {
    const pixels = Int16Array.from(volume.data.subarray(d * rows * columns, (d + 1) * rows * columns), (v) => v - INTERCEPT);
    const instance = `${ROOT}.3.${d + 1}`;
    const meta = Buffer.concat([element(0x02, 0x02, 'UI', CT), element(0x02, 0x03, 'UI', instance), element(0x02, 0x10, 'UI', LITTLE_ENDIAN)]);
    writeFileSync(join(folder, `${(d * 5 + 3) % depth}_${d % 2}.dcm`), Buffer.concat([
      Buffer.alloc(128), Buffer.from('DICM'),
      element(0x02, 0x00, 'UL', Buffer.from(Uint32Array.of(meta.length).buffer)), meta,
      element(0x08, 0x16, 'UI', CT), element(0x08, 0x18, 'UI', instance), element(0x08, 0x60, 'CS', 'CT'),
      element(0x20, 0x0d, 'UI', `${ROOT}.1`), element(0x20, 0x0e, 'UI', `${ROOT}.2`), element(0x20, 0x13, 'IS', String(d + 1)),
      element(0x20, 0x32, 'DS', decimals(voxelToWorld(volume, [d, 0, 0]))), element(0x20, 0x37, 'DS', decimals([...axisVector(volume, 2), ...axisVector(volume, 1)])),
      element(0x28, 0x02, 'US', 1), element(0x28, 0x04, 'CS', 'MONOCHROME2'), element(0x28, 0x10, 'US', rows), element(0x28, 0x11, 'US', columns),
      element(0x28, 0x30, 'DS', decimals([volume.spacing[1], volume.spacing[2]])),
      element(0x28, 0x100, 'US', 16), element(0x28, 0x101, 'US', 16), element(0x28, 0x102, 'US', 15), element(0x28, 0x103, 'US', 1),
      element(0x28, 0x1052, 'DS', String(INTERCEPT)), element(0x28, 0x1053, 'DS', '1'),
      element(0x7fe0, 0x10, 'OW', Buffer.from(pixels.buffer)),
    ]));
  }
}
