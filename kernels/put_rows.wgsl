// SPDX-License-Identifier: MIT
// Rows written into a table: table[index[i], :] = rows[i, :]. One lane an element; the other rows of the table keep their values.
// An index may not occur twice; a row whose index is outside of the table goes nowhere.

alias T = f32; // @spec f32 f16 i32 u32

override WG: u32 = 64u;

struct Params {
  n: u32, width: u32, k: u32, // elements of `rows`; of one row; rows of the table
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<T>;         // [m, width]
@group(0) @binding(2) var<storage, read> index: array<u32>;      // [m]
@group(0) @binding(3) var<storage, read_write> table: array<T>;  // [k, width]

@compute @workgroup_size(WG)
fn put_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let row = index[i / params.width];
  if (row < params.k) { table[row * params.width + i % params.width] = rows[i]; }
}
