// SPDX-License-Identifier: MIT
// Attention on a GPU: matrix products with kernels for the scores between them, a bounded piece of whole slices at a time. The fused
// kernels (attention.wgsl) read each key once for four queries a lane, and leave a GPU idle where there are few slices.
import type { DType } from '../engine/dtype.ts';
import { dispatch, type Dispatch, type LowerContext, type Ref } from '../engine/op.ts';
import type { Caps } from '../gpu/caps.ts';
import { attention_softmax } from '../gen/attention_softmax.ts';
import { attention_key_sums, attention_softmax_grad, attention_unit, attention_weigh } from '../gen/attention_softmax_grad.ts';
import {
  coreParams,
  lanesOf,
  narrowWidth,
  strideParams,
  tableRows,
  type AttentionAttrs,
  type Geometry,
  type Strides,
} from './attention_layout.ts';
import { chooseTile, lowerGemm, type Gemm } from './gemm.ts';
import { elementLaunch, rowLaunch } from './lanes.ts';

type Context = Pick<LowerContext<unknown>, 'caps' | 'scratch'>;

/** Bytes of all matrices of scores held at once; two of four share a binding. */
const mostBytes = (caps: Caps): number => Math.min(256 << 20, 2 * caps.limits.maxStorageBufferBindingSize);
/** Workgroups of a fused kernel that keep a GPU busy: two a processor. */
const FULL = 256;

/**
 * Whether workgroup tiles or tensor cores are what computes this adapter's products of this size, and the scores of a slice have room. Not
 * yet timed on a GPU: the fused kernels took 80 to 130 us a dispatch of SA-Net on an H200, the products have a floor of 8 on paper.
 */
export function byProducts(g: Geometry, caps: Caps, dtype: DType): boolean {
  const bytes = 16 * g.rows * g.keys;
  if (bytes === 0 || bytes > mostBytes(caps)) return false;
  if (narrowWidth(g, caps) && g.slices * Math.ceil(g.rows / (4 * lanesOf(caps))) >= FULL) return false;
  const { family, rows, cols } = chooseTile(caps, dtype, g.rows, g.keys, g.slices);
  return family !== 'registers' && Math.min(rows, cols) >= 32;
}

/** Slices that are worked on together: `batches` from the first on, of each `inner` heads and groups from the first on. */
interface Piece {
  readonly slice0: number;
  readonly slices: number;
  readonly first: readonly [batch: number, inner: number];
  readonly sizes: readonly [batches: number, inner: number];
}

function pieces(g: Geometry, caps: Caps, bytesOfSlice: number): Piece[] {
  const all = g.heads * g.groups,
    most = Math.max(1, Math.floor(mostBytes(caps) / bytesOfSlice)),
    batches = Math.max(1, Math.floor(most / all)),
    inner = Math.min(most, all);
  const out: Piece[] = [];
  for (let b = 0; b < g.batch; b += batches) {
    for (let i = 0; i < all; i += inner) {
      const sizes = [Math.min(batches, g.batch - b), Math.min(inner, all - i)] as const;
      out.push({ slice0: b * all + i, slices: sizes[0] * sizes[1], first: [b, i], sizes });
    }
  }
  return out;
}

type Side = Pick<Gemm, 'm' | 'n' | 'k' | 'aRow' | 'aK' | 'bK' | 'bCol'>;
/** An operand of a piece: its first element, its strides over batches and over heads and groups. */
interface Operand {
  readonly ref: Ref;
  readonly first: number;
  readonly batch: readonly [number, number];
}

/** Rows of a tensor of attention. Heads and groups are one axis: with several groups they lie whole. */
function tokens(g: Geometry, ref: Ref, s: Strides, { first: [b, i] }: Piece): Operand {
  const inner = g.groups === 1 ? s.h : s.g;
  return { ref, first: s.first + b * s.b + i * inner, batch: [s.b, inner] };
}

/** A matrix of scores of the piece, from element `first` on. */
function matrix(g: Geometry, ref: Ref, { sizes }: Piece, first = 0): Operand {
  const one = g.rows * g.keys;
  return { ref, first, batch: [sizes[1] * one, one] };
}

const product = (c: Context, { sizes }: Piece, size: Side, a: Operand, b: Operand, y: Operand, row: number): Dispatch[] =>
  lowerGemm(c, {
    ...size,
    a: a.ref,
    b: b.ref,
    bias: null,
    y: y.ref,
    first: { a: a.first, b: b.first },
    batch: { sizes, a: a.batch, b: b.batch },
    out: { first: y.first, row, batch: y.batch },
  });

/** Scores between rows of x and of y: x y^T. */
const between = (g: Geometry, channels: number, x: number, y: number): Side => ({
  m: g.rows,
  n: g.keys,
  k: channels,
  aRow: x,
  aK: 1,
  bK: 1,
  bCol: y,
});
/** A matrix of scores times keys, or its transpose times queries. */
const ofKeys = (g: Geometry, channels: number, x: number): Side => ({
  m: g.rows,
  n: channels,
  k: g.keys,
  aRow: g.keys,
  aK: 1,
  bK: x,
  bCol: 1,
});
const ofQueries = (g: Geometry, channels: number, x: number): Side => ({
  m: g.keys,
  n: channels,
  k: g.rows,
  aRow: 1,
  aK: g.keys,
  bK: x,
  bCol: 1,
});

interface Tensors {
  readonly q: Ref;
  readonly k: Ref;
  readonly v: Ref;
  /** [slices, rows | keys, 4], of attention_norms. */
  readonly rows: Ref;
  readonly cols: Ref;
  /** The bias, or q's products with the position tables. */
  readonly added: Ref | null;
}
interface ScoreSpec {
  readonly T: DType;
  readonly BIAS: string;
}

/** What both ways launch over a piece with: its tokens, the params of its scores, a row of them by neighbouring lanes. */
const over = (c: Context, g: Geometry, core: ReturnType<typeof coreParams>, piece: Piece) => ({
  at: (ref: Ref, s: Strides): Operand => tokens(g, ref, s, piece),
  params: { ...core, slice0: piece.slice0, slices: piece.slices },
  ...rowLaunch(c.caps, piece.slices * g.rows, g.keys),
});

/** y = softmax(scale q k^T + bias) v, and the log-sums of the rows. */
export function attentionByProducts(
  c: Context,
  g: Geometry,
  core: ReturnType<typeof coreParams>,
  t: Tensors,
  y: Ref,
  spec: ScoreSpec,
): Dispatch[] {
  const list = pieces(g, c.caps, 8 * g.rows * g.keys),
    shape = [list[0].slices, g.rows, g.keys];
  const [scores, p] = [c.scratch(shape), c.scratch(shape, t.q.dtype)];
  return list.flatMap((piece) => {
    const { at, params, overrides, grid } = over(c, g, core, piece);
    return [
      ...product(c, piece, between(g, g.d, g.q.t, g.k.t), at(t.q, g.q), at(t.k, g.k), matrix(g, scores, piece), g.keys),
      dispatch(attention_softmax, { scores, cols: t.cols, bias: t.added ?? t.q, rows: t.rows, p }, params, grid, { spec, overrides }),
      ...product(c, piece, ofKeys(g, g.dv, g.v.t), matrix(g, p, piece), at(t.v, g.v), at(y, g.y), g.y.t),
    ];
  });
}

interface Gradients {
  readonly q: Ref;
  readonly k: Ref;
  readonly v: Ref;
  /** [slices, keys], [slices, rows]: what is added up to the gradients of the key bias and (times the scale) of the temperature. */
  readonly dkey: Ref | null;
  readonly dtau: Ref | null;
  /** Dispatches that add up dS [2, slices, rows, keys] of a piece, for the bias or the positions. */
  readonly sums: ((piece: Pick<Piece, 'slice0' | 'slices'>, ds: Ref) => Dispatch) | null;
}

/** Gradients of q, k and v; `rows` of the tensors holds delta. */
export function attentionGradsByProducts(
  c: Context,
  g: Geometry,
  core: ReturnType<typeof coreParams>,
  t: Tensors & { readonly dy: Ref },
  to: Gradients,
  spec: ScoreSpec,
  cosine: boolean,
): Dispatch[] {
  const list = pieces(g, c.caps, 16 * g.rows * g.keys),
    shape = [list[0].slices, g.rows, g.keys];
  const [scores, dp, ds] = [c.scratch(shape), c.scratch(shape), c.scratch([2, ...shape], t.q.dtype)];
  const none = c.scratch([1]);
  const plain = !to.sums && !to.dkey;
  const out = list.flatMap((piece) => {
    const { at, params, overrides, grid } = over(c, g, core, piece);
    const each = elementLaunch(c.caps, piece.slices * g.keys);
    const P = matrix(g, ds, piece),
      dS = matrix(g, ds, piece, piece.slices * g.rows * g.keys);
    const read = { scores, dp, cols: t.cols, bias: t.added ?? t.q, queries: t.rows };
    return [
      ...product(c, piece, between(g, g.d, g.q.t, g.k.t), at(t.q, g.q), at(t.k, g.k), matrix(g, scores, piece), g.keys),
      ...product(c, piece, between(g, g.dv, g.y.t, g.v.t), at(t.dy, g.y), at(t.v, g.v), matrix(g, dp, piece), g.keys),
      dispatch(attention_softmax_grad, { ...read, ds, sums: to.dtau ?? none }, params, grid, {
        spec,
        overrides: { ...overrides, WEIGH: Number(plain), TAU: Number(to.dtau !== null) },
      }),
      ...product(c, piece, ofQueries(g, g.dv, g.y.t), P, at(t.dy, g.y), at(to.v, g.v), g.v.t),
      ...(to.sums ? [to.sums(piece, ds)] : []),
      ...(to.dkey
        ? [dispatch(attention_key_sums, { ds, sums: to.dkey }, params, each.grid, { spec: { T: spec.T }, overrides: each.overrides })]
        : []),
      ...(plain
        ? []
        : [dispatch(attention_weigh, { cols: t.cols, queries: t.rows, ds }, params, grid, { spec: { T: spec.T }, overrides })]),
      ...product(c, piece, ofKeys(g, g.d, g.k.t), dS, at(t.k, g.k), at(to.q, g.q), g.q.t),
      ...product(c, piece, ofQueries(g, g.d, g.q.t), dS, at(t.q, g.q), at(to.k, g.k), g.k.t),
    ];
  });
  if (!cosine) return out;
  const unit = (own: Ref, norms: Ref, grad: Ref, rows: number, s: Strides): Dispatch => {
    const { grid, overrides } = elementLaunch(c.caps, g.slices * rows);
    return dispatch(attention_unit, { own, norms, g: grad }, { ...core, rows, ...strideParams('q', s) }, grid, {
      spec: { T: spec.T },
      overrides,
    });
  };
  return [...out, unit(t.q, t.rows, to.q, g.rows, g.q), unit(t.k, t.cols, to.k, g.keys, g.k)];
}

/** All slices, for what has no matrix of scores. */
const whole = (g: Geometry): Piece => ({ slice0: 0, slices: g.slices, first: [0, 0], sizes: [g.batch, g.heads * g.groups] });

/** q times every row of the position tables, [slices, rows, n]. */
export function positionsByProduct(
  c: Context,
  g: Geometry,
  grid: NonNullable<AttentionAttrs['grid']>,
  q: Ref,
  tables: Ref,
  y: Ref,
): Dispatch[] {
  const n = tableRows(grid),
    piece = whole(g);
  const size = { m: g.rows, n, k: g.d, aRow: g.q.t, aK: 1, bK: 1, bCol: g.d };
  const to = { ref: y, first: 0, batch: [piece.sizes[1] * g.rows * n, g.rows * n] } as const;
  return product(c, piece, size, tokens(g, q, g.q, piece), { ref: tables, first: 0, batch: [0, 0] }, to, n);
}

/** The tables' gradient a slice, [slices, n, d]: dpositions^T q. */
export function tableGradsByProduct(c: Context, g: Geometry, n: number, dpositions: Ref, q: Ref, each: Ref): Dispatch[] {
  const piece = whole(g),
    inner = piece.sizes[1];
  const size = { m: n, n: g.d, k: g.rows, aRow: 1, aK: n, bK: g.q.t, bCol: 1 };
  const from = { ref: dpositions, first: 0, batch: [inner * g.rows * n, g.rows * n] } as const;
  const to = { ref: each, first: 0, batch: [inner * n * g.d, n * g.d] } as const;
  return product(c, piece, size, from, tokens(g, q, g.q, piece), to, g.d);
}
