// SPDX-License-Identifier: MIT
// y = act(A B + bias, other), batched. Both operands by strides, so every transpose is the same pipeline; a batch stride of 0 broadcasts.
// For few outputs and a long reduction K is cut into ranges: y is then [splits, batch, M, N] and split_sum.wgsl adds the
// ranges in order. Tiles as in lib/tile.wgsl; a range of K that is no multiple of 8 ends one by one. B may be read as vectors
// of 4 along K where its strides allow (b_k = 1, the others multiples of 4).
// Relu is applied on the way out; all else in a second pass over the tile, which keeps them out of the unrolled code.
enable subgroups;
// @import "lib/finish.wgsl"
// @import "lib/tile.wgsl"

alias T = f32; // @spec f32 f16
alias R = f32; // @spec f32 f16
alias B = f32; // @spec f32 f16 vec4<f32> vec4<f16>
const BV = 1u; // @spec B: 1u 1u 4u 4u
override OTHER: bool = true; // act may ask for `other`; where its code stands unused, products take a quarter longer on Mesa 26

// @import "lib/matmul.wgsl"
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<T>;             // [batch, M, K] by strides
@group(0) @binding(2) var<storage, read> b: array<B>;             // [batch, K, N] by strides
@group(0) @binding(3) var<storage, read> bias: array<T>;          // [N]
@group(0) @binding(4) var<storage, read_write> y: array<R>;       // [splits, batch, M, N] by strides
@group(0) @binding(5) var<storage, read> other: array<T>;         // as y, where act asks for it; else any buffer

fn b_at(i: u32) -> f32 { return vec4<f32>(vec4(b[i / BV]))[i % BV]; }

struct Place { m0: u32, n0: u32, batch: u32, split: u32 }

fn place(tile: u32) -> Place {
  let across = (params.n + TN * WG - 1u) / (TN * WG);
  let down = (params.m + TM - 1u) / TM;
  // Rows first: the columns of b that a tile reads stay in the cache for the next one.
  let rest = tile / down;
  let outer = rest / across;
  return Place((tile % down) * TM, (rest % across) * (TN * WG), outer / params.splits, outer % params.splits);
}

fn accumulate(p: Place, lane: u32, sid: u32) -> Tile {
  let first = p.split * params.chunk;
  let length = min(first + params.chunk, max(first, params.k)) - first;
  let a0 = params.a_first + (p.batch / params.batch1) * params.a_batch0 + (p.batch % params.batch1) * params.a_batch1;
  let b0 = params.b_first + (p.batch / params.batch1) * params.b_batch0 + (p.batch % params.batch1) * params.b_batch1;
  var rows: array<u32, TM>;
  for (var r = 0u; r < TM; r++) { rows[r] = a0 + min(p.m0 + r, params.m - 1u) * params.a_row; }
  var cols: array<u32, TN>;
  for (var c = 0u; c < TN; c++) { cols[c] = b0 + min(p.n0 + lane + c * WG, params.n - 1u) * params.b_col; }
  var acc: Tile;
  var k = first;
  for (var steps = length / 8u; steps > 0u; steps--) {
    var w: Columns;
    for (var c = 0u; c < TN; c++) {
      let q = cols[c] + k * params.b_k;
      let s = params.b_k;
      if (BV == 4u) {
        w[c][0] = vec4<f32>(vec4(b[q / 4u]));
        w[c][1] = vec4<f32>(vec4(b[q / 4u + 1u]));
      } else {
        w[c][0] = vec4(b_at(q), b_at(q + s), b_at(q + 2u * s), b_at(q + 3u * s));
        w[c][1] = vec4(b_at(q + 4u * s), b_at(q + 5u * s), b_at(q + 6u * s), b_at(q + 7u * s));
      }
    }
    let at = (k + (sid & (SG - 1u))) * params.a_k;
    for (var r = 0u; r < TM; r++) {
      let s = f32(a[rows[r] + at]);
      var t = 0.0;
      if (SG == 4u) { t = f32(a[rows[r] + at + 4u * params.a_k]); }
      let low = spread_low(s);
      let high = spread_high(s, t);
      for (var c = 0u; c < TN; c++) { acc[r][c] += dot(low, w[c][0]) + dot(high, w[c][1]); }
    }
    k += 8u;
  }
  for (var rest = length % 8u; rest > 0u; rest--) {
    var w: array<f32, TN>;
    for (var c = 0u; c < TN; c++) { w[c] = b_at(cols[c] + k * params.b_k); }
    for (var r = 0u; r < TM; r++) {
      let s = f32(a[rows[r] + k * params.a_k]);
      for (var c = 0u; c < TN; c++) { acc[r][c] += s * w[c]; }
    }
    k++;
  }
  return acc;
}

@compute @workgroup_size(WG)
fn matmul(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) sid: u32,
) {
  let tile = wid.x + wid.y * nwg.x;
  if (tile >= params.tiles) { return; }
  let p = place(tile);
  let acc = accumulate(p, lane, sid);
  let y0 = params.y_first + p.split * params.y_split + (p.batch / params.batch1) * params.y_batch0
    + (p.batch % params.batch1) * params.y_batch1;
  for (var c = 0u; c < TN; c++) {
    let n = p.n0 + lane + c * WG;
    if (n < params.n) {
      var add = 0.0;
      if (params.has_bias == 1u) { add = f32(bias[n]); }
      for (var r = 0u; r < TM; r++) {
        let v = acc[r][c] + add;
        if (p.m0 + r < params.m) { y[y0 + (p.m0 + r) * params.y_row + n * params.y_col] = R(select(v, 0.0, params.act == 1u && v < 0.0)); }
      }
    }
  }
  if (params.act < 2u) { return; }
  for (var i = 0u; i < TM * TN; i++) {
    let m = p.m0 + i / TN;
    let n = p.n0 + lane + (i % TN) * WG;
    if (m < params.m && n < params.n) {
      let q = y0 + m * params.y_row + n * params.y_col;
      if (OTHER) { y[q] = R(finish(f32(y[q]), q)); } else { y[q] = R(activate(f32(y[q]), params.act)); }
    }
  }
}
