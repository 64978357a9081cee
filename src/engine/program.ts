// SPDX-License-Identifier: MIT
// A step compiled once into a static program: traced, fused, lowered, planned and frozen; then replayed.
// While it runs it allocates nothing, compiles nothing and creates no bind group.
import { DisposedError, ShapeError, VoxelgradError } from '../errors.ts';
import { callable, expectArguments, fields, flag, instance, maybe, scalar } from '../check.ts';
import { currentDevice, Device, onDevice } from '../gpu/device.ts';
import { timestamps, type Call, type KernelTime } from '../gpu/profile.ts';
import { submit } from '../gpu/submit.ts';
import { byteSize, expectHost, expectSpec, type HostArray, type HostOf, type Spec } from './dtype.ts';
import { beside } from './beside.ts';
import { executeInto, expectDevice } from './eager.ts';
import { freeze, type Owned, type PlannedDispatch } from './freeze.ts';
import { fuse } from './fuse.ts';
import { hoist } from './hoist.ts';
import { expectKnown, indicesOf, watchNode } from './indices.ts';
import { expectRoom, planMemory } from './plan.ts';
import { printNow, type Printed } from './print.ts';
import { liveNodes, mutatedBy, rootOf, schedule, type Place } from './schedule.ts';
import { Storage, Tensor } from './tensor.ts';
import { record, type Trace } from './trace.ts';
import { mapTree, type Tree } from './tree.ts';

/** What a step takes: a spec (filled from the host before each run) or a tensor (bound by reference). */
export type Example = Tree<Spec | Tensor>;
/** What the step sees of an example: tensors in the places of specs. */
export type Inputs<I> = I extends Spec ? Tensor : { readonly [K in keyof I]: Inputs<I[K]> };
/** What `run` takes for a spec: host values, or a tensor that is copied in. Tensors given in the example are left out. */
export type Feed = Tree<HostArray | Tensor>;
/** What `run` takes for this example: the array of each spec's dtype, or a tensor. */
export type FeedOf<I> = I extends Tensor
  ? Tensor | undefined
  : I extends Spec
    ? HostOf<I['dtype']> | Tensor
    : I extends readonly unknown[]
      ? { readonly [K in keyof I]: FeedOf<I[K]> }
      : { readonly [K in keyof I as I[K] extends Tensor ? never : K]: FeedOf<I[K]> } & {
          readonly [K in keyof I as I[K] extends Tensor ? K : never]?: Tensor;
        };
/** The feed may be left out where the example has no specs. */
type Fed<F> = Record<string, never> extends F ? [input?: F] : [input: F];

export interface CompileOptions {
  device?: Device;
  /** Fuse patterns into single kernels. Default true; switchable so that fused = unfused is a test. */
  fuse?: boolean;
  /** Bytes that activations may take at most; more is a LimitError before any memory is taken. Default: what the device has. */
  maxSlotBytes?: number;
  onProgress?(done: number, total: number): void;
}

export interface ProgramReport {
  readonly dispatches: number;
  readonly pipelines: number;
  readonly slots: number;
  /** Bytes of activation slots, of the largest of them, and the largest sum of live bytes, which no plan can go below. */
  readonly slotBytes: number;
  readonly largestSlot: number;
  readonly lowerBound: number;
  readonly flops: number;
  /** The tensors that hold the most bytes for the longest. */
  readonly largest: readonly { name: string; bytes: number; first: number; last: number }[];
}

interface KnownIndices {
  readonly storage: Storage;
  readonly below: number;
  readonly label: string;
}

/** What a program is made of. */
interface Parts<O> {
  readonly device: Device;
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly trace: Trace;
  readonly submits: readonly (readonly Call[])[];
  readonly outputs: O;
  readonly printed: readonly Printed[];
  readonly owned: readonly Owned[];
  /** Memory that the step reads by reference. */
  readonly bound: readonly Storage[];
  /** Memory with indices that the host may know, and what they count. */
  readonly indices: readonly KnownIndices[];
  /** Memory that a run overwrites. */
  readonly mutated: readonly Storage[];
  readonly summary: ProgramReport;
  readonly listing: readonly PlannedDispatch[];
}

export class Program<O, F = Feed> implements Disposable {
  private readonly parts: Parts<O>;
  private disposed = false;

  /** Use `compile()`. */
  constructor(parts: Parts<O>) {
    this.parts = parts;
  }

  /** Replays the step. Results live until the next run or dispose(). @throws ShapeError for a wrong feed; what the device has met */
  run(...input: Fed<F>): O {
    this.prepare(input[0] ?? {});
    for (const calls of this.parts.submits) submit(this.parts.device, calls);
    printNow(this.parts.printed);
    return this.parts.outputs;
  }

  /** One run with a timestamp around every dispatch. @throws LimitError where the adapter has no timestamps. */
  async profile(...input: Fed<F>): Promise<KernelTime[]> {
    this.prepare(input[0] ?? {});
    return timestamps(this.parts.device, this.parts.submits);
  }

  /** What it takes: dispatches, bytes by kind, and the tensors that hold them longest. */
  report(): ProgramReport {
    return this.parts.summary;
  }

  /** Every dispatch of a run in order, as it was lowered for the device. */
  dispatches(): readonly PlannedDispatch[] {
    return this.parts.listing;
  }

  /** One line a dispatch: label, kernel, workgroups. */
  toString(): string {
    return this.parts.listing.map(({ label, kernel, grid }) => `${label}  ${kernel.entry}  ${grid.join('x')}`).join('\n');
  }

  private prepare(input: Feed): void {
    if (this.disposed) throw new DisposedError('program: run after dispose().');
    this.parts.device.check();
    if (this.parts.bound.some((s) => s.left)) {
      throw new VoxelgradError(
        'ORDER',
        'program: a parameter that it reads has moved into the memory of an optimiser since it was compiled.',
        'Compile it after the optimiser is made.',
      );
    }
    const missing = new Set(this.parts.feeds.keys());
    mapTree<HostArray | Tensor, void>('program: input', input, isFeed, (value, path) => {
      const target = this.parts.feeds.get(path);
      if (!target) {
        if (value instanceof Tensor) return; // bound by reference when compiled
        throw new ShapeError(`program: no input named ${path}, expected ${[...this.parts.feeds.keys()].join(', ') || 'none'}.`);
      }
      missing.delete(path);
      if (value instanceof Tensor) this.copyIn(target, value, path);
      else {
        expectHost(`program: input ${path}`, target.dtype, value);
        if (value.length !== target.size)
          throw new ShapeError(`program: input ${path} has ${value.length} values, expected ${target.size} for [${target.shape}].`);
        target.write(value);
      }
    });
    if (missing.size > 0) throw new ShapeError(`program: input ${[...missing].join(', ')} is missing.`);
    for (const { tensor, values } of this.parts.trace.scalars) tensor.write(values());
    for (const { storage, below, label } of this.parts.indices) expectKnown(storage, below, label);
    for (const storage of this.parts.mutated) storage.changed();
  }

  private copyIn(target: Tensor, value: Tensor, path: string): void {
    if (value.size !== target.size || value.dtype !== target.dtype) {
      throw new ShapeError(`program: input ${path} is [${value.shape}] ${value.dtype}, expected [${target.shape}] ${target.dtype}.`);
    }
    expectDevice(`program: input ${path}`, this.parts.device, value.storage);
    const encoder = this.parts.device.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(value.storage.buffer, value.storage.offset, target.storage.buffer, target.storage.offset, byteSize(target));
    this.parts.device.gpu.queue.submit([encoder.finish()]);
    target.storage.changed();
    target.storage.holds = value.storage.holds;
  }

  /** Gives its memory back, its results with it. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const s of this.parts.owned) s.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const isTensor = (x: unknown): boolean => x instanceof Tensor;
const isLeaf = (x: unknown): boolean => isTensor(x) || (typeof x === 'object' && x !== null && 'shape' in x && 'dtype' in x);
const isFeed = (x: unknown): boolean => x instanceof Tensor || ArrayBuffer.isView(x);

const OPTIONS = fields(
  { device: maybe(instance('a device', Device)), fuse: maybe(flag), maxSlotBytes: maybe(scalar), onProgress: maybe(callable) },
  true,
);

/** Memory for every spec of the example, noted in `owned`; tensors pass through. */
function makeInputs(device: Device, example: Example, owned: Owned[]): { inputs: Tree<Tensor>; feeds: Map<string, Tensor> } {
  const feeds = new Map<string, Tensor>();
  const inputs = mapTree<Spec | Tensor, Tensor>('compile: input', example, isLeaf, (leaf, path) => {
    if (leaf instanceof Tensor) return leaf;
    expectSpec(`compile: input ${path}`, leaf);
    const made = new Tensor({ shape: leaf.shape, dtype: leaf.dtype }, Storage.alloc(device, byteSize(leaf), `input ${path}`), null, path);
    owned.push({
      release: () => {
        made.dispose();
      },
    });
    feeds.set(path, made);
    return made;
  });
  return { inputs, feeds };
}

/**
 * Traces `step` on the example and freezes it. Compilation of pipelines runs in parallel.
 * @throws MissingGradientError, ShapeError from the step; LimitError; KernelCompileError
 */
export async function compile<I extends Example, O extends Tree<Tensor>>(
  step: (input: Inputs<I>) => O,
  example: I,
  options: CompileOptions = {},
): Promise<Program<O, FeedOf<I>>> {
  expectArguments('compile', { step: callable, options: OPTIONS }, [step, options]);
  const { device = currentDevice() } = options;
  device.check();
  const owned: Owned[] = [];
  let made: Trace | null = null;
  try {
    const { inputs, feeds } = makeInputs(device, example, owned);
    const { trace, result } = record(() => step(inputs as never), device);
    made = trace;
    owned.push(trace);
    // parameters that wait on the host come to it
    return (await onDevice(device, () => assemble(device, feeds, trace, result, owned, options))) as Program<O, FeedOf<I>>;
  } catch (e) {
    if (made) made.abandoned = true;
    for (const s of owned) s.release();
    throw e;
  }
}

/** The program of a trace. What it allocates is noted in `owned`. */
async function assemble<O extends Tree<Tensor>>(
  device: Device,
  feeds: Map<string, Tensor>,
  trace: Trace,
  result: O,
  owned: Owned[],
  options: CompileOptions,
): Promise<Program<O>> {
  const results = new Set<Tensor>();
  mapTree<Tensor, void>('compile: result', result, isTensor, (t) => {
    trace.expectOwn('compile', t);
    results.add(rootOf(t));
  });
  for (const { tensor } of trace.printed) results.add(rootOf(tensor));
  const fixed = new Map<Tensor, Storage>();
  for (const t of results) {
    if (!t.node || trace.placed.has(t)) continue;
    const storage = Storage.alloc(device, byteSize(t), `output ${t.node.label}`);
    owned.push(storage);
    fixed.set(t, storage);
  }
  const live = liveNodes(trace.nodes, results, trace.placed);
  const uses = live.map((node) => indicesOf(node, node.label));
  const checked = live.flatMap((node, i) => [...uses[i].flatMap((use) => watchNode(device, use)), node]);
  const nodes = hoist(options.fuse === false ? checked : fuse(checked, results, trace.placed), trace.placed);
  const inOrder = schedule(trace, nodes, fixed, device.caps);
  const plan = options.fuse === false || device.caps.software ? inOrder : beside(inOrder, device.caps);
  const memory = planMemory(plan.lifetimes);
  const slotBytes = memory.slotBytes.reduce((s, b) => s + b, 0);
  expectRoom(plan, slotBytes, device.caps.limits.maxStorageBufferBindingSize, options.maxSlotBytes);
  // What the step reads by reference stays, whoever disposes the tensors.
  const bound = [...new Set(nodes.flatMap((n) => n.inputs.flatMap((x) => (x ? rootOf(x) : []))))]
    .filter((t) => !t.node)
    .map((t) => {
      expectDevice(`compile: ${t.name ?? 'a tensor'} [${t.shape}]`, device, t.storage);
      owned.push(t.storage.retain());
      return t.storage;
    });
  const overwritten = new Set(live.flatMap(mutatedBy).map(rootOf));
  const indices = uses
    .flat()
    .map((use) => ({ ...use, index: rootOf(use.index) }))
    .filter(({ index }) => !index.node && !overwritten.has(index))
    .map(({ index, below, label }) => ({ storage: index.storage, below, label }));
  const mutated = [...fixed.values(), ...[...overwritten].flatMap((t) => (t.node ? [] : [t.storage]))];
  const buffers = device.slotPool.take(memory.slotBytes);
  owned.push({
    release: () => {
      device.slotPool.release(buffers);
    },
  });
  const storageOf = (place: Place): Storage =>
    place instanceof Storage ? place : new Storage(device, buffers[memory.slotOf[place.life]], 0, plan.lifetimes[place.life].bytes, false);

  const { submits, listing, pipelines } = await freeze(device, plan.steps, storageOf, owned, options.onProgress);
  const withMemory = (t: Tensor): Tensor => {
    if (!t.node) return t;
    const place = plan.placeOf(t);
    if (!(place instanceof Storage)) throw new VoxelgradError('INTERNAL', `compile: output ${t.node.label} was planned into a slot.`);
    const made = new Tensor({ shape: t.shape, dtype: t.dtype }, place.retain(), null, t.name);
    owned.push({
      release: () => {
        made.dispose();
      },
    });
    return made;
  };
  const outputs = mapTree<Tensor, Tensor>('compile: result', result, isTensor, withMemory) as O;
  const printed = trace.printed.map(({ tensor, label }) => ({ tensor: withMemory(tensor), label }));
  const summary: ProgramReport = {
    dispatches: listing.length,
    pipelines,
    slots: memory.slotBytes.length,
    slotBytes,
    largestSlot: Math.max(0, ...memory.slotBytes),
    lowerBound: memory.lowerBound,
    flops: plan.steps.reduce((s, step_) => s + step_.flops, 0),
    largest: plan.lifetimes
      .map((l, i) => ({ ...l, name: plan.names[i] }))
      .sort((a, b) => b.bytes * (b.last - b.first + 1) - a.bytes * (a.last - a.first + 1))
      .slice(0, 10),
  };
  return new Program({ device, feeds, trace, submits, outputs, printed, owned, bound, indices, mutated, summary, listing });
}

/**
 * Runs a step once without planning or fusion: traced, then executed node by node with fresh memory. The oracle that
 * replay is compared with, and the way to use gradients in a notebook.
 */
export function evaluate<O extends Tree<Tensor>>(step: () => O): O {
  expectArguments('evaluate', { step: callable }, [step]);
  const device = currentDevice();
  const { trace, result } = record(step, device);
  const results: Tensor[] = [];
  const real = new Map<Tensor, Tensor>();
  const concrete = (t: Tensor): Tensor => (t.node ? real.get(t)! : t);
  let kept = new Set<Tensor>();
  try {
    mapTree<Tensor, void>('evaluate: result', result, isTensor, (t) => {
      trace.expectOwn('evaluate', t);
      results.push(t);
    });
    for (const { tensor } of trace.printed) results.push(tensor);
    for (const { tensor, values } of trace.scalars) tensor.write(values());
    const given = new Map([...trace.placed].map(([t, storage]) => [rootOf(t), storage]));
    for (const node of liveNodes(trace.nodes, results, trace.placed)) {
      const inputs = node.inputs.map((t) => t && concrete(t));
      if (node.op.view) {
        real.set(node.outputs[0], new Tensor(node.outputs[0], inputs[0]!.storage.retain()));
        continue;
      }
      for (const t of node.outputs) real.set(t, new Tensor(t, given.get(t)?.retain() ?? Storage.alloc(device, byteSize(t), node.label)));
      executeInto(device, node.op, inputs, node.outputs.map(concrete), node.attrs, node.label);
    }
    printNow(trace.printed.map(({ tensor, label }) => ({ tensor: concrete(tensor), label })));
    kept = new Set(results.slice(0, results.length - trace.printed.length).map(concrete));
  } finally {
    for (const t of real.values()) if (!kept.has(t)) t.dispose();
    trace.release(kept);
  }
  return mapTree<Tensor, Tensor>('evaluate: result', result, isTensor, concrete) as O;
}
