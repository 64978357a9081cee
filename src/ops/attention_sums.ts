// SPDX-License-Identifier: MIT
// Sums of attention's score gradients dS, a piece of slices x queries at a time, and what is added up of one value a row or a key.
import { dispatch, grid1d, type Dispatch, type Ref } from '../engine/op.ts';
import { attention_dbias, attention_delta, attention_dpositions } from '../gen/attention_sum_ds.ts';
import { attention_sums } from '../gen/attention_sums.ts';
import { biasExtents, strideParams, tableRows, type AttentionAttrs, type Geometry } from './attention_layout.ts';

export interface Piece {
  readonly slice0: number;
  readonly slices: number;
  readonly row0: number;
  readonly row_count: number;
}

/** The rows' values with sum(dy y) beside them. */
export function delta(g: Geometry, attrs: AttentionAttrs, y: Ref, dy: Ref, old: Ref, fresh: Ref): Dispatch {
  return dispatch(
    attention_delta,
    { y, dy, old, fresh },
    sumParams(g, attrs, { slice0: 0, slices: g.slices, row0: 0, row_count: g.rows }),
    grid1d(Math.ceil((g.slices * g.rows) / 64)),
    { spec: { T: dy.dtype } },
  );
}

function sumParams(g: Geometry, attrs: AttentionAttrs, p: Piece, extents: readonly [number, number] = [1, 1], add = 0) {
  const [n0, n1, n2] = attrs.grid ?? [1, 1, 1];
  return {
    n: g.slices * g.rows,
    heads: g.heads,
    groups: g.groups,
    rows: g.rows,
    keys: g.keys,
    ...p,
    bias_batches: extents[0],
    bias_heads: extents[1],
    add,
    n0,
    n1,
    n2,
    dv: g.dv,
    ...strideParams('y', g.y),
  };
}

/** dS of a piece into the gradient of the bias or of the relative positions. */
export function sumScores(g: Geometry, attrs: AttentionAttrs, p: Piece, bias: Ref, ds: Ref, sums: Ref): Dispatch {
  const spec = { T: sums.dtype, D: ds.dtype };
  if (attrs.grid) {
    const n = p.slices * p.row_count * tableRows(attrs.grid);
    return dispatch(attention_dpositions, { ds, sums }, sumParams(g, attrs, p), grid1d(Math.ceil(n / 64)), { spec });
  }
  const extents = biasExtents(bias, g);
  return dispatch(
    attention_dbias,
    { ds, sums },
    sumParams(g, attrs, p, extents, p.slice0 === 0 ? 0 : 1),
    grid1d(extents[0] * extents[1] * p.row_count * Math.ceil(g.keys / 64)),
    { spec },
  );
}

type SumParams = Record<'n' | 'div' | 'high' | 'low' | 'n_outer' | 'outer' | 'n_inner' | 'inner', number>;

export function total(part: Ref, y: Ref, params: SumParams, factor = 1, first = 0): Dispatch {
  return dispatch(attention_sums, { part, y }, { ...params, factor, first }, grid1d(Math.ceil(params.n / 8)), {
    spec: { T: y.dtype, P: part.dtype },
  });
}

/** Over heads and groups, of one value a key, `step` apart from `first` on. */
export function keyBiasTotal(g: Geometry, part: Ref, step: number, y: Ref, first = 0): Dispatch {
  const inner = g.slices / g.batch;
  return total(
    part,
    y,
    {
      n: g.batch * g.keys,
      div: g.keys,
      high: inner * g.keys * step,
      low: step,
      n_outer: 1,
      outer: 0,
      n_inner: inner,
      inner: g.keys * step,
    },
    1,
    first,
  );
}

/** Over batch, groups and queries, of one value a query. */
export function tauTotal(g: Geometry, part: Ref, factor: number, y: Ref): Dispatch {
  return total(
    part,
    y,
    {
      n: g.heads,
      div: 1,
      high: g.groups * g.rows,
      low: 0,
      n_outer: g.batch,
      outer: g.heads * g.groups * g.rows,
      n_inner: g.groups * g.rows,
      inner: 1,
    },
    factor,
  );
}
