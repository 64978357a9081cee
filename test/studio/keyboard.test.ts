// SPDX-License-Identifier: MIT
// The studio's page by keyboard alone, from the first Tab to the file taken away: what has the keyboard is seen, and it is never lost.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chromium } from '../browser/chromium.ts';
import { needs } from '../needs.ts';
import type { Driver } from './driver.ts';
import { openFake, type Fake } from './fake_page.ts';

needs(chromium, 'Chromium').describe('the page by keyboard alone', () => {
  let fake: Fake, page: Driver;
  beforeAll(async () => {
    fake = await openFake();
    ({ page } = fake);
  });
  afterAll(() => fake?.close());
  const says = (what: string): Promise<void> => page.until(`document.body.innerText.includes(${JSON.stringify(what)})`);
  const idle = (): Promise<void> => page.until(`!document.querySelector('.busy')`);
  const press = async (text: string, back = false): Promise<void> => {
    await page.tabTo(text, back);
    await page.key('Enter');
    await idle();
  };

  it('opens the phantom; the keyboard is on the slice then', async () => {
    await page.go(fake.url);
    await says('Try the sample phantom');
    expect(await page.tabTo('Open')).toBe(1); // the steps come first
    await press('Try the sample phantom');
    await says('0 of 24 transverse');
    await page.until(`document.activeElement.matches('canvas[data-plane=transverse]')`);
  });

  it('looks: planes, slices, cross-hairs, zoom, window, what is shown', async () => {
    const window = (): Promise<string> => page.value(`document.querySelector('.presets [aria-pressed=true]')?.innerText`);
    expect(await window()).toMatch(/lung/i);
    await page.key('w');
    await page.until(`!/lung/i.test(document.querySelector('.presets [aria-pressed=true]').innerText)`);
    for (const [key, state] of [
      ['h', 'Drawing'],
      ['m', 'Networks’ mask'],
    ]) {
      // prettier-ignore
      const box = `[...document.querySelectorAll('.check')].find((e) => e.innerText.startsWith('${state}'))`,
        checked = `${box}.querySelector('input').checked`;
      await page.key(key);
      await page.until(`!${checked}`);
      await page.key(key);
      await page.until(checked);
    }
    await page.key('o');
    await page.until(`[...document.querySelectorAll('[aria-pressed=true]')].some((e) => e.innerText === 'Outline')`);
    await page.key('o');
    await page.key('v');
    await page.until(`document.querySelector('.main-coronal')`);
    await page.key('g');
    await page.until(`document.querySelector('.views.four')`);
    await page.key('g');
    for (let k = 0; k < 3; k++) await page.key('v');
    await page.until(`document.querySelector('.views.one.main-transverse')`);
    const frames = (): Promise<unknown> => page.value('new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(0))))');
    const picture = `document.querySelector('canvas[data-plane=transverse]').toDataURL()`;
    await frames();
    await page.value(`globalThis.fitted = ${picture}`);
    await page.key('='); // '+' without Shift
    await page.until(`${picture} !== fitted`);
    await page.key('0');
    await page.until(`${picture} === fitted`);
    // Sliders keep their own keys.
    await page.tabTo('transverse slice');
    await page.key('Home');
    await says('1 / 24');
    await page.key('ArrowRight');
    await says('2 / 24');
  });

  it('draws: every tool at the cross-hairs, the settings, the classes, what is said of the slice', async () => {
    await page.tabTo('Brush', true);
    await page.key('Enter');
    await page.until(`[...document.querySelectorAll('.tool')].some((e) => e.innerText === 'Brush' && e.ariaPressed === 'true')`);
    const size = (): Promise<string> => page.value(`document.querySelector('.settings .slide output').innerText`);
    const before = await size();
    await page.key(']');
    await page.until(`document.querySelector('.settings .slide output').innerText !== ${JSON.stringify(before)}`);
    await page.key('[');
    await page.key('t');
    await page.until(`document.querySelector('.gate input').checked`);
    await page.key('t');
    // A button has the keyboard: Space is its own; the slice's from the slice on.
    await page.tabTo('transverse slice');
    await page.until(`document.activeElement.matches('canvas')`);
    await page.key(' ');
    await says('1 of 24 transverse');
    await page.key('PageUp');
    await page.key('p');
    for (const arrow of ['Shift+ArrowRight', 'Shift+ArrowDown', 'Shift+ArrowLeft']) {
      await page.key(' ');
      await page.key(arrow);
    }
    await page.key('Enter');
    await says('2 of 24 transverse');
    await page.key('PageUp');
    await page.key('n');
    await says('3 of 24 transverse');
    await page.key('Control+z');
    await says('2 of 24 transverse');
    await page.key('y');
    await says('3 of 24 transverse');
    await press('Add a class');
    await page.until(`document.querySelector('[aria-label="Name of class 2"]')`);
    // Letters in a name are letters.
    await page.tabTo('Name of class 2');
    await page.key('n');
    await says('3 of 24 transverse');
    await says('Saved here');
  });

  it('shows the keys, and gives the keyboard back', async () => {
    await page.tabTo('Copy nearest');
    const at = await page.focused();
    await page.key('?');
    await says('Use the tool at the cross-hairs');
    await page.until(`document.querySelector('dialog').contains(document.activeElement)`);
    await page.key('Escape');
    await page.until('!document.querySelector("dialog[open]")');
    expect(await page.focused()).toBe(at);
  });

  it('trains, and takes the mask away; what waits cannot be pressed, and what was pressed is where the keyboard is', async () => {
    await press('Train', true);
    await says('0.42 s each');
    await press('demo');
    await says('0.050 s each');
    expect(await page.focused()).toBe('demo');
    await page.tabTo('Train');
    await page.key('Enter');
    await says('training');
    await page.until(`document.activeElement !== document.body`);
    await press('Pause');
    await says('paused');
    await press('Stop here');
    await says('is finished after');
    // What had the keyboard goes away by itself: a run ends while somebody is about to pause it.
    await page.tabTo('Iterations', true);
    for (const key of ['Control+a', '3', '0', 'Enter']) await page.key(key);
    await page.tabTo('Train');
    await page.key('Enter');
    await says('Pause');
    await page.value(`[...document.querySelectorAll('button')].find((e) => e.innerText.includes('Pause')).focus()`);
    await says('Run 2 is finished after 30');
    await page.until(`document.activeElement.matches('canvas')`);
    await press('Mask of the whole scan');
    await says('Whole mask: after');
    expect(await page.focused()).toBe('Mask of the whole scan');
    await press('Take away', true);
    await press('Mask, NIfTI');
    await says('The name of the patient and dates are left out.');
    expect(page.complaints).toEqual([]);
  });
});
