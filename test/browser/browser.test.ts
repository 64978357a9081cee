// SPDX-License-Identifier: MIT
// dist/voxelgrad.browser.js: no Node in it, and the training step that Node runs, run by Chromium.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as vg from '../../src/index.ts';
import { answerOf, bundled, chromium, expectNoNode, removeBundled, script } from './chromium.ts';
import { train, type Result } from './step.ts';
import { needs } from '../needs.ts';

const PAGE = `<!doctype html><meta charset="utf-8"><title>voxelgrad</title><script type="module">
  const send = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) });
  try {
    const [vg, { train }] = await Promise.all([import('/voxelgrad.browser.js'), import('/step.js')]);
    await send(await train(vg));
  } catch (e) { await send({ error: String(e?.stack ?? e) }); }
</script>`;

let scratch: string;
let file: string;
beforeAll(async () => {
  scratch = await bundled();
  file = join(scratch, 'dist/voxelgrad.browser.js');
});
afterAll(() => removeBundled(scratch));

describe('dist/voxelgrad.browser.js', () => {
  it('contains no Node import, and bundles for a browser as it is', () => expectNoNode(file));

  needs(chromium, 'Chromium').it('trains in Chromium as it does in Node', async () => {
    const there = await answerOf<Result>(scratch, PAGE, {
      '/voxelgrad.browser.js': readFileSync(file, 'utf8'),
      '/step.js': script('step.ts'),
    });
    expect(there.error).toBeUndefined();
    const here: Result = await train(vg);
    console.log(
      `browser: ${there.adapter}, losses ${there.losses.map((l) => l.toFixed(6)).join(' ')}; Node: ${here.adapter}, losses ` +
        here.losses.map((l) => l.toFixed(6)).join(' '),
    );
    there.losses.forEach((loss, i) => expect(loss).toBeCloseTo(here.losses[i], 4));
    expect(here.losses[2]).toBeLessThan(here.losses[0]);
    const difference = Math.max(...there.weights.map((w, i) => Math.abs(w - here.weights[i])));
    expect(difference).toBeLessThan(2e-3); // Adam's first steps turn a gradient's last digits into fractions of the learning rate
  });
});
