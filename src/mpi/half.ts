// SPDX-License-Identifier: MIT
// Floats as 16-bit halves on their way between processes: rounded to the nearest, ties to even, as IEEE 754 has it.

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
/** Added to a value below the smallest normal half, it puts its bits where a half's are. */
const MAGIC = 0.5,
  MAGIC_BITS = 126 << 23;

export function halfOf(value: number): number {
  float[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const abs = bits[0] & 0x7fffffff;
  if (abs >= 0x47800000) return sign | (abs > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (abs < 0x38800000) {
    bits[0] = abs;
    float[0] += MAGIC;
    return sign | (bits[0] - MAGIC_BITS);
  }
  return sign | ((abs - (112 << 23) + 0xfff + ((abs >>> 13) & 1)) >>> 13);
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
