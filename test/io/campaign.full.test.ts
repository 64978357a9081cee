// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { campaign, WHOLE } from './campaign.ts';

it.each([2, 3, 4, 5])('damaged image files, seed %i', async (seed) => {
  const { read, refused } = await campaign(1000, seed);
  expect(read + refused).toBe(1000 * WHOLE.length);
});
