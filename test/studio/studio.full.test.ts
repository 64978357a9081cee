// SPDX-License-Identifier: MIT
// The whole way of a person: open the phantom, paint a third of its slices, train by the preset `demo`, take the mask away, read it back,
// and let the command line go on with the session. SwiftShader has no GPU below it, so `demo` is the one that the page fits to a processor.
// STUDIO_DOCS=1 puts pictures of the steps into docs/studio.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sameGeometry } from '../../src/data/geometry.ts';
import { toRas } from '../../src/data/orientation.ts';
import { readVolume } from '../../src/io/browser/volume.ts';
import { makeSample } from '../../src/studio/session/sample.ts';
import { FITTED, frameOf, toScreen } from '../../src/studio/view/frame.ts';
import { chromium, swiftShader } from '../browser/chromium.ts';
import { voxelgrad } from '../cli/voxelgrad.ts';
import { needs } from '../needs.ts';
import { openStudio, says, take, trained, unpack, weights, type Studio } from './person.ts';

const PICTURES = process.env.STUDIO_DOCS ? fileURLToPath(new URL('../../docs/studio', import.meta.url)) : undefined;
const ITERATIONS = 30;
/** When the session is taken away for the command line, which trains the rest, too. */
const PAUSED = 20;

needs(chromium, 'Chromium').describe('the studio', () => {
  const { image, label } = makeSample();
  let studio: Studio, scratch: string, page: Studio['page'];
  beforeAll(async () => {
    if (swiftShader) process.env.VK_DRIVER_FILES = swiftShader; // of Node, too: so that it computes the same bits
    studio = await openStudio();
    ({ scratch, page } = studio);
  });
  afterAll(() => studio?.close());
  const shot = async (name: string): Promise<void> => {
    if (!PICTURES) return;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    mkdirSync(PICTURES, { recursive: true });
    writeFileSync(join(PICTURES, `${name}.jpg`), await page.screenshot('jpeg', 72));
  };

  /** A third of the transverse slices from the known mask: the smallest brush along the lesion's rows, "nothing here" where it has none. */
  async function paint(): Promise<void> {
    const truth = toRas(label),
      [D, H, W] = truth.size;
    await page.click('Brush');
    await page.input('[aria-label="Brush radius in millimetres"]', 0.5);
    const box = await page.value<number[]>(
      "(() => { const b = document.querySelector('canvas[data-plane=transverse]').getBoundingClientRect(); return [b.x, b.y, " +
        'b.width, b.height]; })()',
    );
    const frame = frameOf(truth.size, truth.spacing, 'transverse', [box[2], box[3]], FITTED);
    const at = (u: number, v: number): [number, number] => {
      const [x, y] = toScreen(frame, [u, v]);
      return [box[0] + x, box[1] + y];
    };
    for (let k = D >> 1; k > 1; k--) await page.key('PageDown');
    let annotated = 0;
    for (let index = 1; index < D; index += 3) {
      await says(page, `${index + 1} / ${D}`);
      const slice = truth.data.subarray(index * H * W, (index + 1) * H * W);
      for (let v = 0; v < H; v++) {
        const row = slice.subarray(v * W, (v + 1) * W),
          first = row.indexOf(1),
          last = row.lastIndexOf(1);
        if (first < 0) continue;
        await page.move(at(first, v));
        await page.press();
        await page.move(at(last, v));
        await page.release();
      }
      if (!slice.includes(1)) await page.key('n');
      await says(page, `${++annotated} of ${D} transverse`);
      if (index === 13) await shot('annotate');
      if (index + 3 < D) for (let k = 0; k < 3; k++) await page.key('PageUp');
    }
    expect(annotated / D).toBeCloseTo(1 / 3);
    await says(page, 'Saved here');
  }

  async function begin(): Promise<void> {
    await page.go(studio.served.url);
    await says(page, 'Try the sample phantom');
    await shot('open');
    await page.click('Try the sample phantom');
    await says(page, '0 of 24 transverse');
    await shot('look');
    await paint();
  }

  /** The mask of the whole scan, taken away and read back. */
  async function mask(): Promise<void> {
    await page.click('Mask of the whole scan');
    await says(page, 'Whole mask: after', 1800);
    await shot('correct');
    const file = await take(page, 'Mask, NIfTI', scratch);
    await shot('take');
    const found = await readVolume(file, readFileSync(file));
    expect(sameGeometry(image, found)).toBe(true);
    expect(found.size).toEqual(image.size);
    let both = 0,
      sum = 0;
    found.data.forEach((v, i) => {
      both += v === 1 && label.data[i] === 1 ? 1 : 0;
      sum += (v === 1 ? 1 : 0) + (label.data[i] === 1 ? 1 : 0);
    });
    console.log(`studio: Dice ${((2 * both) / sum).toFixed(3)} after ${ITERATIONS} iterations`);
    expect((2 * both) / sum).toBeGreaterThanOrEqual(0.6);
    expect(page.requests.filter((r) => !r.startsWith(studio.served.url) && !r.startsWith('blob:'))).toEqual([]);
    expect(page.complaints).toEqual([]);
  }

  it('makes a dense mask of a third of the slices by `demo`, and the command line goes on with its session, to the same bits', async () => {
    await begin();
    await page.click('Train', '.stage');
    await page.input('.field input', ITERATIONS);
    const began = Date.now();
    await page.click('Train', '.panel button');
    await trained(page, 2, 3000);
    // The page answers while the worker trains.
    const pressed = Date.now();
    await page.key('PageDown');
    await page.value('new Promise((r) => requestAnimationFrame(r))');
    console.log(`studio: a key is answered within ${Date.now() - pressed} ms while it trains`);
    await trained(page, PAUSED, 3000);
    await shot('train');
    await page.click('Pause');
    await says(page, 'paused');
    const folder = join(scratch, 'session');
    unpack(await take(page, 'Session', scratch), folder);
    await page.click('Train', '.stage');
    await page.click('Go on');
    await says(page, `is finished after ${ITERATIONS} iterations`, 3000);
    console.log(
      `studio: ${ITERATIONS} iterations of demo in ${((Date.now() - began) / 1000).toFixed(0)} s, with the compilation of kernels`,
    );
    await mask();
    const own = weights(await take(page, 'Model', scratch));
    expect(await voxelgrad(['train', join(folder, 'data'), '--run', join(folder, 'run'), '--resume'])).toMatchObject({
      code: 0,
      out: expect.stringContaining(`Trained ${ITERATIONS} iterations`),
    });
    if (swiftShader) expect(weights(join(folder, 'run/checkpoints/final.safetensors'))).toEqual(own);
  });
});
