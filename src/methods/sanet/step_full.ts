// SPDX-License-Identifier: MIT
// One training iteration as several programs (`pseudo: 'full'`; specification 5.3): both 2D networks look at every slice without
// gradient; the 3D network looks (SAM: prompted) and, with the targets and weights that all three then make on the device, is trained
// from the same pass; then the 2D networks are trained one after the other, in micro-batches whose gradients add up. A micro-batch has
// its own statistics and its own loss; how many are computed at once is up to the device. The programs share its activation memory; what
// one hands to another lies in pinned volumes.
import type { SlicePlane, Triple } from '../../axes.ts';
import { spec } from '../../engine/dtype.ts';
import { compile, type CompileOptions, type Feed, type Inputs, type Program } from '../../engine/program.ts';
import { tensor, zeros, type Tensor } from '../../engine/tensor.ts';
import { noGrad } from '../../engine/trace.ts';
import { currentDevice } from '../../gpu/device.ts';
import { indexSelect } from '../../ops/gather.ts';
import { assignScaled } from '../../ops/optim.ts';
import { cast, greaterScalar } from '../../ops/pointwise.ts';
import { putRows } from '../../ops/put_rows.ts';
import { reshape } from '../../ops/reshape.ts';
import { useRandom } from '../../nn/dropout.ts';
import { sharingStatistics } from '../../nn/layers.ts';
import { fitSlices, planeShape, PLANES, takeSlices, toNative, toNetwork, turned, type Fit } from '../../models/sanet/planes.ts';
import { consensusOf, type Consensus } from './clicks.ts';
import { type Supervision } from './cross.ts';
import { probabilities, samLoss, sliceLoss } from './forward.ts';
import { networkList, type Optimisers, type Scheduled, type Step, type StepOptions, type StepResult, type Together } from '../method.ts';
import { joined, joinFeeds } from '../feeds.ts';
import { StepContext } from '../step_context.ts';
import { activationBytes, compileLargest, divisors, sizesOf } from '../together.ts';
import { stacked } from '../volume_step.ts';
import type { StepFeed } from './feed.ts';
import { sanetNetworks, type SanetNetworks } from './networks.ts';
import type { SanetPlan } from './plan.ts';
import { TEACHERS } from './schedule.ts';
import { volumeLogits, volumeNetwork } from './volume_network.ts';
import { AGREEMENT, clickExample, exchanged, supervisionOf, type ClickExample } from './step.ts';

/**
 * Positions 0 ... n - 1 in micro-batches of one size, at most `largest`. Neighbouring slices look alike, so each micro-batch takes
 * every count-th one: its batch statistics are then those of the whole volume. Where n does not divide, a few occur twice.
 */
export function microBatches(n: number, largest: number): number[][] {
  const count = Math.ceil(n / largest);
  const each = Math.ceil(n / count);
  return Array.from({ length: count }, (_, j) => Array.from({ length: each }, (__, k) => (j + k * count) % n));
}

type Run = Program<Record<string, never>>;
/** A program, how many micro-batches (or volumes) it takes at once, and what each of its runs takes of which volumes. */
interface Part {
  readonly name: string;
  readonly program: Run;
  readonly together: number;
  readonly runs: readonly Chunk[];
}
/**
 * Micro-batches: the volume of each, and their positions in the stack of a plane's slices (those of all volumes, or of the chosen ones).
 */
interface Chunk {
  readonly volumes: Uint32Array;
  readonly at: Uint32Array;
}

class FullStep implements Step<StepFeed> {
  programs: Step['programs'] = [];
  private readonly plan: SanetPlan;
  private readonly nets: SanetNetworks;
  /** Who makes the pseudo labels: the networks, or their averages. */
  private readonly teachers: SanetNetworks;
  /** Which network has the 3D role. */
  private readonly volumetric: ReturnType<typeof volumeNetwork>;
  private readonly context: StepContext;
  private readonly options: CompileOptions;
  private readonly partial: boolean;
  private readonly begun: Together | undefined;
  private readonly batch: number;
  private readonly size: Readonly<Triple>;
  private readonly classes: number;
  private readonly pinned: Tensor[] = [];
  /** For the activations of a program, measured before the first is compiled: they share them. */
  private readonly activations: number;
  /** The volumes of the iteration, written from the host. */
  private readonly image: Tensor;
  private readonly label: Tensor;
  private readonly annotated: Tensor;
  private readonly present: Tensor;
  /**
   * Probabilities of the 2D networks, a stack of slices each, and what SAM's turn makes of them for these networks; null without exchange.
   */
  private readonly seen: Readonly<Record<SlicePlane, Tensor>> | null = null;
  private readonly targets: Supervision | null = null;
  private readonly looks: { plane: SlicePlane; part: Part }[] = [];
  private readonly trains: { plane: SlicePlane; part: Part }[] = [];
  private whole: Part | null = null;
  /** Micro-batches of an iteration by network. */
  private readonly passes = new Map<string, number>();
  private update!: Program<StepResult>;

  constructor(
    plan: SanetPlan,
    nets: SanetNetworks,
    optimisers: Optimisers,
    { partial, together, reducer, averages, activations = activationBytes(), ...options }: StepOptions,
  ) {
    this.plan = plan;
    this.nets = nets;
    this.context = new StepContext(nets, optimisers, { ...(reducer && { reducer }), ...(averages && { averages }) });
    this.teachers = this.context.averaged(() => sanetNetworks(plan));
    this.context.volumes = plan.training.batch;
    for (const { vnet } of new Set([nets, this.teachers])) if (vnet) useRandom(vnet, this.context.random(plan.training.seed));
    this.volumetric = volumeNetwork(nets);
    this.options = options;
    this.partial = partial;
    this.activations = activations;
    this.begun = together;
    this.batch = plan.training.batch;
    this.size = plan.data.roi;
    this.classes = plan.classes.length;
    const volumes = (): Tensor => this.pin([this.batch, ...this.size]);
    [this.image, this.label, this.annotated, this.present] = [volumes(), volumes(), volumes(), this.pin([this.batch, this.classes])];
    if (!this.volumetric || !nets.transverse || !nets.coronal || !plan.method.cross.enabled) return;
    const [d, h, w] = this.size;
    this.seen = { transverse: this.pin([this.batch * d, h, w, this.classes]), coronal: this.pin([this.batch * h, d, w, this.classes]) };
    this.targets = { target: volumes(), weight: volumes() };
  }

  /** The programs with the largest activations first: the others then find memory large enough for them. */
  async compile(): Promise<this> {
    for (const { net } of networkList(this.nets)) net.train();
    for (const [i, plane] of PLANES.entries()) {
      if (!this.nets[plane]) continue;
      this.trains.push({ plane, part: await this.trainPlane(plane, this.plan.method.cross.slices[i]) });
      if (this.seen) this.looks.push({ plane, part: await this.lookPlane(plane) });
    }
    if (this.volumetric) this.whole = await this.trainVolumes(this.volumetric);
    this.update = await this.context.compileUpdate(this.options);
    const { reduction } = this.context;
    if (reduction) reduction.passes = (name) => this.passes.get(name) ?? this.batch;
    const parts = [...this.looks.map(({ part }) => part), ...this.trains.map(({ part }) => part), ...(this.whole ? [this.whole] : [])];
    this.programs = [
      ...parts.map(({ name, program, together, runs }) => ({ name, runs: runs.length, together, program })),
      { name: 'update', runs: 1, together: 1, program: this.update },
    ];
    return this;
  }

  async run(volumes: readonly StepFeed[], scheduled: Scheduled): Promise<StepResult> {
    this.context.scheduled = scheduled;
    const looks = scheduled.lambda > 0; // in stage 0 no pseudo label counts, so nobody looks for one
    for (const key of ['image', 'label', 'annotated', 'present'] as const) this[key].write(joined(volumes.map((feed) => feed[key])));
    if (looks) for (const { part } of this.looks) for (const { at } of part.runs) part.program.run({ index: at });
    for (const { volumes: at } of this.whole?.runs ?? []) {
      [this.context.volume] = at; // each run draws its own numbers
      const clicks = joinFeeds([...at].map((v) => clicksOf(volumes[v])));
      this.whole!.program.run(at.length < this.batch ? { ...clicks, at } : clicks);
    }
    // The gradients of a network travel while the next one computes.
    if (this.volumetric) this.context.reduction?.network(this.volumetric);
    for (const { plane, part } of this.trains) {
      const chosen = joined(volumes.map((feed, v) => feed[plane].index.map((s) => s + v * planeShape(this.size, plane).count)));
      for (const { volumes: of, at } of part.runs)
        part.program.run({ index: at.map((i) => chosen[i]), ...(this.partial && { volumes: of }) });
      this.context.reduction?.network(plane);
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

  /**
   * A program for micro-batches of `n` slices of each volume, as many at once as memory allows. A processor is full with one of each
   * volume, and sums of other sizes are rounded otherwise: there the bits of a single volume stay.
   */
  private async part(
    name: string,
    n: number,
    compileFor: (slices: number, batches: number, options: CompileOptions) => Promise<Run>,
  ): Promise<Part> {
    const lists = microBatches(n, this.plan.method.cross.microBatch);
    const all = Array.from({ length: this.batch }, (_, v) => lists.map((list) => ({ v, at: list.map((i) => v * n + i) }))).flat();
    const { software } = currentDevice().caps;
    const sizes = divisors(all.length).filter((size) => !software || size <= this.batch);
    const { size, program } = await this.largest(name, sizes, (batches, options) =>
      compileFor(batches * lists[0].length, batches, options),
    );
    const runs = Array.from({ length: all.length / size }, (_, r) => all.slice(r * size, (r + 1) * size)).map((chunk) => ({
      volumes: Uint32Array.from(chunk, ({ v }) => v),
      at: Uint32Array.from(chunk.flatMap(({ at }) => at)),
    }));
    return { name, program, together: size, runs };
  }

  private largest(
    name: string,
    sizes: readonly number[],
    compileFor: (size: number, options: CompileOptions) => Promise<Run>,
  ): Promise<{ size: number; program: Run }> {
    return compileLargest(sizesOf(this.begun, name, sizes), this.activations, (size, limit) =>
      compileFor(size, { ...this.options, ...limit }),
    );
  }

  private fit(plane: SlicePlane): Fit {
    const { height, width } = planeShape(this.size, plane);
    return fitSlices(height, width, this.plan.method.network2d.resize);
  }

  private slices(plane: SlicePlane, index: Tensor, fit: Fit): Tensor {
    return noGrad(() => toNetwork(takeSlices(reshape(this.image, [this.batch, ...this.size, 1]), plane, index), fit));
  }

  /** Probabilities of a few slices, with the statistics of each micro-batch, into the stack of all. */
  private lookPlane(plane: SlicePlane): Promise<Part> {
    const net = this.teachers[plane]!;
    const fit = this.fit(plane);
    return this.part(`look ${plane}`, planeShape(this.size, plane).count, (slices, batches, options) =>
      compile(
        ({ index }) =>
          noGrad(() => {
            const look = (): Tensor => net.forward(this.slices(plane, index, fit)).logits;
            const logits = sharingStatistics(net, slices / batches, look, { track: false });
            putRows(this.seen![plane], probabilities(toNative(logits, fit)), index);
            return {};
          }),
        { index: spec([slices], 'u32') },
        options,
      ),
    );
  }

  private trainPlane(plane: SlicePlane, wanted: number): Promise<Part> {
    const net = this.nets[plane]!;
    const fit = this.fit(plane);
    const n = Math.min(wanted, planeShape(this.size, plane).count);
    const all = this.batch * microBatches(n, this.plan.method.cross.microBatch).length;
    this.passes.set(plane, all);
    return this.part(`train ${plane}`, n, (slices, batches, options) =>
      compile(
        ({ index, volumes }: { index: Tensor; volumes?: Tensor }) => {
          const out = sharingStatistics(net, slices / batches, () => net.forward(this.slices(plane, index, fit)));
          const sparse: Supervision = { target: this.label, weight: this.annotated };
          const present = volumes && indexSelect(this.present, volumes, { axis: 0 });
          const own = supervisionOf(this.targets ?? sparse, plane, index);
          this.context.learn(plane, sliceLoss(out, fit, own, this.classes, this.plan.method.loss, present, batches).total, batches / all);
          return {};
        },
        { index: spec([slices], 'u32'), ...(this.partial && { volumes: spec([batches], 'u32') }) },
        options,
      ),
    );
  }

  /** The 3D network's turn: after its last click the three make everyone's targets and weights, and it learns from its own. */
  private async trainVolumes(name: 'sam' | 'vnet'): Promise<Part> {
    const { size, program } = await this.largest(`train ${name}`, divisors(this.batch), (n, options) =>
      compile(
        ({ at, ...clicks }: Inputs<ReturnType<typeof clickExample>> & { at?: Tensor }) => {
          this.volumeTurn(name, n, clicks, at ?? null);
          return {};
        },
        { ...(stacked(clickExample(this.plan), n) as ClickExample), ...(n < this.batch && { at: spec([n], 'u32') }) },
        options,
      ),
    );
    const runs = Array.from({ length: this.batch / size }, (_, r) => {
      const volumes = Uint32Array.from({ length: size }, (__, i) => r * size + i);
      return { volumes, at: volumes };
    });
    return { name: `train ${name}`, program, together: size, runs };
  }

  /** On n volumes, those `at` or all. */
  private volumeTurn(name: 'sam' | 'vnet', n: number, clicks: Inputs<ClickExample>, at: Tensor | null): void {
    const { sam, cross, loss } = this.plan.method;
    const some = (x: Tensor): Tensor => (at ? noGrad(() => indexSelect(x, at, { axis: 0 })) : x);
    const share = n / this.batch;
    const [label, annotated] = [some(this.label), some(this.annotated)];
    const present = this.partial ? some(this.present) : undefined;
    const seen =
      this.seen &&
      (Object.fromEntries(
        PLANES.map((plane) => {
          const stacks = this.seen![plane];
          return [plane, turned(some(reshape(stacks, [this.batch, -1, ...stacks.shape.slice(1)])), plane)];
        }),
      ) as Record<SlicePlane, Tensor>);
    let consensus: Consensus | null = null;
    if (seen && name === 'sam' && sam.clicks > 1) {
      // What the 2D networks said when they last looked; nothing in stage 0.
      const counts = noGrad(() => reshape(cast(greaterScalar(this.context.scalar('lambda'), 0), 'f32'), [1, 1, 1]));
      consensus = consensusOf(seen.transverse, seen.coronal, counts);
    }
    const decode = (by: SanetNetworks): Tensor[] =>
      volumeLogits(by, some(this.image), clicks, sam.clicks, { label, annotated }, consensus, present, { track: by === this.nets });
    const decodes = decode(this.nets);
    let own: Supervision = { target: label, weight: annotated };
    if (seen) {
      const everywhere = tensor([1], { shape: [1, 1, 1] });
      const last = (this.teachers === this.nets ? decodes : noGrad(() => decode(this.teachers))).at(-1)!;
      const predictions = { sam: probabilities(last), ...seen };
      const made = exchanged(this.context, predictions, { label, annotated }, everywhere, cross, share);
      for (const key of ['target', 'weight'] as const) {
        if (at) putRows(this.targets![key], made.slices[key], at);
        else assignScaled(this.targets![key], made.slices[key], 1);
      }
      own = made.sam;
    }
    this.context.learn(name, samLoss(decodes, own, this.classes, loss, present), share);
  }
}

const clicksOf = ({ coords, labels, draws }: StepFeed): Feed => ({ coords, labels, ...(draws && { draws }) });

export function compileFullStep(
  plan: SanetPlan,
  nets: SanetNetworks,
  optimisers: Optimisers,
  options: StepOptions,
): Promise<Step<StepFeed>> {
  return new FullStep(plan, nets, optimisers, options).compile();
}
