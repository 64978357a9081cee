// SPDX-License-Identifier: MIT
// The geometry that every convolution shares: a big grid and a small one, big = small * stride - pad + k * dilation, and
// weights [small channels, KD, KH, KW, big channels / groups]. A convolution goes down (big to small) and its input gradient
// up; a transposed convolution goes up and its input gradient down. The weight gradient is the same sum for both.
import type { Triple } from '../axes.ts';
import { integer, integers, maybe, perAxis, type Kind } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { dispatch, grid1d, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import { conv as convKernel } from '../gen/conv.ts';
import { conv_blocks } from '../gen/conv_blocks.ts';
import { conv_matrices } from '../gen/conv_matrices.ts';
import { conv_dweight } from '../gen/conv_dweight.ts';
import { conv_dweight_blocks } from '../gen/conv_dweight_blocks.ts';
import { conv_dweight_matrices } from '../gen/conv_dweight_matrices.ts';
import { placeDispatch } from './pad.ts';
import { chooseTile, finishSplits, longestRange, lowerGemm, operand, rangesOf, sumSplits, tileCount, type Tile } from './gemm.ts';

export interface Window {
  readonly stride: Readonly<Triple>;
  readonly before: Readonly<Triple>;
  readonly after: Readonly<Triple>;
  readonly dilation: Readonly<Triple>;
  readonly groups: number;
}
export type PerAxis = number | readonly number[];
export interface WindowOptions {
  stride?: PerAxis;
  /** One number, one an axis, or [before, after] an axis. */
  padding?: PerAxis | readonly (readonly [number, number])[];
  dilation?: PerAxis;
  groups?: number;
}

const aPadding: Kind = (where, what, v) => {
  const sides = Array.isArray(v) && Array.isArray(v[0]) ? (v as unknown[]) : null;
  if (sides)
    sides.forEach((pair, i) => {
      integers(0)(where, `${what}[${i}]`, pair);
    });
  else perAxis(0)(where, what, v);
};
/** Kinds of the options above. */
export const WINDOW = { stride: maybe(perAxis(1)), padding: maybe(aPadding), dilation: maybe(perAxis(1)), groups: maybe(integer(1)) };

/** Attributes of a rank-dimensional convolution as those of a 3D one. @throws ShapeError */
export function windowOf(name: string, rank: 2 | 3, { stride = 1, padding = 0, dilation = 1, groups = 1 }: WindowOptions): Window {
  const three = (what: string, v: PerAxis, fill: number, least: number): Readonly<Triple> => {
    const list = typeof v === 'number' ? Array<number>(rank).fill(v) : [...v];
    if (list.length !== rank || list.some((x) => !Number.isInteger(x) || x < least))
      throw new ShapeError(`${name}: got ${what} ${JSON.stringify(v)}, expected ${rank} integers of at least ${least}, or one.`);
    return [...Array<number>(3 - rank).fill(fill), ...list] as unknown as Readonly<Triple>;
  };
  const sides = Array.isArray(padding) && Array.isArray(padding[0]) ? (padding as readonly (readonly [number, number])[]) : null;
  if (sides?.some((p) => p.length !== 2))
    throw new ShapeError(`${name}: got padding ${JSON.stringify(padding)}, expected [before, after] an axis.`);
  const side = (i: 0 | 1): Readonly<Triple> => three('padding', sides ? sides.map((p) => p[i]) : (padding as PerAxis), 0, 0);
  return { stride: three('stride', stride, 1, 1), before: side(0), after: side(1), dilation: three('dilation', dilation, 1, 1), groups };
}

/** [N, H, W, C] as [N, 1, H, W, C]; five axes as they are. */
export const five = (shape: readonly number[]): number[] => (shape.length === 5 ? [...shape] : [shape[0], 1, ...shape.slice(1)]);
const map3 = (f: (i: 0 | 1 | 2) => number): Readonly<Triple> => [f(0), f(1), f(2)];

/** Small grid of a big one. */
export const downSize = (big: Readonly<Triple>, kernel: Readonly<Triple>, w: Window): Readonly<Triple> =>
  map3((i) => Math.floor((big[i] + w.before[i] + w.after[i] - w.dilation[i] * (kernel[i] - 1) - 1) / w.stride[i]) + 1);

export interface Sides {
  n: number;
  big: Readonly<Triple>;
  small: Readonly<Triple>;
  cb: number;
  cs: number;
  kernel: Readonly<Triple>;
  taps: number;
  gb: number;
  gs: number;
}

export function sides(big: readonly number[], small: readonly number[], weight: readonly number[], groups: number): Sides {
  const [b, s, w] = [five(big), five(small), five(weight)];
  const kernel = w.slice(1, 4) as unknown as Readonly<Triple>;
  return {
    n: b[0],
    big: b.slice(1, 4) as unknown as Readonly<Triple>,
    small: s.slice(1, 4) as unknown as Readonly<Triple>,
    cb: b[4],
    cs: s[4],
    kernel,
    taps: kernel[0] * kernel[1] * kernel[2],
    gb: b[4] / groups,
    gs: s[4] / groups,
  };
}

const axes = <P extends string>(prefix: P, v: Readonly<Triple>): Record<`${P}_${'z' | 'y' | 'x'}`, number> =>
  ({ [`${prefix}_z`]: v[0], [`${prefix}_y`]: v[1], [`${prefix}_x`]: v[2] }) as Record<`${P}_${'z' | 'y' | 'x'}`, number>;

/** Sizes of the grid that is read and of that which is written, with their channels. */
const grids = ({ n, kernel: [kd, kh, kw] }: Sides, x: Readonly<Triple>, xc: number, y: Readonly<Triple>, yc: number) => {
  const [[xd, xh, xw], [yd, yh, yw]] = [x, y];
  return { n, xd, xh, xw, xc, yd, yh, yw, yc, kd, kh, kw };
};
const negative = (v: Readonly<Triple>): Readonly<Triple> => map3((i) => -v[i]);
/** Fields of Params that describe where an output reads, for the gather from the big grid to the small one and back. */
export const gatherDown = (s: Sides, w: Window) => ({
  ...grids(s, s.big, s.cb, s.small, s.cs),
  ...axes('down', w.stride),
  ...axes('up', [1, 1, 1]),
  ...axes('pad', negative(w.before)),
  ...axes('dil', negative(w.dilation)),
  ...axes('step', [1, 1, 1]),
});
export const gatherUp = (s: Sides, w: Window) => ({
  ...grids(s, s.small, s.cs, s.big, s.cb),
  ...axes('down', [1, 1, 1]),
  ...axes('up', w.stride),
  ...axes('pad', w.before),
  ...axes('dil', w.dilation),
  ...axes(
    'step',
    map3((i) => w.stride[i] / gcd(w.stride[i], w.dilation[i])),
  ),
});
const weightSteps = ({ kernel, gb, gs, taps }: Sides) => ({
  w_group: gs * taps * gb,
  w_z: kernel[1] * kernel[2] * gb,
  w_y: kernel[2] * gb,
  w_x: gb,
});
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

const isPointwise = ({ taps, big, small }: Sides, w: Window): boolean =>
  taps === 1 && w.groups === 1 && big.every((d, i) => d === small[i]) && [...w.before, ...w.after].every((p) => p === 0);

type Context = Pick<LowerContext<unknown>, 'caps' | 'scratch'>;
/** x and a weight to y; z is like y, and what `act` combines with the result. */
export type Operands = readonly [x: Ref, weight: Ref, bias: Ref | null, z: Ref | null, y: Ref];
type ConvParams = Parameters<typeof dispatch<typeof convKernel>>[2];

/**
 * The convolution's kernel of a tile's family; `wSteps` are the strides of the weight but for the one along the reduction. On a GPU few
 * tiles share a long reduction, whose ranges a second dispatch adds up.
 */
function convolve(
  { caps, scratch }: Context,
  tile: Tile,
  [x, w, bias, z, y]: Operands,
  geometry: Omit<ConvParams, 'has_bias'>,
  wSteps: readonly number[],
): Dispatch[] {
  const T = x.dtype;
  const k = (geometry.gi * geometry.kd * geometry.kh * geometry.kw) / (geometry.up_z * geometry.up_y * geometry.up_x);
  const size = numel(y.shape);
  const splits = tile.family === 'registers' ? 1 : rangesOf(caps, tile, geometry.tiles, k);
  const whole = splits === 1;
  const after = whole ? { has_bias: bias ? 1 : 0, act: geometry.act } : { has_bias: 0, act: 0 };
  const params = { ...geometry, ...after, tiles: geometry.tiles * splits };
  const out = whole ? y : scratch([splits, size]);
  const bindings = { x, w, bias: bias ?? w, y: out, other: z ?? w };
  const grid = grid1d(params.tiles);
  const spec = { ...tile.spec, T, W: operand(tile, T, params.w_k, wSteps) };
  if (tile.family === 'registers')
    return [dispatch(convKernel, bindings, params, grid, { spec, overrides: { ...tile.overrides, OTHER: Number(params.act > 4) } })];
  const product = dispatch(tile.family === 'blocks' ? conv_blocks : conv_matrices, bindings, params, grid, {
    spec: { ...spec, R: out.dtype, X: operand(tile, T, 1, [params.gi]) },
  });
  if (whole) return [product];
  return [product, finishSplits(caps, [out, bias, z, y], { n: size, splits, channels: geometry.yc, act: geometry.act })];
}

/** y on the small grid from x on the big one. */
export function lowerDown(c: Context, [x, weight, bias, z, y]: Operands, w: Window, act: number): Dispatch[] {
  const s = sides(x.shape, y.shape, weight.shape, w.groups);
  const pixels = s.n * s.small[0] * s.small[1] * s.small[2];
  if (isPointwise(s, w))
    return lowerGemm(c, { a: x, b: weight, bias, y, m: pixels, n: s.cs, k: s.cb, aRow: s.cb, aK: 1, bK: 1, bCol: s.cb, act, z });
  const tile = chooseTile(c.caps, x.dtype, pixels, s.gs, w.groups, s.gb, s.taps * s.gb);
  const run = w.groups === 1 && w.dilation[2] === 1 && s.gb % 8 !== 0 ? s.kernel[2] : 1;
  const tiles = tileCount(tile, pixels, s.gs) * w.groups;
  const params = { ...gatherDown(s, w), gi: s.gb, go: s.gs, run, w_k: 1, act, tiles };
  const [kz, ky, kx] = s.kernel;
  const line = kx * s.gb; // a row of taps
  if (tile.family === 'registers' && tile.vec && run > 1 && line % 4 !== 0 && pixels * s.cs * s.taps * s.gb >= 1 << 24) {
    // Rows of taps padded to vectors, where the products outweigh the copy. On Mesa 25, which these tiles are for, 8 scalars a column cost
    // as much as the products of the step.
    const length = Math.ceil(line / 4) * 4;
    const rows = s.cs * kz * ky;
    const padded = c.scratch([rows, length], weight.dtype);
    const place = placeDispatch(c.caps, { ...weight, shape: [rows, line] }, padded, [
      { out: rows, size: rows, start: 0, step: 1 },
      { out: length, size: line, start: 0, step: 1 },
    ]);
    const steps = { w_col: kz * ky * length, w_group: 0, w_z: ky * length, w_y: length, w_x: 0 };
    return [...place, ...convolve(c, tile, [x, padded, bias, z, y], { ...params, ...steps }, [length])];
  }
  return convolve(c, tile, [x, weight, bias, z, y], { ...params, ...weightSteps(s), w_col: s.taps * s.gb }, [s.gb]);
}

/** y on the big grid from x on the small one. */
export function lowerUp(c: Context, [x, weight, bias, z, y]: Operands, w: Window, act: number): Dispatch[] {
  const s = sides(y.shape, x.shape, weight.shape, w.groups);
  if (isPointwise(s, w)) {
    const pixels = s.n * s.big[0] * s.big[1] * s.big[2];
    return lowerGemm(c, { a: x, b: weight, bias, y, m: pixels, n: s.cb, k: s.cs, aRow: s.cs, aK: 1, bK: s.cb, bCol: 1, act, z });
  }
  const phases = w.stride[0] * w.stride[1] * w.stride[2];
  const pixels = s.n * s.big.reduce((p, d, i) => p * Math.ceil(d / w.stride[i]), 1); // of one phase
  const tile = chooseTile(c.caps, x.dtype, pixels, s.gb, w.groups * phases, s.gs, (s.taps * s.gs) / phases);
  const tiles = tileCount(tile, pixels, s.gb) * w.groups * phases;
  const geometry = { ...gatherUp(s, w), ...weightSteps(s), gi: s.gs, go: s.gb, run: 1, w_col: 1, w_k: s.taps * s.gb, act, tiles };
  return convolve(c, tile, [x, weight, bias, z, y], geometry, [s.gb]);
}

/** dw [small channels, taps, big channels / groups] from the tensors on both grids. */
export function lowerDweight(c: Context, big: Ref, small: Ref, dw: Ref, w: Window): Dispatch[] {
  const s = sides(big.shape, small.shape, dw.shape, w.groups);
  const pixels = s.n * s.small[0] * s.small[1] * s.small[2];
  if (isPointwise(s, w))
    return lowerGemm(c, { a: small, b: big, bias: null, y: dw, m: s.cs, n: s.cb, k: pixels, aRow: 1, aK: s.cs, bK: s.cb, bCol: 1 });
  const width = s.taps * s.gb;
  const tile = chooseTile(c.caps, big.dtype, s.gs, width, w.groups, undefined, pixels);
  const registers = tile.family === 'registers';
  const fill = (x: number): number => x / Math.ceil(x / 8);
  const [, height, row] = s.small;
  // A short row leaves steps half empty; all rows of a small map together fill them.
  const join = fill(row) < 0.8 * fill(height * row) && height * row <= 256 ? height : 1;
  const innerN = fill(s.n) > fill(join * row);
  const inner = !registers ? 1 : innerN ? s.n : join * row; // pixels an outer index; the other families walk all pixels alike
  const outer = pixels / inner;
  const independent = tileCount(tile, s.gs, width) * w.groups;
  const longest = longestRange(c.caps, s.cb + s.cs);
  const chunk = Math.ceil(outer / rangesOf(c.caps, tile, independent, outer, Math.ceil(64 / inner), Math.ceil(longest / inner)));
  const splits = Math.ceil(outer / chunk);
  const size = s.cs * width;
  const partial = splits === 1 && dw.dtype === 'f32' ? dw : c.scratch([splits, size]);
  const tiles = independent * splits;
  const bindings = { x: big, dy: small, partial };
  const params = {
    ...grids(s, s.big, s.cb, s.small, s.cs),
    gi: s.gb,
    go: s.gs,
    ...axes('stride', w.stride),
    ...axes('pad', w.before),
    ...axes('dil', w.dilation),
    inner_n: innerN ? 1 : 0,
    join: innerN ? 1 : join,
    splits,
    chunk,
    tiles,
  };
  const spec = { ...tile.spec, T: big.dtype };
  const first = registers
    ? dispatch(conv_dweight, bindings, params, grid1d(tiles), {
        spec: { ...spec, JOIN: !innerN && join > 1 ? '1u' : '0u' },
        overrides: tile.overrides,
      })
    : dispatch(tile.family === 'blocks' ? conv_dweight_blocks : conv_dweight_matrices, bindings, params, grid1d(tiles), { spec });
  return partial === dw ? [first] : [first, sumSplits(c.caps, partial, dw, size, splits)];
}
