// SPDX-License-Identifier: MIT
import { describe, expect, it, vi } from 'vitest';
import { duration, timeLeft } from '../../src/cli/text.ts';

describe('times', () => {
  it('are rounded before they are divided: there is no 1 min 60 s', () => {
    const said = [0.004, 0.5, 3.26, 59.7, 99.6, 119.6, 3599, 7199, 7201, 86_399, 90_000, 400_000].map(duration);
    expect(said).toEqual([
      '10 ms',
      '500 ms',
      '3.3 s',
      '60 s',
      '2 min',
      '2 min',
      '60 min',
      '2 h 0 min',
      '2 h 0 min',
      '24 h',
      '25 h',
      '5 days',
    ]);
  });

  it('that are left follow the mean pace and are not said before there is one', () => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const left = timeLeft();
    const said = [
      [5, 0],
      [6, 10],
      [7, 12],
      [10, 50],
      [105, 1000],
    ].map(([done, seconds]) => {
      now = seconds * 1000;
      return left(done, 105);
    });
    expect(said).toEqual(['', 'about 17 min left', 'about 10 min left', 'about 16 min left', '']);
    vi.restoreAllMocks();
  });
});
