// SPDX-License-Identifier: MIT
// Optimisers as fused updates over flat arenas: parameters, gradients and moments share one layout, and one dispatch
// updates every run of neighbouring parameters that received a gradient.
import { expectArguments, iterable } from '../check.ts';
import { DisposedError, ShapeError, StateDictError, VoxelgradError } from '../errors.ts';
import { currentDevice } from '../gpu/device.ts';
import type { Grads } from '../engine/autograd.ts';
import { evaluate } from '../engine/program.ts';
import { readTogether, Tensor, type Storage } from '../engine/tensor.ts';
import { knownPlace, mutatedBy, rootOf } from '../engine/schedule.ts';
import { currentTrace, hostScalars, type Node, type Trace } from '../engine/trace.ts';
import { Arena, layoutArena, type Range } from '../nn/arena.ts';
import type { StateDict } from '../nn/module.ts';
import type { Parameter } from '../nn/parameter.ts';
import { addScaled, assignScaled, clear, clipFactor, update, type UpdateKind } from '../ops/optim.ts';
import { mulScalar } from '../ops/pointwise.ts';
import { LossScale } from './loss_scale.ts';
import { expectRanges, GROUP, OPTIONS, STATE, type OptimiserOptions, type ParameterGroup } from './options.ts';

/** A run of neighbouring parameters of one group and window. */
interface Segment {
  readonly range: Range;
  readonly group: ParameterGroup;
}

export class Optimiser implements Disposable {
  lr: number;
  /** Iterations done so far: the t of Adam's bias correction, where no loss scale keeps count of skipped ones. */
  steps = 0;
  /** Held on the device; null where losses are trained as they are. */
  readonly lossScale: LossScale | null;
  private readonly kind: UpdateKind;
  private readonly options: Required<Omit<OptimiserOptions, 'clipNorm' | 'lr' | 'lossScale'>> & { clipNorm: number };
  private readonly groups: readonly ParameterGroup[];
  private readonly params: readonly Parameter[];
  private readonly ranges = new Map<Parameter, Range>();
  private readonly arenas: { p: Arena; g: Arena; m: Arena; v: Arena };
  /** Parameters that accumulate() has met since the optimiser was made, and the step that it was first called in. */
  private readonly accumulated = new Map<Parameter, Trace | null>();
  /** Gradients are either written by step(grads) or gathered by accumulate(): the arena holds one kind. And the step that chose. */
  private mode: { readonly kind: 'written' | 'gathered'; readonly by: Trace | null } | null = null;
  /** Steps that write gradients have met these; a second one would overwrite what the first has placed. */
  private readonly written = new WeakSet<Trace>();
  private disposed = false;
  /** What the last eager step returned. */
  private clip: Tensor | null = null;

  constructor(kind: UpdateKind, params: Iterable<Parameter> | readonly ParameterGroup[], options: OptimiserOptions) {
    expectArguments('optimiser', { params: iterable, options: OPTIONS }, [params, options]);
    const list = [...(params as Iterable<Parameter | ParameterGroup>)];
    const groups = list.length > 0 && !(list[0] instanceof Tensor) ? (list as ParameterGroup[]) : [{ params: list as Parameter[] }];
    groups.forEach((group, i) => {
      expectArguments('optimiser', { [`params[${i}]`]: GROUP }, [group]);
    });
    this.groups = groups.map((group) => ({ ...group, params: [...new Set(group.params)] })); // a shared one counts once
    this.kind = kind;
    this.lr = options.lr;
    this.options = {
      betas: options.betas ?? [0.9, kind === 'lion' ? 0.99 : 0.999],
      eps: options.eps ?? 1e-8,
      weightDecay: options.weightDecay ?? 0,
      momentum: options.momentum ?? 0,
      alpha: options.alpha ?? 0.99,
      clipNorm: options.clipNorm ?? Infinity,
    };
    this.params = this.groups.flatMap((g) => g.params);
    expectRanges(options, this.groups);
    if (this.params.length === 0)
      throw new VoxelgradError(
        'USAGE',
        'optimiser: got no parameters.',
        'Give it net.parameters(), and a network whose modules are fields of its class.',
      );
    for (const param of this.params) {
      if (this.groups.filter((g) => g.params.includes(param)).length > 1)
        throw new VoxelgradError('USAGE', `optimiser: parameter ${param.name ?? ''} is in two groups.`);
      param.expectFree();
    }
    const device = currentDevice();
    const { ranges, windows } = layoutArena(this.params, device.caps.limits.maxStorageBufferBindingSize);
    const made: Arena[] = [];
    try {
      for (const label of ['parameters', 'gradients', 'moments', 'second moments']) made.push(new Arena(windows, label));
    } catch (e) {
      for (const arena of made) arena.dispose();
      throw e;
    }
    const [p, g, m, v] = made as [Arena, Arena, Arena, Arena];
    this.arenas = { p, g, m, v };
    this.params.forEach((param, i) => {
      this.ranges.set(param, ranges[i]);
      param.place(this.arenas.p.storage(ranges[i]));
    });
    this.lossScale = options.lossScale ? new LossScale() : null;
  }

  /** The loss whose gradients step() and accumulate() take: `loss` itself, or times the loss scale. */
  scaled(loss: Tensor): Tensor {
    return this.lossScale?.applyTo(loss) ?? loss;
  }

  /**
   * Appends the update to the trace; outside of one it updates at once, with `grad` of the parameters (or with `grads`), and what it
   * returns is disposed by the next step. With `grads` they are written straight into the arena; without, the gradients that accumulate()
   * has gathered are used and cleared. Returns the global gradient norm before clipping, [2]: factor, norm.
   * @throws VoxelgradError ORDER for a second step(grads) in one trace, for step() before any accumulate(), and where one
   * optimiser is given gradients both ways.
   */
  step(grads?: Grads): Tensor {
    const trace = currentTrace();
    if (!trace) return this.stepNow(grads);
    this.use(grads ? 'written' : 'gathered');
    if (grads) {
      if (this.written.has(trace))
        throw new VoxelgradError(
          'ORDER',
          'optimiser: step(grads) called twice in one step, the second would overwrite the gradients of the first.',
          'Add the losses first, or use accumulate() and step().',
        );
      this.written.add(trace);
      const readers = readersOf(trace);
      for (const [param, grad] of grads) this.place(trace, readers, param as Parameter, grad);
    }
    if (grads?.size === 0)
      throw new VoxelgradError(
        'USAGE',
        'optimiser: step() got no gradients.',
        'Give backward() the parameters: backward(loss, net.parameters()).',
      );
    const gathered = [...this.accumulated].flatMap(([param, trace_]) => (trace_?.abandoned ? [] : [param]));
    if (!grads && gathered.length === 0)
      throw new VoxelgradError(
        'ORDER',
        'optimiser: step() has no gradients, got no accumulate() before it.',
        'Compile what accumulates first, or give step() the gradients.',
      );
    const updated: ReadonlySet<Tensor> = new Set(grads ? grads.keys() : gathered);
    const segments = this.segments((p) => updated.has(p));
    const {
      clipNorm: maxNorm,
      betas: [beta1, beta2],
    } = this.options;
    const ranges = segments.map((s) => this.arenas.g.flat(s.range));
    const rate = hostScalars(3, 'f32', () => {
      expectRanges({ lr: this.lr }, []);
      const t = ++this.steps;
      return Float32Array.of(this.lr, 1 - beta1 ** t, 1 - beta2 ** t);
    });
    const { clip, hyper } = this.lossScale?.judge(clipFactor(ranges, Infinity), rate, { maxNorm, beta1, beta2 }) ?? {
      clip: clipFactor(ranges, maxNorm),
      hyper: rate,
    };
    for (const { range, group } of segments) {
      update(
        this.kind,
        {
          p: this.arenas.p.flat(range),
          g: this.arenas.g.flat(range),
          m: this.arenas.m.flat(range),
          v: this.arenas.v.flat(range),
          hyper,
          clip,
        },
        {
          beta1: this.kind === 'sgd' || this.kind === 'rmsprop' ? this.options.momentum : beta1,
          beta2: this.kind === 'rmsprop' ? this.options.alpha : beta2,
          eps: this.options.eps,
          weightDecay: group.weightDecay ?? this.options.weightDecay,
          lrScale: group.lrScale ?? 1,
        },
      );
      if (!grads) clear(this.arenas.g.flat(range));
    }
    return clip;
  }

  /** The same update at once, by default with what `loss.backward()` has left in `grad` of the parameters. */
  private stepNow(grads = this.mode?.kind === 'gathered' ? undefined : gradsOf(this.params)): Tensor {
    this.expectOpen();
    if (grads?.size === 0)
      throw new VoxelgradError('ORDER', 'optimiser: step() has no gradients, got no backward() before it.', 'Call loss.backward() first.');
    this.clip?.dispose();
    return (this.clip = evaluate(() => this.step(grads)));
  }

  /** Disposes `grad` of each parameter: after eager step(), before the next backward(). */
  zeroGrad(): void {
    for (const param of this.params) param.zeroGrad();
  }

  /** Adds scale * gradient to the arena: for several micro-batches, followed by step() without arguments. */
  accumulate(grads: Grads, scale = 1): void {
    this.use('gathered');
    for (const [param, grad] of grads) {
      if (this.accumulated.get(param as Parameter)?.abandoned ?? !this.accumulated.has(param as Parameter))
        this.accumulated.set(param as Parameter, currentTrace());
      addScaled(this.arenas.g.flat(this.rangeOf(param)), grad, scale);
    }
  }

  /** Where gradients are gathered: every buffer whole, the same in every process that has the same networks. */
  gradients(): Storage[] {
    this.expectOpen();
    return this.arenas.g.whole();
  }

  /**
   * Moments where they lie, with the parameter whose shape they have: `exp_avg.<name>` and `exp_avg_sq.<name>`, of sgd
   * `momentum_buffer.<name>`.
   */
  *namedState(): Generator<[string, Parameter, Tensor]> {
    for (const param of this.params) {
      for (const [key, arena] of STATE[this.kind]) yield [`${key}.${param.name}`, param, this.arenas[arena].flat(this.rangeOf(param))];
    }
  }

  /** Moments by name, in PyTorch's layout. */
  async stateDict(): Promise<StateDict> {
    const state = [...this.namedState()];
    const values = await readTogether(state.map(([, , tensor]) => tensor));
    return new Map(state.map(([name, param], i) => [name, { shape: param.torchShape, data: param.toTorch(values[i] as Float32Array) }]));
  }

  /** @throws StateDictError naming what is missing or misshapen */
  expectStateDict(dict: ReadonlyMap<string, { data: Float32Array }>): void {
    for (const param of this.params) {
      for (const [key] of STATE[this.kind]) {
        const entry = dict.get(`${key}.${param.name}`);
        if (!entry || entry.data.length !== param.size)
          throw new StateDictError(
            `optimiser: ${key}.${param.name} is ${entry ? `${entry.data.length} values, expected ${param.size}` : 'missing'}.`,
          );
      }
    }
  }

  /** Moments by name, in PyTorch's layout, after so many steps. @throws StateDictError, and nothing is loaded then */
  loadStateDict(dict: ReadonlyMap<string, { data: Float32Array }>, steps: number): void {
    this.expectStateDict(dict);
    for (const param of this.params) {
      for (const [key, arena] of STATE[this.kind]) {
        const range = this.arenas[arena].flat(this.rangeOf(param));
        range.write(param.fromTorch(dict.get(`${key}.${param.name}`)!.data));
        range.dispose();
      }
    }
    this.steps = steps;
  }

  /** The parameters stay where they are, with their memory, and another optimiser may take them. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const param of this.params) param.free();
    this.clip?.dispose();
    for (const arena of Object.values(this.arenas)) arena.dispose();
    this.lossScale?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private use(kind: 'written' | 'gathered'): void {
    this.expectOpen();
    if (!this.mode || this.mode.by?.abandoned) this.mode = { kind, by: currentTrace() };
    if (this.mode.kind !== kind)
      throw new VoxelgradError(
        'ORDER',
        'optimiser: got both step(grads) and accumulate(), which would add to or overwrite the gradients of the other.',
        'Use step(grads) alone, or accumulate() and step().',
      );
  }

  private expectOpen(): void {
    if (this.disposed) throw new DisposedError('optimiser: used after dispose().');
  }

  private rangeOf(param: Tensor): Range {
    this.expectOpen();
    const range = this.ranges.get(param as Parameter);
    if (!range) throw new ShapeError(`optimiser: ${param.name ?? 'a tensor'} is not one of its parameters.`);
    return range;
  }

  /** Lets the producer of a gradient write into the arena; where another use of the arena's buffer forbids it, a copy does. */
  private place(trace: Trace, readers: ReadonlyMap<Tensor, readonly Node[]>, param: Parameter, grad: Tensor): void {
    const range = this.rangeOf(param);
    const storage = this.arenas.g.storage(range);
    const root = rootOf(grad);
    const clashes = (t: Tensor | null): boolean => t !== null && knownPlace(t, trace.placed)?.buffer === storage.buffer;
    const free =
      root.node &&
      root.size === param.size &&
      !trace.placed.has(root) &&
      !root.node.inputs.some(clashes) &&
      !(readers.get(root) ?? []).some((n) => [...n.outputs, ...mutatedBy(n)].some(clashes));
    // A gradient that lies in this buffer already, as another parameter's, is copied through memory of its own.
    if (free) trace.placed.set(root, storage);
    else storage.release();
    if (!free) assignScaled(this.arenas.g.flat(range), clashes(grad) ? mulScalar(grad, 1) : grad, 1);
  }

  private segments(wanted: (p: Parameter) => boolean): Segment[] {
    const out: { range: { window: number; offset: number; bytes: number }; group: ParameterGroup }[] = [];
    for (const group of this.groups) {
      let open = false;
      for (const param of group.params) {
        if (!wanted(param)) {
          open = false;
          continue;
        }
        const { window, offset, bytes } = this.rangeOf(param);
        const last = out.at(-1);
        if (open && last && last.range.window === window) last.range.bytes = offset + bytes - last.range.offset;
        else out.push({ range: { window, offset, bytes }, group });
        open = true;
      }
    }
    // Whole vectors of four: what follows a parameter in its aligned place is zero.
    for (const { range } of out) range.bytes = Math.ceil(range.bytes / 16) * 16;
    return out;
  }
}

const gradsOf = (params: readonly Parameter[]): Grads => new Map(params.flatMap((p) => (p.grad ? [[p, p.grad]] : [])));

/** Nodes that read a tensor or a view of it. */
function readersOf({ nodes }: Trace): Map<Tensor, Node[]> {
  const readers = new Map<Tensor, Node[]>();
  for (const node of nodes) {
    for (const t of node.inputs) {
      if (!t) continue;
      const root = rootOf(t);
      const list = readers.get(root);
      if (list) list.push(node);
      else readers.set(root, [node]);
    }
  }
  return readers;
}

type Params = Iterable<Parameter> | readonly ParameterGroup[];

/** AdamW: decoupled weight decay. Like all of these it takes the parameters into its own memory, so make it before compiling. */
export const adamw = (params: Params, options: OptimiserOptions): Optimiser => new Optimiser('adamw', params, options);
/** Adam: `torch.optim.Adam`, decay added to the gradient. */
export const adam = (params: Params, options: OptimiserOptions): Optimiser => new Optimiser('adam', params, options);
/** Gradient descent with momentum: `torch.optim.SGD`, no dampening. */
export const sgd = (params: Params, options: OptimiserOptions): Optimiser => new Optimiser('sgd', params, options);
/** `torch.optim.RMSprop`, not centred. */
export const rmsprop = (params: Params, options: OptimiserOptions): Optimiser => new Optimiser('rmsprop', params, options);
/**
 * Lion (Chen et al. 2023): steps by the sign of a mean of gradients, decoupled decay. Its rates are 3 to 10 times smaller than AdamW's, its
 * decay as much larger.
 */
export const lion = (params: Params, options: OptimiserOptions): Optimiser => new Optimiser('lion', params, options);

/** Two groups: what decays (matrices and kernels) and what does not (norms, biases, temperatures, position tables). */
export function decayGroups(params: readonly Parameter[], weightDecay: number, lrScale = 1): ParameterGroup[] {
  return [
    { params: params.filter((p) => p.decay), weightDecay, lrScale },
    { params: params.filter((p) => !p.decay), weightDecay: 0, lrScale },
  ].filter((g) => g.params.length > 0);
}
