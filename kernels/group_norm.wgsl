// SPDX-License-Identifier: MIT
// Group and instance norm of x [n, rows, c] in `groups` groups of neighbouring channels (instance norm: groups = c); f32, order fixed.
// Small groups: one dispatch each way, LANES neighbouring lanes a group of a sample (gn_small, gn_small_dx). Large ones: the runs down
// the rows, the output and dx are the kernels of batch_norm.wgsl, whose per-channel stats and coef are filled here, every channel of a
// group with its group's (gn_finish, gn_grad). Gradients of the weights by sample are added up by split_sum.
// @import "lib/lanes.wgsl"
// @import "lib/nan.wgsl"

alias V = f32; // @spec f32 f16
alias A = f32;
// @import "lib/wide.wgsl"
override AFFINE: bool = true; // use gamma and beta; else any buffer may be bound for them
override RELU: bool = false;
override ADD: bool = false; // z in y

struct Params {
  n: u32, rows: u32, c: u32, // samples; rows of each; channels
  chunk: u32, parts: u32,    // rows of a run; runs a sample: ceil(rows / chunk)
  groups: u32, eps: f32,     // groups of neighbouring channels, a divisor of c; added to the variance
}
@group(0) @binding(0) var<uniform> params: Params;
// [2, n, parts, c]: mean, m2; backward: sum g, sum g h; filled by bn_moments; gn_grad: by bn_sums
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> stats: array<f32>;       // [2, n, c]: mean, rstd
@group(0) @binding(3) var<storage, read> gamma: array<f32>;             // [c]
@group(0) @binding(4) var<storage, read_write> coef: array<f32>;        // [2, n, c]: c1, c2 of dx = rstd (g gamma - c1 - h c2)
@group(0) @binding(5) var<storage, read_write> by_sample: array<f32>;   // [2, n, c]: dgamma, dbeta of each sample
@group(0) @binding(1) var<storage, read> x: array<V>;                   // [n, rows, c]
@group(0) @binding(4) var<storage, read> beta: array<f32>;              // [c]
@group(0) @binding(6) var<storage, read> z: array<V>;                   // [n, rows, c]
@group(0) @binding(7) var<storage, read_write> y: array<V>;             // [n, rows, c]
@group(0) @binding(2) var<storage, read> stats_in: array<f32>;          // [2, n, c]; filled by gn_finish or gn_small
@group(0) @binding(8) var<storage, read> dy: array<V>;                  // [n, rows, c]
@group(0) @binding(9) var<storage, read> y_in: array<V>;                // [n, rows, c], the result, where RELU
@group(0) @binding(10) var<storage, read_write> dx: array<V>;           // [n, rows, c]
@group(0) @binding(11) var<storage, read_write> dz: array<V>;           // [n, rows, c], where ADD

fn rows_of(part: u32) -> f32 { return f32(min(params.chunk, params.rows - part * params.chunk)); }

// Workgroups: `ceil(n * groups / WG)`, or `n * groups` where WIDE
@compute @workgroup_size(WG)
fn gn_finish(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let own = share_of(wid, nwg, local, params.n * params.groups); // sample * groups + group
  let runs = turns(own, params.parts);
  let width = params.c / params.groups;
  let sample = own.at / params.groups;
  let first = (own.at % params.groups) * width;
  let base = sample * params.parts * params.c + first;
  let half = params.n * params.parts * params.c;
  let count = f32(params.rows) * f32(width);
  var part = 0.0;
  for (var left = runs; left > 0u; left--) {
    let p = own.lane + (runs - left) * own.lanes;
    var across = 0.0;
    for (var left = width; left > 0u; left--) { let j = width - left; across += partial[base + p * params.c + j]; }
    part += across * (rows_of(p) / count);
  }
  let mean = total(part, own.lane);
  part = 0.0;
  for (var left = runs; left > 0u; left--) {
    let p = own.lane + (runs - left) * own.lanes;
    for (var left = width; left > 0u; left--) {
      let j = width - left;
      let d = partial[base + p * params.c + j] - mean;
      part += partial[half + base + p * params.c + j] + d * d * rows_of(p);
    }
  }
  let rstd = inverseSqrt(total(part, own.lane) / count + params.eps);
  if (!own.inside || own.lane > 0u) { return; }
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    stats[sample * params.c + first + j] = mean;
    stats[(params.n + sample) * params.c + first + j] = rstd;
  }
}

// Workgroups: `ceil(n * groups / WG)`, or `n * groups` where WIDE
@compute @workgroup_size(WG)
fn gn_grad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let own = share_of(wid, nwg, local, params.n * params.groups);
  let runs = turns(own, params.parts);
  let width = params.c / params.groups;
  let sample = own.at / params.groups;
  let first = (own.at % params.groups) * width;
  let half = params.n * params.parts * params.c;
  let writes = own.inside && own.lane == 0u;
  var c1 = 0.0;
  var c2 = 0.0;
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    var part_g = 0.0;
    var part_gh = 0.0;
    for (var left = runs; left > 0u; left--) {
      let p = own.lane + (runs - left) * own.lanes;
      let i = (sample * params.parts + p) * params.c + first + j;
      part_g += partial[i];
      part_gh += partial[half + i];
    }
    let sum_g = total(part_g, own.lane);
    let sum_gh = total(part_gh, own.lane);
    if (writes) {
      by_sample[sample * params.c + first + j] = sum_gh;
      by_sample[(params.n + sample) * params.c + first + j] = sum_g;
    }
    var weight = 1.0;
    if (AFFINE) { weight = gamma[first + j]; }
    c1 += weight * sum_g;
    c2 += weight * sum_gh;
  }
  if (!writes) { return; }
  let count = f32(params.rows) * f32(width);
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    coef[sample * params.c + first + j] = c1 / count;
    coef[(params.n + sample) * params.c + first + j] = c2 / count;
  }
}

// Lanes of a group: its first channel, the first element of its sample, and its rows (none for lanes past the last group, which keep
// in step for the sums over lanes).
struct Group { sample: u32, first: u32, base: u32, rows: u32, lane: u32 }

fn group_of(t: u32) -> Group {
  let index = t / LANES;
  let inside = index < params.n * params.groups;
  let sample = select(0u, index / params.groups, inside);
  let first = (index % params.groups) * (params.c / params.groups);
  return Group(sample, first, sample * params.rows * params.c, select(0u, params.rows, inside), t % LANES);
}

// Workgroups: `ceil(n * groups * LANES / WG)`
@compute @workgroup_size(WG)
fn gn_small(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let group = group_of((wid.x + wid.y * nwg.x) * WG + lid.x);
  let width = params.c / params.groups;
  let count = f32(params.rows) * f32(width);
  var sum = 0.0;
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    let channel = group.first + j;
    for (var rest = passes(group.lane, group.rows); rest > 0u; rest--) {
      let r = group.lane + (rest - 1u) * LANES;
      sum += f32(x[group.base + r * params.c + channel]);
    }
  }
  let mean = lanes_sum(sum) / count;
  var squares = 0.0;
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    let channel = group.first + j;
    for (var rest = passes(group.lane, group.rows); rest > 0u; rest--) {
      let r = group.lane + (rest - 1u) * LANES;
      let d = f32(x[group.base + r * params.c + channel]) - mean;
      squares += d * d;
    }
  }
  let rstd = inverseSqrt(lanes_sum(squares) / count + params.eps);
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    let channel = group.first + j;
    var scale = rstd;
    var offset = 0.0;
    if (AFFINE) {
      scale = scale * gamma[channel];
      offset = beta[channel];
    }
    for (var rest = passes(group.lane, group.rows); rest > 0u; rest--) {
      let r = group.lane + (rest - 1u) * LANES;
      let i = group.base + r * params.c + channel;
      var v = (f32(x[i]) - mean) * scale + offset;
      if (ADD) { v = v + f32(z[i]); }
      if (RELU) { v = nan_max(v, 0.0); }
      y[i] = V(v);
    }
    if (group.lane == 0u && group.rows > 0u) {
      stats[group.sample * params.c + channel] = mean;
      stats[(params.n + group.sample) * params.c + channel] = rstd;
    }
  }
}

// dy, cut where the ReLU was closed.
fn open_dy(i: u32) -> f32 {
  let g = f32(dy[i]);
  if (RELU) { return select(g, 0.0, f32(y_in[i]) <= 0.0); }
  return g;
}

// dx = g gamma rstd - (x - mean) pull - rest; the gradients of the group's weights are written on the way.
struct Slopes { mean: f32, rstd: f32, pull: f32, rest: f32 }

fn slopes(group: Group, width: u32) -> Slopes {
  let mean = stats_in[group.sample * params.c + group.first];
  let rstd = stats_in[(params.n + group.sample) * params.c + group.first];
  var c1 = 0.0;
  var c2 = 0.0;
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    let channel = group.first + j;
    var part_g = 0.0;
    var part_gh = 0.0;
    for (var rest = passes(group.lane, group.rows); rest > 0u; rest--) {
      let r = group.lane + (rest - 1u) * LANES;
      let i = group.base + r * params.c + channel;
      let g = open_dy(i);
      part_g += g;
      part_gh += g * (f32(x[i]) - mean);
    }
    let sum_g = lanes_sum(part_g);
    let sum_gh = lanes_sum(part_gh) * rstd;
    if (group.lane == 0u && group.rows > 0u) {
      by_sample[group.sample * params.c + channel] = sum_gh;
      by_sample[(params.n + group.sample) * params.c + channel] = sum_g;
    }
    var weight = 1.0;
    if (AFFINE) { weight = gamma[channel]; }
    c1 += weight * sum_g;
    c2 += weight * sum_gh;
  }
  let count = f32(params.rows) * f32(width);
  return Slopes(mean, rstd, rstd * rstd * c2 / count, rstd * c1 / count);
}

fn weighted(rstd: f32, channel: u32) -> f32 {
  if (AFFINE) { return rstd * gamma[channel]; }
  return rstd;
}

// Workgroups: `ceil(n * groups * LANES / WG)`
@compute @workgroup_size(WG)
fn gn_small_dx(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let group = group_of((wid.x + wid.y * nwg.x) * WG + lid.x);
  let width = params.c / params.groups;
  let s = slopes(group, width);
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    let channel = group.first + j;
    let slope = weighted(s.rstd, channel);
    for (var rest = passes(group.lane, group.rows); rest > 0u; rest--) {
      let r = group.lane + (rest - 1u) * LANES;
      let i = group.base + r * params.c + channel;
      dx[i] = V(open_dy(i) * slope - (f32(x[i]) - s.mean) * s.pull - s.rest);
    }
  }
}

// Workgroups: `ceil(n * groups * LANES / WG)`
@compute @workgroup_size(WG)
fn gn_small_dx_add(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let group = group_of((wid.x + wid.y * nwg.x) * WG + lid.x);
  let width = params.c / params.groups;
  let s = slopes(group, width);
  for (var left = width; left > 0u; left--) {
    let j = width - left;
    let channel = group.first + j;
    let slope = weighted(s.rstd, channel);
    for (var rest = passes(group.lane, group.rows); rest > 0u; rest--) {
      let r = group.lane + (rest - 1u) * LANES;
      let i = group.base + r * params.c + channel;
      let g = open_dy(i);
      dx[i] = V(g * slope - (f32(x[i]) - s.mean) * s.pull - s.rest);
      dz[i] = V(g);
    }
  }
}
