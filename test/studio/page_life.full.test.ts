// SPDX-License-Identifier: MIT
// What befalls a person's page, with the true worker: a tab killed while it trains, a device lost, a second tab, no space left, no network.
// Training ends with the bits of a run left alone.
import { cpSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect } from 'vitest';
import { serveStudio, type Served } from '../../src/cli/studio_server.ts';
import { bundled, chromium, removeBundled } from '../browser/chromium.ts';
import { needs } from '../needs.ts';
import { Driver } from './driver.ts';
import { draw, says, scanIsOpen, smallPlan, take, train, trained, weights } from './person.ts';

/** Enough of them that what is done at the third is done in the middle. */
const N = 12;
let scratch: string, served: Served, browser: Driver, plan: string, alone: Map<string, string>;
const { it } = needs(chromium, 'Chromium');

/** @param third what the page itself does as soon as it shows the third iteration */
const begin = async (page: Driver, third?: string): Promise<void> => {
  await draw(page, served.url);
  if (third)
    await page.value(
      `void new MutationObserver((_, self) => { if (parseInt(document.querySelector('.big')?.textContent) >= 3) ` +
        `{ self.disconnect(); ${third}; } }).observe(document.body, { subtree: true, childList: true, characterData: true })`,
    );
  await train(page, plan);
};
const model = async (page: Driver): Promise<Map<string, string>> => {
  await says(page, `is finished after ${N} iterations`);
  return weights(await take(page, 'Model', scratch));
};
/** A button of the list of sessions, newest first. */
const goesOn = `[...document.querySelectorAll('.list button')].find((b) => b.innerText === 'Go on')`;

beforeAll(async () => {
  if (!chromium) return;
  scratch = await bundled();
  plan = join(scratch, 'plan.json');
  writeFileSync(plan, JSON.stringify(smallPlan(N)));
  const folder = join(scratch, 'hooked');
  mkdirSync(folder);
  cpSync(join(scratch, 'dist/studio'), folder, { recursive: true });
  renameSync(join(folder, 'worker.js'), join(folder, 'own_worker.js'));
  writeFileSync(join(folder, 'worker.js'), "import './hooks.js';\nimport './own_worker.js';\n");
  writeFileSync(join(folder, 'sw.js'), ''); // no page here comes from an earlier visit
  const hooks = fileURLToPath(new URL('hooks.ts', import.meta.url));
  await build({ entryPoints: [hooks], outfile: join(folder, 'hooks.js'), format: 'esm', bundle: true });
  served = await serveStudio({ page: folder, port: 0 });
  browser = await Driver.open();
  const page = await browser.another();
  await begin(page);
  alone = await model(page);
  await page.close();
});
afterAll(async () => {
  await browser?.close();
  await served?.[Symbol.asyncDispose]();
  if (scratch) removeBundled(scratch);
});

it('a tab killed while it trains: the next visit offers to go on, to the same bits', async () => {
  const first = await browser.another();
  await begin(first);
  await trained(first, 3);
  await first.close();
  const second = await browser.another();
  await second.size(1366, 768);
  await second.go(served.url);
  await says(second, `of ${N} iterations`);
  await second.click('Go on', '.list button');
  await scanIsOpen(second);
  await second.click('Train', '.stage');
  await says(second, 'paused');
  await second.click('Go on', '.panel button');
  expect(await model(second)).toEqual(alone);
  await second.close();
});

it('a lost device: the page says so, goes on by itself, and ends with the same bits', async () => {
  const page = await browser.another();
  await begin(page, `new BroadcastChannel('hooks').postMessage('lose')`);
  await page.until(`/GPU device was lost|reading back failed/.test(document.body.innerText)`, 600);
  expect(await model(page)).toEqual(alone);
  await page.close();
});

it('a second tab on one session is told, whether it comes later or had the list before', async () => {
  const early = await browser.another();
  await early.size(1366, 768);
  await early.go(served.url);
  await early.until(goesOn);
  const first = await browser.another();
  await draw(first, served.url);
  const late = await browser.another();
  await late.size(1366, 768);
  await late.go(served.url);
  await says(late, 'In another tab');
  await first.close();
  // What one tab takes, the other does not get, though its list still offers it.
  await early.value('location.reload()');
  await early.until(`${goesOn} && !document.body.innerText.includes('In another tab')`);
  await late.value('location.reload()');
  await late.until(`${goesOn} && !document.body.innerText.includes('In another tab')`);
  await late.click('Go on', '.list button');
  await scanIsOpen(late);
  early.wrong = true;
  await early.click('Go on', '.list button');
  await says(early, 'another tab has it open');
  await says(early, 'Close it there, or go on there.');
  await early.close();
  await late.close();
});

it('no space left: it is said, nothing drawn is lost or reaches another session, nothing is trained on that is not stored', async () => {
  const page = await browser.another();
  await draw(page, served.url);
  page.wrong = true;
  const origin = served.url.slice(0, -1);
  await page.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 });
  await page.key(' ');
  await says(page, 'the space that the browser grants is used up');
  await says(page, 'Not saved');
  await page.click('Train', '.stage');
  await page.click('Train', '.panel button');
  await page.click('Open', '.stage');
  await page.click('Close this session'); // it stays open, for it is not saved
  await page.click('Go on', '.list button'); // another session, whose scan is called the same: it stays where it is
  await page.click('Try the sample phantom');
  await page.click('Annotate', '.stage');
  expect(await page.value('document.body.innerText')).toContain('4 of 24 transverse');
  await says(page, 'Not saved');
  await page.click('Train', '.stage');
  expect(await page.value('document.body.innerText')).not.toContain('Run 1');
  await page.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 2 ** 31 });
  await page.click('Open', '.stage');
  await page.click('Close this session');
  await page.until(`!document.body.innerText.includes('Close this session')`);
  // Another session has a scan of the same name, and nothing of this drawing.
  await page.click('Try the sample phantom');
  await says(page, '0 of 24 transverse');
  await page.click('Open', '.stage');
  await page.click('Close this session');
  await page.until(`!document.body.innerText.includes('Close this session')`);
  await page.value(`[...document.querySelectorAll('.list button')].filter((b) => b.innerText === 'Go on')[1].click()`);
  await scanIsOpen(page);
  await says(page, '4 of 24 transverse');
  await page.close();
});

it('no network after the first visit: the page opens, draws and trains, from what it kept', async () => {
  const own = await serveStudio({ page: join(scratch, 'dist/studio'), port: 0 });
  const page = await browser.another();
  await page.size(1366, 768);
  await page.go(own.url);
  await says(page, 'Try the sample phantom');
  await page.until('navigator.serviceWorker.controller');
  await own[Symbol.asyncDispose]();
  const cut = async (): Promise<void> => {
    await page.send('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    await page.until(`document.querySelector('.offline')?.textContent === 'Offline'`);
  };
  await cut();
  await page.value('(globalThis.before = true, location.reload())');
  await page.until(`!globalThis.before && document.body.innerText.includes('Try the sample phantom')`);
  await cut(); // a page that is loaded anew knows nothing of it; the server is gone for good
  await page.click('Try the sample phantom');
  await says(page, '0 of 24 transverse');
  await page.key('b');
  await page.key(' ');
  await says(page, '1 of 24 transverse');
  await says(page, 'Saved here');
  await train(page, plan);
  await says(page, `is finished after ${N} iterations`);
  expect(page.complaints.filter((c) => !/folder\.json|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED/.test(c))).toEqual([]);
  await page.close();
});
