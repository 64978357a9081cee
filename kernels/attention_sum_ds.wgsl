// SPDX-License-Identifier: MIT
// Sums of attention's score gradients dS (attention_grad.wgsl), one piece of slices x queries at a time.
// `attention_delta` is the row value sum(dy y); `attention_dbias` adds dS up over the slices that share an entry of the bias;
// `attention_dpositions` over the keys at one offset from the query along one axis. One lane a result, in fixed order.
alias T = f32; // @spec f32 f16
alias D = f32; // @spec f32 f16

struct Params {
  n: u32, heads: u32, groups: u32, rows: u32, keys: u32, // slices x rows; heads; groups; queries a slice; keys a slice
  slice0: u32, slices: u32, row0: u32, row_count: u32,   // the piece: its first slice; how many; its first query; how many
  bias_batches: u32, bias_heads: u32,                    // extents of the bias: B or 1; heads or 1
  add: u32,                                              // attention_dbias: 1: add to what earlier pieces left
  n0: u32, n1: u32, n2: u32,                             // attention_dpositions: queries and keys are a grid n0 x n1 x n2
  dv: u32,                                               // attention_delta: channels of a row of y
  y0: u32, yb: u32, yh: u32, yg: u32, yt: u32,           // y and dy: first element; stride over batch; over head; over group; over token
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ds: array<D>;           // [2, slices, row_count, keys]: P, dS; filled by attention_ds
@group(0) @binding(2) var<storage, read_write> sums: array<T>;   // dbias [bias_batches, bias_heads, rows, keys]

// One workgroup 64 keys of one query, so that the slices it loops over are the same for all its lanes.
// Workgroups: `bias_batches * bias_heads * row_count * ceil(keys / 64)`
@compute @workgroup_size(64)
fn attention_dbias(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let blocks = (params.keys + 63u) / 64u;
  let index = wid.x + wid.y * nwg.x;
  let key = (index % blocks) * 64u + lane;
  let row = (index / blocks) % params.row_count;
  let own = index / (blocks * params.row_count);
  if (key >= params.keys || own >= params.bias_batches * params.bias_heads) { return; }
  let end = params.slice0 + params.slices;
  let half = params.slices * params.row_count * params.keys;
  // Slices of one batch that share this entry lie side by side: those of its head, or all.
  let sharing = select(params.groups, params.heads * params.groups, params.bias_heads == 1u);
  let own_b = own / params.bias_heads;
  let own_h = own % params.bias_heads;
  var b = select(own_b, params.slice0 / (params.heads * params.groups), params.bias_batches == 1u);
  let last = select(own_b, (end - 1u) / (params.heads * params.groups), params.bias_batches == 1u);
  var s = 0.0;
  for (; b <= last; b++) {
    let first = b * params.heads * params.groups + own_h * params.groups;
    let to = min(end, first + sharing);
    for (var left = i32(to) - i32(max(params.slice0, first)); left > 0; left--) {
      let z = to - u32(left);
      s += f32(ds[half + ((z - params.slice0) * params.row_count + row) * params.keys + key]);
    }
  }
  let o = (own * params.rows + params.row0 + row) * params.keys + key;
  if (params.add == 1u) { s += f32(sums[o]); }
  sums[o] = T(s);
}

// sums [slices, rows, (2 n0 - 1) + (2 n1 - 1) + (2 n2 - 1)]: by offset, query coordinate - key coordinate + n - 1
// Workgroups: `ceil(slices * row_count * (2 (n0 + n1 + n2) - 3) / 64)`
@compute @workgroup_size(64)
fn attention_dpositions(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  let width = 2u * (params.n0 + params.n1 + params.n2) - 3u;
  if (i >= params.slices * params.row_count * width) { return; }
  let row = i / width; // slice of the piece x query of the piece
  let t = params.row0 + row % params.row_count;
  var offset = i % width;
  // axis of the offset: its length, its step in keys, and the other axes as `outer` runs, `step` apart, of `inner` keys
  var n = params.n0;
  var stride = params.n1 * params.n2;
  var outer = 1u;
  var step = 0u;
  if (offset >= 2u * (params.n0 + params.n1) - 2u) {
    offset -= 2u * (params.n0 + params.n1) - 2u;
    n = params.n2;
    stride = 1u;
    outer = params.n0 * params.n1;
    step = params.n2;
  } else if (offset >= 2u * params.n0 - 1u) {
    offset -= 2u * params.n0 - 1u;
    n = params.n1;
    stride = params.n2;
    outer = params.n0;
    step = params.n1 * params.n2;
  }
  let coordinate = (t / stride) % n + n - 1u - offset; // wraps to a large number below 0
  var s = 0.0;
  if (coordinate < n) {
    var at = (params.slices * params.row_count + row) * params.keys + coordinate * stride;
    for (var left = outer; left > 0u; left--) {
      for (var left = stride; left > 0u; left--) { let k = stride - left; s += f32(ds[at + k]); }
      at += step;
    }
  }
  let z = params.slice0 + row / params.row_count;
  sums[(z * params.rows + t) * width + i % width] = T(s);
}

@group(0) @binding(1) var<storage, read> y: array<T>;                 // [B, heads, groups, rows, dv] by strides
@group(0) @binding(3) var<storage, read> dy: array<T>;                // likewise
@group(0) @binding(4) var<storage, read> old: array<vec4<f32>>;       // [slices, rows]: factor, log-sum, -, 1 / norm; filled by attention
@group(0) @binding(5) var<storage, read_write> fresh: array<vec4<f32>>; // the same with delta

@compute @workgroup_size(64)
fn attention_delta(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i >= params.n) { return; }
  let z = i / params.rows;
  let b = z / (params.heads * params.groups);
  let h = (z / params.groups) % params.heads;
  let at = params.y0 + b * params.yb + h * params.yh + (z % params.groups) * params.yg + (i % params.rows) * params.yt;
  var s = 0.0;
  for (var left = params.dv; left > 0u; left--) { let c = params.dv - left; s = fma(f32(y[at + c]), f32(dy[at + c]), s); }
  let o = old[i];
  fresh[i] = vec4<f32>(o.x, o.y, s, o.w);
}
