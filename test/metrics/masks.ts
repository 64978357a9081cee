// SPDX-License-Identifier: MIT
// Small masks for the metric tests, and a generator of random pairs.

import type { Triple } from '../../src/axes.ts';
import fc from 'fast-check';
import type { LabelMap } from '../../src/metrics/mask.ts';

/** A volume whose label at (z, y, x) is what `label` says. */
export function paint(
  size: Readonly<Triple>,
  label: (z: number, y: number, x: number) => number,
  spacing: Readonly<Triple> = [1, 1, 1],
): LabelMap {
  const data = new Uint8Array(size[0] * size[1] * size[2]);
  let i = 0;
  for (let z = 0; z < size[0]; z++) for (let y = 0; y < size[1]; y++) for (let x = 0; x < size[2]; x++) data[i++] = label(z, y, x);
  return { data, size, spacing };
}

/** A ball of label 1. */
export function ball(size: Readonly<Triple>, centre: Readonly<Triple>, radius: number, spacing?: Readonly<Triple>): LabelMap {
  return paint(size, (z, y, x) => Number((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius * radius), spacing);
}

/** Random reference and prediction with labels 0 to 2 on one small grid, from sparse to full. */
export const randomPair: fc.Arbitrary<{ reference: LabelMap; prediction: LabelMap }> = fc
  .tuple(
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 30 }),
    fc.integer({ min: 1, max: 30 }),
    fc.constantFrom<Readonly<Triple>>([1, 1, 1], [2.5, 0.7, 0.7], [0.5, 1.25, 3]),
  )
  .chain(([d, h, w, background, other, spacing]) => {
    const label = fc.oneof(
      { weight: background, arbitrary: fc.constant(0) },
      { weight: 10, arbitrary: fc.constant(1) },
      { weight: other, arbitrary: fc.constant(2) },
    );
    const data = fc.array(label, { minLength: d * h * w, maxLength: d * h * w });
    return fc
      .tuple(data, data)
      .map(([r, p]) => ({
        reference: { data: Uint8Array.from(r), size: [d, h, w] as Readonly<Triple>, spacing },
        prediction: { data: Uint8Array.from(p), size: [d, h, w] as Readonly<Triple>, spacing },
      }));
  });
