// SPDX-License-Identifier: MIT
// What attention knows of every query and key beforehand: a factor of its scores, an added term, the inverse of its norm.
import { dispatch, grid1d, type Dispatch, type Ref } from '../engine/op.ts';
import { attention_key_norms, attention_norms } from '../gen/attention_norms.ts';
import { coreParams, type AttentionAttrs, type Geometry } from './attention_layout.ts';

function paramsOf(g: Geometry, attrs: AttentionAttrs, tau: unknown, keyBias: unknown, first = 0) {
  const [cosine, has_tau, has_key_bias] = [attrs.cosine, tau, keyBias].map((v) => (v ? 1 : 0)) as [number, number, number];
  return { ...coreParams(g, attrs, null), scale: g.scale, cosine, has_tau, has_key_bias, first };
}

/** Of queries [slices, rows, 4] and of keys [slices, keys, 4]. */
export function attentionNorms(
  g: Geometry,
  attrs: AttentionAttrs,
  [q, k, tau, keyBias]: readonly [Ref, Ref, Ref | null, Ref | null],
  [row_norms, key_norms]: readonly [Ref, Ref],
): Dispatch {
  const bindings = { q, k, tau: tau ?? q, key_bias: keyBias ?? q, row_norms, key_norms };
  const grid = grid1d(Math.ceil((g.slices * (g.rows + g.keys)) / 64));
  return dispatch(attention_norms, bindings, paramsOf(g, attrs, tau, keyBias), grid, { spec: { T: q.dtype } });
}

/** Of keys alone, behind `first` quadruples of something else. */
export function keyNorms(g: Geometry, attrs: AttentionAttrs, k: Ref, keyBias: Ref | null, key_norms: Ref, first: number): Dispatch {
  const grid = grid1d(Math.ceil((g.slices * g.keys) / 64));
  const bindings = { k, key_bias: keyBias ?? k, key_norms };
  return dispatch(attention_key_norms, bindings, paramsOf(g, attrs, null, keyBias, first), grid, { spec: { T: k.dtype } });
}
