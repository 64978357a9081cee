// SPDX-License-Identifier: MIT
// The feeds of several volumes as one: arrays one after another. Which slices were chosen follows from their place in the whole.
import type { HostArray } from '../engine/dtype.ts';
import type { Feed } from '../engine/program.ts';
import type { PlaneFeed } from './slices.ts';

export function joined<A extends HostArray>(arrays: readonly A[]): A {
  const [first] = arrays;
  if (arrays.length === 1) return first;
  const out = new (first.constructor as new (n: number) => A)(arrays.reduce((n, a) => n + a.length, 0));
  let at = 0;
  for (const a of arrays) {
    out.set(a, at);
    at += a.length;
  }
  return out;
}

/** Numbers of slices of stacked volumes: those of volume b are `count` * b further. */
const shifted = (numbers: Uint32Array, by: number): Uint32Array => numbers.map((v) => v + by);

/** Index and inverse count slices of all volumes. */
function joinPlanes(planes: readonly PlaneFeed[]): PlaneFeed {
  const [{ index, inverse }] = planes as [PlaneFeed];
  return {
    index: joined(planes.map((p, b) => shifted(p.index, b * inverse.length))),
    inverse: joined(planes.map((p, b) => shifted(p.inverse, b * index.length))),
    chosen: joined(planes.map((p) => p.chosen)),
    ...(planes[0].selected && { selected: joined(planes.map((p) => p.selected!)) }),
  };
}

/** What each volume feeds: arrays, and planes by name. */
export function joinFeeds(feeds: readonly Feed[]): Record<string, Feed> {
  const all = feeds as readonly Record<string, HostArray | PlaneFeed>[];
  if (all.length === 1) return all[0];
  return Object.fromEntries(
    Object.entries(all[0]).map(([name, value]) => {
      const values = all.map((feed) => feed[name]);
      return [name, ArrayBuffer.isView(value) ? joined(values as HostArray[]) : joinPlanes(values as PlaneFeed[])];
    }),
  );
}
