// SPDX-License-Identifier: MIT
// Sums over the processes of a run, without processes: several `MpiRanks` in one, whose MPI is a table of what each has sent.
import { describe, expect, it } from 'vitest';
import { halves, toHalves } from '../../src/mpi/half.ts';
import type { Held, Mpi } from '../../src/mpi/library.ts';
import { MpiRanks } from '../../src/mpi/ranks.ts';
import { Philox } from '../../src/random/philox.ts';

/** So many processes in one. */
function world(ranks: number): Mpi[] {
  interface Part {
    readonly send: Held;
    readonly receive: Held;
    readonly done: () => void;
  }
  let waiting: Part[] = [],
    arrived = 0;
  /** Once all are there, `part` of what `from` sends goes to its place at `to`. */
  const meet = (rank: number, send: Held, receive: Held, bytes: number, part: (to: number) => number): Promise<void> =>
    new Promise((done) => {
      waiting[rank] = { send, receive, done };
      if (++arrived < ranks) return;
      const all = waiting;
      [waiting, arrived] = [[], 0];
      const sent = all.map((each) => new Uint8Array(each.send.bytes.slice(0)));
      all.forEach((each, to) => {
        const into = new Uint8Array(each.receive.bytes);
        sent.forEach((from, r) => {
          into.set(from.subarray(part(to) * bytes, (part(to) + 1) * bytes), r * bytes);
        });
      });
      for (const each of all) each.done();
    });
  return Array.from({ length: ranks }, (_, rank) => ({
    rank,
    ranks,
    hold: (bytes) => ({ place: null, bytes: new ArrayBuffer(bytes) }),
    release: () => undefined,
    exchange: (send, receive, bytes) => meet(rank, send, receive, bytes, (to) => to),
    spread: (send, receive, bytes) => meet(rank, send, receive, bytes, () => 0),
    abort: () => undefined,
    finish: () => undefined,
  }));
}

const together = (ranks: number, half = false): MpiRanks[] => world(ranks).map((mpi) => new MpiRanks(mpi, half));
const drawn = (rank: number, n: number, size = 1): Float32Array =>
  new Philox(rank, 'order').uniform(0, 0, n).map((u) => size * (2 * u - 1));

describe('sum', () => {
  it.each([
    [1, 5],
    [2, 64],
    [3, 64], // parts are not equal
    [4, 3], // some have none
    [5, 1],
    [2, 0],
  ])('of %i processes and %i values is made in the order of ranks, the same bits everywhere', async (ranks, n) => {
    const values = Array.from({ length: ranks }, (_, rank) => drawn(rank, n));
    const expected = Float32Array.from({ length: n }, (_, i) => values.reduce((s, v) => Math.fround(s + v[i]), 0));
    for (const sum of await Promise.all(together(ranks).map((each, rank) => each.sum(values[rank], 'gradient'))))
      expect(sum).toEqual(expected);
  });

  it('as halves is within their rounding, whatever the size of the values; measures travel as they are', async () => {
    for (const size of [1e-9, 1, 1e9]) {
      const values = [0, 1, 2].map((rank) => drawn(rank, 100, size)),
        all = together(3, true);
      const sums = await Promise.all(all.map((each, rank) => each.sum(values[rank], 'gradient')));
      expect(sums[1]).toEqual(sums[0]);
      expect(sums[2]).toEqual(sums[0]);
      sums[0].forEach((sum, i) => {
        // Each part and the sum are rounded once: half a unit of 2^-10 each, of at most 3 in all.
        expect(Math.abs(sum - (values[0][i] + values[1][i] + values[2][i]))).toBeLessThan(size * 6 * 2 ** -11);
      });
      const measures = await Promise.all(all.map((each, rank) => each.sum(values[rank], 'measure')));
      expect(measures[0][7]).toBe(Math.fround(Math.fround(values[0][7] + values[1][7]) + values[2][7]));
    }
  });

  it('as halves of what is no number is none: the update is skipped or refused, never made with something else', async () => {
    const [a, b] = together(2, true);
    const [sum] = await Promise.all([a.sum(Float32Array.of(1, NaN, 2), 'gradient'), b.sum(Float32Array.of(1, 1, Infinity), 'gradient')]);
    expect([...sum]).toEqual([2, NaN, Infinity]);
  });
});

it('what every process says comes to all, in the order of ranks, of different lengths and while sums are under way', async () => {
  const said = ['', 'a longer one', { many: [1, 2, 3] }],
    all = together(3);
  const answers = await Promise.all(
    all.map(async (each, rank) => {
      const sum = each.sum(Float32Array.of(rank), 'measure');
      return [await each.gather(said[rank]), [...(await sum)]];
    }),
  );
  for (const answer of answers) expect(answer).toEqual([said, [3]]);
});

it('every half is its own nearest, and what lies between two goes to the even one', () => {
  const value = halves();
  const finite = Array.from({ length: 65536 }, (_, h) => h).filter((h) => Number.isFinite(value[h]));
  const out = new Uint16Array(finite.length);
  toHalves(
    Float32Array.from(finite, (h) => value[h]),
    out,
  );
  expect([...out]).toEqual(finite);
  toHalves(Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, 2 ** -25, 1.5 * 2 ** -24, NaN, -Infinity), out);
  expect([...out.subarray(0, 8)]).toEqual([0x3c00, 0x3c02, 0x7bff, 0x7c00, 0, 2, 0x7e00, 0xfc00]);
});
