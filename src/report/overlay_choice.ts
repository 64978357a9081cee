// SPDX-License-Identifier: MIT
// Which cases to show: best, median and worst by the case's mean Dice, so that nobody picks them.

import { caseMean, type Summary } from '../metrics/summary.ts';

export interface RankedCase {
  case: string;
  /** Mean over classes, fraction. */
  dice: number;
}

/** Cases with a defined Dice, best first; ties in the order of the names, so that the choice can be repeated. */
export function rankCases(summary: Summary): RankedCase[] {
  return summary.metric_per_case
    .flatMap((entry) => {
      const dice = caseMean(entry.metrics, 'Dice');
      return dice === null ? [] : [{ case: entry.case, dice }];
    })
    .sort((a, b) => b.dice - a.dice || (a.case < b.case ? -1 : 1));
}

/** Names of the best, median and worst case, each once. */
export function chooseOverlayCases(summary: Summary): string[] {
  const ranked = rankCases(summary);
  if (ranked.length === 0) return [];
  return [...new Set([0, middleOf(ranked.length), ranked.length - 1].map((rank) => ranked[rank].case))];
}

const middleOf = (n: number): number => Math.floor((n - 1) / 2);

/** What a place from 0 among `n` is called; nothing for most. */
export function placeOf(rank: number, n: number): 'Best' | 'Worst' | 'Median' | '' {
  if (rank < 0) return '';
  if (rank === 0) return 'Best';
  if (rank === n - 1) return 'Worst';
  return rank === middleOf(n) ? 'Median' : '';
}
