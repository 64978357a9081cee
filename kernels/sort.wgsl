// SPDX-License-Identifier: MIT
// Stable order of the columns of x [outer, n, inner] along n, by merging: `sort_keys` gives every element a key whose order as an unsigned
// number is the one wanted, and its place; `merge` makes sorted runs of `run` elements into runs of twice as many. Of two runs that meet,
// an element finds its place by counting: its own place in its run, and how many of the other run come before it (binary search). log2(n)
// passes, one lane an element, nothing shared.
// Zeros are equal and NaN is above every number, as in PyTorch, so it is last, or first where the order descends.

alias T = f32; // @spec f32 f16 i32 u32
const FLOAT = true; // @spec T: true true false false

override WG: u32 = 64u;
override DESCENDING: bool = false;

struct Params {
  count: u32, n: u32, inner: u32, run: u32, // all elements; along the axis; behind it; merge: elements of a sorted run
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;                // [outer, n, inner]
@group(0) @binding(1) var<storage, read> keys_in: array<u32>;        // [outer, n, inner]; filled by sort_keys or the merge before
@group(0) @binding(2) var<storage, read> index_in: array<u32>;       // [outer, n, inner]; filled by sort_keys or the merge before
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;     // [outer, n, inner]
@group(0) @binding(4) var<storage, read_write> index: array<u32>;    // [outer, n, inner]

fn key_of(v: T) -> u32 {
  let bits = bitcast<u32>(f32(v)); // @spec T: bitcast<u32>(f32(v)) bitcast<u32>(f32(v)) bitcast<u32>(v)^0x80000000u v
  if (!FLOAT) { return bits; }
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  return select(bits | 0x80000000u, 0u - bits, bits >= 0x80000000u); // -0 is as +0
}

@compute @workgroup_size(WG)
fn sort_keys(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let key = key_of(x[i]);
  keys[i] = select(key, ~key, DESCENDING);
  index[i] = (i / params.inner) % params.n;
}

@compute @workgroup_size(WG)
fn merge(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let i = (wid.x + wid.y * nwg.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let at = (i / params.inner) % params.n;
  let column = i - at * params.inner;
  let run = params.run;
  let own = at / run * run;           // where the own run and the other one begin
  let second = own / run % 2u == 1u;
  let other = select(min(own + run, params.n), own - run, second);
  let key = keys_in[i];
  // How many of the other run come before: of equals those of the first run.
  var low = other;
  var high = select(min(other + run, params.n), own, second);
  for (var left = 32u - countLeadingZeros(high - low); left > 0u; left--) {
    let middle = (low + high) / 2u;
    let there = keys_in[column + min(middle, params.n - 1u) * params.inner];
    if (low < high && (there < key || (second && there == key))) { low = middle + 1u; } else { high = middle; }
  }
  let to = column + (min(own, other) + (at - own) + (low - other)) * params.inner;
  keys[to] = key;
  index[to] = index_in[i];
}
