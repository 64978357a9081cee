// SPDX-License-Identifier: MIT
// How voxels are stored: number types, byte order, numbers as text; and from there to a typed array.
import type { VoxelArray } from '../data/volume.ts';
import { DataError } from '../errors.ts';

const FLOATS = { float32: Float32Array, float64: Float64Array } as const;
const INTEGERS = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const;
const ARRAYS = { ...INTEGERS, ...FLOATS } as const;

/** A number type of files; 64-bit integers become float64. */
export type Element = keyof typeof ARRAYS | 'int64' | 'uint64';

export const elementBytes = (element: Element): number =>
  element === 'int64' || element === 'uint64' ? 8 : ARRAYS[element].BYTES_PER_ELEMENT;

/** The type that an array is stored as. */
export function elementOf(data: VoxelArray): keyof typeof ARRAYS {
  return (Object.keys(ARRAYS) as (keyof typeof ARRAYS)[]).find((name) => data instanceof ARRAYS[name])!;
}

const HOST_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function reverse(bytes: Uint8Array, width: number): void {
  for (let at = 0; at + width <= bytes.length; at += width) {
    for (let i = 0, j = width - 1; i < j; i++, j--) {
      const b = bytes[at + i];
      bytes[at + i] = bytes[at + j];
      bytes[at + j] = b;
    }
  }
}

/** Voxels as stored in `bytes`, which become theirs. DataError for integers of 64 bits that float64 cannot hold. */
export function voxelsOf(file: string, bytes: Uint8Array, element: Element, little: boolean): VoxelArray {
  const width = elementBytes(element),
    own = bytes.byteOffset % width === 0 ? bytes : bytes.slice(),
    buffer = own.buffer as ArrayBuffer;
  if (width > 1 && little !== HOST_LITTLE) reverse(own, width);
  if (element !== 'int64' && element !== 'uint64') return new ARRAYS[element](buffer, own.byteOffset, own.length / width);
  // By halves: a BigInt a voxel would take a minute.
  const high = new (element === 'int64' ? Int32Array : Uint32Array)(buffer, own.byteOffset, own.length / 4),
    low = new Uint32Array(buffer, own.byteOffset, own.length / 4);
  const out = new Float64Array(own.length / 8),
    [h, l] = HOST_LITTLE ? [1, 0] : [0, 1];
  for (let i = 0; i < out.length; i++) {
    const v = (out[i] = high[2 * i + h] * 2 ** 32 + low[2 * i + l]);
    if (!Number.isSafeInteger(v))
      throw new DataError(
        `${file}: an integer too large to be kept exactly, got about ${v.toExponential(3)}, expected at most 2^53.`,
        'Store the scan as int16 or float32.',
      );
  }
  return out;
}

/** `count` numbers in `text`, parted by white space. DataError for other words, numbers that the type cannot hold, too few or too many. */
export function voxelsOfText(file: string, text: string, element: Element, count: number): VoxelArray {
  const integer = element in INTEGERS || element === 'int64' || element === 'uint64';
  const out = element === 'int64' || element === 'uint64' ? new Float64Array(count) : new ARRAYS[element](count);
  let n = 0;
  for (const [word] of text.matchAll(/\S+/g)) {
    if (n < count) {
      const value = Number(word);
      out[n] = value;
      if (!/^[+-]?(\d|\.\d)/.test(word) || !Number.isFinite(value) || (integer && (out[n] !== value || !Number.isSafeInteger(value)))) {
        throw new DataError(
          `${file}: voxel ${n} in text, got "${word.slice(0, 40)}", expected a number of type ${element}.`,
          'The file is damaged: convert the scan again.',
        );
      }
    }
    n++;
  }
  if (n !== count)
    throw new DataError(
      `${file}: holds ${n < count ? 'fewer' : 'more'} voxels than its header promises, got ${n} numbers in text, expected ${count}.`,
      'The file is damaged: copy or convert it again.',
    );
  return out;
}

/** Bytes from pairs of hexadecimal digits, white space anywhere. DataError for other characters. */
export function bytesOfHex(file: string, text: Uint8Array): Uint8Array {
  const out = new Uint8Array(text.length >> 1);
  let digits = 0;
  for (const c of text) {
    if (c === 32 || (c >= 9 && c <= 13)) continue;
    const value = c >= 48 && c <= 57 ? c - 48 : (c | 32) >= 97 && (c | 32) <= 102 ? (c | 32) - 87 : -1;
    if (value < 0)
      throw new DataError(
        `${file}: voxels in hexadecimal digits, got byte ${c}, expected 0-9, a-f or white space.`,
        'The file is damaged: copy or convert it again.',
      );
    out[digits >> 1] = (out[digits >> 1] << 4) | value;
    digits++;
  }
  return out.subarray(0, digits >> 1);
}

/** `slope` * voxel + `intercept`: float32 for stored types that it holds exactly, else float64; whole numbers stay whole. */
export function scaled(data: VoxelArray, slope: number, intercept: number): VoxelArray {
  if (slope === 1 && intercept === 0) return data;
  const narrow = data.BYTES_PER_ELEMENT <= 2 || data instanceof Float32Array;
  const out =
    narrow && (!Number.isInteger(slope) || !Number.isInteger(intercept) || Math.abs(slope) * 65536 + Math.abs(intercept) <= 2 ** 24)
      ? new Float32Array(data.length)
      : new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = slope * data[i] + intercept;
  return out;
}
