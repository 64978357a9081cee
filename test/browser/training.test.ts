// SPDX-License-Identifier: MIT
// dist/sanet.browser.js: in a worker of Chromium, from the bytes of scans to the bytes of a mask.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { needs } from '../needs.ts';
import { bundled, chromium, expectNoNode, removeBundled } from './chromium.ts';
import { trainInPage } from './train_in_page.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await bundled();
});
afterAll(() => removeBundled(scratch));

describe('dist/sanet.browser.js', () => {
  it('contains no Node import, and bundles for a browser as it is', () => expectNoNode(join(scratch, 'dist/sanet.browser.js')));

  needs(chromium, 'Chromium').it(
    "trains in a worker, keeps its run in the page's own files, resumes, and predicts on the scan's grid",
    () => trainInPage(scratch, false),
  );
});
