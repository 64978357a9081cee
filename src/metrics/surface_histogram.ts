// SPDX-License-Identifier: MIT
// Signed surface distances in bins of half a millimetre, centred on 0 so that exact hits do not fall on an edge.

/** Centres of the bins, mm: -10, -9.5, ..., 10. The first and last hold everything beyond. */
export const HISTOGRAM_CENTRES: readonly number[] = Array.from({ length: 41 }, (_, i) => -10 + i / 2);

/** Number of distances (mm, negative inside the reference) nearest to each centre. */
export function distanceHistogram(signed: Float64Array): number[] {
  const counts = new Array<number>(HISTOGRAM_CENTRES.length).fill(0);
  for (const distance of signed) {
    const bin = Math.round(distance * 2) + 20;
    counts[Math.min(counts.length - 1, Math.max(0, bin))]++;
  }
  return counts;
}

/** Mean over cases of the share of each bin, so that a large organ does not outweigh a small one; null without cases. */
export function averageHistogram(perCase: readonly (readonly number[])[]): number[] | null {
  if (perCase.length === 0) return null;
  const shares = new Array<number>(HISTOGRAM_CENTRES.length).fill(0);
  for (const counts of perCase) {
    const total = counts.reduce((a, b) => a + b, 0);
    counts.forEach((n, bin) => {
      shares[bin] += n / total / perCase.length;
    });
  }
  return shares;
}
