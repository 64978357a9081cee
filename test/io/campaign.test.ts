// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { campaign, WHOLE } from './campaign.ts';
import { decode, RAMP } from './files.ts';

describe('damaged image files', () => {
  it.each(WHOLE.map((w) => [w.file, w] as const))('%s is whole before', async (_, { file, bytes, beside }) => {
    expect([...(await decode(file, bytes, beside)).volume.data]).toEqual(RAMP);
  });
  it('are read as they were stored, or refused', async () => {
    const { read, refused } = await campaign(60, 1);
    expect(read + refused).toBe(60 * WHOLE.length);
    expect(read).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(400);
  });
});
