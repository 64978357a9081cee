// SPDX-License-Identifier: MIT
// The training step that a plan asks for.
import type { NetworkName, Networks } from './networks.ts';
import type { Optimiser } from './optim.ts';
import type { Plan } from './plan_schema.ts';
import { compileStep, type StepOptions, type TrainingStep } from './step.ts';
import { compileFullStep } from './step_full.ts';

export function compileTraining(plan: Plan, nets: Networks, optimisers: ReadonlyMap<NetworkName, Optimiser>, options: StepOptions): Promise<TrainingStep> {
  return (plan.cross.pseudo === 'full' ? compileFullStep : compileStep)(plan, nets, optimisers, options);
}
