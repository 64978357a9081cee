// SPDX-License-Identifier: MIT
// Whether indices lie below a bound, for devices opened with `debug`: the first call of a kernel that meets one outside leaves its number,
// the index's bits and its place. One lane walks through all of them, so that the first is the first.

alias J = u32; // @spec u32 i32

struct Params {
  n: u32, below: u32, call: u32, // indices; the bound; the call's number, from 1
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> index: array<J>;         // [n]
@group(0) @binding(2) var<storage, read_write> found: array<u32>; // [3] call or 0, index, place

// Workgroups: `1`
@compute @workgroup_size(1)
fn check_index() {
  if (found[0] != 0u) { return; }
  for (var left = params.n; left > 0u; left--) {
    let at = params.n - left;
    if (u32(index[at]) >= params.below) {
      found[0] = params.call;
      found[1] = u32(index[at]);
      found[2] = at;
      return;
    }
  }
}
