// SPDX-License-Identifier: MIT
// y[h, p] = sum over taps j of weight[p, j] table[index[p, j], h]: a relative-position table sampled between its entries for every
// pair p of tokens. Indices and weights are constants; the gradient runs over their inverse, a list of (pair, weight) for every
// table entry, so that it needs no atomics. One lane a pair (an entry and head); 64 a workgroup, folded over a 2D grid.
alias T = f32; // @spec f32 f16

struct Params {
  n: u32,                              // table_interpolate_dtable: entries x heads
  pairs: u32, taps: u32, heads: u32,   // pairs of tokens; entries that a pair reads; heads
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<T>;         // [entries, heads]
@group(0) @binding(2) var<storage, read> index: array<u32>;       // [pairs, taps]
@group(0) @binding(3) var<storage, read> weight: array<f32>;      // [pairs, taps]
@group(0) @binding(4) var<storage, read_write> y: array<T>;       // [heads, pairs]

@compute @workgroup_size(64)
fn table_interpolate(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let p = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (p >= params.pairs) { return; }
  for (var left = params.heads; left > 0u; left--) {
    let h = params.heads - left;
    var s = 0.0;
    for (var left = params.taps; left > 0u; left--) {
      let j = params.taps - left;
      let at = p * params.taps + j;
      s = fma(weight[at], f32(table[index[at] * params.heads + h]), s);
    }
    y[h * params.pairs + p] = T(s);
  }
}

@group(0) @binding(1) var<storage, read> dy: array<T>;            // [heads, pairs]
@group(0) @binding(2) var<storage, read> starts: array<u32>;      // [entries + 1]: where an entry's list begins
@group(0) @binding(3) var<storage, read> pair: array<u32>;        // [pairs taps]
@group(0) @binding(4) var<storage, read> share: array<f32>;       // [pairs taps]
@group(0) @binding(5) var<storage, read_write> dtable: array<T>;  // [entries, heads]

@compute @workgroup_size(64)
fn table_interpolate_dtable(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * 64u + lane;
  if (i >= params.n) { return; }
  let entry = i / params.heads;
  let h = i % params.heads;
  var s = 0.0;
  let end = starts[entry + 1u];
  for (var left = end - starts[entry]; left > 0u; left--) {
    let at = end - left;
    s = fma(share[at], f32(dy[h * params.pairs + pair[at]]), s);
  }
  dtable[i] = T(s);
}
