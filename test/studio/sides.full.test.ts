// SPDX-License-Identifier: MIT
// Left is never right: a scan whose right, front and upper part is bright, stored in every way, on the real page with the real worker. What
// is bright stands where the letters say so, in every plane, and HU under the pointer are those of that place.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Triple } from '../../src/axes.ts';
import { voxelToWorld, type Geometry } from '../../src/data/geometry.ts';
import { volumeBytes } from '../../src/io/browser/volume.ts';
import { chromium } from '../browser/chromium.ts';
import { writeDicomSeries } from '../data/dicom_series.ts';
import { ORIENTATIONS } from '../data/orientations.ts';
import { needs } from '../needs.ts';
import { openStudio, scanIsOpen, says, type Studio } from './person.ts';

/** Bright is what lies more than 1 mm to the patient's right, front and head of the middle. */
function scan(direction: readonly number[]): Geometry & { data: Int16Array } {
  const size: Triple = [32, 36, 40],
    grid: Geometry = { size, spacing: [1.25, 1, 1], origin: [0, 0, 0], direction: [...direction] };
  const middle = voxelToWorld(grid, size.map((n) => (n - 1) / 2) as Triple);
  const placed = { ...grid, origin: middle.map((v) => -v) as Triple };
  const data = new Int16Array(32 * 36 * 40);
  for (let d = 0, i = 0; d < size[0]; d++)
    for (let h = 0; h < size[1]; h++)
      for (let w = 0; w < size[2]; w++) {
        const [x, y, z] = voxelToWorld(placed, [d, h, w]);
        data[i++] = x < -1 && y < -1 && z > 1 ? 400 : -900;
      }
  return { ...placed, data };
}

needs(chromium, 'Chromium').describe('the sides of a patient', () => {
  let studio: Studio, page: Studio['page'], files: Record<string, string[]>;
  beforeAll(async () => {
    studio = await openStudio();
    ({ page } = studio);
    const folder = join(studio.scratch, 'sides');
    mkdirSync(folder);
    files = {};
    for (const [name, direction] of Object.entries(ORIENTATIONS)) {
      files[name] = [join(folder, `${name}.nii.gz`)];
      writeFileSync(files[name][0], await volumeBytes('scan.nii.gz', scan(direction)));
    }
    for (const name of ['axial', 'ras', 'oblique']) {
      const series = join(folder, `dicom_${name}`);
      await writeDicomSeries(series, scan(ORIENTATIONS[name]));
      files[`dicom_${name}`] = readdirSync(series).map((file) => join(series, file));
    }
  });
  afterAll(() => studio?.close());

  /** Brightness of a plane's picture about its middle: [left top, right top, left bottom, right bottom], 1 where it is bright. */
  const quarters = (plane: string): Promise<number[]> =>
    page.value(`new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => {
      const c = document.querySelector('canvas[data-plane=${plane}]'), by = 0.16 * Math.min(c.width, c.height);
      r([[-1, -1], [1, -1], [-1, 1], [1, 1]].map(([x, y]) =>
        c.getContext('2d').getImageData(Math.round(c.width / 2 + x * by), Math.round(c.height / 2 + y * by), 1, 1).data[0] > 128 ? 1 : 0));
    })))`);
  const letters = (plane: string): Promise<string> =>
    page.value(
      `['left', 'right', 'top-letter', 'bottom'].map((at) => document.querySelector('.view-${plane} .letter.' + at).innerText).join('')`,
    );

  it('are where the letters say, however a file is stored', async () => {
    await page.go(studio.served.url);
    await says(page, 'Try the sample phantom');
    for (const [name, paths] of Object.entries(files)) {
      await page.click('Open', '.stage');
      await page.choose('[aria-label=Files]', ...paths);
      await page.until(`document.querySelector('.stage[aria-current]')?.textContent.includes('Annotate')`, 120);
      await scanIsOpen(page);
      // From the middle to the right, the front and the head: left and up on a transverse slice, and upwards.
      await page.value(`document.querySelector('canvas[data-plane=transverse]').focus()`);
      for (const key of ['PageUp', 'ArrowLeft', 'ArrowUp']) for (let k = 0; k < 8; k++) await page.key(key);
      expect([name, await quarters('transverse'), await letters('transverse')]).toEqual([name, [1, 0, 0, 0], 'RLAP']);
      expect([name, await quarters('coronal'), await letters('coronal')]).toEqual([name, [1, 0, 0, 0], 'RLSI']);
      expect([name, await quarters('sagittal'), await letters('sagittal')]).toEqual([name, [1, 0, 0, 0], 'APSI']);
      const [x, y, w, h] = await page.value<number[]>(
        `(() => { const b = document.querySelector('canvas[data-plane=transverse]').getBoundingClientRect();
          return [b.x, b.y, b.width, b.height]; })()`,
      );
      await page.move([x + w / 2 - 60, y + h / 2 - 60]);
      await says(page, '400 HU', 20);
      await page.move([x + w / 2 + 60, y + h / 2 - 60]);
      await says(page, '-900 HU', 20);
    }
  });
});
