// SPDX-License-Identifier: MIT
// The networks of a plan with their values and optimisers.
import { WeightAverage } from '../optim/average.ts';
import { adamw, type Optimiser } from '../optim/optimiser.ts';
import { networkList, type Averages, type Networks, type Optimisers } from '../methods/method.ts';
import { restoreNetworks, trainedIn } from './checkpoint.ts';
import { checkpointFile, type CheckpointName, type RunFiles } from './run_store.ts';
import { methodOf } from '../methods/methods.ts';
import type { Plan } from '../methods/plan.ts';
import { storageOf } from '../methods/precision.ts';

/** The networks of a plan without values; each one's names start with its own. */
export function makeNetworks(plan: Plan): Networks {
  const nets = methodOf(plan).networks(plan);
  for (const { name, net } of networkList(nets)) net.assignNames(`${name}.`);
  return nets;
}

/** The same with initial values drawn from the seed. */
export function buildNetworks(plan: Plan, seed = plan.training.seed): Networks {
  const nets = makeNetworks(plan);
  for (const { name, net } of networkList(nets)) net.initialise(seed, `${name}.`);
  return nets;
}

/** AdamW for every network that learns, at the rate before its schedule. */
export function buildOptimisers(plan: Plan, nets: Networks): Map<string, Optimiser> {
  const { betas, epsilon, clipNorm } = plan.optimiser;
  return new Map(
    Object.entries(methodOf(plan).groups(plan, nets)).map(([name, { groups, rate, decay }]) => [
      name,
      adamw(groups, {
        betas,
        eps: epsilon,
        clipNorm,
        lossScale: storageOf(plan) === 'f16',
        lr: rate,
        ...(decay !== undefined && { weightDecay: decay }),
      }),
    ]),
  );
}

/** The running averages of the weights of every network that learns, as far as the plan has a use for them. */
export function buildAverages(plan: Plan, nets: Networks, optimisers: Optimisers): Averages {
  const decay = methodOf(plan).averageDecay?.(plan) ?? 0;
  const learning = decay > 0 ? [...optimisers.keys()] : [];
  return new Map(learning.map((name) => [name, new WeightAverage(nets[name], { decay, young: true })]));
}

/** Networks that a plan does not train: their weights must come from a file. */
export function frozenNetworks(plan: Plan): string[] {
  const nets = makeNetworks(plan);
  const learning = methodOf(plan).groups(plan, nets);
  return Object.keys(nets).filter((name) => !Object.hasOwn(learning, name));
}

/** A run's networks as a checkpoint holds them, ready for `Method.predictor`. @throws DataError as `trainedIn` and `restoreNetworks` */
export async function restoreFrom(plan: Plan, files: RunFiles, which: CheckpointName = 'best'): Promise<Networks> {
  const name = checkpointFile(which);
  const { tensors } = await trainedIn(files, name);
  const nets = makeNetworks(plan);
  restoreNetworks(nets, tensors, files.path(name));
  return nets;
}
