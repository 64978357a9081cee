// SPDX-License-Identifier: MIT
// The smallest run that still is one: phantoms of 8 x 32 x 32 voxels and the `demo` preset cut down to them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { readBytes } from '../../src/files/regular.ts';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { inferPlan } from '../../src/train/presets.ts';
import { initialise, type Initialised } from '../../src/train/initial_weights.ts';
import type { Networks } from '../../src/methods/method.ts';
import type { Plan } from '../../src/methods/plan.ts';
import type { SanetPlan } from '../../src/methods/sanet/plan.ts';

/** Six training and two test phantoms with a third of their slices annotated. */
export async function tinyDataset(folder: string, classes = 1): Promise<string> {
  await writePhantomDataset(folder, {
    training: 6,
    test: 2,
    size: [8, 32, classes === 1 ? 32 : 48],
    seed: 5,
    radii: [3, 7],
    contrast: 300,
    classes,
  });
  await sparsify(folder, 'both', 7);
  return folder;
}

export function tinyPlan(change: (plan: SanetPlan) => void = () => {}, classes = ['background', 'nodule']): SanetPlan {
  const plan = inferPlan({ name: 'tiny', classes, medianSpacing: [1, 1, 1], medianSize: [8, 32, 32] }, 'demo');
  plan.data.roi = [8, 32, 32];
  plan.data.jitter = [1, 2, 2];
  plan.method.sam.size = 32;
  plan.method.cross.slices = [4, 4];
  Object.assign(plan.training, { iterations: 12, selections: 1, checkpointEvery: 2 });
  change(plan);
  return plan;
}

/** Two bare 2D networks: few shaders to compile, and checkpoints of 3 MB instead of SAM's 150. */
export function slicesAlone(plan: SanetPlan): void {
  plan.method.sam.enabled = false;
  plan.method.cross.enabled = false;
  Object.assign(plan.method.network2d, { stem: 4, useMSA: false, useBGC: false, useRM: false });
}

export function writePlan(folder: string, plan: Plan, name = 'plan.json'): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(plan));
  return file;
}

/** Puts the weights of a file into networks. */
export const initialiseFrom = async (plan: Plan, nets: Networks, file: string): Promise<Initialised> =>
  initialise(plan, nets, readBytes(file), file);
