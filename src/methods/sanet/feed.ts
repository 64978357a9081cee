// SPDX-License-Identifier: MIT
// What SA-Net's step takes of a region besides its voxels: first clicks and slices of both planes, each a function of (seed, n)
// (specification 5.3, 7.4).
import type { SlicePlane } from '../../axes.ts';
import type { Sample } from '../../data/sample.ts';
import { planeShape } from '../../models/sanet/planes.ts';
import { Philox } from '../../random/philox.ts';
import type { Drawn } from '../method.ts';
import { chooseSlices, planeFeed, type PlaneFeed } from '../slices.ts';
import type { SanetPlan } from './plan.ts';

/** Host arrays of one training step, in the shapes of `StepExample`. */
export type StepFeed = {
  readonly image: Float32Array;
  readonly label: Float32Array;
  readonly annotated: Float32Array;
  readonly present: Float32Array;
  readonly coords: Float32Array;
  readonly labels: Float32Array;
  /** Uniform numbers for the clicks after the first; absent where there is one click. */
  readonly draws?: Float32Array;
  readonly transverse: PlaneFeed;
  readonly coronal: PlaneFeed;
};
export function sanetFeed(
  { classes: { length: classes }, training: { seed }, method: { sam, cross } }: SanetPlan,
  { sample, unlabelled, n }: Drawn,
): StepFeed {
  const clicks = new Philox(seed, 'click');
  const coords = new Float32Array((classes - 1) * 3);
  for (let c = 1; c < classes; c++) coords.set(clickIn(sample, c, clicks.uniform(n, c, 1)[0]), (c - 1) * 3);
  const order = new Philox(seed, 'order');
  const plane = (name: SlicePlane, i: number): PlaneFeed =>
    planeFeed(
      chooseSlices(sample, name, cross.slices[i], order.uniform(n, i + 1, planeShape(sample.size, name).count)),
      planeShape(sample.size, name).count,
    );
  return {
    image: sample.image,
    label: Float32Array.from(sample.label),
    annotated: Float32Array.from(sample.weight),
    present: Float32Array.from({ length: classes }, (_, c) => (unlabelled.includes(c) ? 0 : 1)),
    coords,
    labels: new Float32Array(classes - 1).fill(1),
    ...(sam.clicks > 1 && { draws: clicks.uniform(n, 0, (sam.clicks - 1) * (classes - 1)) }),
    transverse: plane('transverse', 0),
    coronal: plane('coronal', 1),
  };
}

/** A random annotated voxel of class `c` as coordinates in [0, 1] (D, H, W); the centre where there is none. */
function clickIn({ label, weight, size }: Sample, c: number, u: number): [number, number, number] {
  let count = 0;
  for (let i = 0; i < label.length; i++) if (weight[i] && label[i] === c) count++;
  let left = Math.floor(u * count);
  for (let i = 0; i < label.length && count > 0; i++) {
    if (!weight[i] || label[i] !== c || left-- > 0) continue;
    const [, h, w] = size;
    return voxelCoordinates([Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w], size);
  }
  return [0.5, 0.5, 0.5];
}

/** Centre of a voxel in [0, 1] along each axis. */
export function voxelCoordinates(voxel: readonly number[], size: readonly number[]): [number, number, number] {
  return voxel.map((v, axis) => (v + 0.5) / size[axis]) as [number, number, number];
}
