// SPDX-License-Identifier: MIT
// Resize of x [N, D, H, W, C] (2D: D = 1) to [N, OD, OH, OW, C], nearest or (bi-, tri-)linear, and the adjoint along an axis or two.
// Along each axis output o looks at position o scale + shift of the input, clamped to the border: half-pixel centres have
// scale = L / O and shift = (scale - 1) / 2, aligned corners scale = (L - 1) / (O - 1) and shift = 0.
// `resize_dx`, [outer, OH, OW, inner] to [outer, H, W, inner] along W, or along both: an input looks at every output whose position is
// within one element of it, in ascending order, and takes the weight from the very function that the forward pass uses. Other axes follow.
// One lane an element, or four channels where C % 4 = 0.

alias V = f32; // @spec f32 f16 vec4<f32> vec4<f16>
alias A = f32; // @spec V: f32 f32 vec4<f32> vec4<f32>

override WG: u32 = 64u;
override LINEAR: bool = true;
override VOLUME: bool = true;   // D takes part
override PLANE: bool = true;    // resize_dx: H takes part

struct Params {
  n: u32, c: u32,                           // elements written; channels (resize_dx: inner), both in V
  d: u32, h: u32, w: u32,                   // input: depth; height; width
  od: u32, oh: u32, ow: u32,                // output: depth; height; width
  scale_d: f32, scale_h: f32, scale_w: f32, // input elements an output element
  shift_d: f32, shift_h: f32, shift_w: f32, // position of output 0 in the input, from the centre of input 0
  rounding: u32,                            // nearest: 0 floor, 1 ceil, 2 half up, 3 half down
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;        // [N, D, H, W, C]
@group(0) @binding(1) var<storage, read> g: array<V>;        // [outer, OH, OW, inner]
@group(0) @binding(2) var<storage, read_write> y: array<V>;  // [N, OD, OH, OW, C]
@group(0) @binding(2) var<storage, read_write> dx: array<V>; // [outer, H, W, inner]

struct Tap { low: u32, high: u32, t: f32 } // (1 - t) x[low] + t x[high]

fn tap(o: u32, length: u32, scale: f32, shift: f32) -> Tap {
  let last = f32(length - 1u);
  var at = f32(o) * scale + shift;
  if (LINEAR) {
    at = clamp(at, 0.0, last);
    let low = u32(at);
    let t = at - f32(low);
    // One half and one half of the same, where the neighbour has no weight: 0 times an infinite one would be NaN.
    if (t == 0.0) { return Tap(low, low, 0.5); }
    return Tap(low, min(low + 1u, length - 1u), t);
  }
  // Positions that are a multiple of 1/2 but for rounding must round as that multiple.
  let snapped = floor(at * 2.0 + 0.5) * 0.5;
  if (abs(at - snapped) < 1e-4) { at = snapped; }
  var near = floor(at);
  if (params.rounding == 1u) { near = ceil(at); }
  if (params.rounding == 2u) { near = floor(at + 0.5); }
  if (params.rounding == 3u) { near = ceil(at - 0.5); }
  let i = u32(clamp(near, 0.0, last));
  return Tap(i, i, 0.0);
}

fn along_w(row: u32, tw: Tap, c: u32) -> A {
  let low = A(x[(row + tw.low) * params.c + c]);
  if (!LINEAR) { return low; }
  return low * (1.0 - tw.t) + A(x[(row + tw.high) * params.c + c]) * tw.t;
}
fn along_hw(plane: u32, th: Tap, tw: Tap, c: u32) -> A {
  let low = along_w((plane + th.low) * params.w, tw, c);
  if (!LINEAR) { return low; }
  return low * (1.0 - th.t) + along_w((plane + th.high) * params.w, tw, c) * th.t;
}

@compute @workgroup_size(WG)
fn resize(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let c = i % params.c;
  let pixel = i / params.c;
  let row = pixel / params.ow;
  let plane = row / params.oh;
  let th = tap(row % params.oh, params.h, params.scale_h, params.shift_h);
  let tw = tap(pixel % params.ow, params.w, params.scale_w, params.shift_w);
  if (!VOLUME) {
    y[i] = V(along_hw(plane * params.h, th, tw, c));
    return;
  }
  let td = tap(plane % params.od, params.d, params.scale_d, params.shift_d);
  let volume = plane / params.od * params.d;
  var v = along_hw((volume + td.low) * params.h, th, tw, c);
  if (LINEAR) { v = v * (1.0 - td.t) + along_hw((volume + td.high) * params.h, th, tw, c) * td.t; }
  y[i] = V(v);
}

// Outputs of an axis with a position in (k - 1, k + 1), one more on either side for rounding, from .x to .y - 1; the clamped ones belong to
// the ends.
fn lookers(k: u32, length: u32, outputs: u32, scale: f32, shift: f32) -> vec2<u32> {
  var inverse = f32(outputs);
  if (scale != 0.0) { inverse = 1.0 / scale; }
  let low = floor((f32(k) - 1.0 - shift) * inverse) - 1.0;
  let high = ceil((f32(k) + 1.0 - shift) * inverse) + 1.0;
  let last = f32(outputs - 1u);
  let first = select(u32(clamp(low, 0.0, last)), 0u, k == 0u);
  return vec2(first, select(u32(clamp(high, 0.0, last)), outputs - 1u, k == length - 1u) + 1u);
}
fn weight(o: u32, k: u32, length: u32, scale: f32, shift: f32) -> f32 {
  let t = tap(o, length, scale, shift);
  return select(0.0, 1.0 - t.t, t.low == k) + select(0.0, t.t, t.high == k);
}
// What a row of outputs gives to input k of its row.
fn row_sum(row: u32, outputs: vec2<u32>, k: u32, inner: u32) -> A {
  var sum = A();
  for (var left = outputs.y - outputs.x; left > 0u; left--) {
    let o = outputs.y - left;
    let share = weight(o, k, params.w, params.scale_w, params.shift_w);
    if (share != 0.0) { sum += A(g[(row * params.ow + o) * params.c + inner]) * share; }
  }
  return sum;
}

@compute @workgroup_size(WG)
fn resize_dx(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = (wid.x + wid.y * nwg.x) * WG + lane;
  if (i >= params.n) { return; }
  let inner = i % params.c;
  let pixel = i / params.c;
  let row = pixel / params.w;
  let k = pixel % params.w;
  let outputs = lookers(k, params.w, params.ow, params.scale_w, params.shift_w);
  if (!PLANE) {
    dx[i] = V(row_sum(row, outputs, k, inner));
    return;
  }
  let j = row % params.h;
  let rows = lookers(j, params.h, params.oh, params.scale_h, params.shift_h);
  var sum = A();
  for (var left = rows.y - rows.x; left > 0u; left--) {
    let o = rows.y - left;
    let share = weight(o, j, params.h, params.scale_h, params.shift_h);
    if (share != 0.0) { sum += row_sum(row / params.h * params.oh + o, outputs, k, inner) * share; }
  }
  dx[i] = V(sum);
}
