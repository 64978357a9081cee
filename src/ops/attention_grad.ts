// SPDX-License-Identifier: MIT
// Gradients of attention: scores are computed again, a bounded piece of slices x queries at a time, and every gradient that the
// piece has a part in is added up. dq, dk and dv are one matrix product read in three ways. Heads that fit into registers need no piece.
import { defineOp, dispatch, grid1d, type Dispatch, type LowerContext, type OfInputs, type Ref } from '../engine/op.ts';
import type { Spec } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { Caps } from '../gpu/caps.ts';
import { attention_dx } from '../gen/attention_dx.ts';
import { attention_ds } from '../gen/attention_grad.ts';
import { attention_narrow_dbias, attention_narrow_dkv, attention_narrow_dq } from '../gen/attention_narrow_grad.ts';
import {
  biasExtents,
  biasSpec,
  coreParams,
  geometry,
  lanesOf,
  narrowWidth,
  strideParams,
  type AttentionAttrs,
  type Geometry,
  type Strides,
} from './attention_layout.ts';
import { keyNorms } from './attention_norms.ts';
import { attentionGradsByProducts, byProducts, tableGradsByProduct } from './attention_products.ts';
import { delta, keyBiasTotal, sumScores, tauTotal, total, type Piece } from './attention_sums.ts';

/** Bytes of P and dS held at once: what stays in a processor's caches (bench/lab), or keeps a GPU busy; far below any binding limit. */
const pieceBytesFor = (caps: Caps): number => (caps.software ? 4 : 16) << 20;

/** Whole slices where several fit, else blocks of one slice's queries (a multiple of 32, the tile of a workgroup). */
function pieces(g: Geometry, bytes: number): Piece[] {
  const one = 8 * g.rows * g.keys;
  const out: Piece[] = [];
  const slices = Math.max(1, Math.floor(bytes / one));
  const rows = one <= bytes ? g.rows : Math.max(32, Math.floor(bytes / (8 * g.keys) / 32) * 32);
  for (let slice0 = 0; slice0 < g.slices; slice0 += slices) {
    for (let row0 = 0; row0 < g.rows; row0 += rows) {
      out.push({ slice0, slices: Math.min(slices, g.slices - slice0), row0, row_count: Math.min(rows, g.rows - row0) });
    }
  }
  return out;
}

interface GradAttrs {
  readonly attrs: AttentionAttrs;
  readonly pieceBytes: number | null;
}

type Optional = Tensor | null | undefined;
/** Of attention: k and v are null where q holds all three side by side; `bias` may be the tables of relative positions. */
export type AttentionInputs = readonly [q: Tensor, k: Optional, v: Optional, bias: Optional, keyBias: Optional, tau: Optional];
type GradInputs = readonly [...AttentionInputs, y: Tensor, rows: Tensor, cols: Tensor, positions: Optional, dy: Tensor];

/** Which output holds which gradient: packed q, k, v share one. */
function slots(inputs: readonly unknown[]): { k: number; v: number; bias: number; keyBias: number; tau: number } {
  const [, k, , bias, keyBias] = inputs;
  const own = k ? 3 : 1;
  return { k: k ? 1 : 0, v: k ? 2 : 0, bias: own, keyBias: own + (bias ? 1 : 0), tau: own + (bias ? 1 : 0) + (keyBias ? 1 : 0) };
}

const gradOp = defineOp({
  name: 'attention_grad',
  call: (inputs: GradInputs, attrs: GradAttrs) => ({ inputs, attrs }),
  infer: (inputs) => inputs.slice(0, 6).filter((s): s is Spec => s !== null),
  result: (outs) => outs,
  lower(c): Dispatch[] {
    const [q, k, v, bias, keyBias, tau, y, oldRows, , positions, dy] = c.inputs;
    const { attrs, pieceBytes } = c.attrs;
    const g = geometry(q, k, v, attrs);
    const T = q.dtype;
    const at = slots(c.inputs);
    const D = narrowWidth(g, c.caps);
    const products = pieceBytes === null && byProducts(g, c.caps, T);
    if (D && k && v && !attrs.grid && pieceBytes === null && !products) return narrowGrads(c, k, v, g, D);
    const rows = c.scratch([g.slices, g.rows, 4]);
    const dtau = tau && c.scratch([g.slices, g.rows]);
    const dkey = keyBias && c.scratch([g.slices, g.keys]);
    const dpositions = positions && c.scratch(positions.shape, products ? T : 'f32');
    const shared = { rows, dkey, dtau, sums: dpositions ?? (bias && c.outputs[at.bias]) };
    const out = [
      delta(g, attrs, y, dy, oldRows, rows),
      ...(products ? byLargeProducts(c, g, shared) : byPieces(c, g, shared, pieceBytes ?? pieceBytesFor(c.caps))),
    ];
    if (dpositions && bias)
      out.push(...tableGrads(c, g, { q, tables: bias, rows, dpositions, none: c.scratch([1]) }, c.outputs[at.bias], products));
    if (dkey) out.push(keyBiasTotal(g, dkey, 1, c.outputs[at.keyBias]));
    if (dtau) out.push(tauTotal(g, dtau, products ? g.scale : 1, c.outputs[at.tau]));
    return out;
  },
  flops([q, k, v], _, { attrs }) {
    const g = geometry(q, k, v, attrs);
    return 2 * g.slices * g.rows * g.keys * (3 * g.d + 2 * g.dv);
  },
});

/** What the ways of computing gradients fill for the sums that follow: [slices, keys], [slices, rows], dS of the bias or the positions. */
interface Shared {
  /** With delta. */
  readonly rows: Ref;
  readonly dkey: Ref | null;
  readonly dtau: Ref | null;
  readonly sums: Ref | null;
}
type GradContext = LowerContext<GradAttrs, GradInputs, Spec[]>;

function byLargeProducts(c: GradContext, g: Geometry, { rows, dkey, dtau, sums }: Shared): Dispatch[] {
  const [q, k, v, bias, , , , , cols, positions, dy] = c.inputs;
  const { attrs } = c.attrs;
  const at = slots(c.inputs);
  const [dq, dk, dv] = [c.outputs[0], c.outputs[at.k], c.outputs[at.v]];
  return attentionGradsByProducts(
    c,
    g,
    coreParams(g, attrs, bias),
    { q, k: k ?? q, v: v ?? q, rows, cols, added: positions ?? bias, dy },
    {
      q: dq,
      k: dk,
      v: dv,
      dkey,
      dtau,
      sums: bias && sums && ((p, ds) => sumScores(g, attrs, { ...p, row0: 0, row_count: g.rows }, bias, ds, sums)),
    },
    { T: q.dtype, BIAS: biasSpec(bias, attrs) },
    attrs.cosine,
  );
}

function byPieces(c: GradContext, g: Geometry, { rows, dkey, dtau, sums }: Shared, bytes: number): Dispatch[] {
  const [q, k, v, bias, , , , , cols, positions, dy] = c.inputs;
  const { attrs } = c.attrs;
  const T = q.dtype;
  const at = slots(c.inputs);
  const wg = lanesOf(c.caps);
  const base = coreParams(g, attrs, bias);
  const list = pieces(g, bytes);
  const [ds, none] = [c.scratch([2, list[0].slices, list[0].row_count, g.keys]), c.scratch([1])];
  const out: Dispatch[] = [];
  for (const p of list) {
    const half = p.slices * p.row_count * g.keys;
    const first = p.row0 === 0;
    const last = p.row0 + p.row_count === g.rows;
    const cosine = attrs.cosine ? 2 : 0;
    const product = (bindings: Parameters<typeof dispatch<typeof attention_dx>>[1], count: number, rest: ProductParams): Dispatch =>
      dispatch(
        attention_dx,
        bindings,
        { heads: g.heads, groups: g.groups, slice0: p.slice0, slices: p.slices, az: p.row_count * g.keys, scale: g.scale, ...rest },
        grid1d(p.slices * Math.ceil(count / (4 * wg))),
        { spec: { T }, overrides: { WG: wg } },
      );
    const queries = { row0: p.row0, row_count: p.row_count, rows: g.rows, x0: 0, x_count: g.keys, xs: g.keys, ar: g.keys, ax: 1 };
    const keys = { row0: 0, row_count: g.keys, rows: g.keys, x0: p.row0, x_count: p.row_count, xs: g.rows, ar: 1, ax: g.keys };
    out.push(
      dispatch(
        attention_ds,
        { q, k: k ?? q, v: v ?? q, cols, bias: positions ?? bias ?? q, dy, rows, ds },
        { ...base, ...p },
        grid1d(p.slices * Math.ceil(p.row_count / (4 * wg))),
        { spec: { T, BIAS: biasSpec(bias, attrs) }, overrides: { WG: wg } },
      ),
      product({ a: ds, b: k ?? q, weights: cols, own: rows, own_rows: q, g: c.outputs[0], part: dtau ?? none }, p.row_count, {
        ...queries,
        a0: half,
        d: g.d,
        ...reads(g.k, g.q, g.q),
        weigh: 1,
        add: 0,
        finish: 1 + cosine + (dtau ? 4 : 0),
      }),
      product({ a: ds, b: q, weights: rows, own: cols, own_rows: k ?? q, g: c.outputs[at.k], part: dkey ?? none }, g.keys, {
        ...keys,
        a0: half,
        d: g.d,
        ...reads(g.q, g.k, g.k),
        weigh: 1,
        add: first ? 0 : 1,
        finish: (dkey ? 8 : 0) + (last ? 1 + cosine : 0),
      }),
      product({ a: ds, b: dy, weights: rows, own: cols, own_rows: v ?? q, g: c.outputs[at.v], part: none }, g.keys, {
        ...keys,
        a0: 0,
        d: g.dv,
        ...reads(g.y, g.v, g.v),
        weigh: 0,
        add: first ? 0 : 1,
        finish: 0,
      }),
    );
    if (bias && sums) out.push(sumScores(g, attrs, p, bias, ds, sums));
  }
  return out;
}

const KB = 8; // keys that a lane of attention_narrow_dbias owns

/** Heads narrow enough for registers, q, k and v apart: nothing of the size of the scores is written. */
function narrowGrads(c: GradContext, k: Ref, v: Ref, g: Geometry, D: string): Dispatch[] {
  const [q, , , bias, keyBias, tau, y, oldRows, , , dy] = c.inputs;
  const { attrs } = c.attrs;
  const at = slots(c.inputs);
  const wg = lanesOf(c.caps);
  const over = (slices: number, tokens: number) => grid1d(slices * Math.ceil(tokens / (4 * wg)));
  const ofRows = g.slices * g.rows;
  const [stats, dtau] = [c.scratch([ofRows + g.slices * g.keys, 4]), c.scratch([g.slices, g.rows])];
  const core = coreParams(g, attrs, bias);
  const options = { spec: { T: q.dtype, D, BIAS: bias ? '1u' : '0u' }, overrides: { WG: wg } };
  const cosine = { ...options, overrides: { WG: wg, COSINE: Number(attrs.cosine) } };
  const read = { q, k, v, dy, stats, bias: bias ?? q };
  const out = [
    delta(g, attrs, y, dy, oldRows, stats),
    keyNorms(g, attrs, k, keyBias, stats, ofRows),
    dispatch(attention_narrow_dq, { ...read, grad_q: c.outputs[0], dtau }, core, over(g.slices, g.rows), cosine),
  ];
  if (bias) {
    const [batches, heads] = biasExtents(bias, g);
    out.push(
      dispatch(
        attention_narrow_dbias,
        { ...read, grad_bias: c.outputs[at.bias] },
        core,
        over(batches * heads * Math.ceil(g.keys / KB), g.rows),
        options,
      ),
    );
  }
  out.push(
    dispatch(attention_narrow_dkv, { ...read, grad_k: c.outputs[at.k], grad_v: c.outputs[at.v] }, core, over(g.slices, g.keys), cosine),
  ); // last: it writes into the stats
  if (keyBias) out.push(keyBiasTotal(g, stats, 4, c.outputs[at.keyBias], 4 * ofRows));
  if (tau) out.push(tauTotal(g, dtau, g.scale, c.outputs[at.tau]));
  return out;
}

/** Of one product: what differs between those of a piece. */
type ProductParams = Omit<Parameters<typeof dispatch<typeof attention_dx>>[2], 'heads' | 'groups' | 'slice0' | 'slices' | 'az' | 'scale'>;

function reads(b: Strides, own: Strides, to: Strides) {
  return { ...strideParams('b', b), ...strideParams('o', own), ...strideParams('g', to) };
}

/** From the gradient of q's products with the tables: what it adds to dq, and the tables' own gradient, summed over slices. */
function tableGrads(
  c: GradContext,
  g: Geometry,
  r: { q: Ref; tables: Ref; rows: Ref; dpositions: Ref; none: Ref },
  dtables: Ref,
  products: boolean,
): Dispatch[] {
  const wg = lanesOf(c.caps);
  const n = r.tables.shape[0];
  const slice = n * g.d;
  const shared: Strides = { first: 0, b: 0, h: 0, g: 0, t: g.d };
  const own: Strides = { first: 0, b: g.heads * g.groups * slice, h: g.groups * slice, g: slice, t: g.d };
  const each = c.scratch([g.slices, n, g.d], r.q.dtype);
  const all = {
    heads: g.heads,
    groups: g.groups,
    slice0: 0,
    slices: g.slices,
    scale: 1,
    a0: 0,
    az: g.rows * n,
    d: g.d,
    weigh: 0,
    finish: 0,
    row0: 0,
    x0: 0,
  };
  const product = (b: Ref, to: Ref, rows: number, rest: ProductParams): Dispatch =>
    dispatch(
      attention_dx,
      { a: r.dpositions, b, weights: r.rows, own: r.rows, own_rows: b, g: to, part: r.none },
      { ...all, ...rest },
      grid1d(g.slices * Math.ceil(rows / (4 * wg))),
      { spec: { T: r.q.dtype, D: r.dpositions.dtype }, overrides: { WG: wg } },
    );
  return [
    product(r.tables, c.outputs[0], g.rows, {
      ...all,
      row_count: g.rows,
      rows: g.rows,
      x_count: n,
      xs: n,
      ar: n,
      ax: 1,
      add: 1,
      ...reads(shared, g.q, g.q),
    }),
    ...(products
      ? tableGradsByProduct(c, g, n, r.dpositions, r.q, each)
      : [
          product(r.q, each, n, {
            ...all,
            row_count: n,
            rows: n,
            x_count: g.rows,
            xs: g.rows,
            ar: 1,
            ax: n,
            add: 0,
            ...reads(g.q, own, own),
          }),
        ]),
    total(each, dtables, { n: slice, div: slice, high: 0, low: 1, n_outer: 1, outer: 0, n_inner: g.slices, inner: slice }),
  ];
}

export interface AttentionGrads {
  q: Tensor;
  k: Tensor | null;
  v: Tensor | null;
  bias: Tensor | null;
  keyBias: Tensor | null;
  tau: Tensor | null;
}

/** What the forward op puts out: y, row values, key values, products of q with the position tables. */
export type Saved = [y: Tensor, rows: Tensor, cols: Tensor, positions?: Tensor];

/** All gradients in one call. */
export function attentionGrad(
  given: OfInputs<AttentionInputs, Tensor>,
  saved: Saved,
  dy: Tensor,
  attrs: AttentionAttrs,
  pieceBytes: number | null = null,
): AttentionGrads {
  const [y, rows, cols, positions = null] = saved;
  const [, k, v, bias, keyBias, tau] = given;
  const inputs: GradInputs = [...given, y, rows, cols, positions, dy];
  const outs = gradOp(inputs, { attrs, pieceBytes });
  const at = slots(inputs);
  return {
    q: outs[0],
    k: k && outs[at.k],
    v: v && outs[at.v],
    bias: bias && outs[at.bias],
    keyBias: keyBias && outs[at.keyBias],
    tau: tau && outs[at.tau],
  };
}
