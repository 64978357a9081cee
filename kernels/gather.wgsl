// SPDX-License-Identifier: MIT
// y[o, m, i] = x[o, index(o, m, i), i] (gather) and its adjoint (gather_dx). The index list has strides of its own: one list
// for all, one a row of `outer`, or one an element. An index outside of 0 ... K - 1 gives NaN, or 0 where x holds integers, and adds
// nothing. gather moves bits, four values at a time where the list does not differ between neighbours.
// gather_dx is in gather form: an element of x looks through the whole list, in ascending order, for those who read it. It
// takes outer * K * M * inner steps, which suits tables (K = 32 nodes, a vocabulary of some thousands), not permutations.
// One lane an element.

alias T = u32; // @spec u32 f16 vec4<u32> vec4<f16>
alias J = u32; // @spec u32 i32
alias V = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 vec4<f32> vec4<f32>

override WG: u32 = 64u;

struct Params {
  n: u32,                                   // elements written, in T or V
  k: u32, m: u32, inner: u32,               // rows of x that the list chooses from; entries of the list; elements a row, in T or V
  index_o: u32, index_m: u32, index_i: u32, // stride of the list over outer; over its entries; over inner (0: the same for all)
  missing: u32,                             // bits of what an index outside gives
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;        // [outer, K, inner]
@group(0) @binding(1) var<storage, read> g: array<V>;        // [outer, M, inner]
@group(0) @binding(2) var<storage, read> index: array<J>;    // by its strides
@group(0) @binding(3) var<storage, read_write> y: array<T>;  // [outer, M, inner]
@group(0) @binding(3) var<storage, read_write> dx: array<V>; // [outer, K, inner]

fn row_at(i: u32) -> u32 { return u32(index[i]); } // a negative one is past every row

fn missing() -> T {
  let bits = params.missing;
  let r = bits; // @spec T: bits f16(bitcast<f32>(bits)) vec4(bits) vec4(f16(bitcast<f32>(bits)))
  return r;
}

@compute @workgroup_size(WG)
fn gather(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let column = i % params.inner;
  let rest = i / params.inner;
  let o = rest / params.m;
  let row = row_at(o * params.index_o + (rest % params.m) * params.index_m + column * params.index_i);
  let value = x[(o * params.k + min(row, params.k - 1u)) * params.inner + column];
  y[i] = select(missing(), value, row < params.k);
}

@compute @workgroup_size(WG)
fn gather_dx(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let column = i % params.inner;
  let rest = i / params.inner;
  let own = rest % params.k;
  let o = rest / params.k;
  var at = o * params.index_o + column * params.index_i;
  var source = o * params.m * params.inner + column;
  var sum = A();
  for (var left = params.m; left > 0u; left--) {
    if (row_at(at) == own) { sum += A(g[source]); }
    at += params.index_m;
    source += params.inner;
  }
  dx[i] = V(sum);
}
