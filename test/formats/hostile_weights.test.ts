// SPDX-License-Identifier: MIT
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { tryWeights } from './hostile_weights.ts';

it('2,000 hostile weight files', () => {
  tryWeights(1, 2000);
  expect(existsSync('executed')).toBe(false);
});
