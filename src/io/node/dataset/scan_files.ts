// SPDX-License-Identifier: MIT
// The files that one scan is made of.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unreadable } from '../../../files/regular.ts';
import { volumeFiles } from '../volume.ts';

/**
 * A volume's file, with the data file of a header that names one; the files of a DICOM series. @throws DataError naming what cannot be read
 */
export async function scanFiles(path: string): Promise<string[]> {
  try {
    if ((await stat(path)).isDirectory())
      return (await readdir(path, { withFileTypes: true }))
        .filter((e) => !e.isDirectory() && !e.name.startsWith('.'))
        .map((e) => join(path, e.name))
        .sort();
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return volumeFiles(path);
}
