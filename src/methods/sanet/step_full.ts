// SPDX-License-Identifier: MIT
// One training iteration as several programs (`pseudo: 'full'`; specification 5.3): both 2D networks look at every slice without
// gradient; SAM is prompted and, with the targets and weights that all three then make on the device, trained from the same pass; then
// the 2D networks are trained one after the other, in micro-batches whose gradients add up. The programs share the device's activation
// memory; what one hands to another lies in pinned volumes.
import { spec } from '../../engine/dtype.ts';
import { compile, type Program } from '../../engine/program.ts';
import { tensor, zeros, type Tensor } from '../../engine/tensor.ts';
import { noGrad } from '../../engine/trace.ts';
import { assignScaled } from '../../ops/optim.ts';
import { cast, greaterScalar } from '../../ops/pointwise.ts';
import { putRows } from '../../ops/put_rows.ts';
import { permute } from '../../ops/permute.ts';
import { reshape } from '../../ops/reshape.ts';
import { BatchNorm } from '../../nn/layers.ts';
import type { Module } from '../../nn/module.ts';
import {
  fitSlices,
  planeShape,
  PLANES,
  takeSlices,
  toNative,
  toNetwork,
  type Fit,
  type Plane,
  type Size3,
} from '../../models/sanet/planes.ts';
import { consensusOf, promptedDecodes, type Consensus } from './clicks.ts';
import { type Supervision } from './cross.ts';
import { probabilities, samLoss, sliceLoss } from './forward.ts';
import { networkList, type Optimisers, type Scheduled, type Step, type StepOptions, type StepResult } from '../method.ts';
import { StepContext } from '../step_context.ts';
import type { StepFeed } from './feed.ts';
import type { SanetNetworks } from './networks.ts';
import type { SanetPlan } from './plan.ts';
import { TEACHERS } from './schedule.ts';
import { AGREEMENT, clickExample, exchanged, supervisionOf } from './step.ts';

/**
 * Positions 0 ... n - 1 in micro-batches of one size, at most `largest`. Neighbouring slices look alike, so each micro-batch takes
 * every count-th one: its batch statistics are then those of the whole volume. Where n does not divide, a few occur twice.
 */
export function microBatches(n: number, largest: number): number[][] {
  const count = Math.ceil(n / largest);
  const each = Math.ceil(n / count);
  return Array.from({ length: count }, (_, j) => Array.from({ length: each }, (__, k) => (j + k * count) % n));
}

/** Runs `f` with the running statistics of every batch norm left alone. */
function untracked<T>(net: Module, f: () => T): T {
  const norms = [...net.modules()].filter((m) => m instanceof BatchNorm);
  for (const norm of norms) norm.trackStatistics = false;
  try {
    return f();
  } finally {
    for (const norm of norms) norm.trackStatistics = true;
  }
}

type IndexProgram = Program<Record<string, never>>;
/** A 2D network's part: the slices of a look and of the training, in micro-batches. */
interface PlanePart {
  readonly look: IndexProgram | null;
  readonly lookAt: readonly Uint32Array[];
  readonly train: IndexProgram;
  readonly batches: readonly number[][];
}

class FullStep implements Step<StepFeed> {
  programs: Step['programs'] = [];
  private readonly plan: SanetPlan;
  private readonly nets: SanetNetworks;
  private readonly context: StepContext;
  private readonly options: StepOptions;
  private readonly size: Size3;
  private readonly classes: number;
  private readonly pinned: Tensor[] = [];
  /** The volume under way, written from the host. */
  private readonly image: Tensor;
  private readonly label: Tensor;
  private readonly annotated: Tensor;
  private readonly present: Tensor;
  /** Probabilities of the 2D networks, a stack of slices each, and what SAM's turn makes of them for these networks; null without exchange. */
  private readonly seen: Readonly<Record<Plane, Tensor>> | null = null;
  private readonly targets: Supervision | null = null;
  private readonly parts = new Map<Plane, PlanePart>();
  private sam: Program<Record<string, never>> | null = null;
  private update!: Program<StepResult>;

  constructor(plan: SanetPlan, nets: SanetNetworks, optimisers: Optimisers, options: StepOptions) {
    this.plan = plan;
    this.nets = nets;
    this.context = new StepContext(nets, optimisers, options.reducer);
    this.options = options;
    this.size = plan.data.roi;
    this.classes = plan.classes.length;
    const volume = (): Tensor => this.pin(this.size);
    [this.image, this.label, this.annotated, this.present] = [volume(), volume(), volume(), this.pin([this.classes])];
    if (!nets.sam || !nets.transverse || !nets.coronal || !plan.method.cross.enabled) return;
    const [d, h, w] = this.size;
    this.seen = { transverse: this.pin([d, h, w, this.classes]), coronal: this.pin([h, d, w, this.classes]) };
    this.targets = { target: volume(), weight: volume() };
  }

  /** The programs with the largest activations first: the others then find memory large enough for them. */
  async compile(): Promise<this> {
    for (const { net } of networkList(this.nets)) net.train();
    for (const [i, plane] of PLANES.entries()) {
      if (this.nets[plane]) this.parts.set(plane, await this.planePart(plane, this.plan.method.cross.slices[i]));
    }
    if (this.nets.sam) this.sam = await this.trainSam();
    this.update = await this.context.compileUpdate(this.options);
    const { batch } = this.plan.training;
    const { reduction } = this.context;
    if (reduction) reduction.passes = (name) => batch * (this.parts.get(name as Plane)?.batches.length ?? 1);
    this.programs = [
      ...[...this.parts].flatMap(([plane, { look, lookAt, train, batches }]) => [
        ...(look ? [{ name: `look ${plane}`, runs: batch * lookAt.length, program: look }] : []),
        { name: `train ${plane}`, runs: batch * batches.length, program: train },
      ]),
      ...(this.sam ? [{ name: 'train sam', runs: batch, program: this.sam }] : []),
      { name: 'update', runs: 1, program: this.update },
    ];
    return this;
  }

  async run(volumes: readonly StepFeed[], scheduled: Scheduled): Promise<StepResult> {
    this.context.scheduled = scheduled;
    const looks = scheduled.lambda > 0; // in stage 0 no pseudo label counts, so nobody looks for one
    for (const [i, feed] of volumes.entries()) {
      const last = i === volumes.length - 1;
      for (const key of ['image', 'label', 'annotated', 'present'] as const) this[key].write(feed[key]);
      const clicks = { coords: feed.coords, labels: feed.labels, ...(feed.draws && { draws: feed.draws }) };
      if (looks) for (const { look, lookAt } of this.parts.values()) for (const index of lookAt) look?.run({ index });
      this.sam?.run(clicks);
      // The gradients of a network travel while the next one computes.
      if (last && this.sam) this.context.reduction?.network('sam');
      for (const [plane, { train, batches }] of this.parts) {
        for (const batch of batches) train.run({ index: Uint32Array.from(batch, (at) => feed[plane].index[at]) });
        if (last) this.context.reduction?.network(plane);
      }
    }
    const result = await this.context.update(this.update);
    // Where nobody looked, what the 2D networks are said to see is of another volume.
    const stale = (name: string): boolean => name === AGREEMENT || name.startsWith(TEACHERS);
    return looks ? result : Object.fromEntries(Object.entries(result).filter(([name]) => !stale(name)));
  }

  dispose(): void {
    for (const { program } of this.programs) program.dispose();
    for (const t of this.pinned) t.dispose();
    this.context[Symbol.dispose]();
  }

  private pin(shape: readonly number[]): Tensor {
    const made = zeros(shape, { name: 'pinned' });
    this.pinned.push(made);
    return made;
  }

  private get truth(): { label: Tensor; annotated: Tensor } {
    return { label: this.label, annotated: this.annotated };
  }
  private get marginal(): Tensor | undefined {
    return this.options.partial ? this.present : undefined;
  }

  private async planePart(plane: Plane, wanted: number): Promise<PlanePart> {
    const { cross, network2d } = this.plan.method;
    const { count, height, width } = planeShape(this.size, plane);
    const fit = fitSlices(height, width, network2d.resize);
    const batches = microBatches(Math.min(wanted, count), cross.microBatch);
    const lookAt = microBatches(count, cross.microBatch).map((list) => Uint32Array.from(list));
    const train = await this.trainPlane(plane, fit, batches[0].length, 1 / (batches.length * this.plan.training.batch));
    return { train, batches, lookAt, look: this.seen ? await this.lookPlane(plane, fit, lookAt[0].length) : null };
  }

  private slices(plane: Plane, index: Tensor, fit: Fit): Tensor {
    return noGrad(() => toNetwork(takeSlices(reshape(this.image, [...this.size, 1]), plane, index), fit));
  }

  /** Probabilities of a few slices, with the statistics of this batch, into the stack of all. */
  private lookPlane(plane: Plane, fit: Fit, n: number): Promise<IndexProgram> {
    const net = this.nets[plane]!;
    return compile(
      ({ index }) =>
        noGrad(() => {
          const { logits } = untracked(net, () => net.forward(this.slices(plane, index, fit)));
          putRows(this.seen![plane], probabilities(toNative(logits, fit)), index);
          return {};
        }),
      { index: spec([n], 'u32') },
      this.options,
    );
  }

  private trainPlane(plane: Plane, fit: Fit, n: number, share: number): Promise<IndexProgram> {
    const net = this.nets[plane]!;
    return compile(
      ({ index }) => {
        const out = net.forward(this.slices(plane, index, fit));
        const sparse: Supervision = { target: this.label, weight: this.annotated };
        this.context.learn(
          plane,
          sliceLoss(out, fit, supervisionOf(this.targets ?? sparse, plane, index), this.classes, this.plan.method.loss, this.marginal)
            .total,
          share,
        );
        return {};
      },
      { index: spec([n], 'u32') },
      this.options,
    );
  }

  /** What the 2D networks said when they last looked; nothing in stage 0. */
  private consensus(): Consensus | null {
    if (!this.seen || this.plan.method.sam.clicks === 1) return null;
    const counts = noGrad(() => reshape(cast(greaterScalar(this.context.scalar('lambda'), 0), 'f32'), [1, 1, 1]));
    return consensusOf(this.seen.transverse, permute(this.seen.coronal, [1, 0, 2, 3]), counts);
  }

  /** SAM's turn: after its last click the three networks make everyone's targets and weights, and SAM learns from its own. */
  private trainSam(): Promise<Program<Record<string, never>>> {
    const share = 1 / this.plan.training.batch;
    return compile(
      (clicks) => {
        const volume = reshape(this.image, [...this.size, 1]);
        const decodes = promptedDecodes(
          this.nets.sam!,
          volume,
          clicks,
          this.plan.method.sam.clicks,
          this.truth,
          this.consensus(),
          this.marginal,
        );
        let own: Supervision = { target: this.label, weight: this.annotated };
        if (this.seen) {
          const predictions = {
            sam: probabilities(decodes.at(-1)!),
            transverse: this.seen.transverse,
            coronal: permute(this.seen.coronal, [1, 0, 2, 3]),
          };
          const everywhere = tensor([1], { shape: [1, 1, 1] });
          const made = exchanged(this.context, predictions, this.truth, everywhere, this.plan.method.cross, share);
          assignScaled(this.targets!.target, made.slices.target, 1);
          assignScaled(this.targets!.weight, made.slices.weight, 1);
          own = made.sam;
        }
        this.context.learn('sam', samLoss(decodes, own, this.classes, this.plan.method.loss, this.marginal), share);
        return {};
      },
      clickExample(this.plan),
      this.options,
    );
  }
}

export function compileFullStep(
  plan: SanetPlan,
  nets: SanetNetworks,
  optimisers: Optimisers,
  options: StepOptions,
): Promise<Step<StepFeed>> {
  return new FullStep(plan, nets, optimisers, options).compile();
}
