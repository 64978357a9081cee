// SPDX-License-Identifier: MIT
// One network that learns from the annotated voxels alone (specification 9, last paragraph): what a compared network is, but for its
// layers, its sizes and its rates. `supervised('vnet', ...)` makes the method of a plan; with `slices`, of a network that sees transverse
// slices.
import * as z from 'zod';
import { spec, type FloatType } from '../engine/dtype.ts';
import type { Inputs } from '../engine/program.ts';
import type { Tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { meanOf, oneHotOf, segLosses } from '../losses/segmentation.ts';
import { useRandom } from '../nn/dropout.ts';
import { BatchNorm } from '../nn/layers.ts';
import type { Module } from '../nn/module.ts';
import { BatchStatisticsNorm } from '../nn/norms.ts';
import { decayGroups } from '../optim/optimiser.ts';
import { reshape } from '../ops/reshape.ts';
import { softmax } from '../ops/softmax.ts';
import { densePredictor } from './dense_predictor.ts';
import type { Method, Step, StepOptions } from './method.ts';
import { Philox } from '../random/philox.ts';
import { integer, number, rate } from './plan_fields.ts';
import type { Plan, Preset } from './plan.ts';
import { storageOf } from './precision.ts';
import { hiddenBlocks, paintOrSegment, pretrains, shown } from './pretraining.ts';
import { chooseSlices } from './slices.ts';
import { StepContext } from './step_context.ts';
import { compileVolumeStep } from './volume_step.ts';

/**
 * x [B, D, H, W, 1] -> logits [B, D, H, W, K], or of slices [B, H, W, 1] -> [B, H, W, K]; f32. In evaluation, those of one item say nothing
 * of another but through a `BatchStatisticsNorm`.
 */
export interface Segmenter extends Module {
  forward(x: Tensor): Tensor;
}

/** A supervised network's part of a plan; `N` are its sizes. */
export interface SupervisedFields<N> {
  name: string;
  network: N;
  rate: number;
  decay: number;
  slices?: number;
  pretraining?: number;
  loss: { ce: number; dice: number };
}

/** Host arrays of one volume, [D, H, W] each, or of its chosen slices, [S, H, W]; present [K]. */
export type VolumeFeed = {
  readonly image: Float32Array;
  readonly label: Float32Array;
  readonly annotated: Float32Array;
  readonly present: Float32Array;
  /** Where pretraining hides the volume; absent without. */
  readonly hidden?: Float32Array;
};

export interface SupervisedOptions<N> {
  /** Of `method.network`. */
  readonly network: z.ZodType<N>;
  /** The network sees transverse slices, `method.slices` of a volume in each iteration, annotated ones first. */
  readonly slices?: boolean;
  /** It can begin with scans alone (`method.pretraining`); a network of whole volumes. */
  readonly pretrains?: boolean;
  /** Sizes, learning rate and decay by preset, and how many slices a network of slices sees. */
  preset(preset: Preset): { network: N; rate: number; decay: number; slices?: number };
  /** What else the network needs otherwise than other methods do, such as a schedule or a ROI. */
  shared?(preset: Preset, shared: Omit<Plan, 'method'>): void;
  make(network: N, classes: number, storage: FloatType): Segmenter;
  contradictions?(plan: Plan<SupervisedFields<N>>): string[];
}

/**
 * A method that trains one network by cross entropy and Dice on annotated voxels: say its sizes by preset and how it is made, then
 * `addMethod` it (examples/own_method.ts). Several networks are a `Method` of their own, with `StepContext`, `compileVolumeStep` and
 * `densePredictor` (test/methods/own_networks.test.ts).
 */
export function supervised<N>(name: string, options: SupervisedOptions<N>): Method<SupervisedFields<N>, VolumeFeed> {
  return {
    name,
    schema: z.strictObject({
      name: z.literal(name),
      network: options.network,
      rate: rate().describe('learning rate'),
      decay: number(0, 1).describe('weight decay'),
      ...(options.slices && { slices: integer(1, 512).describe('transverse slices of a volume in an iteration, annotated ones first') }),
      ...(options.pretrains && {
        pretraining: number(0, 0.9).describe(
          'share of the iterations, the first ones, in which it paints hidden blocks of all training scans and sees no label; 0: none',
        ),
      }),
      loss: z.strictObject({ ce: number(0, 100), dice: number(0, 100) }),
    }) as unknown as z.ZodType<SupervisedFields<N>>,
    preset(preset, shared) {
      options.shared?.(preset, shared);
      const { optimiser, augmentation, training, prediction, evaluation, ...before } = shared;
      return {
        ...before,
        method: { name, ...options.preset(preset), ...(options.pretrains && { pretraining: 0 }), loss: { ce: 0.5, dice: 0.5 } },
        optimiser,
        augmentation,
        training,
        prediction,
        evaluation,
      };
    },
    contradictions: (plan) => [
      ...(plan.method.loss.ce + plan.method.loss.dice > 0
        ? []
        : ['method.loss: got ce 0 and dice 0, expected at least one above 0 (nothing would learn to segment)']),
      ...(plan.method.pretraining && !pretrains(plan.method.pretraining, 0, plan.training.iterations)
        ? [
            `method.pretraining: got ${plan.method.pretraining} of ${plan.training.iterations} iterations, which is none, ` +
              `expected 0 or at least ${1 / plan.training.iterations}`,
          ]
        : []),
      ...(options.contradictions?.(plan) ?? []),
    ],
    parts: {},
    outputs: [name],
    bare: name,
    networks: (plan) => ({ [name]: options.make(plan.method.network, plan.classes.length, storageOf(plan)) }),
    groups: ({ method }, nets) => ({ [name]: { groups: decayGroups(nets[name].parameters(), method.decay), rate: method.rate } }),
    schedule: ({ method: { pretraining = 0 } }, it, n): Record<string, number> =>
      pretraining > 0 ? { pretrains: Number(pretrains(pretraining, it, n)) } : {},
    feed(plan, { sample, unlabelled, n }) {
      const chosen = options.slices
        ? chooseSlices(sample, 'transverse', seenOf(plan)[0], new Philox(plan.training.seed, 'order').uniform(n, 1, sample.size[0]))
        : null;
      const part = (values: ArrayLike<number>): Float32Array =>
        chosen ? takeSlices(values, sample.size, chosen) : Float32Array.from(values);
      return {
        image: part(sample.image),
        label: part(sample.label),
        annotated: part(sample.weight),
        present: Float32Array.from(plan.classes, (_, c) => (unlabelled.includes(c) ? 0 : 1)),
        ...(plan.method.pretraining && { hidden: hiddenBlocks(sample.size, plan.training.seed, n) }),
      };
    },
    step: (plan, nets, optimisers, stepOptions) =>
      compileStep(plan, name, nets[name], new StepContext(nets, optimisers, stepOptions), stepOptions),
    async predictor(plan, nets) {
      const net: Segmenter = nets[name];
      const [d, ...plane] = plan.data.roi;
      return densePredictor(plan, [net], (image, n) => ({
        [name]: softmax(net.forward(reshape(image, options.slices ? [n * d, ...plane, 1] : [n, d, ...plane, 1])), -1),
      }));
    },
  };
}

/** What a network sees of one volume: [D, H, W], or of slices [S, H, W]. */
const seenOf = ({
  data: {
    roi: [d, h, w],
  },
  method: { slices },
}: Plan<SupervisedFields<unknown>>): number[] => [Math.min(slices ?? d, d), h, w];

/** Slices of a volume [D, H, W] one after another. */
function takeSlices(values: ArrayLike<number>, [, h, w]: readonly number[], index: Uint32Array): Float32Array {
  const size = h * w;
  const out = new Float32Array(index.length * size);
  index.forEach((s, i) => {
    for (let k = 0; k < size; k++) out[i * size + k] = values[s * size + k]!;
  });
  return out;
}

/** The loss is the mean of the volumes'. Statistics of batch norm run over all volumes of an iteration. */
function compileStep(
  plan: Plan<SupervisedFields<unknown>>,
  name: string,
  net: Segmenter,
  context: StepContext,
  { partial, ...options }: StepOptions,
): Promise<Step<VolumeFeed>> {
  const {
    classes,
    training: { batch, seed },
    method: { loss: factors, slices, pretraining },
  } = plan;
  const seen = seenOf(plan);
  net.train();
  useRandom(net, context.random(seed));
  const example = {
    image: spec(seen),
    label: spec(seen),
    annotated: spec(seen),
    present: spec([classes.length]),
    ...(pretraining && { hidden: spec(seen) }),
  };
  const inseparable = [...net.modules()].some((m) => m instanceof BatchNorm || m instanceof BatchStatisticsNorm);
  return compileVolumeStep(
    context,
    example,
    { ...options, batch, inseparable, unrecorded: batch },
    ({ image, label, annotated, present, hidden }: Inputs<typeof example>, share) => {
      const on = hidden && context.scalar('pretrains');
      const x = reshape(on ? shown(image, hidden, on) : image, slices === undefined ? [...image.shape, 1] : [-1, ...seen.slice(1), 1]);
      const logits = reshape(net.forward(x), [...image.shape, classes.length]);
      const oneHot = noGrad(() => oneHotOf(label, classes.length));
      const loss = meanOf(segLosses(logits, oneHot, annotated, partial ? present : undefined, factors));
      context.learn(name, on ? paintOrSegment(loss, on, logits, image, hidden) : loss, share);
    },
  );
}
