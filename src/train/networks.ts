// SPDX-License-Identifier: MIT
// The three networks of a plan with their optimisers. This is the place that knows what a plan's precision means.
import type { FloatType } from '../engine/dtype.ts';
import { DataError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { Parameter } from '../nn/parameter.ts';
import { Net2D } from '../models/sanet/net2d.ts';
import type { Plane } from '../models/sanet/planes.ts';
import { SamMed3D } from '../models/sam_med3d/sam.ts';
import { adamw, decayGroups, type Optimiser } from './optim.ts';
import type { Plan } from './plan_schema.ts';

export type NetworkName = 'sam' | Plane;

export interface Networks {
  readonly sam: SamMed3D | null;
  readonly transverse: Net2D | null;
  readonly coronal: Net2D | null;
}

/** Of activations; weights are f32, and a loss is scaled where its gradients pass through f16. */
const storageOf = ({ training }: Plan): FloatType => training.precision === 'mixed' ? 'f16' : 'f32';

/** @throws DataError where the device lacks what the plan's precision needs */
export function assertPrecision(plan: Plan, { caps, info }: Device): void {
  if (storageOf(plan) === 'f32' || caps.f16) return;
  throw new DataError(`training.precision: got "${plan.training.precision}" on ${info.name}, which has no shader-f16, expected "f32".`, 'Set it to "f32" in the plan, or use an adapter with shader-f16 (voxelgrad doctor).');
}

/** The networks of a plan without values: enough to count, to trace, or to load a checkpoint into. */
export function makeNetworks(plan: Plan): Networks {
  const { network2d, sam, classes } = plan;
  const storage = storageOf(plan);
  const net2d = (): Net2D | null => network2d.enabled ? new Net2D({
    stem: network2d.stem, blocks: network2d.blocks, width: network2d.width, recovery: network2d.recoveryWidth, classes: classes.length,
    useMSA: network2d.useMSA, useBGC: network2d.useBGC, useRM: network2d.useRM,
    rates: network2d.rates, foregroundPrior: network2d.foregroundPrior, zeroInitLastGamma: network2d.zeroInitLastGamma, groupNorm: network2d.norm === 'gn',
    attention: { learnedTemperature: network2d.recovery.temperature === 'learned', interiorBias: network2d.recovery.interiorBias }, storage,
  }) : null;
  const nets: Networks = {
    sam: sam.enabled ? new SamMed3D({ size: sam.size, dim: sam.width, depth: sam.depth, heads: sam.heads, window: sam.window }, storage) : null,
    transverse: net2d(),
    coronal: net2d(),
  };
  for (const { name, net } of networkList(nets)) net.assignNames(`${name}.`);
  return nets;
}

/** The same with initial values drawn from the seed; each network's names start with its own. */
export function buildNetworks(plan: Plan, seed = plan.training.seed): Networks {
  const nets = makeNetworks(plan);
  for (const { name, net } of networkList(nets)) net.initialise(seed, `${name}.`);
  return nets;
}

/** The networks that a plan has, by name, in the order of every list and file. */
export function networkList(nets: Networks): { name: NetworkName; net: SamMed3D | Net2D }[] {
  return (['sam', 'transverse', 'coronal'] as const).flatMap((name) => nets[name] ? [{ name, net: nets[name] }] : []);
}

/** Adam with decoupled decay for the 2D networks; AdamW for SAM, prompt encoder and decoder at a fraction of the rate. */
export function buildOptimisers(plan: Plan, nets: Networks): Map<NetworkName, Optimiser> {
  const { optimiser } = plan;
  const options = { betas: optimiser.betas, eps: optimiser.epsilon, clipNorm: optimiser.clipNorm, lossScale: storageOf(plan) === 'f16' };
  const out = new Map<NetworkName, Optimiser>();
  if (nets.sam && plan.sam.trainable) {
    const encoder = nets.sam.image_encoder.parameters();
    const rest: Parameter[] = [...nets.sam.prompt_encoder.parameters(), ...nets.sam.mask_decoder.parameters()];
    out.set('sam', adamw([{ params: encoder }, { params: rest, lrScale: optimiser.samDecoderFactor }], { ...options, lr: optimiser.rateSam, weightDecay: optimiser.decaySam }));
  }
  for (const plane of ['transverse', 'coronal'] as const) {
    const net = nets[plane];
    if (net) out.set(plane, adamw(decayGroups(net.parameters(), optimiser.decay2d), { ...options, lr: optimiser.rate2d }));
  }
  return out;
}
