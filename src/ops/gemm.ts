// SPDX-License-Identifier: MIT
// The families of kernels that compute products, which tile of which family for which size, and the dispatches of a GEMM given by
// strides. Used by matmul, convolution and attention.
import { VoxelgradError } from '../errors.ts';
import type { DType } from '../engine/dtype.ts';
import { dispatch, grid1d, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import type { Caps, MatrixSizes } from '../gpu/caps.ts';
import { matmul } from '../gen/matmul.ts';
import { matmul_blocks } from '../gen/matmul_blocks.ts';
import { matmul_matrices } from '../gen/matmul_matrices.ts';
import { split_sum } from '../gen/split_sum.ts';
import { elementLaunch, slowCompiler } from './lanes.ts';

/** Register tiles (kernels/lib/tile.wgsl), workgroup tiles (lib/blocks.wgsl), subgroup matrices (lib/matrices.wgsl). */
type FamilyName = 'registers' | 'blocks' | 'matrices';
export interface Tile {
  readonly family: FamilyName;
  readonly rows: number;
  readonly cols: number;
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
        vec,
        spec: literals({ TM, TN, SG: subgroupSize < 8 ? 4 : 8 }),
        overrides: { WG },
      },
      cost,
    };
  };
}
export const blocks = (TM: number, TN: number, cost: number) => (): Candidate => ({
  tile: { family: 'blocks', rows: 16 * TM, cols: 16 * TN, vec: true, spec: literals({ TM, TN }), overrides: {} },
  cost,
});
export function matrices(RM: number, RN: number, cost: number) {
  return ({ subgroupMatrix, subgroupSizeMax }: Caps): Candidate => {
    const { M, N, K } = subgroupMatrix!;
    return {
      tile: {
        family: 'matrices',
        rows: 2 * RM * M,
        cols: 2 * RN * N,
        vec: true,
        spec: literals({ RM, RN, M, N, K, LANES: 4 * subgroupSizeMax }),
        overrides: {},
      },
      cost,
    };
  };
}
const all =
  (...list: ((caps: Caps) => Candidate)[]) =>
  (caps: Caps): Candidate[] =>
    list.map((f) => f(caps));

/** Every lane of the four subgroups must find a row of the smallest tile to read (AT_ONCE in lib/matrices.wgsl). */
const fits = ({ M, N }: MatrixSizes, lanes: number): boolean => lanes >= 32 && lanes / 4 <= 4 * Math.min(M, N);
const tensorCores = ({ subgroupMatrix, subgroupSize, subgroupSizeMax }: Caps, dtype: DType): boolean =>
  dtype === 'f16' && subgroupMatrix !== null && subgroupSize === subgroupSizeMax && fits(subgroupMatrix, 4 * subgroupSizeMax);
const large = ({ m, n }: Size): boolean => m >= 32 && n >= 32;

/** First match wins; tests put a row before the others. Rows of software adapters are measured (bench/lab), those of GPUs are not. */
export const TABLE: Choice[] = [
  { when: (s) => !s.caps.software && large(s) && tensorCores(s.caps, s.dtype), candidates: all(matrices(4, 2, 1), matrices(2, 2, 1.3)) },
  { when: (s) => !s.caps.software && large(s), candidates: all(blocks(8, 8, 1), blocks(8, 4, 1.2), blocks(4, 4, 1.5)) },
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

/** The tile that computes m rows by n columns soonest, padding and idle processors included, beside `others` such; a tuned one first. */
export function chooseTile(caps: Caps, dtype: DType, m: number, n: number, others = 1): Tile {
  if (!caps.subgroups || caps.subgroupSize < 4)
    throw new VoxelgradError('FEATURE', 'matmul: got a device without subgroups of at least 4 lanes, expected the feature `subgroups`.');
  const tuned = tileNamed(caps, dtype, caps.tiles[shapeClass(dtype, m, n, others)]);
  if (tuned) return tuned;
  const candidates = TABLE.find((r) => r.when({ caps, dtype, m, n }))!.candidates(caps);
  const work = ({ tile, cost }: Candidate): number =>
    Math.max(tileCount(tile, m, n) * others, processors(caps)) * tile.rows * tile.cols * cost;
  return candidates.reduce((a, b) => (work(b) < work(a) ? b : a)).tile;
}

/** Products that one tuned row stands for: each size up to the next power of two, where more changes no order of tiles any more. */
export function shapeClass(dtype: DType, m: number, n: number, others: number): string {
  const up = (size: number, top: number): number => Math.min(top, 2 ** Math.ceil(Math.log2(Math.max(1, size))));
  return `${dtype} ${up(m, 4096)}x${up(n, 1024)} ${up(others, 64)}`;
}

/** What a tile is called in a tuned row: `registers 16x4`, with `vec4` where it reads vectors. */
export const tileName = ({ family, spec, vec }: Tile): string =>
  `${family} ${family === 'matrices' ? `${parseInt(spec.RM)}x${parseInt(spec.RN)}` : `${parseInt(spec.TM)}x${parseInt(spec.TN)}`}` +
  (family === 'registers' && vec ? ' vec4' : '');

/** At most six tiles that tuning tries. */
export function contenders(caps: Caps, dtype: DType): Tile[] {
  const list = caps.software
    ? all(
        registers(16, 4, false, 1),
        registers(16, 8, false, 1),
        registers(16, 2, false, 1),
        registers(4, 4, false, 1),
        registers(8, 2, true, 1),
        registers(8, 4, true, 1),
      )
    : all(
        blocks(8, 8, 1),
        blocks(8, 4, 1),
        blocks(4, 4, 1),
        registers(16, 4, false, 1),
        ...(tensorCores(caps, dtype) ? [matrices(4, 2, 1), matrices(2, 2, 1)] : []),
      );
  return list(caps).map(({ tile }) => tile);
}

/** Every tile that the kernels of this adapter have and that can win somewhere: what a table is made from (bench/candidates.mjs). */
export function everyTile(caps: Caps, dtype: DType): Tile[] {
  const { subgroupMatrix } = caps;
  const list = all(
    ...REGISTERS.map(([TM, TN, vec]) => registers(TM, TN, vec, 1)),
    ...SQUARES.map(([rows, cols]) => blocks(2 * rows, 2 * cols, 1)),
    ...(subgroupMatrix && tensorCores(caps, dtype) ? SQUARES.map(([rows, cols]) => matrices(rows, cols, 1)) : []),
  );
  return list(caps).map(({ tile }) => tile);
}
const SQUARES = [
  [2, 2],
  [4, 2],
  [2, 4],
  [4, 4],
] as const;
const REGISTERS = [
  [16, 8, false],
  [16, 4, false],
  [16, 2, false],
  [8, 4, false],
  [4, 4, false],
  [4, 2, false],
  [4, 1, false],
  [8, 4, true],
  [8, 2, true],
  [4, 2, true],
] as const;

/** A tile of this adapter by its name; undefined for a name of another version's. */
function tileNamed(caps: Caps, dtype: DType, name: string | undefined): Tile | undefined {
  return name === undefined ? undefined : everyTile(caps, dtype).find((tile) => tileName(tile) === name);
}

export const tileCount = ({ rows, cols }: Tile, m: number, n: number): number => Math.ceil(m / rows) * Math.ceil(n / cols);
/** Element type of an operand: vec4 where it is contiguous along the reduction and all its other strides are multiples of 4. */
export const operand = (tile: Tile, T: string, along: number, strides: readonly number[]): string =>
  tile.vec && along === 1 && strides.every((s) => s % 4 === 0) ? `vec4<${T}>` : T;

/** Into how many ranges to cut a reduction of length k, so that `tiles` independent results fill the device. */
export function splitsFor(caps: Caps, tiles: number, k: number, shortest: number, longest: number): number {
  const wanted = Math.ceil((caps.software ? 8 : 512) / tiles);
  return Math.max(1, Math.min(wanted, Math.floor(k / shortest)), Math.ceil(k / longest));
}

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
  const tile = chooseTile(c.caps, T, m, n, outer);
  const tiles = tileCount(tile, m, n) * outer;
  const plain = !g.bias && !g.act && !g.out;
  const splits = plain ? splitsFor(c.caps, tiles, g.k, 128, aK === 1 ? 8192 : longestRange(c.caps, m + n)) : 1;
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
    has_bias: g.bias ? 1 : 0,
    act: g.act ?? 0,
    tiles: tiles * splits,
    splits,
    chunk,
  };
  const size = m * n * outer;
  const y = splits === 1 ? g.y : c.scratch([splits, size]);
  const bindings = { a, b, bias: g.bias ?? a, y };
  const grid = grid1d(tiles * splits);
  const spec = { ...tile.spec, T, R: y.dtype, B: operand(tile, T, bK, [bCol, ...bb, fb, g.k]) };
  const product =
    tile.family === 'registers'
      ? dispatch(matmul, bindings, params, grid, { spec, overrides: tile.overrides })
      : dispatch(tile.family === 'blocks' ? matmul_blocks : matmul_matrices, bindings, params, grid, {
          spec: { ...spec, A: operand(tile, T, aK, [aRow, ...ba, fa, g.k]) },
        });
  return splits === 1 ? [product] : [product, sumSplits(c.caps, y, g.y, size, splits)];
}

/** Adds the partial results [splits, n] into y. */
export function sumSplits(caps: Caps, partial: Ref, y: Ref, n: number, splits: number): Dispatch {
  const { grid, overrides } = elementLaunch(caps, n);
  return dispatch(split_sum, { partial, y }, { n, splits }, grid, { spec: { T: y.dtype }, overrides });
}
