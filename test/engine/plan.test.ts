// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planMemory, type Lifetime } from '../../src/engine/plan.ts';

const lifetime: fc.Arbitrary<Lifetime> = fc
  .record({ bytes: fc.integer({ min: 4, max: 1 << 20 }), first: fc.nat(60), length: fc.nat(30) })
  .map(({ bytes, first, length }) => ({ bytes, first, last: first + length }));
const lifetimes = fc.array(lifetime, { maxLength: 80 });

describe('planMemory', () => {
  it('never puts two live tensors into one slot, nor a tensor into a slot that is too small', () => {
    fc.assert(
      fc.property(lifetimes, (lives) => {
        const { slotOf, slotBytes } = planMemory(lives);
        lives.forEach((a, i) => {
          expect(slotBytes[slotOf[i]]).toBeGreaterThanOrEqual(a.bytes);
          lives.slice(0, i).forEach((b, j) => {
            if (slotOf[i] === slotOf[j]) expect(a.last < b.first || b.last < a.first).toBe(true);
          });
        });
      }),
      { numRuns: 300 },
    );
  });

  it('knows the largest sum of live bytes, and holds at least that', () => {
    fc.assert(
      fc.property(lifetimes, (lives) => {
        const { slotBytes, lowerBound } = planMemory(lives);
        const at = (step: number): number => lives.reduce((s, l) => (l.first <= step && step <= l.last ? s + l.bytes : s), 0);
        expect(lowerBound).toBe(Math.max(0, ...Array.from({ length: 91 }, (_, step) => at(step))));
        expect(slotBytes.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(lowerBound);
      }),
      { numRuns: 300 },
    );
  });

  it('shares a slot between tensors that follow one another', () => {
    const chain = Array.from({ length: 100 }, (_, i) => ({ bytes: 64, first: i, last: i + 1 }));
    expect(planMemory(chain).slotBytes).toEqual([64, 64]);
  });
});
