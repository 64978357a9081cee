// SPDX-License-Identifier: MIT
// The joining steps of group and instance norm of x [n, rows, c] in `groups` groups of neighbouring channels (instance norm:
// groups = c). Runs down the rows, the output and dx are the kernels of batch_norm.wgsl, whose per-channel stats and coef
// these fill, every channel of a group with its group's. One lane a group of a sample; order fixed; f32.

override WG: u32 = 8u;
override AFFINE: bool = true; // use gamma; else any buffer may be bound for it

struct Params { n: u32, rows: u32, c: u32, chunk: u32, parts: u32, groups: u32, eps: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;           // [2, n, parts, c]: mean, m2; backward: sum g, sum g h
@group(0) @binding(2) var<storage, read_write> stats: array<f32>;       // [2, n, c]: mean, rstd
@group(0) @binding(3) var<storage, read> gamma: array<f32>;             // [c]
@group(0) @binding(4) var<storage, read_write> coef: array<f32>;        // [2, n, c]: c1, c2 of dx = rstd (g gamma - c1 - h c2)
@group(0) @binding(5) var<storage, read_write> dgamma: array<f32>;      // [n, c], to be summed over n
@group(0) @binding(6) var<storage, read_write> dbeta: array<f32>;       // [n, c]

fn rows_of(part: u32) -> f32 { return f32(min(params.chunk, params.rows - part * params.chunk)); }

@compute @workgroup_size(WG)
fn gn_finish(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let t = (wid.x + wid.y * nwg.x) * WG + local; // sample * groups + group
  if (t >= params.n * params.groups) { return; }
  let width = params.c / params.groups;
  let sample = t / params.groups;
  let first = (t % params.groups) * width;
  let base = sample * params.parts * params.c + first;
  let half = params.n * params.parts * params.c;
  let count = f32(params.rows) * f32(width);
  var mean = 0.0;
  for (var p = 0u; p < params.parts; p++) {
    var across = 0.0;
    for (var j = 0u; j < width; j++) { across += partial[base + p * params.c + j]; }
    mean += across * (rows_of(p) / count);
  }
  var m2 = 0.0;
  for (var p = 0u; p < params.parts; p++) {
    for (var j = 0u; j < width; j++) {
      let d = partial[base + p * params.c + j] - mean;
      m2 += partial[half + base + p * params.c + j] + d * d * rows_of(p);
    }
  }
  let rstd = inverseSqrt(m2 / count + params.eps);
  for (var j = 0u; j < width; j++) {
    stats[sample * params.c + first + j] = mean;
    stats[(params.n + sample) * params.c + first + j] = rstd;
  }
}

@compute @workgroup_size(WG)
fn gn_grad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let t = (wid.x + wid.y * nwg.x) * WG + local;
  if (t >= params.n * params.groups) { return; }
  let width = params.c / params.groups;
  let sample = t / params.groups;
  let first = (t % params.groups) * width;
  let half = params.n * params.parts * params.c;
  var c1 = 0.0;
  var c2 = 0.0;
  for (var j = 0u; j < width; j++) {
    var sum_g = 0.0;
    var sum_gh = 0.0;
    for (var p = 0u; p < params.parts; p++) {
      let i = (sample * params.parts + p) * params.c + first + j;
      sum_g += partial[i];
      sum_gh += partial[half + i];
    }
    dbeta[sample * params.c + first + j] = sum_g;
    dgamma[sample * params.c + first + j] = sum_gh;
    var weight = 1.0;
    if (AFFINE) { weight = gamma[first + j]; }
    c1 += weight * sum_g;
    c2 += weight * sum_gh;
  }
  let count = f32(params.rows) * f32(width);
  for (var j = 0u; j < width; j++) {
    coef[sample * params.c + first + j] = c1 / count;
    coef[(params.n + sample) * params.c + first + j] = c2 / count;
  }
}
