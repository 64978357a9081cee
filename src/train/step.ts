// SPDX-License-Identifier: MIT
// One training iteration as one program (`pseudo: 'selected'`): the three networks' forward passes, cross supervision between
// them, their losses, gradients and updates. Pseudo labels come from the same pass that is trained.
import { backward } from '../engine/autograd.ts';
import { spec, type Spec } from '../engine/dtype.ts';
import { compile, type CompileOptions, type Inputs, type Program } from '../engine/program.ts';
import { hostScalars, noGrad } from '../engine/trace.ts';
import type { Tensor } from '../engine/tensor.ts';
import { mul } from '../ops/pointwise.ts';
import { reshape } from '../ops/reshape.ts';
import { fitSlices, planeShape, PLANES, putSlices, takeSlices, toNative, toNetwork, type Fit, type Plane } from '../models/sanet/planes.ts';
import type { Net2DOutput } from '../models/sanet/net2d.ts';
import { consensusOf, promptedDecodes } from './clicks.ts';
import { crossTargets, type Supervision } from './cross.ts';
import { probabilities, samLoss, sliceLoss, type Size3 } from './forward.ts';
import { networkList, type NetworkName, type Networks } from './networks.ts';
import type { Optimiser } from './optim.ts';
import type { Plan } from './plan_schema.ts';
import type { StepFeed } from './sampler.ts';
import { compileUpdate, measuresOf, RunningMeans } from './update.ts';

/** Clicks of a step: the first of every class, and numbers for those after it. */
export type ClickExample = { readonly coords: Spec; readonly labels: Spec; readonly draws?: Spec };

/** What a step takes, as it lies in memory. */
export type StepExample = ClickExample & {
  readonly image: Spec; readonly label: Spec; readonly annotated: Spec; readonly present: Spec;
} & { readonly [P in Plane]: { readonly index: Spec; readonly inverse: Spec; readonly chosen: Spec } & { readonly selected?: Spec } };

/** Scalars [1] of one iteration; those of networks that a plan lacks are absent. */
export type StepResult = Record<string, Tensor>;

export interface StepSettings {
  /** Weight of pseudo labels in the coming iteration. */
  lambda: number;
}

/** `partial`: some cases lack labels of some classes, so the loss is marginal over `present`. */
export interface StepOptions extends CompileOptions { readonly partial: boolean }

export interface TrainingStep {
  readonly settings: StepSettings;
  /** Every program of an iteration, and how often it runs. */
  readonly programs: readonly { readonly name: string; readonly runs: number; readonly program: Program<unknown> }[];
  /** One iteration on `training.batch` volumes: gradients averaged over them, every network updated once. */
  runIteration(volumes: readonly StepFeed[]): StepResult;
  dispose(): void;
}

export function clickExample({ classes, sam }: Plan): ClickExample {
  const n = classes.length - 1;
  return { coords: spec([n, 1, 3]), labels: spec([n, 1]), ...(sam.clicks > 1 && { draws: spec([sam.clicks - 1, n]) }) };
}

/** Shapes of a step: ROI, slices a plane, classes. */
export function stepExample(plan: Plan): StepExample {
  const roi = plan.data.roi as Size3;
  const plane = (name: Plane, i: number): { index: Spec; inverse: Spec; chosen: Spec } => {
    const { count } = planeShape(roi, name);
    return { index: spec([Math.min(plan.cross.slices[i]!, count)], 'u32'), inverse: spec([count], 'u32'), chosen: spec([count]) };
  };
  return {
    image: spec(roi), label: spec(roi), annotated: spec(roi), present: spec([plan.classes.length]), ...clickExample(plan),
    transverse: plane('transverse', 0), coronal: plane('coronal', 1),
  };
}

export async function compileStep(plan: Plan, nets: Networks, optimisers: ReadonlyMap<NetworkName, Optimiser>, options: StepOptions & { example?: StepExample }): Promise<TrainingStep> {
  const settings: StepSettings = { lambda: 0 };
  const { batch } = plan.training;
  const means = new RunningMeans();
  for (const { net } of networkList(nets)) net.train();
  const program = await compile((x: Inputs<StepExample>): StepResult => {
    const measures: StepResult = {};
    const result = forwardAll(plan, nets, x, settings, options.partial, (name, loss) => {
      const optimiser = optimisers.get(name);
      if (!optimiser) return;
      const grads = backward(optimiser.scaled(loss), nets[name]!.parameters());
      if (batch === 1) Object.assign(measures, measuresOf(name, optimiser, optimiser.step(grads)));
      else optimiser.accumulate(grads, 1 / batch);
    });
    if (batch === 1) return { ...result, ...measures };
    means.add(result, 1 / batch);
    return {};
  }, options.example ?? stepExample(plan), options);
  const update = batch === 1 ? null : await compileUpdate(optimisers, means, options);
  return {
    settings,
    programs: [{ name: 'step', runs: batch, program }, ...(update ? [{ name: 'update', runs: 1, program: update }] : [])],
    runIteration(volumes) {
      let result: StepResult = {};
      for (const feed of volumes) result = program.run(feed);
      return update ? update.run() : result;
    },
    dispose() {
      program.dispose();
      update?.dispose();
      means[Symbol.dispose]();
    },
  };
}

/** The forward passes and losses of all networks on one volume; `train` gets each network's loss. Returns losses and measures. */
function forwardAll(plan: Plan, nets: Networks, x: Inputs<StepExample>, settings: StepSettings, partial: boolean, train: (name: NetworkName, loss: Tensor) => void): StepResult {
  const size = x.image.shape as unknown as Size3;
  const classes = plan.classes.length;
  const present = partial ? x.present : undefined;
  const volume = reshape(x.image, [...size, 1]);
  const truth = { label: x.label, annotated: x.annotated };
  const planes = new Map<Plane, { out: Net2DOutput; fit: Fit }>();
  for (const plane of PLANES) {
    const net = nets[plane];
    if (!net) continue;
    const { height, width } = planeShape(size, plane);
    const fit = fitSlices(height, width, plan.network2d.resize);
    const input = noGrad(() => toNetwork(takeSlices(volume, plane, x[plane].index), fit));
    planes.set(plane, { out: net.forward(input, x[plane].selected), fit });
  }
  const seen = nets.sam && plan.cross.enabled && planes.size === 2 ? volumesOf(planes, x) : null;
  const consensus = seen && plan.sam.clicks > 1 ? consensusOf(seen.transverse, seen.coronal, seen.chosen) : null;
  const decodes = nets.sam ? promptedDecodes(nets.sam, volume, x, plan.sam.clicks, truth, consensus, present) : [];
  const cross = seen && crossTargets({ ...seen, sam: probabilities(decodes.at(-1)!) }, truth, seen.chosen, lambdaOf(settings), plan.cross);
  const result: StepResult = cross ? { quality: cross.quality, agreement: cross.agreement } : {};
  const add = (name: NetworkName, loss: Tensor): void => { result[name] = loss; train(name, loss); };

  const sparse: Supervision = { target: x.label, weight: x.annotated };
  if (nets.sam) add('sam', samLoss(decodes, cross?.sam ?? sparse, classes, plan.loss, present));
  for (const [plane, { out, fit }] of planes) {
    add(plane, sliceLoss(out, fit, supervisionOf(cross?.slices ?? sparse, plane, x[plane].index), classes, plan.loss, present).total);
  }
  return result;
}

/** The weight of pseudo labels as a tensor that follows the settings from run to run. */
export const lambdaOf = (settings: StepSettings): Tensor => hostScalars(1, 'f32', () => Float32Array.of(settings.lambda));

/** Targets and weights of chosen slices, [S, h, w]. */
export function supervisionOf({ target, weight }: Supervision, plane: Plane, index: Tensor): Supervision {
  const pick = (v: Tensor): Tensor => noGrad(() => {
    const taken = takeSlices(reshape(v, [...v.shape, 1]), plane, index);
    return reshape(taken, taken.shape.slice(0, 3));
  });
  return { target: pick(target), weight: pick(weight) };
}

/** Probabilities of both 2D networks as volumes [D, H, W, K], and where both looked. */
function volumesOf(planes: ReadonlyMap<Plane, { out: Net2DOutput; fit: Fit }>, x: Inputs<StepExample>): { transverse: Tensor; coronal: Tensor; chosen: Tensor } {
  return noGrad(() => {
    const [d, h] = x.image.shape as [number, number, number];
    const volume = (plane: Plane): Tensor => {
      const { out, fit } = planes.get(plane)!;
      return putSlices(probabilities(toNative(out.logits, fit)), plane, x[plane].inverse);
    };
    const chosen = mul(reshape(x.transverse.chosen, [d, 1, 1]), reshape(x.coronal.chosen, [h, 1]));
    return { transverse: volume('transverse'), coronal: volume('coronal'), chosen };
  });
}
