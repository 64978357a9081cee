// SPDX-License-Identifier: MIT
// Mean, maximum and minimum of a map's products with constant patterns, averaged over the patterns: the channel statistics of
// multi-frequency attention (specification 4.2b). One lane a (slice, channel) forward, a (slice, place, channel) backward.
// Forward keeps which place held each extremum (the first of equals, the first NaN), so backward only looks.
// statistics[s, 0, c] = mean_m mean_p x[s, p, c] t[m, p]; [s, 1, c] = mean_m max_p; [s, 2, c] = mean_m min_p.
// @import "lib/nan.wgsl"

struct Params {
  n: u32,                                    // lanes: forward slices x channels; backward slices x places x channels
  places: u32, patterns: u32, channels: u32, // P, at most 65,536; M; C
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;                   // [S, P, C]
@group(0) @binding(2) var<storage, read> patterns: array<f32>;            // [M, P]
@group(0) @binding(3) var<storage, read_write> statistics: array<f32>;    // [S, 3, C]
@group(0) @binding(4) var<storage, read_write> extrema: array<u32>;       // [S, M, C], place of the maximum + 65536 * place of the minimum
@group(0) @binding(5) var<storage, read> held: array<u32>;                // extrema, read; filled by frequency_statistics
@group(0) @binding(6) var<storage, read> dstatistics: array<f32>;         // [S, 3, C]
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;            // [S, P, C]

fn element(wid: vec3<u32>, nwg: vec3<u32>, lane: u32) -> u32 { return (wid.x + wid.y * nwg.x) * 64u + lane; }

@compute @workgroup_size(64)
fn frequency_statistics(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = element(wid, nwg, lane);
  if (i >= params.n) { return; }
  let c = i % params.channels;
  let s = i / params.channels;
  var sum = 0.0;
  var largest = 0.0;
  var smallest = 0.0;
  for (var left = params.patterns; left > 0u; left--) {
    let m = params.patterns - left;
    var high = -infinity();
    var low = infinity();
    var at_high = 0u;
    var at_low = 0u;
    for (var left = params.places; left > 0u; left--) {
      let p = params.places - left;
      let v = x[(s * params.places + p) * params.channels + c] * patterns[m * params.places + p];
      sum += v;
      at_high = select(at_high, p, v > high);
      high = max(high, v);
      at_low = select(at_low, p, v < low);
      low = min(low, v);
    }
    if (is_nan(sum)) {
      for (var left = params.places; left > 0u; left--) {
        let p = left - 1u;
        let v = x[(s * params.places + p) * params.channels + c] * patterns[m * params.places + p];
        if (is_nan(v)) {
          at_high = p;
          at_low = p;
          high = sum;
          low = sum;
        }
      }
    }
    largest += high;
    smallest += low;
    extrema[(s * params.patterns + m) * params.channels + c] = at_high + 65536u * at_low;
  }
  let share = 1.0 / f32(params.patterns);
  let out = s * 3u * params.channels + c;
  statistics[out] = sum * share / f32(params.places);
  statistics[out + params.channels] = largest * share;
  statistics[out + 2u * params.channels] = smallest * share;
}

@compute @workgroup_size(64)
fn frequency_statistics_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let i = element(wid, nwg, lane);
  if (i >= params.n) { return; }
  let c = i % params.channels;
  let p = (i / params.channels) % params.places;
  let s = i / (params.channels * params.places);
  let from_sum = dstatistics[s * 3u * params.channels + c] / f32(params.places);
  let from_high = dstatistics[(s * 3u + 1u) * params.channels + c];
  let from_low = dstatistics[(s * 3u + 2u) * params.channels + c];
  var sum = 0.0;
  for (var left = params.patterns; left > 0u; left--) {
    let m = params.patterns - left;
    let places = held[(s * params.patterns + m) * params.channels + c];
    let d = from_sum + select(0.0, from_high, places % 65536u == p) + select(0.0, from_low, places / 65536u == p);
    sum += d * patterns[m * params.places + p];
  }
  dx[i] = sum / f32(params.patterns);
}
