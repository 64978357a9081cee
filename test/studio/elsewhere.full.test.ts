// SPDX-License-Identifier: MIT
// A run that goes to and fro between the command line and the page ends with the bits of one left alone. Node computes on the browser's own
// SwiftShader here: other drivers round otherwise.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { swiftShader } from '../browser/chromium.ts';
import { voxelgrad } from '../cli/voxelgrad.ts';
import { needs } from '../needs.ts';
import { draw, openStudio, says, scanIsOpen, smallPlan, take, train, trained, unpack, weights, type Studio } from './person.ts';

const N = 12;
let studio: Studio, scratch: string, page: Studio['page'], data: string, plan: string;
const final = (run: string): string => join(run, 'checkpoints/final.safetensors');

beforeAll(async () => {
  if (!swiftShader) return;
  process.env.VK_DRIVER_FILES = swiftShader;
  studio = await openStudio();
  ({ scratch, page } = studio);
  data = join(scratch, 'data');
  await writePhantomDataset(data, { training: 2, test: 1, size: [12, 40, 40], seed: 5, radii: [3, 6], contrast: 300 });
  await sparsify(data, 'both', 7);
  plan = join(scratch, 'plan.json');
  writeFileSync(plan, JSON.stringify(smallPlan(N, ['background', 'nodule'])));
});
afterAll(() => studio?.close());

const { it } = needs(swiftShader, 'SwiftShader as a driver (it comes with Chromium)');

it('begun by the command line, it goes on in the page, and back', async () => {
  const [alone, run, session] = ['alone', 'run', 'session.zip'].map((name) => join(scratch, name));
  expect(await voxelgrad(['train', data, '--plan', plan, '--run', alone])).toMatchObject({ code: 0 });
  await voxelgrad(['train', data, '--plan', plan, '--run', run], (text) => {
    if (text.includes('iteration 2/')) process.emit('SIGINT');
  });
  expect(await voxelgrad(['session', data, '--run', run, '--out', session])).toMatchObject({ code: 0 });

  await page.go(studio.served.url);
  await says(page, 'Try the sample phantom');
  await page.choose('[aria-label=Files]', session);
  await scanIsOpen(page);
  await page.click('Train', '.stage');
  await says(page, 'paused');
  await page.click('Go on', '.panel button');
  await says(page, `is finished after ${N} iterations`);
  expect(weights(await take(page, 'Model', scratch))).toEqual(weights(final(alone)));

  // The other way: what the page made of it, paused a little later, ends at the command line.
  await page.click('Open', '.stage');
  await page.choose('[aria-label=Files]', session);
  await page.until(`document.querySelector('.stage[aria-current]')?.textContent.includes('Annotate')`);
  await scanIsOpen(page);
  await page.click('Train', '.stage');
  await says(page, 'paused');
  await page.click('Go on', '.panel button');
  await trained(page, 4);
  await page.click('Pause');
  await says(page, 'paused');
  const folder = join(scratch, 'back');
  unpack(await take(page, 'Session', scratch), folder);
  expect(await voxelgrad(['train', join(folder, 'data'), '--run', join(folder, 'run'), '--resume'])).toMatchObject({ code: 0 });
  expect(weights(final(join(folder, 'run')))).toEqual(weights(final(alone)));
});

it('begun in the page, it goes on at the command line', async () => {
  writeFileSync(plan, JSON.stringify(smallPlan(N)));
  await draw(page, studio.served.url);
  await train(page, plan);
  await trained(page, 3);
  await page.click('Pause');
  await says(page, 'paused');
  const folder = join(scratch, 'own');
  unpack(await take(page, 'Session', scratch), folder);
  await page.click('Train', '.stage');
  await page.click('Go on', '.panel button');
  await says(page, `is finished after ${N} iterations`);
  const own = weights(await take(page, 'Model', scratch));
  expect(await voxelgrad(['train', join(folder, 'data'), '--run', join(folder, 'run'), '--resume'])).toMatchObject({ code: 0 });
  expect(weights(final(join(folder, 'run')))).toEqual(own);
});
