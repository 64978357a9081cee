// SPDX-License-Identifier: MIT
// The k first elements of x [outer, n, inner] along n, in descending (LARGEST) or ascending order, and where they are; of
// equals the one with the smaller index comes first. One lane a column: k passes, each for the next one after the last found,
// so nothing is stored in between. Made for small k and n (5 of 32 nodes; 1 of 49 is an extremum with its place).
// NaN is above every number, as in PyTorch, or before all of them (NAN_FIRST: an extremum).
// @import "lib/nan.wgsl"

alias T = f32; // @spec f32 f16 i32 u32
const FLOAT = true; // @spec T: true true false false

override WG: u32 = 64u;
override LARGEST: bool = true;
override NAN_FIRST: bool = true;

struct Params {
  columns: u32, n: u32, inner: u32, k: u32, // outer x inner; along the axis; behind it; elements kept
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;             // [outer, n, inner]
@group(0) @binding(2) var<storage, read_write> values: array<T>;  // [outer, k, inner]
@group(0) @binding(3) var<storage, read_write> index: array<u32>; // [outer, k, inner]

fn before(a: T, b: T) -> bool { return select((a < b), (a > b), LARGEST); }

// The same order as an integer, NaN with the rest: greater comes first, zeros are equal.
fn rank(v: T) -> u32 {
  let bits = bitcast<u32>(f32(v)); // @spec T: bitcast<u32>(f32(v)) bitcast<u32>(f32(v)) bitcast<u32>(v) v
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return select(0u, 0xffffffffu, NAN_FIRST); }
  let key = select(bits | 0x80000000u, 0u - bits, bits >= 0x80000000u);
  return select(~key, key, LARGEST);
}

@compute @workgroup_size(WG)
fn topk(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.columns) { return; }
  let outer = i / params.inner;
  let inner = i % params.inner;
  let column = outer * params.n * params.inner + inner;
  var last = T();
  var last_at = 0u;
  for (var left = params.k; left > 0u; left--) {
    let j = params.k - left;
    var best = T();
    var best_at = params.n; // none yet
    var sum = 0.0;
    for (var left = params.n; left > 0u; left--) {
      let m = params.n - left;
      let v = x[column + m * params.inner];
      if (FLOAT) { sum += f32(v); }
      let left = j == 0u || before(last, v) || (v == last && m > last_at);
      if (left && (best_at == params.n || before(v, best))) {
        best = v;
        best_at = m;
      }
    }
    if (FLOAT && is_nan(sum)) {
      let last_rank = rank(last);
      var best_rank = 0u;
      best_at = params.n;
      for (var left = params.n; left > 0u; left--) {
        let m = params.n - left;
        let r = rank(x[column + m * params.inner]);
        let left = j == 0u || r < last_rank || (r == last_rank && m > last_at);
        if (left && (best_at == params.n || r > best_rank)) {
          best_rank = r;
          best_at = m;
        }
      }
      best = x[column + best_at * params.inner];
    }
    let to = (outer * params.k + j) * params.inner + inner;
    values[to] = best;
    index[to] = best_at;
    last = best;
    last_at = best_at;
  }
}
