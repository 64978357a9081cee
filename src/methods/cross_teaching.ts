// SPDX-License-Identifier: MIT
// Cross-teaching of one 3D and two 2D networks (Cai et al. 2023; specification 9.6): a VNet and two U-Nets that teach each other by the
// exchange that SA-Net took from them, from pseudo labels of the pass that is trained.
import type { SlicePlane, Triple } from '../axes.ts';
import * as z from 'zod';
import { spec } from '../engine/dtype.ts';
import type { Inputs } from '../engine/program.ts';
import type { Tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { meanOf, oneHotOf, segLosses } from '../losses/segmentation.ts';
import { UNet2D } from '../models/unet2d.ts';
import { VNet } from '../models/vnet.ts';
import { fitSlices, planeShape, PLANES, putSlices, takeSlices, toNative, toNetwork } from '../models/sanet/planes.ts';
import { useRandom } from '../nn/dropout.ts';
import { sharingStatistics } from '../nn/layers.ts';
import { mul } from '../ops/pointwise.ts';
import { permute } from '../ops/permute.ts';
import { reshape } from '../ops/reshape.ts';
import { softmax } from '../ops/softmax.ts';
import { decayGroups } from '../optim/optimiser.ts';
import { Philox } from '../random/philox.ts';
import { densePredictor } from './dense_predictor.ts';
import { networkList, type Method } from './method.ts';
import { flag, integer, number, rate, share } from './plan_fields.ts';
import type { Plan } from './plan.ts';
import { storageOf } from './precision.ts';
import { crossTargets, type Supervision } from './sanet/cross.ts';
import { probabilities } from './sanet/forward.ts';
import { teacherAverage } from './sanet/plan.ts';
import { pseudoWeight } from './sanet/schedule.ts';
import { AGREEMENT, supervisionOf } from './sanet/step.ts';
import { chooseSlices, planeFeed, type PlaneFeed } from './slices.ts';
import { StepContext } from './step_context.ts';
import type { VolumeFeed } from './supervised.ts';
import { vnetSizes } from './vnet_sizes.ts';
import { compileVolumeStep } from './volume_step.ts';

const schema = z.strictObject({
  name: z.literal('cross_teaching'),
  vnet: vnetSizes,
  unet: z.strictObject({ width: integer(2, 128) }),
  rate: rate().describe('learning rate of all three networks'),
  decay: number(0, 1).describe('weight decay'),
  cross: z.strictObject({
    enabled: flag().describe('false: no exchange, sparse labels alone'),
    slices: z.tuple([integer(1, 512), integer(1, 512)]).describe('transverse and coronal slices of an iteration, annotated ones first'),
    lambdaMax: number(0, 10).describe('largest weight of pseudo labels'),
    warmStart: number(0, 0.9).describe('share of the iterations with annotated voxels only'),
    hardThreshold: number(0.5, 1),
    softThreshold: number(0.5, 1),
    quality: z.enum(['dice', 'accuracy']),
    qualityBar: share(),
    teacherAverage,
  }),
  loss: z.strictObject({ ce: number(0, 100), dice: number(0, 100) }),
});

type Fields = z.infer<typeof schema>;
type CrossPlan = Plan<Fields>;
type Nets = { readonly vnet: VNet; readonly transverse: UNet2D; readonly coronal: UNet2D };
type CrossFeed = VolumeFeed & { readonly [P in SlicePlane]: PlaneFeed };

function networksOf(plan: CrossPlan): Nets {
  const {
    classes,
    method: { vnet, unet },
  } = plan;
  const net2d = (): UNet2D => new UNet2D({ width: unet.width, inChannels: 1, classes: classes.length }, storageOf(plan));
  return { vnet: new VNet({ ...vnet, inChannels: 1, classes: classes.length }, storageOf(plan)), transverse: net2d(), coronal: net2d() };
}

const WIDTHS = { paper: [16, 64], base: [16, 32], tiny: [6, 8], demo: [4, 8] } as const;

export const crossTeaching: Method<Fields, CrossFeed> = {
  name: 'cross_teaching',
  schema,
  preset(preset, { optimiser, augmentation, training, prediction, evaluation, ...before }) {
    const small = preset === 'tiny' || preset === 'demo';
    const [vnet, unet] = WIDTHS[preset];
    const method: Fields = {
      name: 'cross_teaching',
      vnet: { width: vnet, dropout: small ? 0 : 0.5 },
      unet: { width: unet },
      rate: 1e-3,
      decay: 1e-4,
      cross: {
        enabled: true,
        slices: small ? [8, 8] : [16, 16],
        lambdaMax: small ? 0.5 : 0.1,
        warmStart: 1 / 6,
        hardThreshold: 0.9,
        softThreshold: 0.7,
        quality: 'dice',
        qualityBar: 0.85,
        teacherAverage: 0,
      },
      loss: { ce: 0.5, dice: 0.5 },
    };
    return {
      ...before,
      method,
      optimiser: { ...optimiser, ...(!small && { schedule: 'constant' as const }) },
      augmentation,
      training,
      prediction,
      evaluation,
    };
  },
  severalClasses({ method: { cross } }) {
    cross.quality = 'accuracy';
    cross.qualityBar = 0.98;
  },
  contradictions: ({ data: { roi }, method: { cross, loss } }) => [
    ...roi.flatMap((n, i) => (n % 16 === 0 ? [] : [`data.roi.${i}: got ${n}, expected a multiple of 16 with method "cross_teaching"`])),
    ...(cross.softThreshold <= cross.hardThreshold
      ? []
      : [`method.cross.softThreshold: got ${cross.softThreshold}, expected at most cross.hardThreshold (${cross.hardThreshold})`]),
    ...(loss.ce + loss.dice > 0
      ? []
      : ['method.loss: got ce 0 and dice 0, expected at least one above 0 (nothing would learn to segment)']),
  ],
  parts: {
    cross: ({ cross }) => {
      cross.enabled = false;
    },
  },
  outputs: ['vnet', 'transverse', 'coronal'],
  bare: 'vnet',
  networks: networksOf,
  groups: ({ method }, nets: Nets) =>
    Object.fromEntries(
      networkList(nets).map(({ name, net }) => [name, { groups: decayGroups(net.parameters(), method.decay), rate: method.rate }]),
    ),
  averageDecay: ({ method: { cross } }) => (cross.enabled ? cross.teacherAverage : 0),
  learnsUnannotated: ({ method: { cross } }) => cross.enabled,
  schedule: ({ method: { cross } }, it, n) => ({ lambda: pseudoWeight(cross, it, n) }),
  feed({ classes, training: { seed }, method: { cross } }, { sample, unlabelled, n }) {
    const order = new Philox(seed, 'order');
    const plane = (name: SlicePlane, i: number): PlaneFeed => {
      const { count } = planeShape(sample.size, name);
      return planeFeed(chooseSlices(sample, name, cross.slices[i], order.uniform(n, i + 1, count)), count);
    };
    return {
      image: sample.image,
      label: Float32Array.from(sample.label),
      annotated: Float32Array.from(sample.weight),
      present: Float32Array.from(classes, (_, c) => (unlabelled.includes(c) ? 0 : 1)),
      transverse: plane('transverse', 0),
      coronal: plane('coronal', 1),
    };
  },
  step(plan, nets: Nets, optimisers, { partial, ...options }) {
    const context = new StepContext(nets, optimisers, options);
    const { batch, seed } = plan.training;
    const example = stepExample(plan);
    for (const { net } of networkList(nets)) net.train();
    const teachers = context.averaged(() => networksOf(plan));
    for (const { vnet } of new Set([nets, teachers])) useRandom(vnet, context.random(seed));
    return compileVolumeStep(context, example, { ...options, batch }, (x: Inputs<typeof example>, share) =>
      trainAll(plan, nets, teachers, x, context, partial, share),
    );
  },
  async predictor(plan, nets: Nets) {
    const size = plan.data.roi as Readonly<Triple>;
    return densePredictor(plan, Object.values(nets), (image, n) => {
      const slices = (plane: SlicePlane): Tensor => {
        const { count, height, width } = planeShape(size, plane);
        const fit = fitSlices(height, width, 1);
        const stacks = plane === 'transverse' ? image : permute(image, [0, 2, 1, 3]);
        const p = softmax(toNative(nets[plane].forward(toNetwork(reshape(stacks, [n * count, height, width, 1]), fit)), fit), -1);
        return plane === 'transverse' ? p : permute(reshape(p, [n, count, height, width, plan.classes.length]), [0, 2, 1, 3, 4]);
      };
      return {
        vnet: softmax(nets.vnet.forward(reshape(image, [n, ...size, 1])), -1),
        transverse: slices('transverse'),
        coronal: slices('coronal'),
      };
    });
  },
};

function stepExample({ data: { roi }, classes, method: { cross } }: CrossPlan) {
  const plane = (name: SlicePlane, i: number) => {
    const { count } = planeShape(roi, name);
    return { index: spec([Math.min(cross.slices[i], count)], 'u32'), inverse: spec([count], 'u32'), chosen: spec([count]) };
  };
  return {
    image: spec(roi),
    label: spec(roi),
    annotated: spec(roi),
    present: spec([classes.length]),
    transverse: plane('transverse', 0),
    coronal: plane('coronal', 1),
  };
}

/**
 * The forward passes and losses of all networks on B volumes, which count `share` in their iteration. Statistics are those of one volume,
 * or of its chosen slices. Pseudo labels are those of `teachers`, from the pass that is trained where they are the networks themselves.
 */
function trainAll(
  plan: CrossPlan,
  nets: Nets,
  teachers: Nets,
  x: Inputs<ReturnType<typeof stepExample>>,
  context: StepContext,
  partial: boolean,
  share: number,
): void {
  const {
    classes: { length: classes },
    method: { cross: exchange, loss },
  } = plan;
  const [b, ...size] = x.image.shape as unknown as [number, ...Readonly<Triple>];
  const present = partial ? x.present : undefined;
  const volumes = reshape(x.image, [b, ...size, 1]);
  /** Logits of the VNet, and of the chosen slices of both planes. */
  const look = (by: Nets): [Tensor, Tensor[]] => {
    const options = { track: by === nets };
    const slices = (plane: SlicePlane): Tensor => {
      const { height, width } = planeShape(size, plane);
      const fit = fitSlices(height, width, 1);
      const { index } = x[plane];
      const input = noGrad(() => toNetwork(takeSlices(volumes, plane, reshape(index, [-1])), fit));
      return toNative(
        sharingStatistics(by[plane], index.shape[1], () => by[plane].forward(input), options),
        fit,
      );
    };
    return [sharingStatistics(by.vnet, 1, () => by.vnet.forward(volumes), options), PLANES.map(slices)];
  };
  const [logits, seen] = look(nets);
  const sparse: Supervision = { target: x.label, weight: x.annotated };
  const cross = exchange.enabled
    ? noGrad(() => {
        const [whole, slices] = teachers === nets ? [logits, seen] : look(teachers);
        const [transverse, coronal] = PLANES.map((plane, i) => putSlices(probabilities(slices[i]), plane, x[plane].inverse)) as [
          Tensor,
          Tensor,
        ];
        const chosen = mul(reshape(x.transverse.chosen, [b, size[0], 1, 1]), reshape(x.coronal.chosen, [b, 1, size[1], 1]));
        return crossTargets(
          { sam: probabilities(whole), transverse, coronal },
          { label: x.label, annotated: x.annotated },
          chosen,
          context.scalar('lambda'),
          exchange,
        );
      })
    : null;
  if (cross) context.report({ quality: meanOf(cross.quality), [AGREEMENT]: meanOf(cross.agreement) }, share);
  const learn = (name: keyof Nets, z: Tensor, { target, weight }: Supervision): void => {
    const [h, w] = target.shape.slice(-2) as [number, number];
    const shape = [b, target.size / (b * h * w), h, w];
    const oneHot = noGrad(() => oneHotOf(reshape(target, shape), classes));
    context.learn(name, meanOf(segLosses(reshape(z, [...shape, classes]), oneHot, reshape(weight, shape), present, loss)), share);
  };
  learn('vnet', logits, cross?.sam ?? sparse);
  PLANES.forEach((plane, i) => learn(plane, seen[i], supervisionOf(cross?.slices ?? sparse, plane, x[plane].index)));
}
