// SPDX-License-Identifier: MIT
// A folder of DICOM files as one volume: the files are read here, what is in them by dicom/.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Volume } from '../../data/volume.ts';
import { DataError } from '../../errors.ts';
import { readBytes, unreadable } from '../../files/regular.ts';
import { type DicomImage, readImage } from '../dicom/image.ts';
import { NO_SLICE } from '../dicom/no_slice.ts';
import { openDicom } from '../dicom/open.ts';
import { stackImages } from '../dicom/stack.ts';
import { say } from '../source.ts';
import { heardBy } from './remarks.ts';

/**
 * Reads the DICOM series in `folder`; structure sets and other objects without slices are passed over, which `tell` hears.
 * DataError: no image, a file that cannot be read, several series, missing or double slices, unequal orientation or size, no spacing.
 */
export async function readDicomSeries(folder: string, tell = heardBy()): Promise<Volume> {
  const { names, count, folders } = await slicesIn(folder),
    images: DicomImage[] = [],
    passed = new Map<string, number>(folders ? [['folder', folders]] : []);
  let size = 0;
  for (const name of names) {
    const file = join(folder, name),
      bytes = readBytes(file),
      opened = openDicom(file, bytes);
    if (typeof opened === 'string') {
      passed.set(opened, (passed.get(opened) ?? 0) + 1);
      continue;
    }
    images.push(readImage(file, opened));
    size += bytes.length;
  }
  const others = [...passed].map(([what, times]) => `${times} x ${what}`).join(', ');
  if (images.length === 0) {
    throw new DataError(
      `${folder}: no DICOM image, got ${count} files${others && ` (${others})`}, expected the slices of one series.`,
      'Point at the folder that holds the .dcm files themselves.',
    );
  }
  const volume = await stackImages(folder, images, size);
  const remarks = images.flatMap((image) => image.remarks),
    messages = [...new Set(remarks.map((remark) => remark.message))];
  if (others)
    say(
      [
        {
          file: folder,
          message: `passed over what is no slice, ${others}.`,
          remedy: 'If slices are missing, put all of them into one folder.',
          doubtful: false,
        },
      ],
      tell,
    );
  say(
    messages.map((message) => ({ ...remarks.find((remark) => remark.message === message)!, file: folder })),
    tell,
  );
  return volume;
}

/**
 * Names of what may be slices, in a fixed order, and how many files and folders there are. Links count: what they lead to is seen when it
 * is read.
 */
async function slicesIn(folder: string): Promise<{ names: string[]; count: number; folders: number }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    throw unreadable(folder, cause);
  });
  const seen = entries.filter((entry) => !entry.name.startsWith('.')),
    files = seen.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  return { names: files.filter((name) => !NO_SLICE.test(name)).sort(), count: files.length, folders: seen.length - files.length };
}
