// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { campaign } from './dicom_campaign.ts';
import { scratch } from './helpers.ts';

const root = scratch();

it.each([2, 3, 4, 5])('2,000 damaged series end in a DataError or lose nothing (seed %d)', async (seed) => {
  const { refused, read } = await campaign(root, seed, 2000);
  const { rss } = process.memoryUsage();
  console.log(`DICOM campaign: ${refused} refused, ${read} read, ${Math.round(rss / 2 ** 20)} MiB`);
  expect(refused).toBeGreaterThan(500);
  expect(read).toBeGreaterThan(250);
  expect(rss).toBeLessThan(2 ** 31);
});
