// SPDX-License-Identifier: MIT
// Where the slices of attention's tensors lie: one slice is a (batch, head, group) with rows of d channels. No copy is made for
// heads split from the channels of [B, T, C], for [B, heads, T, d], for [B, heads, G, T, d], or for q, k, v packed in [B, T, 3C].
import { ShapeError } from '../errors.ts';
import type { Spec } from '../engine/dtype.ts';
import type { Caps } from '../gpu/caps.ts';
import { slowCompiler } from './lanes.ts';

export interface AttentionAttrs {
  /** 0: taken from the shapes (rank 4 and 5). */
  readonly heads: number;
  /** Undefined: 1 / sqrt(d), or 1 for cosine scores. */
  readonly scale: number | undefined;
  readonly cosine: boolean;
  readonly causal: boolean;
  /** Tokens are a grid of this size, and the bias input is the three relative-position tables, stacked: `tableRows(grid)` x d. */
  readonly grid: readonly [number, number, number] | null;
}

/** First element and strides over batch, head, group and token, in elements. */
export interface Strides {
  readonly first: number;
  readonly b: number;
  readonly h: number;
  readonly g: number;
  readonly t: number;
}

export interface Geometry {
  readonly batch: number;
  readonly heads: number;
  readonly groups: number;
  /** batch x heads x groups */
  readonly slices: number;
  readonly rows: number;
  readonly keys: number;
  /** Channels of q and k, and of v, per head. */
  readonly d: number;
  readonly dv: number;
  readonly q: Strides;
  readonly k: Strides;
  readonly v: Strides;
  readonly y: Strides;
  readonly outShape: readonly number[];
  readonly scale: number;
}

interface Side {
  readonly dims: readonly [number, number, number];
  readonly tokens: number;
  readonly d: number;
  readonly strides: Strides;
}

function side(name: string, { shape }: Spec, heads: number, part = 0, parts = 1): Side {
  if (shape.length === 3) {
    const [b, t, c] = shape as [number, number, number];
    const n = heads || 1;
    const width = c / parts;
    if (!Number.isInteger(width / n))
      throw new ShapeError(`attention: ${name} has ${c} channels, expected a multiple of ${parts * n} (${n} heads).`);
    return { dims: [b, n, 1], tokens: t, d: width / n, strides: { first: part * width, b: t * c, h: width / n, g: 0, t: c } };
  }
  if (parts > 1 || (shape.length !== 4 && shape.length !== 5)) {
    throw new ShapeError(
      `attention: ${name} has shape [${shape}], expected [B, T, C]${parts > 1 ? '' : ', [B, heads, T, d] or [B, heads, groups, T, d]'}.`,
    );
  }
  const [b, h] = shape as unknown as [number, number];
  const g = shape.length === 5 ? shape[2] : 1;
  const t = shape.at(-2)!;
  const d = shape.at(-1)!;
  if (heads && heads !== h) throw new ShapeError(`attention: ${name} has ${h} heads, expected ${heads}.`);
  return { dims: [b, h, g], tokens: t, d, strides: { first: 0, b: h * g * t * d, h: g * t * d, g: t * d, t: d } };
}

/** @throws ShapeError unless q, k and v fit together. `k` and `v` null: q holds all three. */
export function geometry(q: Spec, k: Spec | null, v: Spec | null, attrs: AttentionAttrs): Geometry {
  const packed = k === null || v === null;
  const sq = side('q', q, attrs.heads, 0, packed ? 3 : 1);
  const sk = packed ? side('k', q, attrs.heads, 1, 3) : side('k', k, attrs.heads);
  const sv = packed ? side('v', q, attrs.heads, 2, 3) : side('v', v, attrs.heads);
  if (sq.d !== sk.d || sk.tokens !== sv.tokens || [sk, sv].some((s) => s.dims.some((n, i) => n !== sq.dims[i]))) {
    throw new ShapeError(`attention: shapes do not fit, got q [${q.shape}], k [${k?.shape}], v [${v?.shape}].`);
  }
  if (sq.d === 0 && sk.tokens * sv.d > 0)
    throw new ShapeError(`attention: got q [${q.shape}] of no channels, expected at least one for its scores.`);
  const [batch, heads, groups] = sq.dims;
  const c = heads * sv.d;
  const outShape = q.shape.length === 3 ? [batch, sq.tokens, c] : [...q.shape.slice(0, -1), sv.d];
  const y =
    q.shape.length === 3
      ? { first: 0, b: sq.tokens * c, h: sv.d, g: 0, t: c }
      : { first: 0, b: heads * groups * sq.tokens * sv.d, h: groups * sq.tokens * sv.d, g: sq.tokens * sv.d, t: sv.d };
  return {
    batch,
    heads,
    groups,
    slices: batch * heads * groups,
    rows: sq.tokens,
    keys: sk.tokens,
    d: sq.d,
    dv: sv.d,
    q: sq.strides,
    k: sk.strides,
    v: sv.strides,
    y,
    outShape,
    scale: attrs.scale ?? (attrs.cosine ? 1 : 1 / Math.sqrt(sq.d)),
  };
}

/** Batch and head extents of an additive bias [heads | 1, T, S] or [B | 1, heads | 1, T, S]. @throws ShapeError */
export function biasExtents(bias: Spec, g: Geometry): [batches: number, heads: number] {
  const full = bias.shape.length === 3 ? [1, ...bias.shape] : bias.shape;
  const [b, h, t, s] = full as [number, number, number, number];
  if (full.length !== 4 || t !== g.rows || s !== g.keys || (b !== 1 && b !== g.batch) || (h !== 1 && h !== g.heads)) {
    throw new ShapeError(`attention: bias has shape [${bias.shape}], expected [${g.batch} or 1, ${g.heads} or 1, ${g.rows}, ${g.keys}].`);
  }
  return [b, h];
}

/** Rows of the three tables of offsets -(n - 1) ... n - 1. */
export const tableRows = (grid: readonly number[]): number => grid.reduce((s, n) => s + 2 * n - 1, 0);

/** @throws ShapeError unless the optional inputs have the shapes that the geometry asks for. */
export function checkOptional(g: Geometry, attrs: AttentionAttrs, bias: Spec | null, keyBias: Spec | null, tau: Spec | null): void {
  if (bias && attrs.grid) {
    const tokens = attrs.grid.reduce((a, b) => a * b, 1);
    if (
      bias.shape.length !== 2 ||
      bias.shape[0] !== tableRows(attrs.grid) ||
      bias.shape[1] !== g.d ||
      tokens !== g.keys ||
      tokens !== g.rows
    ) {
      throw new ShapeError(
        `attention: position tables have shape [${bias.shape}] for ${g.rows} tokens and a grid [${attrs.grid}], expected ` +
          `[${tableRows(attrs.grid)}, ${g.d}] and ${tokens} tokens.`,
      );
    }
  } else if (bias) biasExtents(bias, g);
  if (keyBias && (keyBias.shape.length !== 2 || keyBias.shape[0] !== g.batch || keyBias.shape[1] !== g.keys)) {
    throw new ShapeError(`attention: keyBias has shape [${keyBias.shape}], expected [${g.batch}, ${g.keys}].`);
  }
  if (tau && (tau.shape.length !== 1 || tau.shape[0] !== g.heads))
    throw new ShapeError(`attention: tau has shape [${tau.shape}], expected [${g.heads}].`);
}

/** BIAS of the kernels: nothing is added to the scores, a bias, or products with the tables of relative positions. */
export const biasSpec = (bias: Spec | null, attrs: AttentionAttrs): '0u' | '1u' | '2u' => (bias ? (attrs.grid ? '2u' : '1u') : '0u');

/** Lanes of a workgroup, each with four queries or keys. */
export const lanesOf = ({ software }: Caps): number => (software ? 8 : 32);

/** D of the kernels that keep whole heads in registers (attention_narrow.wgsl); null where heads are wider or bodies compile too long. */
export function narrowWidth(g: Geometry, caps: Caps): '4u' | '8u' | '16u' | null {
  const width = Math.max(g.d, g.dv);
  if (width > 16 || slowCompiler(caps)) return null;
  return width > 8 ? '16u' : width > 4 ? '8u' : '4u';
}

/** Strides as the fields `name0, nameb, nameh, nameg, namet` of a kernel's params. */
export function strideParams<N extends string>(name: N, s: Strides): Record<`${N}${'0' | 'b' | 'h' | 'g' | 't'}`, number> {
  return { [`${name}0`]: s.first, [`${name}b`]: s.b, [`${name}h`]: s.h, [`${name}g`]: s.g, [`${name}t`]: s.t } as never;
}

/** Fields of the params that kernels/lib/attention.wgsl declares, for a whole call. */
export function coreParams(g: Geometry, attrs: AttentionAttrs, bias: Spec | null) {
  const [batches, heads] = bias && !attrs.grid ? biasExtents(bias, g) : [1, 1];
  const [n0, n1, n2] = attrs.grid ?? [1, 1, 1];
  return {
    slices: g.slices,
    heads: g.heads,
    groups: g.groups,
    rows: g.rows,
    keys: g.keys,
    d: g.d,
    dv: g.dv,
    ...strideParams('q', g.q),
    ...strideParams('k', g.k),
    ...strideParams('v', g.v),
    ...strideParams('y', g.y),
    bias_b: batches > 1 ? heads * g.rows * g.keys : 0,
    bias_h: heads > 1 ? g.rows * g.keys : 0,
    n0,
    n1,
    n2,
    ahead: attrs.causal ? 0 : 0x7fffffff,
    slice0: 0,
    row0: 0,
    row_count: g.rows,
  };
}
