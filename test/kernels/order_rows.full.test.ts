// SPDX-License-Identifier: MIT
import { it } from 'vitest';
import { rows } from '../cases/case.ts';
import { families } from '../cases/index.ts';
import { orderDoesNotMatter } from './order_rows.ts';

it.each(Object.entries(families))('workgroups of %s in reversed and interleaved order give the same bits', async (_, family) => {
  await orderDoesNotMatter(rows(family));
});
