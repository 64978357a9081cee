// SPDX-License-Identifier: MIT
// Register tiles: which tile for which size, and the dispatches of a GEMM given by strides. Used by matmul and convolution.
import { VoxelgradError } from '../errors.ts';
import { dispatch, grid1d, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import type { Caps } from '../gpu/device.ts';
import { matmul as matmulKernel } from '../gen/matmul.ts';
import { split_sum } from '../gen/split_sum.ts';
import { elementLaunch } from './lanes.ts';

export interface Tile { readonly TM: number; readonly TN: number; readonly WG: number; readonly SG: number; readonly vec: boolean }
interface Rows {
  readonly when: (caps: Caps) => boolean;
  /** Read the right operand as vec4 where its layout allows. */
  readonly vec: boolean;
  /** Tiles and their cost per output, the first the best for large sizes. */
  readonly tiles: readonly { TM: number; TN: number; cost: number }[];
}

/** First match wins; measured in bench/lab (README there). */
const TABLE: readonly Rows[] = [
  // Mesa before 26 compiles large bodies in seconds and pays for every scalar load: one small tile, vector loads.
  { when: (caps) => /Mesa (1\d|2[0-5])\./.test(caps.driver), vec: true, tiles: [{ TM: 8, TN: 2, cost: 1 }] },
  { when: () => true, vec: false, tiles: [{ TM: 16, TN: 4, cost: 1 }, { TM: 16, TN: 2, cost: 1.35 }, { TM: 4, TN: 4, cost: 2 }] },
];

/** The tile that computes m rows by n columns with the least work, padding included. */
export function chooseTile(caps: Caps, m: number, n: number): Tile {
  if (!caps.subgroups || caps.subgroupSize < 4) throw new VoxelgradError('FEATURE', 'matmul: got a device without subgroups of at least 4 lanes, expected the feature `subgroups`.');
  const WG = Math.max(8, Math.min(32, caps.subgroupSize));
  const { tiles, vec } = TABLE.find((r) => r.when(caps))!;
  const padded = (x: number, tile: number): number => Math.ceil(x / tile) * tile;
  const best = tiles.map((t) => ({ ...t, work: padded(m, t.TM) * padded(n, t.TN * WG) * t.cost })).reduce((a, b) => b.work < a.work ? b : a);
  return { TM: best.TM, TN: best.TN, WG, SG: caps.subgroupSize < 8 ? 4 : 8, vec };
}

export const tileOptions = ({ TM, TN, SG, WG }: Tile, T: string) => ({ spec: { TM: `${TM}u`, TN: `${TN}u`, SG: `${SG}u`, T }, overrides: { WG } });
/** Element type of the right operand: vec4 where it is contiguous along the reduction and all its other strides are multiples of 4. */
export const operand = (tile: Tile, T: string, along: number, strides: readonly number[]): string => tile.vec && along === 1 && strides.every((s) => s % 4 === 0) ? `vec4<${T}>` : T;
export const tileCount = ({ TM, TN, WG }: Tile, m: number, n: number): number => Math.ceil(m / TM) * Math.ceil(n / (TN * WG));

/** Into how many ranges to cut a reduction of length k, so that `tiles` independent results fill the device. */
export function splitsFor(caps: Caps, tiles: number, k: number, shortest: number, longest: number): number {
  const wanted = Math.ceil((caps.software ? 8 : 512) / tiles);
  return Math.max(1, Math.min(wanted, Math.floor(k / shortest)), Math.ceil(k / longest));
}

export interface Gemm {
  readonly a: Ref; readonly b: Ref; readonly bias: Ref | null; readonly y: Ref;
  readonly m: number; readonly n: number; readonly k: number;
  readonly aRow: number; readonly aK: number; readonly bK: number; readonly bCol: number;
  /** Two batch axes: sizes, and the strides of a and b (0 broadcasts). */
  readonly batch?: { readonly sizes: readonly [number, number]; readonly a: readonly [number, number]; readonly b: readonly [number, number] };
  readonly act?: number;
}

const RANGE = { shortest: 128, longest: 8192 }; // of K, for one workgroup

export function lowerGemm(c: Pick<LowerContext<unknown>, 'caps' | 'scratch'>, g: Gemm): Dispatch[] {
  // Lanes go across columns: with fewer than 8 the transposed product is computed.
  const flip = g.n < 8 && g.m > g.n && !g.bias;
  const { m, n, a, b, aRow, aK, bK, bCol } = flip ? { m: g.n, n: g.m, a: g.b, b: g.a, aRow: g.bCol, aK: g.bK, bK: g.aK, bCol: g.aRow } : g;
  const batch = g.batch ?? { sizes: [1, 1], a: [0, 0], b: [0, 0] };
  const [ba, bb] = flip ? [batch.b, batch.a] : [batch.a, batch.b];
  const tile = chooseTile(c.caps, m, n);
  const outer = batch.sizes[0] * batch.sizes[1];
  const tiles = tileCount(tile, m, n) * outer;
  const plain = !g.bias && !g.act;
  const splits = plain ? splitsFor(c.caps, tiles, g.k, RANGE.shortest, RANGE.longest) : 1;
  const chunk = Math.ceil(g.k / splits / 8) * 8;
  const params = {
    m, n, k: g.k, a_row: aRow, a_k: aK, b_k: bK, b_col: bCol, y_row: flip ? 1 : n, y_col: flip ? m : 1,
    batch1: batch.sizes[1], a_batch0: ba[0], a_batch1: ba[1], b_batch0: bb[0], b_batch1: bb[1],
    has_bias: g.bias ? 1 : 0, act: g.act ?? 0, tiles: tiles * splits, splits, chunk,
  };
  const size = m * n * outer;
  const y = splits === 1 ? g.y : c.scratch([splits, size]);
  const options = tileOptions(tile, g.y.dtype);
  const B = operand(tile, g.y.dtype, bK, [bCol, ...bb]);
  const first = dispatch(matmulKernel, { a, b, bias: g.bias ?? a, y }, params, grid1d(tiles * splits), { ...options, spec: { ...options.spec, R: y.dtype, B } });
  return splits === 1 ? [first] : [first, sumSplits(c.caps, y, g.y, size, splits)];
}

/** Adds the partial results [splits, n] into y. */
export function sumSplits(caps: Caps, partial: Ref, y: Ref, n: number, splits: number): Dispatch {
  const { grid, overrides } = elementLaunch(caps, n);
  return dispatch(split_sum, { partial, y }, { n, splits }, grid, { spec: { T: y.dtype }, overrides });
}
