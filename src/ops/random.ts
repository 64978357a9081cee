// SPDX-License-Identifier: MIT
// Random tensors and dropout on the device. Every number is a function of (seed, stream, step, op, element), so a run can be
// resumed or replayed from the step alone; src/random/philox.ts computes the same numbers on the host.
import {
  callable,
  dtype as aDType,
  expectArguments,
  fields,
  instance,
  integer,
  integers,
  maybe,
  number,
  scalar,
  shape as aShape,
} from '../check.ts';
import { numel, type DType } from '../engine/dtype.ts';
import { aTensor, door } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, type Dispatch, type Thunk } from '../engine/op.ts';
import { full, type Tensor } from '../engine/tensor.ts';
import { currentTrace, hostScalars, type Trace } from '../engine/trace.ts';
import { dropout as dropoutKernel, random as randomKernel } from '../gen/random.ts';
import { STREAMS } from '../random/philox.ts';
import { elementLaunch } from './lanes.ts';
import { axisOf } from './layout.ts';
import { mul } from './pointwise.ts';

/** Key and counter of the random ops of one network. Ops are numbered in the order of their calls within a trace (or, eagerly, a step). */
export class RandomSource {
  private readonly seed: () => number;
  private readonly stream: number;
  private readonly step: () => number;
  private readonly firstOp: number;
  private readonly traced = new WeakMap<Trace, { counter: Tensor; next: number }>();
  private eager = { step: -1, next: 0 };

  /**
   * `stream` is a number of STREAMS in random/philox.ts; `step` is asked before every run of a program. Programs that share seed,
   * stream and step need ranges of op numbers of their own: `firstOp`.
   */
  constructor(options: { seed: number | (() => number); stream: number; step: () => number; firstOp?: number }) {
    const word = integer(0, 2 ** 32 - 1);
    expectArguments(
      'RandomSource',
      {
        options: fields({
          seed: typeof options?.seed === 'function' ? callable : word,
          stream: word,
          step: callable,
          firstOp: maybe(word),
        }),
      },
      [options],
    );
    const { seed, stream, step, firstOp = 0 } = options;
    this.seed = typeof seed === 'number' ? () => seed : seed;
    this.stream = stream;
    this.step = step;
    this.firstOp = firstOp;
  }

  /** For the ops below: the tensor [seed, stream, step] and the number of the next op. */
  take(): { counter: Tensor; op: number } {
    const values = (): Uint32Array => Uint32Array.of(this.seed(), this.stream, this.step());
    const trace = currentTrace();
    if (!trace) {
      const step = this.step();
      if (this.eager.step !== step) this.eager = { step, next: 0 };
      const counter = hostScalars(3, 'u32', () => Uint32Array.of(this.seed(), this.stream, step));
      return { counter, op: this.firstOp + this.eager.next++ };
    }
    let state = this.traced.get(trace);
    if (!state) this.traced.set(trace, (state = { counter: hostScalars(3, 'u32', values), next: 0 }));
    return { counter: state.counter, op: this.firstOp + state.next++ };
  }
}

const aSource = instance('a RandomSource', RandomSource);

interface Fill {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly op: number;
  readonly normal: boolean;
  readonly shift: number;
  readonly scale: number;
}

const randomOp = defineOp({
  name: 'random',
  call: (counter: Tensor, attrs: Fill) => ({ inputs: [counter], attrs }),
  infer: (_, { shape, dtype }) => ({ shape, dtype: expectDType('random', [{ shape, dtype }], 'f32', 'f16') }),
  lower({ caps, inputs: [counter], outputs: [y], attrs: { op, normal, shift, scale } }): Dispatch[] {
    const n = numel(y.shape);
    const { overrides, grid } = elementLaunch(caps, Math.ceil(n / 4));
    return [
      dispatch(randomKernel, { counter, y }, { n, op, shift, scale, p: 0 }, grid, {
        spec: { T: y.dtype },
        overrides: { ...overrides, NORMAL: Number(normal) },
      }),
    ];
  },
});

const dropoutOp = defineOp({
  name: 'dropout',
  call: (x: Tensor, counter: Tensor, attrs: { p: number; op: number }) => ({ inputs: [x, counter], attrs }),
  infer: ([x]) => ({ shape: x.shape, dtype: expectDType('dropout', [x], 'f32', 'f16') }),
  lower({ caps, inputs: [x, counter], outputs: [y], attrs: { p, op } }): Dispatch[] {
    const n = numel(y.shape);
    const { overrides, grid } = elementLaunch(caps, Math.ceil(n / 4));
    return [
      dispatch(dropoutKernel, { x, counter, y }, { n, op, shift: 0, scale: p < 1 ? 1 / (1 - p) : 0, p }, grid, {
        spec: { T: x.dtype },
        overrides,
      }),
    ];
  },
  vjp: ({ inputs: [, counter], grads: [g], attrs }): (Thunk | null)[] => [() => dropoutOp(g, counter, attrs), null],
});

export interface RandomOptions {
  random: RandomSource;
  dtype?: DType;
}

const DRAWN = { random: aSource, dtype: maybe(aDType) };

/** Numbers in [low, high). */
export const uniform = door(
  'uniform',
  { shape: aShape, options: fields({ ...DRAWN, low: maybe(scalar), high: maybe(scalar) }) },
  (shape: readonly number[], { random, low = 0, high = 1, dtype = 'f32' }: RandomOptions & { low?: number; high?: number }): Tensor => {
    const { counter, op } = random.take();
    return randomOp(counter, { shape, dtype, op, normal: false, shift: low, scale: high - low });
  },
);

/** Normally distributed numbers. */
export const normal = door(
  'normal',
  { shape: aShape, options: fields({ ...DRAWN, mean: maybe(scalar), std: maybe(scalar) }) },
  (shape: readonly number[], { random, mean = 0, std = 1, dtype = 'f32' }: RandomOptions & { mean?: number; std?: number }): Tensor => {
    const { counter, op } = random.take();
    return randomOp(counter, { shape, dtype, op, normal: true, shift: mean, scale: std });
  },
);

let seed = 0;
let drawn = 0;
/** A draw, and a run of a program with draws in it, is a step of its own, so that none repeats another. */
const generator = (): RandomSource => new RandomSource({ seed: () => seed, stream: STREAMS.draw, step: () => drawn++ });
let standard = generator();

/** `rand` and `randn` begin anew, in programs compiled already too: the same seed, the same numbers. 0 at first. @throws ShapeError */
export function manualSeed(value: number): void {
  expectArguments('manualSeed', { seed: integer(0, 2 ** 32 - 1) }, [value]);
  seed = value;
  drawn = 0;
  standard = generator();
}

const STANDARD = { shape: aShape, options: maybe(fields({ dtype: maybe(aDType) })) };
/** Numbers in [0, 1): [...shape], f32 or f16, from the default generator, others in each run. @throws ShapeError, DTypeError */
export const rand = door('rand', STANDARD, (shape: readonly number[], { dtype }: { dtype?: DType } = {}): Tensor =>
  uniform(shape, { random: standard, dtype }),
);
/** Normal numbers of mean 0 and deviation 1: [...shape], f32 or f16, from the default generator. @throws ShapeError, DTypeError */
export const randn = door('randn', STANDARD, (shape: readonly number[], { dtype }: { dtype?: DType } = {}): Tensor =>
  normal(shape, { random: standard, dtype }),
);

/**
 * x with a share `p` of its elements set to 0 and the others divided by 1 - p. Elements that differ along `shared` axes alone
 * go together: all spatial axes drop whole channels, all but the first drop whole samples (drop path).
 */
export const dropout = door(
  'dropout',
  { x: aTensor, options: fields({ p: number(0, 1), random: aSource, shared: maybe(integers()) }) },
  (x: Tensor, { p, random, shared = [] }: { p: number; random: RandomSource; shared?: readonly number[] }): Tensor => {
    if (p === 0) return x;
    const { counter, op } = random.take();
    if (shared.length === 0) return dropoutOp(x, counter, { p, op });
    const axes = shared.map((a) => axisOf('dropout', x.shape, a));
    const ones = full(
      x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
      1,
      { dtype: x.dtype },
    );
    return mul(x, dropoutOp(ones, counter, { p, op }));
  },
);
