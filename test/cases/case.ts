// SPDX-License-Identifier: MIT
// The form of a case table. One row says what an op is called with and what PyTorch computes in its place; it drives the
// goldens (test/golden/ops/make.py), the tests (test/golden/ops*.test.ts) and the table of ops in docs/ops.md.
import { numel, type DType } from '../../src/engine/dtype.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { Philox } from '../../src/random/philox.ts';

export interface CaseInput {
  readonly shape: readonly number[];
  /** Values are uniform in [offset - scale, offset + scale). Default 1 and 0. */
  readonly scale?: number;
  readonly offset?: number;
  /** These values instead. */
  readonly values?: readonly number[];
  /** Whole numbers 0 ... below - 1 instead. */
  readonly below?: number;
  /** The first so many rows (of the last axis) are zero. */
  readonly zeroRows?: number;
  /** Default f32; f32 inputs become f16 in the half-precision copy of a row. */
  readonly dtype?: DType;
  /** Stays f32 in half precision: weights of norms. */
  readonly wide?: boolean;
}

export interface Case {
  /** What is special about the row. With the op's name it is the seed, so a renamed row needs new goldens. */
  readonly name: string;
  readonly inputs: readonly CaseInput[];
  readonly call: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
  /** Python over a, b, c, ... (the inputs, channels last), torch, F and the helpers of make.py. */
  readonly torch: string;
  /** Inputs to differentiate by; default: all of f32. */
  readonly grad?: readonly number[];
  /** A copy of the row in half precision is checked besides. */
  readonly f16?: boolean;
  /** Bounds on the normalised mean square error, where the default does not fit; `why` is the reason. */
  readonly tolerance?: { readonly nmse: number; readonly why: string };
  /** PyTorch's gradcheck cannot judge the row: it jumps, or its gradient is a convention. */
  readonly jumps?: boolean;
  /** Step of the central difference, where 2e-3 would cross too many kinks. */
  readonly step?: number;
  readonly bench?: true;
}

/** Rows by op: the public function's name. */
export type Family = Readonly<Record<string, readonly Case[]>>;

/** A row as the goldens know it: its full name, and whether it is the copy in half precision. */
export interface NamedCase extends Case {
  readonly op: string;
  readonly id: string;
  readonly half: boolean;
}

export const rows = (family: Family): NamedCase[] =>
  Object.entries(family).flatMap(([op, list]) =>
    list.flatMap((c) => {
      const id = `${op}: ${c.name}`;
      return [{ ...c, op, id, half: false }, ...(c.f16 ? [{ ...c, op, id: `${id} (f16)`, half: true }] : [])];
    }),
  );

/** FNV-1a of the name: the seed of a row, the same in make.py. */
export function seedOf(name: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}

const STREAM = 7; // not one of the streams of training

/** Input `at` of a row, as plain numbers before any rounding to f16. */
export function inputValues(c: NamedCase, at: number): Float32Array {
  const { shape, scale = 1, offset = 0, below, values, zeroRows = 0 } = c.inputs[at];
  if (values) return Float32Array.from(values);
  const u = new Philox(seedOf(`${c.op}: ${c.name}`), STREAM).uniform(0, at, numel(shape));
  const row = shape.at(-1) ?? 1;
  return u.map((x, i) => (i < zeroRows * row ? 0 : below !== undefined ? Math.floor(x * below) : offset + scale * (2 * x - 1)));
}

/** The fixed direction along which output `at` is weighted: gradients are those of sum(output * direction). */
export const direction = (c: NamedCase, at: number, n: number): Float32Array =>
  new Philox(seedOf(`${c.op}: ${c.name}`), STREAM).uniform(1, at, n).map((x) => 2 * x - 1);

/** Above this many elements a golden holds SAMPLES entries and the product with the direction. */
export const WHOLE = 4096;
export const SAMPLES = 64;
export const sampled = (c: NamedCase, key: number, n: number): Uint32Array =>
  new Philox(seedOf(`${c.op}: ${c.name}`), STREAM).ints(2, key, SAMPLES, n);

export const input = (shape: readonly number[], more: Omit<CaseInput, 'shape'> = {}): CaseInput => ({ shape, ...more });
