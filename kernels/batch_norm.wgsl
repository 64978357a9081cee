// SPDX-License-Identifier: MIT
// Norms whose statistics run down channels-last rows x [n, rows, c]: batch norm (n parts of a batch), and with group_norm.wgsl group and
// instance norm. y = (x - mean) * rstd * gamma + beta, then + z (ADD), then max(., 0) (RELU).
// A lane owns PER neighbouring V of channels and walks down `chunk` rows; runs meet in `bn_finish` and `bn_grad`, in a fixed order. PER = 1
// lets a GPU coalesce; 4 make one gather of a processor touch 8 cache lines, where it waits for one gather after the other (bench/lab).
// Variance: each run is shifted by its first row, and runs are joined by mean and squared deviation (T. F. Chan et al. 1979):
// E[x^2] - E[x]^2 is never formed. Statistics, gamma, beta and running values are f32.
// Channel vectors are packed in pairs: stats = [mean, rstd], partial = [mean, m2] or [sum g, sum g h], coef = [c1, c2].
// @import "lib/lanes.wgsl"
// @import "lib/nan.wgsl"

alias V = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 vec4<f32> vec4<f32>
alias B = u32; // @spec V: u32 u32 vec4<u32> vec4<u32>
const PER = 1u; // @spec 1u 4u
override FIXED: bool = false; // backward: statistics are constants (evaluation)
override RELU: bool = false;
override ADD: bool = false;
override AFFINE: bool = true; // use gamma and beta; else any buffer may be bound for them

struct Params {
  n: u32, rows: u32, c: u32,                // samples, or parts of a batch; rows of each; channels, in V
  chunk: u32, parts: u32,                   // rows of a run; runs a sample: ceil(rows / chunk)
  eps: f32, momentum: f32, share: f32,      // added to the variance; new = (1 - momentum) old + momentum now; 1 / rows
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;                    // [n, rows, c]
@group(0) @binding(2) var<storage, read> stats: array<A>;                // [2, n, c]; filled by bn_finish, bn_eval_stats or gn_finish
@group(0) @binding(3) var<storage, read> gamma: array<A>;                // [c]
@group(0) @binding(4) var<storage, read> beta: array<A>;                 // [c]
@group(0) @binding(5) var<storage, read> z: array<V>;                    // [n, rows, c]
@group(0) @binding(6) var<storage, read_write> y: array<V>;              // [n, rows, c]
@group(0) @binding(7) var<storage, read_write> partial: array<A>;        // [2, n, parts, c]
// the same, read by bn_finish and bn_grad; filled by bn_moments; bn_grad: by bn_sums
@group(0) @binding(1) var<storage, read> partial_in: array<A>;
@group(0) @binding(2) var<storage, read_write> stats_out: array<A>;      // [2, n, c]
@group(0) @binding(4) var<storage, read_write> running_mean: array<A>;   // [c]
@group(0) @binding(5) var<storage, read_write> running_var: array<A>;    // [c]
@group(0) @binding(8) var<storage, read> mean_in: array<A>;              // [c], running values in evaluation
@group(0) @binding(9) var<storage, read> var_in: array<A>;               // [c]
@group(0) @binding(8) var<storage, read> dy: array<V>;                   // [n, rows, c]
@group(0) @binding(9) var<storage, read> y_in: array<V>;                 // [n, rows, c], the result, where RELU
@group(0) @binding(5) var<storage, read> coef: array<A>;                 // [2, n, c]; filled by bn_grad or gn_grad
@group(0) @binding(6) var<storage, read_write> coef_out: array<A>;       // [2, n, c]
@group(0) @binding(10) var<storage, read_write> dgamma: array<A>;        // [c]
@group(0) @binding(11) var<storage, read_write> dbeta: array<A>;         // [c]
@group(0) @binding(12) var<storage, read_write> dx: array<V>;            // [n, rows, c]
@group(0) @binding(13) var<storage, read_write> dz: array<V>;            // [n, rows, c]

alias Channels = array<A, PER>;
// @import "lib/wide.wgsl"

fn positive(v: A) -> A {
  let r = nan_max(v, A(0.0)); // @spec V: nan_max(v,A(0.0)) nan_max(v,A(0.0)) nan_max4(v,A(0.0)) nan_max4(v,A(0.0))
  return r;
}

// Lane t, times PER = (sample * parts + part) * c + channel: its first channel of its sample, and its rows as element indices.
struct Run { channel: u32, at: u32, first: u32, rows: u32, inside: bool }

fn run_of(lane: u32) -> Run {
  let t = lane * PER;
  let part = (t / params.c) % params.parts;
  let sample = t / (params.c * params.parts);
  let channel = t % params.c;
  let top = min(part * params.chunk + params.chunk, params.rows);
  let base = sample * params.rows * params.c + channel;
  return Run(channel, sample * params.c + channel, base + part * params.chunk * params.c, top - part * params.chunk, sample < params.n);
}

// A row that is not finite shifts by 0, so that a mean of infinities is infinite.
fn finite(v: A) -> A {
  return select(v, A(0.0), (bitcast<B>(v) & B(0x7f800000u)) == B(0x7f800000u));
}

// Workgroups: `ceil(n * parts * c / (PER * WG))`
@compute @workgroup_size(WG)
fn bn_moments(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let lane = (wid.x + wid.y * nwg.x) * WG + local;
  let run = run_of(lane);
  if (!run.inside) { return; }
  var shift: Channels;
  for (var v = 0u; v < PER; v++) { shift[v] = finite(A(x[run.first + v])); }
  var sum: Channels;
  var squares: Channels;
  var i = run.first;
  for (var left = run.rows; left > 0u; left--) {
    for (var v = 0u; v < PER; v++) {
      let d = A(x[i + v]) - shift[v];
      sum[v] += d;
      squares[v] += d * d;
    }
    i += params.c;
  }
  let count = f32(run.rows);
  let out = lane * PER;
  for (var v = 0u; v < PER; v++) {
    partial[out + v] = shift[v] + sum[v] / count;
    partial[params.n * params.parts * params.c + out + v] = positive(squares[v] - sum[v] * sum[v] / count);
  }
}

fn rows_of(part: u32) -> f32 { return f32(min(params.chunk, params.rows - part * params.chunk)); }

// Mean and 1 / sqrt(var + eps) of each channel of each sample. Running values move by `momentum` towards the mean and the unbiased
// variance (PyTorch's convention), sample by sample. Workgroups: `ceil(c / WG)`, or `c` where WIDE
@compute @workgroup_size(WG)
fn bn_finish(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let own = share_of(wid, nwg, local, params.c);
  let i = own.at;
  let runs = turns(own, params.parts);
  let count = f32(params.rows);
  for (var samples = params.n; samples > 0u; samples--) {
    let sample = params.n - samples;
    let means = sample * params.parts * params.c + i;
    let squares = params.n * params.parts * params.c + means;
    var part = A(0.0);
    for (var left = runs; left > 0u; left--) {
      let p = own.lane + (runs - left) * own.lanes;
      part += partial_in[means + p * params.c] * (rows_of(p) / count);
    }
    let mean = total(part, own.lane);
    part = A(0.0);
    for (var left = runs; left > 0u; left--) {
      let p = own.lane + (runs - left) * own.lanes;
      let d = partial_in[means + p * params.c] - mean;
      part += partial_in[squares + p * params.c] + d * d * rows_of(p);
    }
    let m2 = total(part, own.lane);
    if (own.inside && own.lane == 0u) {
      stats_out[sample * params.c + i] = mean;
      stats_out[(params.n + sample) * params.c + i] = inverseSqrt(m2 / count + params.eps);
      running_mean[i] = running_mean[i] * (1.0 - params.momentum) + mean * params.momentum;
      running_var[i] = running_var[i] * (1.0 - params.momentum) + m2 * (params.momentum / max(count - 1.0, 1.0));
    }
  }
}

// Evaluation: running values as stats.
@compute @workgroup_size(WG)
fn bn_eval_stats(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.x + wid.y * nwg.x) * WG + local;
  if (i >= params.c) { return; }
  stats_out[i] = mean_in[i];
  stats_out[params.c + i] = inverseSqrt(var_in[i] + params.eps);
}

// Workgroups: `ceil(n * parts * c / (PER * WG))`
@compute @workgroup_size(WG)
fn bn_apply(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let run = run_of((wid.x + wid.y * nwg.x) * WG + local);
  if (!run.inside) { return; }
  var mean: Channels;
  var scale: Channels;
  var offset: Channels;
  for (var v = 0u; v < PER; v++) {
    mean[v] = stats[run.at + v];
    scale[v] = stats[params.n * params.c + run.at + v];
    if (AFFINE) {
      scale[v] = scale[v] * gamma[run.channel + v];
      offset[v] = beta[run.channel + v];
    }
  }
  var i = run.first;
  for (var left = run.rows; left > 0u; left--) {
    for (var v = 0u; v < PER; v++) {
      var r = (A(x[i + v]) - mean[v]) * scale[v] + offset[v];
      if (ADD) { r = r + A(z[i + v]); }
      if (RELU) { r = positive(r); }
      y[i + v] = V(r);
    }
    i += params.c;
  }
}

// dy, cut where the ReLU was closed.
fn open_dy(i: u32) -> A {
  let g = A(dy[i]);
  if (RELU) { return select(g, A(0.0), A(y_in[i]) <= A(0.0)); }
  return g;
}

// Sums of g and of g h over a run, h = (x - mean) rstd.
// Workgroups: `ceil(n * parts * c / (PER * WG))`
@compute @workgroup_size(WG)
fn bn_sums(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let lane = (wid.x + wid.y * nwg.x) * WG + local;
  let run = run_of(lane);
  if (!run.inside) { return; }
  var mean: Channels;
  for (var v = 0u; v < PER; v++) { mean[v] = stats[run.at + v]; }
  var sum_g: Channels;
  var sum_gh: Channels;
  var i = run.first;
  for (var left = run.rows; left > 0u; left--) {
    for (var v = 0u; v < PER; v++) {
      let g = open_dy(i + v);
      sum_g[v] += g;
      sum_gh[v] += g * (A(x[i + v]) - mean[v]);
    }
    i += params.c;
  }
  let out = lane * PER;
  for (var v = 0u; v < PER; v++) {
    partial[out + v] = sum_g[v];
    partial[params.n * params.parts * params.c + out + v] = sum_gh[v] * stats[params.n * params.c + run.at + v];
  }
}

// Workgroups: `ceil(c / WG)`, or `c` where WIDE
@compute @workgroup_size(WG)
fn bn_grad(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let own = share_of(wid, nwg, local, params.c);
  let i = own.at;
  let runs = turns(own, params.parts);
  var weight = A(params.share);
  if (AFFINE) { weight = weight * gamma[i]; }
  var all_g = A(0.0);
  var all_gh = A(0.0);
  for (var samples = params.n; samples > 0u; samples--) {
    let sample = params.n - samples;
    let first = sample * params.parts * params.c + i;
    let second = params.n * params.parts * params.c + first;
    var part_g = A(0.0);
    var part_gh = A(0.0);
    for (var left = runs; left > 0u; left--) {
      let p = own.lane + (runs - left) * own.lanes;
      part_g += partial_in[first + p * params.c];
      part_gh += partial_in[second + p * params.c];
    }
    let sum_g = total(part_g, own.lane);
    let sum_gh = total(part_gh, own.lane);
    if (own.inside && own.lane == 0u) {
      coef_out[sample * params.c + i] = weight * sum_g;
      coef_out[(params.n + sample) * params.c + i] = weight * sum_gh;
    }
    all_g += sum_g;
    all_gh += sum_gh;
  }
  if (!own.inside || own.lane > 0u) { return; }
  dgamma[i] = all_gh;
  dbeta[i] = all_g;
}

// dx = rstd (g gamma - c1 - h c2) = g * slope - (x - mean) * pull - rest, constants of a channel read once
struct Slopes { mean: Channels, slope: Channels, pull: Channels, rest: Channels }

fn slopes(run: Run) -> Slopes {
  var s: Slopes;
  for (var v = 0u; v < PER; v++) {
    let rstd = stats[params.n * params.c + run.at + v];
    s.mean[v] = stats[run.at + v];
    s.slope[v] = rstd;
    if (AFFINE) { s.slope[v] = rstd * gamma[run.channel + v]; }
    if (!FIXED) {
      s.pull[v] = rstd * rstd * coef[params.n * params.c + run.at + v];
      s.rest[v] = rstd * coef[run.at + v];
    }
  }
  return s;
}

fn slope_of(g: A, i: u32, v: u32, s: Slopes) -> A {
  if (FIXED) { return g * s.slope[v]; }
  return g * s.slope[v] - (A(x[i + v]) - s.mean[v]) * s.pull[v] - s.rest[v];
}

// Workgroups: `ceil(n * parts * c / (PER * WG))`
@compute @workgroup_size(WG)
fn bn_dx(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let run = run_of((wid.x + wid.y * nwg.x) * WG + local);
  if (!run.inside) { return; }
  let s = slopes(run);
  var i = run.first;
  for (var left = run.rows; left > 0u; left--) {
    for (var v = 0u; v < PER; v++) { dx[i + v] = V(slope_of(open_dy(i + v), i, v, s)); }
    i += params.c;
  }
}

// Workgroups: `ceil(n * parts * c / (PER * WG))`
@compute @workgroup_size(WG)
fn bn_dx_add(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let run = run_of((wid.x + wid.y * nwg.x) * WG + local);
  if (!run.inside) { return; }
  let s = slopes(run);
  var i = run.first;
  for (var left = run.rows; left > 0u; left--) {
    for (var v = 0u; v < PER; v++) {
      let g = open_dy(i + v);
      dx[i + v] = V(slope_of(g, i, v, s));
      dz[i + v] = V(g);
    }
    i += params.c;
  }
}
