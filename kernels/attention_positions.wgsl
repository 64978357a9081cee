// SPDX-License-Identifier: MIT
// Decomposed relative positions of SAM (Li et al. 2022): y[z, t, r] = q_t . table_r for every row r of the three tables, stacked.
// Attention picks a query's three values for a key by their offset. q is not scaled. A lane owns four queries and takes eight rows a pass.
// @import "lib/attention.wgsl"

override WG: u32 = 8u;

@group(0) @binding(6) var<storage, read_write> y: array<T>; // [slices, rows, keys]; keys = rows of the table, bound as k

// Workgroups: `slices * ceil(rows / (4 * WG))`
@compute @workgroup_size(WG)
fn attention_positions(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let four = four_of(wid.x + wid.y * nwg.x, lane, WG, params.rows);
  let z = four.z;
  if (z >= params.slices) { return; }
  let t = four.t;
  let valid = four.valid;
  let q_at = start(z, params.q0, params.qb, params.qh, params.qg) + t * params.qt;
  let to = (z * params.rows + t) * params.keys;
  for (var r = 0u; r < params.keys; r += 8u) {
    var tile = products(q_at, r * params.d, params.d);
    let end = min(r + 8u, params.keys);
    for (var left = end - r; left > 0u; left--) {
      let j = end - left;
      let at = to + j;
      if (valid.x) { y[at.x] = T(tile[j - r].x); }
      if (valid.y) { y[at.y] = T(tile[j - r].y); }
      if (valid.z) { y[at.z] = T(tile[j - r].z); }
      if (valid.w) { y[at.w] = T(tile[j - r].w); }
    }
  }
}
