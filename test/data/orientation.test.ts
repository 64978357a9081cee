// SPDX-License-Identifier: MIT
import type { Triple } from '../../src/axes.ts';
import { describe, expect, it } from 'vitest';
import { voxelToWorld, worldToVoxel } from '../../src/data/geometry.ts';
import { fromRas, toRas } from '../../src/data/orientation.ts';
import { volumeOf } from './helpers.ts';

// All 48 ways to lay three array axes along the patient's, and one tilted grid.
const directions: number[][] = [];
for (const [a, b, c] of [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]) {
  for (let signs = 0; signs < 8; signs++) {
    const m = new Array<number>(9).fill(0);
    [a, b, c].forEach((world, column) => {
      m[3 * world + column] = (signs >> column) & 1 ? -1 : 1;
    });
    directions.push(m);
  }
}
directions.push([Math.cos(0.3), 0, Math.sin(0.3), 0, 1, 0, -Math.sin(0.3), 0, Math.cos(0.3)]);

describe.each(directions.map((d) => [d]))('direction %j', (direction) => {
  const volume = volumeOf(
    [2, 3, 4],
    Int16Array.from({ length: 24 }, (_, i) => i),
    { direction },
  );
  const ras = toRas(volume);

  it('turns to Superior, Anterior, Right with every voxel at its place in the patient', () => {
    const [x, y, z] = [0, 4, 8].map((i) => ras.direction[i]);
    expect([x < 0, y < 0, z > 0]).toEqual([true, true, true]);
    for (let d = 0, i = 0; d < ras.size[0]; d++)
      for (let h = 0; h < ras.size[1]; h++)
        for (let w = 0; w < ras.size[2]; w++, i++) {
          const there = worldToVoxel(volume, voxelToWorld(ras, [d, h, w])),
            at = there.map(Math.round) as Triple;
          there.forEach((v, axis) => expect(Math.abs(v - at[axis])).toBeLessThan(1e-9));
          expect(ras.data[i]).toBe(volume.data[(at[0] * 3 + at[1]) * 4 + at[2]]);
        }
  });

  it('comes back to the stored grid exactly', () => {
    const back = fromRas(ras, volume);
    expect([...back.data]).toEqual([...volume.data]);
    expect([back.size, back.spacing, back.origin, back.direction]).toEqual([volume.size, volume.spacing, volume.origin, volume.direction]);
  });
});
