// SPDX-License-Identifier: MIT
// softmax(scale q k^T + bias) v per head, in the forms that SA-Net and SAM-Med3D use: one kernel without a
// matrix of scores in memory, or on a GPU two products with one.
import { fields, flag, integer, integers, maybe, number } from '../check.ts';
import { aTensor, door, noneOrTensor } from '../engine/door.ts';
import { expectDType, defineOp, dispatch, grid1d, once, type Dispatch, type LowerContext, type Ref, type Thunk } from '../engine/op.ts';
import type { Spec } from '../engine/dtype.ts';
import type { Tensor } from '../engine/tensor.ts';
import { attention as kernel } from '../gen/attention.ts';
import { attention_positions } from '../gen/attention_positions.ts';
import { attention_narrow } from '../gen/attention_narrow.ts';
import { convert } from '../gen/cast.ts';
import { attentionGrad, type AttentionInputs, type Saved } from './attention_grad.ts';
import {
  biasSpec,
  checkOptional,
  coreParams,
  geometry,
  lanesOf,
  narrowWidth,
  tableRows,
  type AttentionAttrs,
  type Geometry,
} from './attention_layout.ts';
import { attentionNorms } from './attention_norms.ts';
import { attentionByProducts, byProducts, positionsByProduct } from './attention_products.ts';

export interface AttentionOptions {
  /** Heads that the channels of [B, T, C] are split into; default 1. Taken from the shape for [B, heads, T, d]. */
  heads?: number;
  /** Factor of the scores; default 1 / sqrt(d), and 1 for cosine scores. */
  scale?: number;
  /** Added to the scores: [heads | 1, T, S] or [B | 1, heads | 1, T, S]. Very negative values (or -Infinity) mask. */
  bias?: Tensor;
  /**
   * SAM's relative positions on a grid of tokens: q (unscaled) times a table row per axis is added. Excludes `bias`. `tables` stacks [2n -
   * 1, d] of the three axes.
   */
  positions?: { tables: Tensor; grid: readonly [number, number, number] };
  /** Added to the scores of a key, for every head and query: [B, S]. */
  keyBias?: Tensor;
  /** Factor of a head's scores: [heads]. */
  tau?: Tensor;
  /** Scores are cosines: q and k are divided by their norms. Zero rows score 0 and have gradient 0. */
  cosine?: boolean;
  /** Query i sees keys 0 ... i. */
  causal?: boolean;
}

/** All outputs: y, and what backward needs of the rows and of the keys. */
export const attentionCore = defineOp({
  name: 'attention',
  call: (inputs: AttentionInputs, attrs: AttentionAttrs) => ({ inputs, attrs }),
  result: (outs) => outs as unknown as Saved,
  infer([q, k, v, bias, keyBias, tau], attrs): Spec[] {
    const dtype = expectDType('attention', [q, k, v, bias, keyBias, tau], 'f32', 'f16');
    const g = geometry(q, k, v, attrs);
    checkOptional(g, attrs, bias, keyBias, tau);
    return [
      { shape: g.outShape, dtype },
      { shape: [g.slices, g.rows, 4], dtype: 'f32' },
      { shape: [g.slices, g.keys, 4], dtype: 'f32' },
      ...(attrs.grid ? [{ shape: [g.slices, g.rows, tableRows(attrs.grid)], dtype }] : []),
    ];
  },
  lower(c): Dispatch[] {
    const [q, k, v, bias, keyBias, tau] = c.inputs;
    const [y, rows, cols, positions] = c.outputs as [Ref, Ref, Ref, Ref?];
    const g = geometry(q, k, v, c.attrs);
    const T = q.dtype;
    const wg = lanesOf(c.caps);
    const out = [attentionNorms(g, c.attrs, [q, k ?? q, tau, keyBias], [rows, cols])];
    const added = positions ?? bias;
    const spec = { T, BIAS: biasSpec(bias, c.attrs) };
    if (byProducts(g, c.caps, T)) {
      if (positions) out.push(...positionsByProduct(c, g, c.attrs.grid!, q, bias!, positions));
      return [...out, ...attentionByProducts(c, g, coreParams(g, c.attrs, bias), { q, k: k ?? q, v: v ?? q, rows, cols, added }, y, spec)];
    }
    if (positions) out.push(positionScores(g, c, wg));
    const D = narrowWidth(g, c.caps);
    if (D) {
      return [
        ...out,
        dispatch(
          attention_narrow,
          { q, k: k ?? q, v: v ?? q, cols, bias: added ?? q, rows, y },
          coreParams(g, c.attrs, bias),
          grid1d(g.slices * Math.ceil(g.rows / (4 * wg))),
          { spec: { ...spec, D }, overrides: { WG: wg } },
        ),
      ];
    }
    const chunk = c.caps.software ? 64 : 32;
    const sum = T === 'f32' ? y : c.scratch(y.shape); // sums over chunks of keys are f32
    out.push(
      dispatch(
        kernel,
        { q, k: k ?? q, v: v ?? q, cols, bias: added ?? q, rows, y: sum },
        coreParams(g, c.attrs, bias),
        grid1d(g.slices * Math.ceil(g.rows / (4 * wg))),
        { spec, overrides: { WG: wg, KC: chunk, CELLS: wg * chunk } },
      ),
    );
    const n = g.slices * g.rows * g.dv;
    if (sum !== y) out.push(dispatch(convert, { x: sum, y }, { n }, grid1d(Math.ceil(n / 64)), { spec: { FROM: 'f32', TO: T } }));
    return out;
  },
  vjp(c): (Thunk | null)[] {
    const [, k, v, bias, keyBias, tau] = c.inputs;
    const all = once(() => attentionGrad(c.inputs, c.outputs as unknown as Saved, c.grads[0]!, c.attrs));
    return [
      () => all().q,
      k && (() => all().k!),
      v && (() => all().v!),
      bias && (() => all().bias!),
      keyBias && (() => all().keyBias!),
      tau && (() => all().tau!),
    ];
  },
  flops([q, k, v], _, attrs) {
    const g = geometry(q, k, v, attrs);
    return 2 * g.slices * g.rows * g.keys * (g.d + g.dv);
  },
});

/** q times every row of the tables. */
function positionScores(g: Geometry, c: LowerContext<AttentionAttrs, AttentionInputs, Spec[]>, wg: number): Dispatch {
  const [q, , , tables] = c.inputs;
  return dispatch(
    attention_positions,
    { q, k: tables!, y: c.outputs[3] },
    { ...coreParams(g, c.attrs, tables), keys: tables!.shape[0] },
    grid1d(g.slices * Math.ceil(g.rows / (4 * wg))),
    { spec: { T: q.dtype }, overrides: { WG: wg } },
  );
}

function attributes(o: AttentionOptions, heads: number): AttentionAttrs {
  return { heads, scale: o.scale, cosine: o.cosine ?? false, causal: o.causal ?? false, grid: o.positions?.grid ?? null };
}

const OPTIONS = {
  heads: maybe(integer(1)),
  scale: maybe(number()),
  bias: noneOrTensor,
  positions: maybe(fields({ tables: aTensor, grid: integers(0) })),
  keyBias: noneOrTensor,
  tau: noneOrTensor,
  cosine: maybe(flag),
  causal: maybe(flag),
};

/**
 * Attention of tokens [B, T, C] with `heads` heads split from the channels, or of [B, heads, T, d] or [B, heads, groups, T, d];
 * k and v may have another token count, v another width. The result is laid out like q.
 */
export const attention = door(
  'attention',
  { q: aTensor, k: aTensor, v: aTensor, options: maybe(fields(OPTIONS)) },
  (q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor => {
    const heads = q.shape.length === 3 ? (options.heads ?? 1) : (options.heads ?? 0);
    return attentionCore([q, k, v, options.bias ?? options.positions?.tables, options.keyBias, options.tau], attributes(options, heads))[0];
  },
);

/** The same with q, k and v side by side in the channels of one tensor [B, T, 3C], as one linear layer leaves them: no slices copied. */
export const attentionPacked = door(
  'attentionPacked',
  { qkv: aTensor, options: maybe(fields(OPTIONS)) },
  (qkv: Tensor, options: AttentionOptions = {}): Tensor => {
    return attentionCore(
      [qkv, null, null, options.bias ?? options.positions?.tables, options.keyBias, options.tau],
      attributes(options, options.heads ?? 1),
    )[0];
  },
);
