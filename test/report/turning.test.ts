// SPDX-License-Identifier: MIT
// Surfaces in the pages of `report` and `compare`, turned by a person: pointer, keys and double click in Chromium, told by the pixels.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { viewerLibrary } from '../../src/cli/viewer_library.ts';
import { compareMethods } from '../../src/metrics/compare_methods.ts';
import { renderComparison } from '../../src/report/comparison_page.ts';
import { renderReport } from '../../src/report/report.ts';
import { chromium } from '../browser/chromium.ts';
import { scratch } from '../data/helpers.ts';
import { needs } from '../needs.ts';
import { Driver } from '../studio/driver.ts';
import { block, evaluation, fullInput } from './fixture.ts';

const root = scratch();

function comparisonPage(): string {
  const classes = [{ label: 1, name: 'nodule' }];
  const methods = [0, 1].map((grown) => ({
    name: `grown ${grown}`,
    summaries: [evaluation(classes, grown).summary],
    parameters: 1e6,
    seconds: 0.5,
  }));
  const reference = block([2, 4, 4], [6, 8, 8]);
  return renderComparison(
    {
      notices: [],
      methods: compareMethods(methods, 'grown 0', { resamples: 50 }),
      ablation: null,
      level: 0.95,
      tolerance: 1,
      runs: [],
      surfaces: [
        { title: 'best', note: '', reference, prediction: block([2, 4, 4], [6, 10, 8]) },
        { title: 'median', note: '', reference, prediction: block([2, 4, 4], [4, 8, 11]) },
        { title: 'worst', note: '', reference, prediction: block([0, 0, 0], [0, 0, 0]) },
      ],
    },
    { title: 't', date: 'today', viewer: viewerLibrary() },
  );
}

needs(chromium, 'Chromium').describe('surfaces of a page', () => {
  let page: Driver;
  beforeAll(async () => {
    page = await Driver.open();
    await page.size(1200, 800);
  });
  afterAll(() => page.close());

  /** What canvas `i` shows: mean colours of its blocks of 20 x 20 pixels, as a line of numbers from 0 to 255. */
  const picture = (i: number): Promise<number[]> =>
    page.value(
      `(() => { const c = document.querySelectorAll('canvas[data-surface]')[${i}], side = c.width / 20, small = ` +
        "Object.assign(document.createElement('canvas'), { width: side, height: side }), pen = small.getContext('2d'); " +
        "pen.imageSmoothingQuality = 'high'; pen.drawImage(c, 0, 0, side, side); return [...pen.getImageData(0, 0, side, side).data]; })()",
    );
  /** By how much two pictures differ at most; drivers may round. */
  const apart = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((v, i) => Math.abs(v - b[i])));
  const SAME = 3,
    OTHER = 40;
  const drawn = (a: readonly number[]): number => a.filter((v, k) => k % 4 === 3 && v > 200).length / (a.length / 4);

  for (const [name, html, count] of [
    ['compare', comparisonPage, 2],
    ['report', () => renderReport({ ...fullInput(), viewer: viewerLibrary() }), 3],
  ] as const)
    needs(chromium, 'Chromium').it(`${name}: each turns alone, by pointer and keys, and back; a still picture beside each`, async () => {
      const file = join(root, `${name}.html`);
      writeFileSync(file, html());
      await page.go(pathToFileURL(file).href);
      await page.until(`document.querySelectorAll('canvas[data-surface]:not([hidden])').length === ${count}`, 30);
      expect(await page.value(`document.querySelectorAll('.surface .beside svg image[href^="data:image/png"]').length`)).toBe(count);
      const [first, second] = [await picture(0), await picture(1)];
      expect(Math.min(drawn(first), drawn(second))).toBeGreaterThan(0.05);
      expect(apart(first, second)).toBeGreaterThan(OTHER);

      const canvas = `document.querySelectorAll('canvas[data-surface]')[0]`;
      await page.value(`${canvas}.scrollIntoView({ block: 'center', behavior: 'instant' })`);
      const [x, y] = await page.value<[number, number]>(
        `(() => { const b = ${canvas}.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()`,
      );
      await page.move([x, y]);
      await page.move([x + 20, y]); // nothing is held: nothing turns
      expect(apart(await picture(0), first)).toBeLessThan(SAME);
      await page.press();
      await page.move([x + 70, y + 25]);
      const dragged = await picture(0);
      expect(apart(dragged, first)).toBeGreaterThan(OTHER);
      expect(drawn(dragged)).toBeGreaterThan(0.05);
      await page.release();
      await page.move([x, y]);
      expect(apart(await picture(0), dragged)).toBeLessThan(SAME);

      await page.value(`${canvas}.focus()`);
      for (let k = 0; k < 5; k++) await page.key('ArrowLeft');
      expect(apart(await picture(0), dragged)).toBeGreaterThan(OTHER);
      for (const count of [1, 2]) {
        await page.press(count);
        await page.release(count);
      }
      expect(apart(await picture(0), first)).toBeLessThan(SAME);
      expect(apart(await picture(1), second)).toBeLessThan(SAME);
      expect(page.complaints).toEqual([]);
      expect(page.requests.filter((url) => !/^(file|data|blob):/.test(url))).toEqual([]);
    });
});
