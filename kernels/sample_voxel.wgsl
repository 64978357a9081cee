// SPDX-License-Identifier: MIT
// One voxel of every row of a mask [rows, n], drawn uniformly among those that are not 0: the k-th of them in memory order,
// k = floor(u * count). Two passes without workgroup memory or atomics, the same on every device:
//   voxel_counts  one lane a run of `run` voxels (about sqrt(n)): how many of them are not 0
//   voxel_pick    one lane a row: down the counts to the run that holds the k-th, then down the run
// Out come the voxel's centre in (0, 1) along D, H and W, and the mask's value there; 0.5 and value 0 where the mask is empty.

struct Params {
  rows: u32, n: u32, run: u32, runs: u32, // masks; voxels of each; voxels a run, about sqrt(n); ceil(n / run)
  height: u32, width: u32,                // of a mask; its depth is n / (height * width)
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mask: array<f32>;          // [rows, n], n = depth * height * width
@group(0) @binding(2) var<storage, read> u: array<f32>;             // [rows] in [0, 1)
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;  // [rows, runs]
@group(0) @binding(4) var<storage, read> counted: array<u32>;       // the same, read; filled by voxel_counts
@group(0) @binding(5) var<storage, read_write> coords: array<f32>;  // [rows, 3]
@group(0) @binding(6) var<storage, read_write> value: array<f32>;   // [rows]

override WG: u32 = 64u;

// By bits: NaN is not 0.
fn marked(i: u32) -> bool { return (bitcast<u32>(mask[i]) & 0x7fffffffu) != 0u; }

@compute @workgroup_size(WG)
fn voxel_counts(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.rows * params.runs) { return; }
  let row = (i / params.runs) * params.n;
  let first = (i % params.runs) * params.run;
  let end = min(first + params.run, params.n);
  var count = 0u;
  for (var left = max(first, end) - first; left > 0u; left--) { let j = end - left; count += select(0u, 1u, marked(row + j)); }
  counts[i] = count;
}

@compute @workgroup_size(WG)
fn voxel_pick(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let row = (wid.x + wid.y * nwg.x) * WG + lane;
  if (row >= params.rows) { return; }
  var total = 0u;
  for (var left = params.runs; left > 0u; left--) { let r = params.runs - left; total += counted[row * params.runs + r]; }
  if (total == 0u) {
    for (var axis = 0u; axis < 3u; axis++) { coords[row * 3u + axis] = 0.5; }
    value[row] = 0.0;
    return;
  }
  var left = min(u32(max(u[row], 0.0) * f32(total)), total - 1u); // rounding may reach total
  var r = 0u;
  while (left >= counted[row * params.runs + r]) {
    left -= counted[row * params.runs + r];
    r++;
  }
  var at = r * params.run;
  loop {
    if (marked(row * params.n + at)) {
      if (left == 0u) { break; }
      left--;
    }
    at++;
  }
  let plane = params.height * params.width;
  coords[row * 3u] = (f32(at / plane) + 0.5) / f32(params.n / plane);
  coords[row * 3u + 1u] = (f32((at / params.width) % params.height) + 0.5) / f32(params.height);
  coords[row * 3u + 2u] = (f32(at % params.width) + 0.5) / f32(params.width);
  value[row] = mask[row * params.n + at];
}
