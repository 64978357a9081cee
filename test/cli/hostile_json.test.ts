// SPDX-License-Identifier: MIT
import { it } from 'vitest';
import { scratch } from '../data/helpers.ts';
import { tryJson, world } from './hostile_json.ts';

const root = scratch();

it('150 hostile data set descriptions, plans, records and logs', async () => {
  await world(root);
  await tryJson(root, 1, 150);
});
