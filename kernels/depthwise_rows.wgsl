// SPDX-License-Identifier: MIT
// Depthwise convolution with stride 1 and taps that are neighbours along x, four channels a lane: a lane loads a run of the
// input row once and uses every element for all KX taps. The input gradient is the same with the kernel turned round (`flip`)
// and pad = dil (k - 1) - pad. `depthwise_rows_dweight`: a workgroup sums one row of taps over a range of output rows, and
// split_sum.wgsl adds the ranges in order. depthwise.wgsl does every other case.
alias T = f32; // @spec f32 f16
alias T4 = vec4<f32>; // @spec T: vec4<f32> vec4<f16>
const KX = 3u; // @spec 3u 5u 7u
const PIXELS = 8u; // @spec 4u 8u 16u
override WG: u32 = 8u;

struct Params {
  n: u32, c4: u32, // channels / 4
  xd: i32, xh: i32, xw: i32,
  yd: u32, yh: u32, yw: u32,
  kd: u32, kh: u32,
  pad_z: i32, pad_y: i32, pad_x: i32,
  dil_z: i32, dil_y: i32,
  flip: u32,     // 1: taps last to first
  has_bias: u32,
  act: u32,      // 0 none, 1 relu
  tiles: u32,    // workgroups
  chunk: u32,    // depthwise_rows_dweight: output rows of a range
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T4>;       // [N, XD, XH, XW, C]
@group(0) @binding(2) var<storage, read> w: array<T>;        // [C, KD, KH, KX]
@group(0) @binding(3) var<storage, read> bias: array<T4>;    // [C]
@group(0) @binding(4) var<storage, read_write> y: array<T4>; // [N, YD, YH, YW, C]
@group(0) @binding(5) var<storage, read> dy: array<T4>;      // [N, YD, YH, YW, C]
@group(0) @binding(6) var<storage, read_write> partial: array<f32>; // [splits, C, KD, KH, KX]

alias Run = array<vec4<f32>, PIXELS + KX - 1u>;

// The inputs of PIXELS outputs from q0 on; outside the row zero. `row` is the index of the row's first pixel.
fn load_run(row: i32, q0: u32, c: u32) -> Run {
  var v: Run;
  for (var i = 0u; i < PIXELS + KX - 1u; i++) {
    let ix = i32(q0 + i) - params.pad_x;
    let inside = ix >= 0 && ix < params.xw;
    v[i] = select(vec4(0.0), vec4<f32>(x[u32(row + select(0, ix, inside)) * params.c4 + c]), inside);
  }
  return v;
}

@compute @workgroup_size(WG)
fn depthwise_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let tile = wid.x + wid.y * nwg.x;
  let across = (params.c4 + WG - 1u) / WG;
  let c = (tile % across) * WG + lane;
  if (tile >= params.tiles || c >= params.c4) { return; }
  let runs = (params.yw + PIXELS - 1u) / PIXELS;
  var rest = tile / across;
  let q0 = (rest % runs) * PIXELS;
  let row = rest / runs; // (n, z, y)
  let oy = row % params.yh;
  rest = row / params.yh;
  let oz = rest % params.yd;
  let n = rest / params.yd;
  let taps = params.kd * params.kh * KX;
  var acc: array<vec4<f32>, PIXELS>;
  for (var kz = 0u; kz < params.kd; kz++) {
    let iz = i32(oz) - params.pad_z + i32(kz) * params.dil_z;
    if (iz < 0 || iz >= params.xd) { continue; }
    for (var ky = 0u; ky < params.kh; ky++) {
      let iy = i32(oy) - params.pad_y + i32(ky) * params.dil_y;
      if (iy < 0 || iy >= params.xh) { continue; }
      let v = load_run(((i32(n) * params.xd + iz) * params.xh + iy) * params.xw, q0, c);
      for (var t = 0u; t < KX; t++) {
        let tap = (kz * params.kh + ky) * KX + t;
        let q = c * 4u * taps + select(tap, taps - 1u - tap, params.flip == 1u);
        let weight = vec4(f32(w[q]), f32(w[q + taps]), f32(w[q + 2u * taps]), f32(w[q + 3u * taps]));
        for (var p = 0u; p < PIXELS; p++) { acc[p] += weight * v[p + t]; }
      }
    }
  }
  var add = vec4(0.0);
  if (params.has_bias == 1u) { add = vec4<f32>(bias[c]); }
  for (var p = 0u; p < PIXELS; p++) {
    let value = acc[p] + add;
    if (q0 + p < params.yw) { y[(row * params.yw + q0 + p) * params.c4 + c] = T4(select(value, vec4(0.0), vec4(params.act == 1u) & (value < vec4(0.0)))); }
  }
}

@compute @workgroup_size(WG)
fn depthwise_rows_dweight(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let tile = wid.x + wid.y * nwg.x;
  let across = (params.c4 + WG - 1u) / WG;
  let c = (tile % across) * WG + lane;
  if (tile >= params.tiles || c >= params.c4) { return; }
  let lines = params.kd * params.kh; // rows of taps
  let line = (tile / across) % lines;
  let split = tile / across / lines;
  let reach = vec2<i32>(i32(line / params.kh) * params.dil_z - params.pad_z, i32(line % params.kh) * params.dil_y - params.pad_y);
  var acc: array<vec4<f32>, KX>;
  for (var row = split * params.chunk; row < min(params.n * params.yd * params.yh, (split + 1u) * params.chunk); row++) {
    let at = vec2<i32>(i32((row / params.yh) % params.yd), i32(row % params.yh)) + reach;
    if (at.x < 0 || at.x >= params.xd || at.y < 0 || at.y >= params.xh) { continue; }
    let first = ((i32(row / params.yh / params.yd) * params.xd + at.x) * params.xh + at.y) * params.xw;
    for (var q0 = 0u; q0 < params.yw; q0 += PIXELS) {
      let v = load_run(first, q0, c);
      for (var p = 0u; p < PIXELS; p++) {
        let inside = q0 + p < params.yw;
        let g = select(vec4(0.0), vec4<f32>(dy[(row * params.yw + select(0u, q0 + p, inside)) * params.c4 + c]), inside);
        for (var t = 0u; t < KX; t++) { acc[t] += g * v[p + t]; }
      }
    }
  }
  let taps = lines * KX;
  let q = (split * params.c4 + c) * 4u * taps + line * KX;
  for (var t = 0u; t < KX; t++) {
    partial[q + t] = acc[t].x;
    partial[q + taps + t] = acc[t].y;
    partial[q + 2u * taps + t] = acc[t].z;
    partial[q + 3u * taps + t] = acc[t].w;
  }
}
