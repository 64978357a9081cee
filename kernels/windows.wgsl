// SPDX-License-Identifier: MIT
// Overlapping windows of x [N, H, W, C] as y [N, Y, X, KH, KW, C] (unfold) and their sum back in place (fold); each is the
// other's adjoint. Window (Y, X) starts at row Y sh - ph, column X sw - pw; what lies outside of the map is 0.
// fold is in gather form: an element of x visits the windows that hold it, in ascending order.
// One lane an element, or four channels where C % 4 = 0.

alias V = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 vec4<f32> vec4<f32>

override WG: u32 = 64u;
override SH: u32 = 1u; // stride along y: known to the compiler, for fold divides by it
override SW: u32 = 1u; // along x

struct Params {
  n: u32, c: u32,         // elements written; channels (both in V)
  h: u32, w: u32,         // map: height; width
  yn: u32, xn: u32,       // windows along y; along x
  kh: u32, kw: u32,       // window: height; width
  ph: u32, pw: u32,       // rows above the map in the first window; columns left of it
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;             // unfold: [N, H, W, C]
@group(0) @binding(1) var<storage, read> windows: array<V>;       // fold: [N, Y, X, KH, KW, C]
@group(0) @binding(2) var<storage, read_write> y: array<V>;       // unfold: [N, Y, X, KH, KW, C]
@group(0) @binding(2) var<storage, read_write> folded: array<V>;  // fold: [N, H, W, C]

@compute @workgroup_size(WG)
fn unfold(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let tap = i / params.c;
  let row = tap / params.kw;
  let cell = row / params.kh;
  let line = cell / params.xn;
  // Below 0 these wrap around and fail the comparison.
  let h = (line % params.yn) * SH + row % params.kh - params.ph;
  let w = (cell % params.xn) * SW + tap % params.kw - params.pw;
  var v = V();
  if (h < params.h && w < params.w) { v = x[(((line / params.yn) * params.h + h) * params.w + w) * params.c + i % params.c]; }
  y[i] = v;
}

// Windows of an axis that hold element i: from .x to .y - 1.
fn holders(i: u32, size: u32, stride: u32, before: u32, count: u32) -> vec2<u32> {
  let at = i + before;
  let low = select(0u, (at - size) / stride + 1u, at >= size);
  return vec2(low, min(count, at / stride + 1u));
}

@compute @workgroup_size(WG)
fn fold(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let pixel = i / params.c;
  let row = pixel / params.w;
  let h = row % params.h;
  let w = pixel % params.w;
  let ry = holders(h, params.kh, SH, params.ph, params.yn);
  let rx = holders(w, params.kw, SW, params.pw, params.xn);
  var sum = A();
  for (var a = ry.x; a < ry.y; a++) {
    for (var left = max(rx.x, rx.y) - rx.x; left > 0u; left--) {
      let b = rx.y - left;
      let cell = ((row / params.h) * params.yn + a) * params.xn + b;
      let tap = (cell * params.kh + (h + params.ph - a * SH)) * params.kw + (w + params.pw - b * SW);
      sum += A(windows[tap * params.c + i % params.c]);
    }
  }
  folded[i] = V(sum);
}
