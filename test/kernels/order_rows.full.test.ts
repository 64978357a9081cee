// SPDX-License-Identifier: MIT
import { it } from 'vitest';
import { rows } from '../cases/case.ts';
import { families } from '../cases/index.ts';
import { orderDoesNotMatter, orderDoesNotMatterInTiles } from './order_rows.ts';

it.each(Object.entries(families))('workgroups of %s in reversed and interleaved order give the same bits', async (_, family) => {
  await orderDoesNotMatter(rows(family));
});

it.each(['matmul', 'conv', 'attention'])('and those of %s by workgroup tiles and subgroup matrices', async (family) => {
  await orderDoesNotMatterInTiles(rows(families[family]));
});
