// SPDX-License-Identifier: MIT
// Counter-based random numbers, Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// Every number is a function of (seed, stream, step, op id, element): nothing has to be stored to resume a run, and the
// order in which numbers are asked for does not change them. The same function exists in WGSL; this file imports nothing.

/** The independent streams of one seed. The numbers are part of the file formats: never renumber. */
export const STREAMS = { init: 0, order: 1, augment: 2, click: 3, dropout: 4, draw: 5 } as const;
/** Name of a stream. */
export type StreamName = keyof typeof STREAMS;

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9; // golden ratio
const W1 = 0xbb67ae85; // sqrt(3) - 1
const ROUNDS = 10;

/** High 32 bits of the 64-bit product of two u32, by 16-bit halves (no BigInt: this is the inner loop). */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff,
    aHigh = a >>> 16,
    bLow = b & 0xffff,
    bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16); // < 2^32: (2^16-1)^2 + 2^16-1
  const carry = aLow * bHigh + (middle & 0xffff); // < 2^32, same bound
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/** One Philox4x32-10 block: four u32 for a key of two u32 and a counter of four u32. Arguments are taken modulo 2^32. */
export function philox4x32(key0: number, key1: number, c0: number, c1: number, c2: number, c3: number): [number, number, number, number] {
  let k0 = key0 >>> 0,
    k1 = key1 >>> 0;
  let x0 = c0 >>> 0,
    x1 = c1 >>> 0,
    x2 = c2 >>> 0,
    x3 = c3 >>> 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = mulHigh(M0, x0),
      low0 = Math.imul(M0, x0);
    const high1 = mulHigh(M1, x2),
      low1 = Math.imul(M1, x2);
    x0 = (high1 ^ x1 ^ k0) >>> 0;
    x1 = low1 >>> 0;
    x2 = (high0 ^ x3 ^ k1) >>> 0;
    x3 = low0 >>> 0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [x0, x1, x2, x3];
}

/** u32 to a uniform in [0, 1) with 24 bits, exact in f32. */
const toUniform = (bits: number): number => (bits >>> 8) * 2 ** -24;

/**
 * Two standard normals from two u32 (Box-Muller). The radius takes 1 - u, which lies in (0, 1], so the logarithm is finite:
 * r = sqrt(-2 ln(1 - u0)), results r cos(2 pi u1) and r sin(2 pi u1).
 */
function boxMuller(bits0: number, bits1: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(1 - toUniform(bits0)));
  const angle = 2 * Math.PI * toUniform(bits1);
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/**
 * Random numbers of one seed and stream. Key = (seed, stream), counter = (step, op id, element / 4, 0); lane = element mod 4.
 * The same (step, op, n) always gives the same numbers, and a longer request starts with the shorter one's numbers.
 */
export class Philox {
  readonly seed: number;
  readonly stream: number;

  /** `seed` is an unsigned 32-bit integer; RangeError otherwise. `stream` is a name of `STREAMS` or its number. */
  constructor(seed: number, stream: StreamName | number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(`Philox: seed, got ${seed}, expected an integer from 0 to 4294967295.`);
    }
    this.seed = seed;
    this.stream = typeof stream === 'number' ? stream >>> 0 : STREAMS[stream];
  }

  /** The four u32 of elements 4*block .. 4*block+3. */
  block(step: number, op: number, block: number): [number, number, number, number] {
    return philox4x32(this.seed, this.stream, step, op, block, 0);
  }

  /** `n` uniforms in [0, 1), shape [n], multiples of 2^-24. */
  uniform(step: number, op: number, n: number): Float32Array {
    return this.#fill(step, op, new Float32Array(n), (x) => [toUniform(x[0]), toUniform(x[1]), toUniform(x[2]), toUniform(x[3])]);
  }

  /** `n` standard normals, shape [n], computed in float64 and rounded to f32. */
  normal(step: number, op: number, n: number): Float32Array {
    return this.#fill(step, op, new Float32Array(n), (x) => [...boxMuller(x[0], x[1]), ...boxMuller(x[2], x[3])]);
  }

  /** `n` integers in [0, bound), shape [n]: floor(x * bound / 2^32), bias below bound / 2^32. */
  ints(step: number, op: number, n: number, bound: number): Uint32Array {
    const scaled = (bits: number): number => Math.floor((bits * bound) / 2 ** 32);
    return this.#fill(step, op, new Uint32Array(n), (x) => [scaled(x[0]), scaled(x[1]), scaled(x[2]), scaled(x[3])]);
  }

  /** A random permutation of 0..n-1, shape [n] (Fisher-Yates, from the end). */
  permutation(step: number, op: number, n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    const u = this.uniform(step, op, n);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(u[i] * (i + 1));
      const swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
    return order;
  }

  /** Numbers one after another from one (step, op): for code that cannot say beforehand how many it needs. */
  cursor(step: number, op: number): PhiloxCursor {
    return new PhiloxCursor(this, step, op);
  }

  #fill<A extends Float32Array | Uint32Array>(
    step: number,
    op: number,
    out: A,
    convert: (lanes: [number, number, number, number]) => number[],
  ): A {
    for (let i = 0, block = 0; i < out.length; block++) {
      const lanes = convert(this.block(step, op, block));
      for (let lane = 0; lane < 4 && i < out.length; lane++, i++) out[i] = lanes[lane];
    }
    return out;
  }
}

/** A position in one (seed, stream, step, op) sequence; every call takes the next element or block. */
export class PhiloxCursor {
  readonly #source: Philox;
  readonly #step: number;
  readonly #op: number;
  #element = 0;
  #lanes: [number, number, number, number] = [0, 0, 0, 0];

  constructor(source: Philox, step: number, op: number) {
    this.#source = source;
    this.#step = step;
    this.#op = op;
  }

  #bits(): number {
    const lane = this.#element & 3;
    if (lane === 0) this.#lanes = this.#source.block(this.#step, this.#op, this.#element >>> 2);
    this.#element++;
    return this.#lanes[lane];
  }

  /** A uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * toUniform(this.#bits());
  }
  /** An integer in [0, bound). */
  int(bound: number): number {
    return Math.floor((this.#bits() * bound) / 2 ** 32);
  }
  /** True with probability `p`. */
  chance(p: number): boolean {
    return toUniform(this.#bits()) < p;
  }
  /** A normal with the given mean and standard deviation; takes two elements. */
  normal(mean = 0, sigma = 1): number {
    return mean + sigma * boxMuller(this.#bits(), this.#bits())[0];
  }
}
