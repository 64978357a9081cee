// SPDX-License-Identifier: MIT
import { it } from 'vitest';
import { scratch } from '../data/helpers.ts';
import { tryJson, world } from './hostile_json.ts';

const root = scratch();

it('3,000 hostile data set descriptions, plans, records and logs', async () => {
  await world(root);
  await tryJson(root, 10_000, 3_000);
});
