// SPDX-License-Identifier: MIT
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { readVolume, writeVolume } from '../../src/data/volume.ts';
import { dataError, niftiBytes, scratch, volumeOf } from './helpers.ts';

vi.mock('@itk-wasm/image-io', () => { throw new Error('Cannot find package'); });

it('says what to install when the optional package is missing, for reading and writing', async () => {
  const file = join(scratch(), 'a.nii');
  writeFileSync(file, niftiBytes(new Array(12).fill(0)));
  for (const action of [() => readVolume(file), () => writeVolume(file, volumeOf([1, 1, 1], new Uint8Array(1)))]) {
    expect((await dataError(action)).message).toMatch(/a\.nii: the package that reads and writes volumes is not installed.*npm install @itk-wasm\/image-io/);
  }
});
