// SPDX-License-Identifier: MIT
// A run folder with weights that nobody trained: enough for whatever is not about learning.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openDevice } from '../../src/gpu/device.ts';
import { saveCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { planDigest } from '../../src/train/start.ts';
import { buildNetworks, buildOptimisers } from '../../src/train/networks.ts';
import type { Plan } from '../../src/methods/plan.ts';
import type { RunState } from '../../src/train/checkpoint.ts';
import { trainedPlan } from '../../src/train/trained_plan.ts';
import { writePlan } from '../train/tiny_run.ts';

export async function untrained(folder: string, own: Plan, more: Partial<RunState> = {}): Promise<void> {
  using _device = await openDevice();
  const nets = buildNetworks(own);
  const optimisers = buildOptimisers(own, nets);
  mkdirSync(join(folder, 'checkpoints'), { recursive: true });
  writePlan(folder, own);
  await saveCheckpoint(checkpointPath(folder, 'latest'), nets, optimisers, {
    version: 1,
    iteration: 2,
    iterations: 12,
    plan: planDigest(own),
    trained: trainedPlan(own),
    steps: { transverse: 2, coronal: 2 },
    best: null,
    seconds: 1,
    stages: { compile: 0, train: 1, validate: 0 },
    pace: { iterations: 0, seconds: 0 },
    resumed: [],
    adapter: 'none',
    ...more,
  });
}
