// SPDX-License-Identifier: MIT
// One training iteration as one program (`pseudo: 'selected'`): the three networks' forward passes, cross supervision between
// them, their losses, gradients and updates. Pseudo labels come from the same pass that is trained.
import type { SlicePlane, Triple } from '../../axes.ts';
import { spec, type Spec } from '../../engine/dtype.ts';
import type { Inputs } from '../../engine/program.ts';
import { noGrad } from '../../engine/trace.ts';
import { tensor, type Tensor } from '../../engine/tensor.ts';
import { flip } from '../../ops/layout.ts';
import { add, mul } from '../../ops/pointwise.ts';
import { reshape } from '../../ops/reshape.ts';
import { fitSlices, planeShape, PLANES, putSlices, takeSlices, toNative, toNetwork, type Fit } from '../../models/sanet/planes.ts';
import { useRandom } from '../../nn/dropout.ts';
import { sharingStatistics } from '../../nn/layers.ts';
import type { Net2DOutput } from '../../models/sanet/net2d.ts';
import { meanOf, type Present } from '../../losses/segmentation.ts';
import { networkList, type Optimisers, type Step, type StepOptions } from '../method.ts';
import { StepContext } from '../step_context.ts';
import { compileVolumeStep, type VolumeExample } from '../volume_step.ts';
import { consensusOf } from './clicks.ts';
import { crossTargets, teacherQuality, type CrossTargets, type Predictions, type SparseLabels, type Supervision } from './cross.ts';
import type { StepFeed } from './feed.ts';
import { probabilities, samLoss, sliceLoss } from './forward.ts';
import { sanetNetworks, type SanetNetworks } from './networks.ts';
import { judgesTeachers, TEACHERS } from './schedule.ts';
import { volumeLogits, volumeNetwork } from './volume_network.ts';
import type { SanetFields, SanetPlan } from './plan.ts';

/** Clicks of a step: the first of every class, and numbers for those after it. */
export type ClickExample = { readonly coords: Spec; readonly labels: Spec; readonly draws?: Spec };

/** What a step takes of a volume, as it lies in memory. */
export type StepExample = ClickExample & {
  readonly image: Spec;
  readonly label: Spec;
  readonly annotated: Spec;
  readonly present: Spec;
} & { readonly [P in SlicePlane]: { readonly index: Spec; readonly inverse: Spec; readonly chosen: Spec } & { readonly selected?: Spec } };

/** Share of voxels in which both 2D networks agree, as a measure of a step. */
export const AGREEMENT = 'agreement.2D planes';

/** Targets by what the three networks see, with the weights that the schedule gives each teacher; reports what an exchange is judged by. */
export function exchanged(
  context: StepContext,
  seen: Predictions,
  truth: SparseLabels,
  chosen: Tensor,
  exchange: SanetFields['cross'],
  share: number,
  mirrored: Predictions | null = null,
): CrossTargets {
  const lambda = context.scalar('lambda');
  const judges = judgesTeachers(exchange);
  const [ofSlices, ofSam] = judges ? ['slicesTeach', 'samTeaches'].map((name) => mul(lambda, context.scalar(name))) : [lambda, lambda];
  const made = crossTargets(seen, truth, chosen, ofSlices, exchange, ofSam, mirrored);
  context.report({ quality: meanOf(made.quality), [AGREEMENT]: meanOf(made.agreement) }, share);
  if (judges)
    for (const [name, value] of Object.entries(teacherQuality(seen, truth, chosen, exchange)))
      context.report({ [`${TEACHERS}.${name}`]: meanOf(value) }, share);
  return made;
}

export function clickExample({ classes, method: { sam } }: SanetPlan): ClickExample {
  const n = classes.length - 1;
  return { coords: spec([n, 1, 3]), labels: spec([n, 1]), ...(sam.clicks > 1 && { draws: spec([sam.clicks - 1, n]) }) };
}

/** Shapes of a step: ROI, slices a plane, classes. */
export function stepExample(plan: SanetPlan): StepExample {
  const roi = plan.data.roi as Readonly<Triple>;
  const plane = (name: SlicePlane, i: number): { index: Spec; inverse: Spec; chosen: Spec } => {
    const { count } = planeShape(roi, name);
    return { index: spec([Math.min(plan.method.cross.slices[i], count)], 'u32'), inverse: spec([count], 'u32'), chosen: spec([count]) };
  };
  return {
    image: spec(roi),
    label: spec(roi),
    annotated: spec(roi),
    present: spec([plan.classes.length]),
    ...clickExample(plan),
    transverse: plane('transverse', 0),
    coronal: plane('coronal', 1),
  };
}

/**
 * SA-Net's training step, compiled for this plan's shapes: volumes in, losses out, networks and optimisers updated in place.
 * @throws LimitError where it does not fit the device
 */
export function compileStep(
  plan: SanetPlan,
  nets: SanetNetworks,
  optimisers: Optimisers,
  { partial, example = stepExample(plan), ...options }: StepOptions & { example?: VolumeExample },
): Promise<Step<StepFeed>> {
  const context = new StepContext(nets, optimisers, options);
  const teachers = context.averaged(() => sanetNetworks(plan));
  for (const { net } of networkList(nets)) net.train();
  for (const { vnet } of new Set([nets, teachers])) if (vnet) useRandom(vnet, context.random(plan.training.seed));
  return compileVolumeStep(context, example, { ...options, batch: plan.training.batch }, (x: Inputs<StepExample>, share) =>
    trainAll(plan, nets, teachers, x, context, partial, share),
  );
}

/**
 * The forward passes and losses of all networks on B volumes, which count `share` in their iteration. Statistics are those of one volume's
 * slices. Pseudo labels are those of `teachers`, from the pass that is trained where they are the networks themselves.
 */
function trainAll(
  plan: SanetPlan,
  nets: SanetNetworks,
  teachers: SanetNetworks,
  x: Inputs<StepExample>,
  context: StepContext,
  partial: boolean,
  share: number,
): void {
  const { network2d, sam, cross: exchange, loss } = plan.method;
  const [b, ...size] = x.image.shape as unknown as [number, ...Readonly<Triple>];
  const classes = plan.classes.length;
  const present = partial ? x.present : undefined;
  const volumes = reshape(x.image, [b, ...size, 1]);
  const truth = { label: x.label, annotated: x.annotated };
  const planes = new Map<SlicePlane, { out: Net2DOutput; fit: Fit }>();
  for (const plane of PLANES) {
    const net = nets[plane];
    if (!net) continue;
    const { height, width } = planeShape(size, plane);
    const fit = fitSlices(height, width, network2d.resize);
    const { index, selected } = x[plane];
    const input = noGrad(() => toNetwork(takeSlices(volumes, plane, reshape(index, [-1])), fit));
    const nearest = selected && reshape(selected, [-1, ...selected.shape.slice(2)]);
    planes.set(plane, { out: sharingStatistics(net, index.shape[1], () => net.forward(input, nearest)), fit });
  }
  const volumetric = volumeNetwork(nets);
  const seen = volumetric && exchange.enabled && planes.size === 2 ? volumesOf(planes, x) : null;
  const consensus = seen && nets.sam && sam.clicks > 1 ? consensusOf(seen.transverse, seen.coronal, seen.chosen) : null;
  const decodes = volumeLogits(nets, x.image, x, sam.clicks, truth, consensus, present);
  const mirrored = seen && exchange.mirrorAgreement ? predictionsOf(plan, teachers, x, present, { mirror: true }) : null;
  const said = seen && (teachers === nets ? { ...seen, sam: probabilities(decodes.at(-1)!) } : predictionsOf(plan, teachers, x, present));
  const cross = said && exchanged(context, said, truth, seen.chosen, exchange, share, mirrored);

  const sparse: Supervision = { target: x.label, weight: x.annotated };
  if (volumetric) context.learn(volumetric, samLoss(decodes, cross?.sam ?? sparse, classes, loss, present), share);
  for (const [plane, { out, fit }] of planes) {
    context.learn(
      plane,
      sliceLoss(out, fit, supervisionOf(cross?.slices ?? sparse, plane, x[plane].index), classes, loss, present, b).total,
      share,
    );
  }
}

/** Targets and weights of chosen slices, [S, h, w]. index u32 [B, S / B] or [S] */
export function supervisionOf({ target, weight }: Supervision, plane: SlicePlane, index: Tensor): Supervision {
  const pick = (v: Tensor): Tensor =>
    noGrad(() => {
      const taken = takeSlices(reshape(v, [...v.shape, 1]), plane, reshape(index, [-1]));
      return reshape(taken, taken.shape.slice(0, 3));
    });
  return { target: pick(target), weight: pick(weight) };
}

/**
 * What the three networks say of the volumes, [B, D, H, W, K]: as they lie, or mirrored left to right and back, where SAM gets the first
 * click alone. Without gradient, and running statistics see nothing of it.
 */
export function predictionsOf(
  { method: { network2d, sam } }: SanetPlan,
  nets: SanetNetworks,
  x: Inputs<StepExample>,
  present: Present,
  { mirror = false }: { mirror?: boolean } = {},
): Predictions {
  return noGrad(() => {
    const [b, ...size] = x.image.shape as unknown as [number, ...Readonly<Triple>];
    const turn = (v: Tensor): Tensor => (mirror ? flip(v, { axis: 3 }) : v);
    const image = turn(x.image);
    const volumes = reshape(image, [b, ...size, 1]);
    const ofPlane = (plane: SlicePlane): Tensor => {
      const { height, width } = planeShape(size, plane);
      const fit = fitSlices(height, width, network2d.resize);
      const net = nets[plane]!;
      const { index, inverse } = x[plane];
      const look = (): Tensor => net.forward(toNetwork(takeSlices(volumes, plane, reshape(index, [-1])), fit)).logits;
      const logits = sharingStatistics(net, index.shape[1], look, { track: false });
      return turn(putSlices(probabilities(toNative(logits, fit)), plane, inverse));
    };
    const [transverse, coronal] = [ofPlane('transverse'), ofPlane('coronal')];
    const truth = { label: x.label, annotated: x.annotated };
    const clicks = mirror ? 1 : sam.clicks;
    const click = mirror ? { coords: add(mul(x.coords, tensor([1, 1, -1])), tensor([0, 0, 1])), labels: x.labels } : x;
    const consensus = nets.sam && clicks > 1 ? consensusOf(transverse, coronal, chosenBy(x)) : null;
    const decodes = volumeLogits(nets, image, click, clicks, truth, consensus, present, { track: false });
    return { sam: turn(probabilities(decodes.at(-1)!)), transverse, coronal };
  });
}

/** Probabilities of both 2D networks as volumes [B, D, H, W, K], and where both looked. */
function volumesOf(
  planes: ReadonlyMap<SlicePlane, { out: Net2DOutput; fit: Fit }>,
  x: Inputs<StepExample>,
): { transverse: Tensor; coronal: Tensor; chosen: Tensor } {
  return noGrad(() => {
    const volume = (plane: SlicePlane): Tensor => {
      const { out, fit } = planes.get(plane)!;
      return putSlices(probabilities(toNative(out.logits, fit)), plane, x[plane].inverse);
    };
    return { transverse: volume('transverse'), coronal: volume('coronal'), chosen: chosenBy(x) };
  });
}

/** Where both 2D networks looked, [B, D, H, 1]. */
function chosenBy(x: Inputs<StepExample>): Tensor {
  const [b, d, h] = x.image.shape as [number, number, number, number];
  return mul(reshape(x.transverse.chosen, [b, d, 1, 1]), reshape(x.coronal.chosen, [b, 1, h, 1]));
}
