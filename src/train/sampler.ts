// SPDX-License-Identifier: MIT
// What iteration `it` sees: a case, a crop, an augmentation, slices and clicks, each a function of (seed, iteration), so that a
// resumed run goes on exactly where it was (specification 5.3, 7.4).
import { drawAugmentation, applyAugmentation } from '../data/augment.ts';
import type { Triple } from '../data/geometry.ts';
import { Philox } from '../data/philox.ts';
import { cutSample, foregroundVoxels, noduleStart, patchStart } from '../data/roi.ts';
import type { PreparedCase, Sample } from '../data/sample.ts';
import { planeShape, type Plane } from '../models/sanet/planes.ts';
import type { Plan } from './plan_schema.ts';

/** Host arrays of one training step, in the shapes of `StepExample`. */
export type StepFeed = {
  readonly image: Float32Array; readonly label: Float32Array; readonly annotated: Float32Array; readonly present: Float32Array;
  readonly coords: Float32Array; readonly labels: Float32Array;
  /** Uniform numbers for the clicks after the first; absent where there is one click. */
  readonly draws?: Float32Array;
  readonly transverse: PlaneFeed; readonly coronal: PlaneFeed;
};
export type PlaneFeed = {
  readonly index: Uint32Array; readonly inverse: Uint32Array; readonly chosen: Float32Array;
  /** ESG's neighbours instead of a search for them. */
  readonly selected?: Uint32Array;
};

export class Sampler {
  private readonly plan: Plan;
  private readonly load: (name: string) => Promise<PreparedCase>;
  private readonly names: readonly string[];
  private readonly foreground = new Map<string, Uint32Array[]>();

  /** `load` gives a prepared case by name; it may cache. */
  constructor(plan: Plan, names: readonly string[], load: (name: string) => Promise<PreparedCase>) {
    this.plan = plan;
    this.names = names;
    this.load = load;
  }

  /** Name of the case of the n-th sample: every epoch is a new permutation. */
  caseOf(n: number): string {
    const order = new Philox(this.plan.training.seed, 'order').permutation(Math.floor(n / this.names.length), 0, this.names.length);
    return this.names[order[n % this.names.length]!]!;
  }

  /** The volumes of one iteration. */
  iteration(it: number): Promise<StepFeed[]> {
    const { batch } = this.plan.training;
    return Promise.all(Array.from({ length: batch }, (_, b) => this.sample(it * batch + b)));
  }

  async sample(n: number): Promise<StepFeed> {
    const { plan } = this;
    const prepared = await this.load(this.caseOf(n));
    const roi = [...plan.data.roi] as Triple;
    const { seed } = plan.training;
    const draw = new Philox(seed, 'augment').cursor(n, 1);
    const start = plan.data.sampling === 'centre' ? noduleStart(prepared, roi, draw, [...plan.data.jitter] as Triple)
      : patchStart(prepared.grid.size, roi, this.foregroundOf(prepared), draw, plan.data.foregroundShare);
    const cut = cutSample(prepared, start, roi);
    return this.feed(applyAugmentation(cut, drawAugmentation(seed, n, 0, roi, plan.augmentation)), prepared, n);
  }

  private foregroundOf(prepared: PreparedCase): Uint32Array[] {
    let lists = this.foreground.get(prepared.name);
    if (!lists) {
      lists = foregroundVoxels(prepared, this.plan.classes.length);
      this.foreground.set(prepared.name, lists);
    }
    return lists;
  }

  private feed(sample: Sample, { unlabelled }: PreparedCase, n: number): StepFeed {
    const classes = this.plan.classes.length;
    const clickCount = this.plan.sam.clicks;
    const clicks = new Philox(this.plan.training.seed, 'click');
    const coords = new Float32Array((classes - 1) * 3);
    for (let c = 1; c < classes; c++) coords.set(clickIn(sample, c, clicks.uniform(n, c, 1)[0]!), (c - 1) * 3);
    const order = new Philox(this.plan.training.seed, 'order');
    const plane = (name: Plane, i: number): PlaneFeed => choosePlane(sample, name, this.plan.cross.slices[i]!, order.uniform(n, i + 1, planeShape(sample.size, name).count));
    return {
      image: sample.image, label: Float32Array.from(sample.label), annotated: Float32Array.from(sample.weight),
      present: Float32Array.from({ length: classes }, (_, c) => unlabelled.includes(c) ? 0 : 1),
      coords, labels: new Float32Array(classes - 1).fill(1),
      ...(clickCount > 1 && { draws: clicks.uniform(n, 0, (clickCount - 1) * (classes - 1)) }),
      transverse: plane('transverse', 0), coronal: plane('coronal', 1),
    };
  }
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
  return voxel.map((v, axis) => (v + 0.5) / size[axis]!) as [number, number, number];
}

/** Wholly annotated slices first, in random order (`u`, one number a slice), the rest by their share of annotated voxels. */
function choosePlane(sample: Sample, plane: Plane, wanted: number, u: Float32Array): PlaneFeed {
  const { count, height, width } = planeShape(sample.size, plane);
  const voxels = new Float64Array(count);
  const [, h, w] = sample.size;
  sample.weight.forEach((v, i) => { if (v) voxels[plane === 'transverse' ? Math.floor(i / (h * w)) : Math.floor(i / w) % h]!++; });
  const whole = Math.max(...voxels) > 0.99 * height * width ? height * width : Math.max(...voxels);
  const rank = (s: number): number => (voxels[s]! >= 0.99 * whole && whole > 0 ? 1 : 0);
  const order = Array.from({ length: count }, (_, s) => s).sort((a, b) => rank(b) - rank(a) || u[a]! - u[b]!);
  const index = Uint32Array.from(order.slice(0, Math.min(wanted, count)).sort((a, b) => a - b));
  const inverse = new Uint32Array(count);
  const chosen = new Float32Array(count);
  index.forEach((s, i) => { inverse[s] = i; chosen[s] = 1; });
  return { index, inverse, chosen };
}
