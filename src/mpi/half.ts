// SPDX-License-Identifier: MIT
// Floats as 16-bit halves on their way between processes: rounded to the nearest, ties to even, as IEEE 754 has it. Many at a time: a
// call for each, and a word that is written as a float and read as bits at once, cost more than the conversion.

/** Added to a value below the smallest normal half, it puts its bits where a half's are. */
const MAGIC = 0.5,
  MAGIC_BITS = 126 << 23;
const small = new Float32Array(1),
  smallBits = new Int32Array(small.buffer);
const block = new Float32Array(4096),
  blockBits = new Int32Array(block.buffer);

function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const abs = bits & 0x7fffffff;
  if (abs >= 0x47800000) return sign | (abs > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (abs < 0x38800000) {
    smallBits[0] = abs;
    small[0] += MAGIC;
    return sign | (smallBits[0] - MAGIC_BITS);
  }
  return sign | ((abs - (112 << 23) + 0xfff + ((abs >>> 13) & 1)) >>> 13);
}

/** `values` times `scale` as halves, from the first of `out` on. */
export function toHalves(values: Float32Array, out: Uint16Array, scale = 1): void {
  for (let first = 0; first < values.length; first += block.length) {
    const n = Math.min(block.length, values.length - first);
    for (let i = 0; i < n; i++) block[i] = values[first + i] * scale;
    for (let i = 0; i < n; i++) block[i] = values[first + i] * scale;
    for (let i = 0; i < n; i++) out[first + i] = halfOf(blockBits[i]);
  }
}

function floatOf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1,
    exponent = (half >>> 10) & 31,
    fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

let table: Float32Array | undefined;

/** The value of every half. */
export const halves = (): Float32Array => (table ??= Float32Array.from({ length: 65536 }, (_, half) => floatOf(half)));
