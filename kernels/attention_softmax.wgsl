// SPDX-License-Identifier: MIT
// Between the two products of attention on a GPU: q k^T becomes softmax(scale q k^T + bias), with everything that
// attention.wgsl adds to a score. LANES neighbouring lanes share a query (lib/lanes.wgsl); scores are computed from their product
// in each of three passes rather than kept. The second of a row becomes log(sum(exp(scores))), all that backward needs.
// @import "lib/lanes.wgsl"
// @import "lib/attention.wgsl"

@group(0) @binding(1) var<storage, read> scores: array<f32>;       // [slices, rows, keys] from slice0 on: q k^T; filled by matmul
// [slices, rows, 4]: factor, log-sum, -, 1 / norm; factors filled by attention_norms
@group(0) @binding(6) var<storage, read_write> rows: array<f32>;
@group(0) @binding(7) var<storage, read_write> p: array<T>;        // [slices, rows, keys] from slice0 on

// Workgroups: `ceil(slices * rows * LANES / WG)`
@compute @workgroup_size(WG)
fn attention_softmax(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = own_row(wid, nwg, local, params.slices * params.rows);
  let lane = row.lane;
  let z = params.slice0 + row.at / params.rows;
  let t = vec4<u32>(row.at % params.rows);
  let r = params.slice0 * params.rows + row.at;
  let factor = vec4<f32>(rows[4u * r]);
  let first = row.at * params.keys;
  var top = MASKED;
  for (var left = passes(lane, params.keys); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    top = max(top, score(vec4<f32>(scores[first + i]), z, t, factor, i).x);
  }
  let high = lanes_max(top);
  var part = 0.0;
  for (var left = passes(lane, params.keys); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    part += exp(score(vec4<f32>(scores[first + i]), z, t, factor, i).x - high);
  }
  let sum = lanes_sum(part);
  if (!row.inside) { return; }
  let masked = none(vec4<f32>(high), vec4<f32>(sum)).x; // no key: 0, as in PyTorch
  let finish = select(1.0 / sum, 0.0, masked);
  for (var left = passes(lane, params.keys); left > 0u; left--) {
    let i = lane + (left - 1u) * LANES;
    p[first + i] = T(exp(score(vec4<f32>(scores[first + i]), z, t, factor, i).x - high) * finish);
  }
  if (lane == 0u) { rows[4u * r + 1u] = select(high + log(sum), 0.0, masked); }
}
