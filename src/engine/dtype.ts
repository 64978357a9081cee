// SPDX-License-Identifier: MIT
// Element types of tensors and their host representations. Masks are u32 (0 or 1); there is no implicit promotion.
import { dtype as aDType, shape as aShape, shown } from '../check.ts';
import { DTypeError, ShapeError } from '../errors.ts';

export type FloatType = 'f32' | 'f16';
export type DType = FloatType | 'i32' | 'u32';
/** Host values of a tensor; f16 travels as bit patterns in a Uint16Array. */
export type HostArray = Float32Array | Uint16Array | Int32Array | Uint32Array;

export const BYTES: Readonly<Record<DType, number>> = { f32: 4, f16: 2, i32: 4, u32: 4 };

/** Shape and type of a tensor, without its values. */
export interface Spec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Host values of one dtype. */
export type HostOf<D extends DType> = { f32: Float32Array; f16: Uint16Array; i32: Int32Array; u32: Uint32Array }[D];

/** What a step takes in a place: values of this shape and dtype, f32 unless given. @throws ShapeError, DTypeError */
export function spec(shape: readonly number[]): Spec & { readonly dtype: 'f32' };
export function spec<D extends DType>(shape: readonly number[], dtype: D): Spec & { readonly dtype: D };
export function spec(shape: readonly number[], dtype: DType = 'f32'): Spec {
  const made = { shape, dtype };
  if (Array.isArray(shape) && shape.some((d) => d === -1 || d === null))
    throw new ShapeError(
      `spec: got shape ${shown(shape)}, expected a size for every axis: a program has one shape.`,
      'compileFor(step, (batch) => ...) makes a program for each batch size that is asked for.',
    );
  expectSpec('spec', made);
  return { ...made, shape: [...shape] };
}

/** @throws ShapeError, DTypeError unless it is one. */
export function expectSpec(where: string, { shape, dtype }: Spec): void {
  aShape(where, 'shape', shape);
  aDType(where, 'dtype', dtype);
}

export function numel(shape: readonly number[]): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** Bytes of a tensor in a buffer: a multiple of 4, of an empty one as many as the widest element, so that every tensor can be bound. */
export function byteSize({ shape, dtype }: Spec): number {
  return Math.ceil((numel(shape) * BYTES[dtype]) / 4) * 4 || 16;
}

export function hostArray(dtype: DType, bytes: ArrayBuffer, length: number): HostArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(bytes, 0, length);
    case 'f16':
      return new Uint16Array(bytes, 0, length);
    case 'i32':
      return new Int32Array(bytes, 0, length);
    case 'u32':
      return new Uint32Array(bytes, 0, length);
  }
}

const HOST: Readonly<Record<DType, string>> = { f32: 'Float32Array', f16: 'Uint16Array', i32: 'Int32Array', u32: 'Uint32Array' };

export function isHostOf(dtype: DType, values: unknown): values is HostArray {
  return Object.prototype.toString.call(values) === `[object ${HOST[dtype]}]`;
}

/** Bits are copied as they are, so another kind of array would be read as other numbers. @throws DTypeError naming `where`. */
export function expectHost(where: string, dtype: DType, values: unknown): void {
  if (isHostOf(dtype, values)) return;
  throw new DTypeError(
    `${where}: got ${Object.prototype.toString.call(values).slice(8, -1)}, expected ${HOST[dtype]} for ${dtype}.`,
    'Convert the values first; f16 travels as bits.',
  );
}

/** Numbers as the host array of a dtype (f16 rounded to nearest even). @throws DTypeError for what an integer dtype cannot hold */
export function toHost(dtype: DType, values: ArrayLike<number>): HostArray {
  if (dtype === 'i32' || dtype === 'u32') expectIntegers(dtype, values);
  switch (dtype) {
    case 'f32':
      return Float32Array.from(values);
    case 'f16':
      return Uint16Array.from(values, toF16);
    case 'i32':
      return Int32Array.from(values);
    case 'u32':
      return Uint32Array.from(values);
  }
}

const INTEGERS = { i32: [-(2 ** 31), 2 ** 31 - 1], u32: [0, 2 ** 32 - 1] } as const;

function expectIntegers(dtype: 'i32' | 'u32', values: ArrayLike<number>): void {
  const [least, most] = INTEGERS[dtype];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (!(Number.isInteger(v) && v >= least && v <= most))
      throw new DTypeError(
        `tensor: got ${v} at ${i}, expected integers from ${least} to ${most} for ${dtype}.`,
        'Round or convert the numbers first.',
      );
  }
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Bits of the half float nearest to `value`, ties to even, as IEEE 754 asks. */
export function toF16(value: number): number {
  f32[0] = value;
  const bits = u32[0];
  const sign = (bits >>> 16) & 0x8000;
  const abs = bits & 0x7fffffff;
  if (abs >= 0x7f800000) return sign | (abs > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (abs >= 0x477ff000) return sign | 0x7c00; // rounds past 65504
  if (abs < 0x38800000) {
    // subnormal: a multiple of 2^-24
    const scaled = Math.abs(f32[0]) * 16777216;
    const low = Math.floor(scaled);
    const rest = scaled - low;
    return sign | (low + (rest > 0.5 || (rest === 0.5 && (low & 1) === 1) ? 1 : 0));
  }
  const rounded = abs - 0x38000000;
  return sign | ((rounded + 0xfff + ((rounded >>> 13) & 1)) >>> 13);
}

/** Value of a half float's bits. */
export function fromF16(bits: number): number {
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const magnitude =
    exponent === 0 ? fraction * 2 ** -24 : exponent === 31 ? (fraction ? NaN : Infinity) : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}
