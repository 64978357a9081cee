// SPDX-License-Identifier: MIT
// The studio's page in Chromium, with a worker that only pretends: every part of it by pointer and keys.
// STUDIO_SHOTS=folder keeps a picture of every step.
import type { Plane } from '../../src/axes.ts';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makePhantom } from '../../src/data/phantom.ts';
import { FITTED, frameOf, toScreen } from '../../src/studio/view/frame.ts';
import { chromium } from '../browser/chromium.ts';
import { needs } from '../needs.ts';
import type { Driver } from './driver.ts';
import { openFake, type Fake } from './fake_page.ts';
import { PHANTOM } from './phantom.ts';

const SHOTS = process.env.STUDIO_SHOTS;
const { size, spacing } = PHANTOM;
const NAMES = ['a desk', 'a laptop', 'a tablet', 'a phone'];
const SCREENS = [[1920, 1080], [1366, 768], [834, 1112], [390, 844]] as const; // prettier-ignore

needs(chromium, 'Chromium').describe('the page', () => {
  let fake: Fake, url: string, page: Driver;
  beforeAll(async () => {
    fake = await openFake();
    ({ url, page } = fake);
  });
  afterAll(() => fake?.close());

  const text = (): Promise<string> => page.value('document.body.innerText');
  const says = (what: string): Promise<void> => page.until(`document.body.innerText.includes(${JSON.stringify(what)})`);
  const settled = async (): Promise<void> =>
    void (await page.value('new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(0))))'));
  const shot = async (name: string): Promise<void> => {
    if (!SHOTS) return;
    await new Promise((resolve) => setTimeout(resolve, 900)); // surfaces come after a rest
    mkdirSync(SHOTS, { recursive: true });
    writeFileSync(join(SHOTS, `${name}.png`), await page.screenshot());
  };
  /** Where a pixel of the shown slice lies on the screen. */
  const place = async (plane: Plane, u: number, v: number): Promise<[number, number]> => {
    const [x, y, w, h] = await page.value<number[]>(
      `(() => { const b = document.querySelector('canvas[data-plane=${plane}]').getBoundingClientRect(); return [b.x, b.y, ` +
        'b.width, b.height]; })()',
    );
    const [px, py] = toScreen(frameOf([...size], [...spacing], plane, [w, h], FITTED), [u, v]);
    return [x + px, y + py];
  };
  const drag = async (plane: Plane, points: readonly (readonly [number, number])[]): Promise<void> => {
    await page.move(await place(plane, ...points[0]));
    await page.press();
    for (const p of points.slice(1)) await page.move(await place(plane, ...p));
    await page.release();
    await settled();
  };
  const click = (plane: Plane, u: number, v: number): Promise<void> => drag(plane, [[u, v]]);
  /** Colour of the canvas there, [r, g, b]. */
  const colour = async (plane: Plane, u: number, v: number): Promise<number[]> => {
    const [x, y] = await place(plane, u, v);
    await settled();
    return page.value(`(() => { const c = document.querySelector('canvas[data-plane=${plane}]'), b = c.getBoundingClientRect();
      return [...c.getContext('2d').getImageData(Math.round(${x} - b.x), Math.round(${y} - b.y), 1, 1).data].slice(0, 3); })()`);
  };
  /** What is to be pressed can be, without scrolling. */
  const inSight = async (what: string): Promise<void> =>
    expect(
      await page.value(`(() => { scrollTo(0, 0); const e = document.querySelector('${what}'), b = e.getBoundingClientRect();
        return [b.x > 0, b.bottom <= innerHeight, e.contains(document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2))]; })()`),
    ).toEqual([true, true, true]);
  const orange = ([r, , b]: number[]): boolean => r - b > 40;

  it('opens: what there is to go on with, what is wrong with a file, the phantom', async () => {
    await page.go(url);
    await says('Lung study');
    expect(await text()).toMatch(/In another tab/);
    await shot('1-open');
    await page.click('Try the sample phantom');
    await page.until(`document.querySelector('canvas[data-plane=transverse]')`);
    await says('not annotated');
    expect(await text()).toContain('0 of 24 transverse, 0 of 64 coronal');
    // A file is dropped on the page.
    page.wrong = true;
    await page.value(`(() => { const t = new DataTransfer(); t.items.add(new File(['x'], 'notes.txt'));
      document.querySelector('.app').dispatchEvent(new DragEvent('drop', { dataTransfer: t, bubbles: true, cancelable: true })); })()`);
    await says('notes.txt: is not a volume');
    await shot('error');
    await page.click('Dismiss');
    page.wrong = false;
  });

  it('goes through slices by wheel, keys and slider, and says HU under the pointer', async () => {
    await says('13 / 24');
    await page.key('PageUp');
    await says('14 / 24');
    await page.move(await place('transverse', 30, 30));
    await page.wheel(-120);
    await says('15 / 24');
    await page.wheel(120);
    await page.key('PageDown');
    await says('13 / 24');
    const voxels = makePhantom(PHANTOM).image.data;
    for (const [u, v] of [
      [30, 30],
      [5, 60],
      [63, 0],
    ]) {
      // prettier-ignore
      await page.move(await place('transverse', u, v));
      await says(`${voxels[(12 * 64 + v) * 64 + u]} HU`);
      await says(`at ${u + 1}, ${v + 1}, 13`);
    }
    await page.move(await place('coronal', 20, 3));
    await says(`${voxels[(3 * 64 + 32) * 64 + 20]} HU`);
    // The cross-hairs of one plane are the slices of the others.
    await click('transverse', 40, 25);
    await says('26 / 64');
    await says('41 / 64');
    await page.key('ArrowRight');
    await says('40 / 64');
    await page.move(await place('transverse', 30, 30));
    await page.wheel(-300, true);
    await shot('2-look');
    await page.key('0');
  });

  it('shows millimetres alike in both directions, and the letters where they belong', async () => {
    const letters = await page.value<string[]>(
      `[...document.querySelectorAll('.view-coronal .letter')].map((e) => e.className.split(' ').pop() + e.textContent)`,
    );
    expect(letters).toEqual(['leftR', 'rightL', 'top-letterS', 'bottomI']);
    const [a, b] = [await place('coronal', 10, 2), await place('coronal', 20, 6)];
    expect((a[0] - b[0]) / 10 / spacing[2]).toBeCloseTo((a[1] - b[1]) / 4 / spacing[0], 6);
  });

  it('paints: the slice is annotated, ticked and saved; undo and redo', async () => {
    await page.key('b');
    await drag('transverse', [[20, 30], [30, 34], [40, 30]]); // prettier-ignore
    await says('1 of 24 transverse');
    await says('Saved here');
    expect(await page.value('document.querySelectorAll(".tick").length')).toBe(1);
    expect(orange(await colour('transverse', 30, 34))).toBe(true);
    expect(orange(await colour('transverse', 30, 50))).toBe(false);
    await page.key('z');
    await says('0 of 24 transverse');
    expect(orange(await colour('transverse', 30, 34))).toBe(false);
    await page.key('Shift+Z');
    await says('1 of 24 transverse');
    expect(orange(await colour('transverse', 30, 34))).toBe(true);
    await page.key('e');
    await drag('transverse', [[30, 34], [31, 34]]); // prettier-ignore
    expect(orange(await colour('transverse', 30, 34))).toBe(false);
    expect(orange(await colour('transverse', 20, 30))).toBe(true);
  });

  it('keeps to HU, fills within HU, draws polygons; the mouse and the keyboard alone', async () => {
    await page.key('PageUp');
    await page.key('f');
    await click('transverse', 32, 30);
    await says('2 of 24 transverse');
    expect(orange(await colour('transverse', 32, 30))).toBe(true);
    expect(orange(await colour('transverse', 3, 3))).toBe(false);
    await shot('3-annotate');
    // What paints nothing says nothing of its slice: a fill outside of the HU, the eraser where nothing is drawn.
    for (let k = 0; k < 4; k++) await page.key('PageUp');
    await click('transverse', 3, 3);
    await page.key('e');
    await drag('transverse', [[10, 10], [20, 10]]); // prettier-ignore
    await settled();
    expect(await text()).toContain('2 of 24 transverse');
    await says('not annotated');
    for (let k = 0; k < 4; k++) await page.key('PageDown');
    await page.key('PageUp');
    await page.key('p');
    for (const [u, v] of [[10, 10], [20, 10], [20, 20]]) await click('transverse', u, v); // prettier-ignore
    await page.key('Enter');
    await says('3 of 24 transverse');
    expect(orange(await colour('transverse', 18, 12))).toBe(true);
    expect(orange(await colour('transverse', 12, 18))).toBe(false);
    // The brush at the cross-hairs, without a pointer.
    await page.key('PageUp');
    await page.key('b');
    await page.key(' ');
    await says('4 of 24 transverse');
  });

  it('says "nothing here", copies, suggests between two, clears', async () => {
    await page.key('PageUp');
    await page.key('n');
    await says('5 of 24 transverse');
    await page.key('n');
    await says('4 of 24 transverse');
    await page.key('c');
    await says('5 of 24 transverse');
    await page.key('Delete');
    await says('4 of 24 transverse');
    for (let k = 0; k < 3; k++) await page.key('PageUp');
    await page.key('c');
    await says('5 of 24 transverse');
    for (let k = 0; k < 2; k++) await page.key('PageDown');
    await shot('suggestion');
    await page.key('i');
    await says('6 of 24 transverse');
    await page.key('x'); // the first that is not annotated, says the pretended worker
    await says('1 / 24');
    await says('the networks agree to 61 %');
  });

  it('draws on coronal slices too, and in another class', async () => {
    await page.click('Add a class');
    await page.until(`document.querySelector('[aria-label="Name of class 2"]')`);
    await page.key('2');
    await page.key('v');
    await page.until(`document.querySelector('.main-coronal')`);
    await page.key('b');
    await drag('coronal', [[20, 10], [40, 12]]); // prettier-ignore
    await says('1 of 64 coronal');
    const [r, g, b] = await colour('coronal', 30, 11);
    expect(b).toBeGreaterThan(r);
    expect(g).toBeGreaterThan(r);
    await shot('coronal');
    await page.key('z');
    await says('0 of 64 coronal');
  });

  it('draws by a pen, whatever the hand that holds it touches', async () => {
    await page.click('Transverse');
    await page.key('b');
    await page.key('1');
    const before = await page.value<string>(`document.querySelector('.progress-line .soft').textContent`);
    const [from, to, palm] = [await place('transverse', 10, 20), await place('transverse', 30, 20), await place('transverse', 50, 50)];
    const pen = (type: string, [x, y]: readonly [number, number]): Promise<void> =>
      page.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', buttons: 1, clickCount: 1, pointerType: 'pen' });
    const hand = (type: string): Promise<void> =>
      page.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x: palm[0], y: palm[1], id: 7 }] });
    await hand('touchStart');
    await pen('mousePressed', from);
    await hand('touchEnd');
    await hand('touchStart');
    await pen('mouseMoved', to);
    await hand('touchEnd');
    await pen('mouseReleased', to);
    await settled();
    expect(orange(await colour('transverse', 20, 20))).toBe(true);
    expect(orange(await colour('transverse', 50, 50))).toBe(false);
    await page.key('z'); // one stroke
    await page.until(`document.querySelector('.progress-line .soft').textContent === ${JSON.stringify(before)}`);
    expect(orange(await colour('transverse', 20, 20))).toBe(false);
  });

  it('stands a storm of strokes and of undo', async () => {
    const strokes = 52;
    for (let k = 0; k < strokes; k++) {
      await page.move(await place('transverse', 4 + k, 5));
      await page.press();
      await page.move(await place('transverse', 5 + k, 50));
      await page.release();
    }
    await says('7 of 24 transverse');
    await settled();
    const picture = `document.querySelector('canvas[data-plane=transverse]').toDataURL()`;
    const before = await page.value<string>(picture);
    for (let k = 0; k < strokes; k++) await page.key('z');
    await says('6 of 24 transverse');
    for (let k = 0; k < strokes; k++) await page.key('Shift+Z');
    await says('7 of 24 transverse');
    await settled();
    expect(await page.value(picture)).toBe(before);
    for (let k = 0; k < strokes; k++) await page.key('z');
    await says('6 of 24 transverse');
    await says('Saved here');
  });

  it('trains: estimate, start, curves, pause, go on, stop; the mask of the slice comes', async () => {
    await page.value(`document.querySelector('.panel').scrollTo(0, 300)`);
    await page.click('Train');
    expect(await page.value(`document.querySelector('.panel').scrollTop`)).toBe(0); // another step is read from its top
    // What fits is chosen and timed before anybody asks: the largest preset that ends within half an hour.
    await says('About 3 min for 400 iterations: 0.42 s each');
    const chosen = `[...document.querySelectorAll('.choices [aria-pressed=true]')].map((e) => e.innerText).join()`;
    expect(await page.value(chosen)).toBe('tiny');
    await page.click('base');
    await says('needs 21 GB of GPU memory');
    expect(await page.value(`document.querySelector('.go').disabled`)).toBe(true);
    await page.click('demo');
    await says('About 6 s for 120 iterations');
    await page.click('tiny');
    for (const [width, height] of SCREENS) {
      await page.size(width, height, width < 800);
      await settled();
      await inSight('.go');
    }
    await page.size(1366, 768);
    await shot('4-train-before');
    await page.click('Train', '.panel button');
    await page.until(`document.querySelectorAll('.curve polyline').length >= 3`);
    await says('networks agree to 83 %');
    await page.key('PageUp'); // the page answers while it trains
    await says('/ 24');
    await shot('5-train');
    await page.click('Pause');
    await says('paused');
    await page.click('Go on');
    await page.click('Stop here');
    await says('is finished after');
    await page.click('Mask of the whole scan');
    await says('Whole mask: after');
    await says('voxels of 5 x 1 x 1 mm, where the scans that were trained on have');
    // The next run is of the same networks, and said to take what they took.
    expect(await page.value(chosen)).toBe('as run 1');
    await says('s each in the last run');
    for (let k = 0; k < 10; k++) await page.key('PageUp');
    await shot('6-correct');
  });

  it('takes away, and says what is left out', async () => {
    await page.click('Take away');
    await page.click('Mask, NIfTI');
    await says('The name of the patient and dates are left out.');
    await shot('7-take');
    expect(await text()).not.toContain('DICOM SEG'); // the phantom is none
  });

  it('says of each scan how far it is', async () => {
    await page.click('Open', '.stage');
    await says('% annotated');
    await page.click('Annotate', '.stage');
  });

  it('has the keys in a list', async () => {
    await page.key('?');
    await says('Use the tool at the cross-hairs');
    await shot('keys');
    await page.key('Escape');
    await page.until('!document.querySelector("dialog[open]")');
  });

  it.each(NAMES.map((name, i) => [name, ...SCREENS[i]] as const))(
    'fits %s: no text under 12 px, nothing beyond the edge, the warning in sight',
    async (name, width, height) => {
      await page.size(width, height, width < 800);
      for (const stage of ['Open', 'Take away', 'Train', 'Annotate']) {
        await page.click(stage, '.stage');
        await settled();
        const small = await page.value<string[]>(`[...document.querySelectorAll('body *')].filter((e) => e.offsetParent !== null
        && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && parseFloat(getComputedStyle(e).fontSize) < 12)
        .map((e) => e.outerHTML.slice(0, 80))`);
        expect(small).toEqual([]);
        expect(await page.value('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
        expect(await page.value(`document.querySelector('.warning').getBoundingClientRect().width`)).toBeGreaterThan(100);
        const slice = `document.querySelector('canvas[data-plane=transverse]').getBoundingClientRect().height`;
        if (stage === 'Train') await inSight('.panel .action');
        // It was a line where a class of the page met a button's.
        if (stage !== 'Open') expect(await page.value(slice)).toBeGreaterThan(100);
        await shot(`${name.slice(2)}-${stage.toLowerCase()}`);
      }
    },
  );

  it('holds a scan of 512 x 512 x 300, and its memory is that of scan and drawing', async () => {
    await page.size(1366, 768);
    await page.go(`${url}large/index.html`);
    await page.click('Try the sample phantom');
    await says('151 / 300');
    await page.key('b');
    const [x, y, w, h] = await page.value<number[]>(
      "(() => { const b = document.querySelector('canvas[data-plane=transverse]').getBoundingClientRect(); return [b.x, b.y, " +
        'b.width, b.height]; })()',
    );
    for (let k = 0; k < 5; k++) {
      await page.move([x + w / 3, y + h / 3 + 10 * k]);
      await page.press();
      await page.move([x + w / 2, y + h / 2]);
      await page.release();
      await page.key('PageUp');
    }
    await says('5 of 300 transverse');
    await says('Saved here');
    const { backingStorageSize } = (await page.send('Runtime.getHeapUsage')) as { backingStorageSize?: number };
    console.log(`studio: ${Math.round((backingStorageSize ?? 0) / 2 ** 20)} MB of arrays in the page for 512 x 512 x 300`);
    // Two bytes a voxel of the scan, one of the drawing, and what a picture needs; another half for what is not collected yet.
    expect(backingStorageSize ?? 0).toBeLessThan(1.5 * 3 * 300 * 512 * 512);
  });

  it('asked nobody else for anything, and broke no rule of its security policy', () => {
    expect(page.requests.filter((r) => !r.startsWith(url) && !r.startsWith('blob:'))).toEqual([]);
    expect(page.complaints).toEqual([]);
  });

  it.each([
    ['no WebGPU', 'undefined', 'Use Chrome or Edge 144'],
    ['no GPU', '{ requestAdapter: async () => null }', 'Look at chrome://gpu'],
    ['no subgroups', '{ requestAdapter: async () => ({ features: new Set() }) }', 'older ones hide subgroups behind'],
  ])('says what to do where there is %s, before anything is loaded', async (_lack, gpu, way) => {
    const source = `Object.defineProperty(Navigator.prototype, 'gpu', { get: () => (${gpu}) });`;
    const { identifier } = await page.send('Page.addScriptToEvaluateOnNewDocument', { source });
    const before = page.requests.length;
    await page.go(url);
    await says('The studio cannot run here yet');
    await says(way);
    await says('Not for clinical use');
    await shot('unsupported');
    expect(page.requests.slice(before).filter((r) => r.endsWith('worker.js'))).toEqual([]);
    await page.send('Page.removeScriptToEvaluateOnNewDocument', { identifier });
  });
});
