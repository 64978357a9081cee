// SPDX-License-Identifier: MIT
// What attention knows of every query and key beforehand: a factor of its scores, an added term, the inverse of its norm.
import { dispatch, grid1d, type Dispatch, type Ref } from '../engine/op.ts';
import { attention_norms } from '../gen/attention_norms.ts';
import { strideParams, type AttentionAttrs, type Geometry } from './attention_layout.ts';

type Term = { scale: number; term_b: number; term_h: number; term_t: number; multiply: number };

function norms(g: Geometry, { cosine }: AttentionAttrs, x: Ref, side: 'q' | 'k', term: Ref, to: Ref, first: number, how: Term): Dispatch {
  const tokens = side === 'q' ? g.rows : g.keys;
  const n = g.slices * tokens;
  return dispatch(
    attention_norms,
    { x, term, norms: to },
    { n, tokens, heads: g.heads, groups: g.groups, d: g.d, ...strideParams('x', g[side]), cosine: cosine ? 1 : 0, first, ...how },
    grid1d(Math.ceil(n / 64)),
    { spec: { T: x.dtype } },
  );
}

/** [slices, rows, 4] */
export const queryNorms = (g: Geometry, attrs: AttentionAttrs, q: Ref, tau: Ref | null, to: Ref): Dispatch =>
  norms(g, attrs, q, 'q', tau ?? q, to, 0, { scale: g.scale, term_b: 0, term_h: tau ? 1 : 0, term_t: 0, multiply: tau ? 1 : 0 });

/** [slices, keys, 4], behind `first` quadruples of something else. */
export const keyNorms = (g: Geometry, attrs: AttentionAttrs, k: Ref, keyBias: Ref | null, to: Ref, first = 0): Dispatch =>
  norms(g, attrs, k, 'k', keyBias ?? k, to, first, {
    scale: 1,
    term_b: keyBias ? g.keys : 0,
    term_h: 0,
    term_t: keyBias ? 1 : 0,
    multiply: keyBias ? 2 : 0,
  });
