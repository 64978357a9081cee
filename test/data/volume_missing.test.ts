// SPDX-License-Identifier: MIT
// The package that decodes DICOM is optional; without it the error says what to install, and all else is read and written.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { dataError, scratch, volumeOf } from './helpers.ts';

vi.mock('@itk-wasm/image-io', () => { throw new Error('Cannot find package'); });

it('names the package to install, for DICOM alone', async () => {
  const folder = scratch(), file = join(folder, 'a.nii');
  await writeVolume(file, volumeOf([1, 1, 1], new Uint8Array(1)));
  expect((await readVolume(file)).size).toEqual([1, 1, 1]);
  mkdirSync(join(folder, 'series'));
  expect((await dataError(() => readVolume(join(folder, 'series')))).message).toMatch(/series: the package that reads and writes volumes is not installed.*npm install @itk-wasm\/image-io/);
});
