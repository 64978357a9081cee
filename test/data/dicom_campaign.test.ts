// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { campaign } from './dicom_campaign.ts';
import { scratch } from './helpers.ts';

const root = scratch();

it('400 damaged series end in a DataError or lose nothing', async () => {
  const { refused, read } = await campaign(root, 1, 400);
  console.log(`DICOM campaign: ${refused} refused, ${read} read`);
  expect(refused).toBeGreaterThan(100);
  expect(read).toBeGreaterThan(50);
});
