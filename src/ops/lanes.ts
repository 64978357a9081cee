// SPDX-License-Identifier: MIT
// How row kernels (kernels/lib/lanes.wgsl) are launched, and how long reductions are cut into runs.
import type { DType } from '../engine/dtype.ts';
import { grid1d } from '../engine/op.ts';
import type { Caps } from '../gpu/caps.ts';

/**
 * `rows` rows of n elements (vectors, where they are read so): lanes a row, lanes a workgroup, workgroups.
 * A GPU wants neighbouring lanes on neighbouring memory. Lavapipe gathers whatever the addresses and pays for the butterfly:
 * rows of 16 vectors run at 3.5 GB/s with one lane a row and 2.1 with eight (Mesa 25), best with two on Mesa 26.
 */
export function rowLaunch(
  caps: Caps,
  rows: number,
  n: number,
): { overrides: { WG: number; LANES: number }; grid: [number, number, number] } {
  const few = (lanes: number): boolean => !caps.software || rows * lanes < 256 || lanes < (n > 8 ? 2 : 1);
  let LANES = 1;
  while (LANES < caps.subgroupSize && LANES * 2 < n && few(LANES)) LANES *= 2;
  const { WG } = elementLaunch(caps, rows * LANES);
  return { overrides: { WG, LANES }, grid: grid1d(Math.ceil((rows * LANES) / WG)) };
}

/** One lane each for `count` elements. Larger workgroups spread Lavapipe's cost of starting one. */
export function elementLaunch(caps: Caps, count: number): { WG: number; overrides: { WG: number }; grid: [number, number, number] } {
  const WG = Math.max(caps.subgroupSize, caps.software ? 64 : 128);
  return { WG, overrides: { WG }, grid: grid1d(Math.ceil(count / WG)) };
}

/** Runs of a reduction over n, `others` beside it: enough to fill the device, none longer than `longest`, which bounds rounding in f32. */
export function runs(caps: Caps, n: number, others: number, longest: number, shortest = 64): { chunk: number; parts: number } {
  const wanted = Math.ceil((caps.software ? 64 : 8192) / Math.max(1, others));
  const parts = Math.max(Math.ceil(n / longest), Math.min(wanted, Math.floor(n / shortest)), 1);
  const chunk = Math.max(1, Math.ceil(n / parts));
  return { chunk, parts: Math.max(1, Math.ceil(n / chunk)) };
}

/** Launch of kernels that add up `n` partial results of `results` (kernels/lib/wide.wgsl): a lane each, or on GPUs a workgroup for many. */
export function sumLaunch(
  caps: Caps,
  results: number,
  n: number,
): { overrides: { WG: number; WIDE: number }; grid: [number, number, number] } {
  if (caps.software || n <= 8) {
    const { overrides, grid } = elementLaunch(caps, results);
    return { overrides: { ...overrides, WIDE: 0 }, grid };
  }
  return { overrides: { WG: Math.min(256, 2 ** Math.ceil(Math.log2(n))), WIDE: 1 }, grid: grid1d(results) };
}

/** The vector type of a dtype where `n` allows it, and its width. */
export function vector(dtype: DType, n: number): { V: string; W: number } {
  return (dtype === 'f32' || dtype === 'f16') && n % 4 === 0 ? { V: `vec4<${dtype}>`, W: 4 } : { V: dtype, W: 1 };
}

/** Lavapipe before Mesa 26: large bodies take it seconds to compile, and loads in loops are gathered even where all lanes read alike. */
export const slowCompiler = ({ software, driver }: Caps): boolean => software && /Mesa (1\d|2[0-5])\./.test(driver);

/**
 * Neighbouring vectors of columns that a lane owns which walks down rows, where `vectors` of them make a row of `total` in all: 4 on Mesa
 * 26 where x is large, for there one gather that touches 8 cache lines is waited for once; 1 on GPUs, and on Mesa 25, whose loads overlap
 * (bench/lab).
 */
export const vectorsPerLane = (caps: Caps, vectors: number, total: number): 1 | 4 =>
  caps.software && !slowCompiler(caps) && vectors % 4 === 0 && total >= 1 << 15 ? 4 : 1;
