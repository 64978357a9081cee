// SPDX-License-Identifier: MIT
// The families of kernels that compute products, which tile of which family for which size, and the dispatches of a GEMM given by
// strides. Used by matmul, convolution and attention.
import { VoxelgradError } from '../errors.ts';
import type { DType } from '../engine/dtype.ts';
import { dispatch, grid1d, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import { addUp } from '../engine/sums.ts';
import type { Caps } from '../gpu/caps.ts';
import { matmul } from '../gen/matmul.ts';
import { matmul_blocks } from '../gen/matmul_blocks.ts';
import { matmul_matrices } from '../gen/matmul_matrices.ts';
import { split_finish } from '../gen/split_finish.ts';
import { elementLaunch, slowCompiler } from './lanes.ts';

/** Register tiles (kernels/lib/tile.wgsl), workgroup tiles (lib/blocks.wgsl), subgroup matrices (lib/matrices.wgsl). */
type FamilyName = 'registers' | 'blocks' | 'matrices';
export interface Tile {
  readonly family: FamilyName;
  readonly rows: number;
  readonly cols: number;
  /** Of the reduction, what a step takes at once: a shorter run is filled up with zeros. */ readonly depth: number;
  /** Ranges that the reduction is cut into, where a name says so. */ readonly splits?: number;
  /** Read operands as vec4 where their layout allows. */
  readonly vec: boolean;
  readonly spec: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, number>>;
}
interface Size {
  readonly caps: Caps;
  readonly dtype: DType;
  readonly m: number;
  readonly n: number;
}
interface Candidate {
  readonly tile: Tile;
  /** Time for an output, relative to the others of the row. */ readonly cost: number;
  /** With fewer tiles it is not chosen; Infinity on an adapter that has no room for it. */ readonly least?: number;
}
export interface Choice {
  readonly when: (size: Size) => boolean;
  readonly candidates: (caps: Caps) => Candidate[];
}

const literals = (values: Record<string, number>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([k, v]) => [k, `${v}u`]));

export function registers(TM: number, TN: number, vec: boolean, cost: number) {
  return ({ subgroupSize }: Caps): Candidate => {
    const WG = Math.max(8, Math.min(32, subgroupSize));
    return {
      tile: {
        family: 'registers',
        rows: TM,
        cols: TN * WG,
        depth: 8,
        vec,
        spec: literals({ TM, TN, SG: subgroupSize < 8 ? 4 : 8 }),
        overrides: { WG },
      },
      cost,
    };
  };
}
/** 256 lanes, LX of them across, in SLICES groups that share the reduction. */
export const blocks =
  (TM: number, TN: number, cost: number, LX = 16, SLICES = 1) =>
  (): Candidate => {
    const [rows, cols] = [(256 / SLICES / LX) * TM, LX * TN];
    const depth = rows + cols > 256 ? 8 : rows + cols > 64 ? 16 : 32; // BK in lib/blocks.wgsl
    return { tile: { family: 'blocks', rows, cols, depth, vec: true, spec: literals({ TM, TN, LX, SLICES }), overrides: {} }, cost };
  };
/** 2 x SX subgroups, with RM x RN matrices each. */
export function matrices(RM: number, cost: number, RN = 2, SX = 2, least = 0) {
  return ({ subgroupMatrix, subgroupSizeMax, limits }: Caps): Candidate => {
    const { M, N, K } = subgroupMatrix!;
    const [rows, cols, depth] = [2 * RM * M, SX * RN * N, 32];
    const bytes = 2 * (depth + 8) * (rows + cols) + 8 * SX * M * N + 4 * rows; // lib/matrices.wgsl
    const room = bytes <= limits.maxComputeWorkgroupStorageSize && 2 * SX * subgroupSizeMax <= limits.maxComputeInvocationsPerWorkgroup;
    const spec = literals({ RM, RN, SX, M, N, K, OWN: subgroupSizeMax });
    return { tile: { family: 'matrices', rows, cols, depth, vec: true, spec, overrides: {} }, cost, least: room ? least : Infinity };
  };
}
const all =
  (...list: ((caps: Caps) => Candidate)[]) =>
  (caps: Caps): Candidate[] =>
    list.map((f) => f(caps)).filter(({ least }) => least !== Infinity);

/** Subgroups of which every lane finds a row of any tile to read (AT_ONCE in lib/matrices.wgsl). */
const tensorCores = ({ subgroupMatrix, subgroupSize, subgroupSizeMax }: Caps, dtype: DType): boolean =>
  dtype === 'f16' && subgroupMatrix !== null && subgroupSize === subgroupSizeMax && subgroupSize >= 8 && subgroupSize <= 64;
const large = ({ m, n }: Size): boolean => m >= 32 && n >= 32;

// Costs on paper (an H200 reads 32 quads of workgroup memory in the time of 8 to 16 multiply-adds of 32 lanes): tiles of 8 x 4 outputs a
// lane keep both busy and leave room for two workgroups a processor; 8 x 8 leave one; smaller ones wait for their reads.
const LARGE_BLOCKS = [
  blocks(8, 4, 1),
  blocks(4, 8, 1),
  blocks(8, 8, 1.05),
  blocks(8, 8, 1.05, 8), // 256 x 64
  blocks(8, 8, 1.05, 32), // 64 x 256
  blocks(4, 4, 1.15),
  blocks(4, 4, 1.3, 8), // 128 x 32
  blocks(4, 4, 1.3, 32), // 32 x 128
  blocks(4, 4, 1.4, 8, 2), // 64 x 32
  blocks(4, 4, 1.7, 8, 4), // 32 x 32
];
const THIN_BLOCKS = [
  blocks(4, 2, 1.7, 8), // 128 x 16
  blocks(2, 4, 1.7, 32), // 16 x 128
  blocks(4, 2, 2.2, 8, 4), // 32 x 16
  blocks(2, 4, 2.2, 8, 4), // 16 x 32
];
// On paper (bench/lab): eight subgroups, 128 x 128, where their tiles fill all 132 processors of an H200. 128 x 256 reads less, but takes
// most registers of a lane and leaves room for one workgroup a processor: for tuning to choose until it is measured.
const MATRICES = [matrices(4, 0.27, 2, 4, 132), matrices(4, 0.28, 4, 4, 132), matrices(4, 0.3), matrices(2, 0.4)];

/** First match wins; tests put a row before the others. Rows of software adapters are measured (bench/lab), those of GPUs are not. */
export const TABLE: Choice[] = [
  { when: (s) => !s.caps.software && large(s) && tensorCores(s.caps, s.dtype), candidates: all(...MATRICES, ...LARGE_BLOCKS) },
  { when: (s) => !s.caps.software && large(s), candidates: all(...LARGE_BLOCKS) },
  // Each lane of register tiles walks the whole reduction through global memory.
  { when: (s) => !s.caps.software, candidates: all(...THIN_BLOCKS, registers(4, 4, false, 6)) },
  // Large bodies compile in seconds and every scalar load costs: one small tile, vector loads.
  { when: ({ caps }) => slowCompiler(caps), candidates: all(registers(8, 2, true, 1)) },
  {
    when: () => true,
    candidates: all(
      registers(16, 4, false, 1),
      registers(16, 8, false, 0.9),
      registers(16, 2, false, 1.35),
      registers(8, 4, true, 1.25),
      registers(4, 4, false, 2),
    ),
  },
];
/** Workgroups that run at the same time: with fewer, processors idle (132 on an H100). */
const processors = (caps: Caps): number => (caps.software ? 1 : 128);

/** Tiles of the table for m rows by n columns, padding and idle processors included, beside `others` such: the soonest first. */
function ranked(caps: Caps, dtype: DType, m: number, n: number, others: number, run = Infinity): Candidate[] {
  const work = ({ tile, cost }: Candidate): number => {
    const tiles = tileCount(tile, m, n) * others;
    const filled = caps.software || run === Infinity ? 1 : (Math.ceil(run / tile.depth) * tile.depth) / run;
    // Of two that leave processors idle, the one that reads less.
    return (Math.max(tiles, processors(caps)) + tiles / 64) * tile.rows * tile.cols * cost * filled;
  };
  const candidates = TABLE.find((r) => r.when({ caps, dtype, m, n }))!.candidates(caps);
  return candidates.sort((a, b) => work(a) - work(b));
}

/** The tile for m rows by n columns, beside `others` such, where a reduction of k comes in pieces of `run`: a tuned one, or the soonest. */
export function chooseTile(caps: Caps, dtype: DType, m: number, n: number, others = 1, run?: number, k = run): Tile {
  if (!caps.subgroups || caps.subgroupSize < 4)
    throw new VoxelgradError('FEATURE', 'matmul: got a device without subgroups of at least 4 lanes, expected the feature `subgroups`.');
  const tuned = tileNamed(caps, dtype, caps.tiles[shapeClass(dtype, m, n, others, caps.software ? 0 : k)]);
  const fills = ({ tile, least = 0 }: Candidate): boolean => tileCount(tile, m, n) * others >= least;
  return tuned ?? ranked(caps, dtype, m, n, others, run).find(fills)!.tile;
}

/**
 * Products that one tuned row stands for: each size up to the next power of two, where more changes no order of tiles any more. Where a
 * reduction may be worth cutting (from 512 on, few outputs), all sizes and its length, up to where tuning's operands have 2^24 numbers.
 */
export function shapeClass(dtype: DType, m: number, n: number, others: number, k = 0): string {
  const up = (size: number, top = Infinity): number => 2 ** Math.ceil(Math.log2(Math.max(1, Math.min(top, size))));
  const [rows, cols, beside] = [up(m), up(n), up(others)];
  const longest = up(2 ** 24 / beside / (rows + cols)) / 2;
  const cut = Math.min(k, longest) >= 512 && rows * cols * beside < 2 ** 22;
  return `${dtype} ` + (cut ? `${rows}x${cols} ${beside} k${up(k, longest)}` : `${up(m, 4096)}x${up(n, 1024)} ${up(others, 64)}`);
}

/**
 * What a tile is called in a tuned row: `registers 16x4`, with `vec4` where it reads vectors; `blocks 128x64`, rows by columns; `matrices
 * 4x2`, with `s8` where eight subgroups share it. `k4` behind it cuts reductions into 4 ranges.
 */
export const tileName = ({ family, rows, cols, spec, vec, splits }: Tile): string => {
  const size = { registers: [spec.TM, spec.TN], blocks: [rows, cols], matrices: [spec.RM, spec.RN] }[family];
  const more = (family === 'registers' && vec ? ' vec4' : '') + (spec.SX === '4u' ? ' s8' : '') + (splits ? ` k${splits}` : '');
  return `${family} ${size.map((s) => parseInt(String(s))).join('x')}` + more;
};

/**
 * At most six tiles that tuning tries: those of the table that are soonest on paper, the first also with half and twice the ranges of its
 * reduction (k, where it may be cut); or on processors those that have been soonest somewhere.
 */
export function contenders(caps: Caps, dtype: DType, m: number, n: number, others: number, k = 0): Tile[] {
  if (caps.software) return everyTile(caps, dtype).filter((tile) => /^registers (16x[248]|4x4|8x[24] vec4)$/.test(tileName(tile)));
  const [first, ...rest] = ranked(caps, dtype, m, n, others).map(({ tile }) => tile);
  const ranges = rangesOf(caps, first, tileCount(first, m, n) * others, k);
  const cuts = k ? [ranges >> 1, 2 * ranges].filter((splits) => splits > 0) : [];
  return [first, ...cuts.map((splits) => ({ ...first, splits })), ...rest].slice(0, 6);
}

/** Every tile that the kernels of this adapter have and that can win somewhere: what a table is made from (bench/candidates.mjs). */
export function everyTile(caps: Caps, dtype: DType): Tile[] {
  const list = all(...REGISTERS, ...LARGE_BLOCKS, ...THIN_BLOCKS, ...(tensorCores(caps, dtype) ? MATRICES : []));
  return list(caps).map(({ tile }) => tile);
}
const ofRows = (TM: number, columns: readonly number[], vec = false) => columns.map((TN) => registers(TM, TN, vec, 1));
const REGISTERS = [ofRows(16, [8, 4, 2]), ofRows(8, [4]), ofRows(4, [4, 2, 1]), ofRows(8, [4, 2], true), ofRows(4, [2], true)].flat();

/** A tile of this adapter by its name; undefined for a name of another version's. */
function tileNamed(caps: Caps, dtype: DType, name: string | undefined): Tile | undefined {
  const [, own, cut] = /^(.*?)(?: k(\d+))?$/.exec(name ?? '')!;
  const tile = own ? everyTile(caps, dtype).find((each) => tileName(each) === own) : undefined;
  return tile && cut ? { ...tile, splits: Number(cut) } : tile;
}

export const tileCount = ({ rows, cols }: Tile, m: number, n: number): number => Math.ceil(m / rows) * Math.ceil(n / cols);
/** Element type of an operand: vec4 where it is contiguous along the reduction and all its other strides are multiples of 4. */
export const operand = (tile: Tile, T: string, along: number, strides: readonly number[]): string =>
  tile.vec && along === 1 && strides.every((s) => s % 4 === 0) ? `vec4<${T}>` : T;

/** Into how many ranges to cut a reduction of length k to fill the device. The shortest takes as long as the dispatch that adds them up. */
export function splitsFor(caps: Caps, tiles: number, k: number, shortest = caps.software ? 128 : 256, longest = Infinity): number {
  const wanted = Math.ceil((caps.software ? 8 : 512) / tiles);
  return Math.max(1, Math.min(wanted, Math.floor(k / shortest)), Math.ceil(k / longest));
}

/** The same for so many of a tile, unless its name says it; one of more outputs than 128 x 64 keeps as much of a processor busy as two. */
export const rangesOf = (caps: Caps, tile: Tile, tiles: number, k: number, shortest?: number, longest?: number): number =>
  tile.splits ?? splitsFor(caps, (tiles * Math.max(8192, tile.rows * tile.cols)) / 8192, k, shortest, longest);

type Pair = readonly [number, number];
export interface Gemm {
  readonly a: Ref;
  readonly b: Ref;
  readonly bias: Ref | null;
  readonly y: Ref;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly aRow: number;
  readonly aK: number;
  readonly bK: number;
  readonly bCol: number;
  /** First elements of a and b, where they are parts of larger tensors. */
  readonly first?: { readonly a: number; readonly b: number };
  /** Two batch axes: sizes, and the strides of a and b (0 broadcasts). */
  readonly batch?: { readonly sizes: Pair; readonly a: Pair; readonly b: Pair };
  /** First element of y and its strides over its rows and the batch axes; default: whole, [batch, M, N]. */
  readonly out?: { readonly first: number; readonly row: number; readonly batch: Pair };
  readonly act?: number;
  /** As y: what `act` combines with the result. */
  readonly z?: Ref | null;
}

/**
 * How much of a reduction one workgroup takes, where a step of it reads `width` elements in all rows and columns, far apart in memory: on a
 * processor as much as stays in the cache (1 MiB) while the tiles of all rows and columns pass over it.
 */
export const longestRange = (caps: Caps, width: number): number => (caps.software ? Math.min(8192, Math.max(1024, 2 ** 18 / width)) : 8192);

export function lowerGemm(c: Pick<LowerContext<unknown>, 'caps' | 'scratch'>, g: Gemm): Dispatch[] {
  // Lanes go across columns: with fewer than 8 the transposed product is computed.
  const flip = g.n < 8 && g.m > g.n && !g.bias;
  const { m, n, a, b, aRow, aK, bK, bCol } = flip ? { m: g.n, n: g.m, a: g.b, b: g.a, aRow: g.bCol, aK: g.bK, bK: g.aK, bCol: g.aRow } : g;
  const batch = g.batch ?? { sizes: [1, 1], a: [0, 0], b: [0, 0] };
  const [ba, bb] = flip ? [batch.b, batch.a] : [batch.a, batch.b];
  const first = g.first ?? { a: 0, b: 0 };
  const [fa, fb] = flip ? [first.b, first.a] : [first.a, first.b];
  const out = g.out ?? { first: 0, row: g.n, batch: [batch.sizes[1] * m * n, m * n] };
  const outer = batch.sizes[0] * batch.sizes[1];
  const T = g.a.dtype;
  const tile = chooseTile(c.caps, T, m, n, outer, g.k);
  const tiles = tileCount(tile, m, n) * outer;
  const longest = aK === 1 ? 8192 : longestRange(c.caps, m + n);
  const wanted = rangesOf(c.caps, tile, tiles, g.k, undefined, longest);
  const splits = g.out || (tile.family === 'registers' && (g.bias || (g.act && !g.z))) ? 1 : wanted;
  const chunk = Math.ceil(g.k / splits / 8) * 8;
  const params = {
    m,
    n,
    k: g.k,
    a_first: fa,
    a_row: aRow,
    a_k: aK,
    b_first: fb,
    b_k: bK,
    b_col: bCol,
    y_first: out.first,
    y_row: flip ? 1 : out.row,
    y_col: flip ? out.row : 1,
    y_split: m * n * outer,
    batch1: batch.sizes[1],
    a_batch0: ba[0],
    a_batch1: ba[1],
    b_batch0: bb[0],
    b_batch1: bb[1],
    y_batch0: out.batch[0],
    y_batch1: out.batch[1],
    has_bias: g.bias && splits === 1 ? 1 : 0,
    act: splits === 1 ? (g.act ?? 0) : 0,
    tiles: tiles * splits,
    splits,
    chunk,
  };
  const size = m * n * outer;
  const y = splits === 1 ? g.y : c.scratch([splits, size]);
  const bindings = { a, b, bias: g.bias ?? a, y, other: g.z ?? a };
  const grid = grid1d(tiles * splits);
  const spec = { ...tile.spec, T, R: y.dtype, B: operand(tile, T, bK, [bCol, ...bb, fb, g.k]) };
  const product =
    tile.family === 'registers'
      ? dispatch(matmul, bindings, params, grid, { spec, overrides: { ...tile.overrides, OTHER: Number(params.act > 4) } })
      : dispatch(tile.family === 'blocks' ? matmul_blocks : matmul_matrices, bindings, params, grid, {
          spec: { ...spec, A: operand(tile, T, aK, [aRow, ...ba, fa, g.k]) },
        });
  if (splits === 1) return [product];
  return [product, finishSplits(c.caps, [y, g.bias, g.z ?? null, g.y], { n: size, splits, channels: g.n, act: g.act ?? 0 })];
}

/** Adds the partial results [splits, n] from element `first` on into y. */
export const sumSplits = (caps: Caps, partial: Ref, y: Ref, n: number, splits: number, first = 0): Dispatch =>
  addUp([{ n, splits, first }], partial, y, elementLaunch(caps, n).WG);

/** The same with a bias along the last axis, of so many channels, and what a product does besides. */
export function finishSplits(
  caps: Caps,
  [partial, bias, z, y]: readonly [Ref, Ref | null, Ref | null, Ref],
  { n, splits, channels, act }: { n: number; splits: number; channels: number; act: number },
): Dispatch {
  if (!bias && !act) return sumSplits(caps, partial, y, n, splits);
  const { grid, overrides } = elementLaunch(caps, n);
  const params = { n, splits, channels, has_bias: bias ? 1 : 0, act };
  return dispatch(split_finish, { partial, bias: bias ?? partial, other: z ?? partial, y }, params, grid, {
    spec: { T: y.dtype },
    overrides,
  });
}
