// SPDX-License-Identifier: MIT
// The whole of SA-Net in a worker of Chromium, as training.test.ts without SAM: SwiftShader takes minutes for its shaders.
import { afterAll, beforeAll } from 'vitest';
import { needs } from '../needs.ts';
import { bundled, chromium, removeBundled } from './chromium.ts';
import { trainInPage } from './train_in_page.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await bundled();
});
afterAll(() => removeBundled(scratch));

needs(chromium, 'Chromium').it('three networks teach each other in a worker', () => trainInPage(scratch, true));
