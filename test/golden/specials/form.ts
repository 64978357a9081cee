// SPDX-License-Identifier: MIT
// The form of a row of special values: an op, its gradient, and PyTorch's results, at zeros, ties, infinities, NaN and the ends of
// domains. A row drives its goldens (make.py) and its proof (prove.ts).
import type { DType } from '../../../src/engine/dtype.ts';
import type { Tensor } from '../../../src/engine/tensor.ts';

export interface SpecialInput {
  readonly values: readonly number[];
  readonly shape: readonly number[];
  readonly dtype?: DType;
}

/** As many, or as many for these inputs. */
export type Units = number | ((...x: number[]) => number);

export interface Special {
  /** What is special, where an op has several rows. */
  readonly name?: string;
  readonly inputs: readonly SpecialInput[];
  readonly call: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
  /** Python over a, b, c, ... (the inputs), torch, F and the helpers of ops/helpers.py. */
  readonly torch: string;
  /** Inputs to differentiate by; default: all of f32. */
  readonly grad?: readonly number[];
  /** A copy of the row with f16 tensors is proved besides. */
  readonly f16?: boolean;
  /** Units in the last place that outputs and gradients may be off, where the default does not fit; `why` is the reason. */
  readonly ulp?: {
    readonly y?: Units;
    readonly g?: Units;
    /** Units are those of numbers this large: sums that cancel. */ readonly least?: number;
    readonly why: string;
  };
  /** Distances that are right besides, where a result is a difference of larger numbers. */
  readonly within?: { readonly y?: number; readonly g?: number; readonly why: string };
  /** Elements whose value is another than PyTorch's, by the inputs there: the exceptions of docs/precision.md. */
  readonly except?: { readonly at: (...x: number[]) => boolean; readonly of?: 'y' | 'g'; readonly why: string };
}

/** Rows by op: the public function's name. */
export type Specials = Readonly<Record<string, readonly Special[]>>;

/** A row as the goldens know it. */
export interface NamedSpecial extends Special {
  readonly id: string;
  readonly half: boolean;
}

export const named = (family: Specials): NamedSpecial[] =>
  Object.entries(family).flatMap(([op, list]) =>
    list.flatMap((row) => {
      const id = row.name ? `${op}: ${row.name}` : op;
      return [{ ...row, id, half: false }, ...(row.f16 ? [{ ...row, id: `${id} (f16)`, half: true }] : [])];
    }),
  );

/** dLoss/dOutput, the same for every element, for which gradients are taken. */
export const UPSTREAM: readonly number[] = [1, -Infinity, NaN];

export const TINY = 2 ** -126; // the least normal number
export const HUGE = (2 - 2 ** -23) * 2 ** 127;
// NaN first: the last elements that do not fill a vector go another way through PyTorch, where it differs for NaN.
const both = (list: readonly number[]): number[] => [NaN, ...list.flatMap((x) => [x, -x])];

/** For functions of one value. */
export const LINE = both([
  0,
  1e-40,
  TINY,
  1e-30,
  1e-10,
  1e-5,
  2 ** -12,
  0.01,
  0.1,
  0.3,
  0.4999999701976776,
  0.5,
  0.75,
  0.9,
  1 - 2 ** -24,
  1,
  1 + 2 ** -23,
  1.1,
  1.5,
  Math.fround(Math.PI / 2),
  2,
  2.5,
  3,
  Math.fround(Math.PI),
  3.5,
  4,
  5,
  6,
  7.5,
  9,
  10,
  14,
  17,
  20,
  43,
  50,
  87,
  88.5,
  89,
  103,
  105,
  200,
  1e3,
  1e4,
  1e5,
  8388607.5,
  16777216,
  1e7,
  1e9,
  1e10,
  2 ** 31,
  2 ** 32,
  1e20,
  1e30,
  HUGE,
  Infinity,
]);
/** For functions of two: every pair of these. */
const SIDE = both([0, 1e-40, TINY, 1e-10, 0.5, 1, 1.5, 2, 3, 16777215, 1e20, HUGE, Infinity]);

export const line = (values: readonly number[] = LINE): SpecialInput[] => [{ values, shape: [values.length] }];
export const pairs = (first: readonly number[] = SIDE, second: readonly number[] = SIDE): SpecialInput[] => {
  const shape = [first.length, second.length];
  return [
    { values: first.flatMap((a) => second.map(() => a)), shape },
    { values: first.flatMap(() => second), shape },
  ];
};

/** Rows of n that hold NaN and infinities first, last, between, several, alone; ties; zeros. The most telling come first. */
export function rowsOf(n: number, count = Infinity): SpecialInput {
  const plain = (i: number): number => [0.5, -1, 2, 0.25, -3, 1.5, 2, -0.125][(i * 5 + (i >> 3)) % 8];
  const row = (special: Readonly<Record<number, number>>): number[] => Array.from({ length: n }, (_, i) => special[i] ?? plain(i));
  const [last, mid] = [n - 1, n >> 1];
  const all = [
    row({ 0: NaN }),
    row({ [last]: NaN }),
    row({ [mid]: Infinity }),
    row({ [mid]: -Infinity }),
    row({ 1: Infinity, [last]: -Infinity }),
    row({}),
    row({ [mid - 1]: NaN, [mid + 1]: NaN }),
    row({ 0: Infinity, [last]: NaN }),
    row({ 0: NaN, [last]: -Infinity }),
    new Array<number>(n).fill(NaN),
    new Array<number>(n).fill(Infinity),
    new Array<number>(n).fill(-Infinity),
    row({ 0: -Infinity, [mid]: -Infinity }),
    row({ 1: Infinity, [last]: Infinity }),
    new Array<number>(n).fill(0),
    row({ 0: 7, [last]: 7 }),
  ].slice(0, count);
  return { values: all.flat(), shape: [all.length, n] };
}

export function transposed({ values, shape }: SpecialInput): SpecialInput {
  const [rows, n] = shape as [number, number];
  return { values: Array.from({ length: rows * n }, (_, i) => values[(i % rows) * n + Math.floor(i / rows)]), shape: [n, rows] };
}

/** A factor and a summand for n channels. */
export const weights = (n: number): SpecialInput[] =>
  [0.75, -0.5].map((first) => ({ values: Array.from({ length: n }, (_, i) => first + 0.25 * (i % 3)), shape: [n] }));
