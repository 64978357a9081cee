// SPDX-License-Identifier: MIT
// Depthwise convolution: every channel has its own kernel, or `mult` kernels that make `mult` neighbouring channels.
// Lanes go across channels. `depthwise`: a lane computes PIXELS outputs that are neighbours along x within a phase, so that a
// tap's weight is loaded once for all. The same gather serves the convolution, its input gradient and both of a transposed
// convolution, with phases as in conv.wgsl. `depthwise_dweight`: a workgroup sums one tap over a range of pixels, and
// split_sum.wgsl adds the ranges in order.
// @import "lib/finish.wgsl"

alias T = f32; // @spec f32 f16
const PIXELS = 8u; // @spec 4u 8u
override WG: u32 = 8u;

struct Params {
  n: u32,                                           // batch
  xd: i32, xh: i32, xw: i32, xc: u32,               // x read: depth; height; width; channels
  yd: u32, yh: u32, yw: u32, yc: u32,               // y written: depth; height; width; channels
  kd: i32, kh: i32, kw: i32,                        // taps along each axis
  down_z: i32, down_y: i32, down_x: i32,            // stride of a convolution, 1 upwards
  up_z: i32, up_y: i32, up_x: i32,                  // 1, stride upwards
  pad_z: i32, pad_y: i32, pad_x: i32,               // MINUS the padding before, plus upwards
  dil_z: i32, dil_y: i32, dil_x: i32,               // MINUS the dilation, plus upwards
  step_z: i32, step_y: i32, step_x: i32,            // up / gcd(up, dil): taps from one that reaches an output to the next
  x_of: u32, reps: u32,                             // output channel c reads the channels (c * reps + m) / x_of, m < reps
  has_bias: u32,                                    // 1: add bias
  act: u32,                                         // 0 none, 1 relu, 2 gelu, 3 sigmoid, 4 silu; of other: 5 add, 6 gelu', 7 relu', 8 silu'
  tiles: u32,                                       // workgroups
  chunk: u32,                                       // depthwise_dweight: rows of pixels (n, z, y) a workgroup sums
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;       // [N, XD, XH, XW, XC]
@group(0) @binding(2) var<storage, read> w: array<T>;       // [max(XC, YC), KD, KH, KW]
@group(0) @binding(3) var<storage, read> bias: array<T>;    // [YC]
@group(0) @binding(4) var<storage, read_write> y: array<T>; // [N, YD, YH, YW, YC]
@group(0) @binding(5) var<storage, read> dy: array<T>;      // [N, YD, YH, YW, YC], small grid
@group(0) @binding(6) var<storage, read_write> partial: array<f32>; // [splits, YC, KD, KH, KW]
@group(0) @binding(7) var<storage, read> other: array<T>;   // as y, where act asks for it; else any buffer

struct Axis { k0: i32, count: i32, offset: i32, step: i32 }

fn axis(phase: i32, k: i32, up: i32, pad: i32, dil: i32, step: i32) -> Axis {
  var k0 = 0;
  while (k0 < step && (phase + pad - k0 * dil) % up != 0) { k0++; }
  let count = select(0, (k - k0 + step - 1) / step, k0 < step && k0 < k);
  return Axis(k0, count, (phase + pad - k0 * dil) / up, -dil * step / up);
}

@compute @workgroup_size(WG)
fn depthwise(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let tile = wid.x + wid.y * nwg.x;
  let across = (params.yc + WG - 1u) / WG;
  let c = (tile % across) * WG + lane;
  if (tile >= params.tiles || c >= params.yc) { return; }
  let up = vec3<u32>(u32(params.up_z), u32(params.up_y), u32(params.up_x));
  let grid = (vec3<u32>(params.yd, params.yh, params.yw) + up - 1u) / up;
  let runs = (grid.z + PIXELS - 1u) / PIXELS;
  var rest = tile / across;
  let q0 = (rest % runs) * PIXELS;
  rest = rest / runs;
  let qy = rest % grid.y;
  rest = rest / grid.y;
  let qz = rest % grid.x;
  rest = rest / grid.x;
  let n = rest % params.n;
  rest = rest / params.n;
  let phase = vec3<u32>(rest / (up.y * up.z), (rest / up.z) % up.y, rest % up.z);
  let az = axis(i32(phase.x), params.kd, params.up_z, params.pad_z, params.dil_z, params.step_z);
  let ay = axis(i32(phase.y), params.kh, params.up_y, params.pad_y, params.dil_y, params.step_y);
  let ax = axis(i32(phase.z), params.kw, params.up_x, params.pad_x, params.dil_x, params.step_x);
  let zy = vec2<u32>(qz * up.x + phase.x, qy * up.y + phase.y);
  if (zy.x >= params.yd || zy.y >= params.yh) { return; }

  var acc: array<f32, PIXELS>;
  for (var m = 0u; m < params.reps; m++) {
    let channel = (c * params.reps + m) / params.x_of;
    let kernel = i32(c * params.reps + m) * params.kd * params.kh * params.kw;
    for (var tz = 0; tz < az.count; tz++) {
      let iz = i32(qz) * params.down_z + az.offset + tz * az.step;
      if (iz < 0 || iz >= params.xd) { continue; }
      for (var ty = 0; ty < ay.count; ty++) {
        let iy = i32(qy) * params.down_y + ay.offset + ty * ay.step;
        if (iy < 0 || iy >= params.xh) { continue; }
        let row = ((i32(n) * params.xd + iz) * params.xh + iy) * params.xw;
        let taps = kernel + ((az.k0 + tz * params.step_z) * params.kh + ay.k0 + ty * params.step_y) * params.kw;
        for (var left = ax.count; left > 0; left--) {
          let tx = ax.count - left;
          let weight = f32(w[taps + ax.k0 + tx * params.step_x]);
          let first = i32(q0) * params.down_x + ax.offset + tx * ax.step;
          for (var p = 0u; p < PIXELS; p++) {
            let ix = first + i32(p) * params.down_x;
            let inside = ix >= 0 && ix < params.xw;
            acc[p] += weight * select(0.0, f32(x[u32(row + select(0, ix, inside)) * params.xc + channel]), inside);
          }
        }
      }
    }
  }
  var add = 0.0;
  if (params.has_bias == 1u) { add = f32(bias[c]); }
  let y0 = ((n * params.yd + zy.x) * params.yh + zy.y) * params.yw;
  for (var p = 0u; p < PIXELS; p++) {
    let ox = (q0 + p) * up.z + phase.z;
    let q = (y0 + ox) * params.yc + c;
    if (ox < params.yw) { y[q] = T(finish(acc[p] + add, q)); }
  }
}

@compute @workgroup_size(WG)
fn depthwise_dweight(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let lane = lid.x;
  let tile = wid.x + wid.y * nwg.x;
  let across = (params.yc + WG - 1u) / WG;
  let c = (tile % across) * WG + lane;
  if (tile >= params.tiles || c >= params.yc) { return; }
  let taps = u32(params.kd * params.kh * params.kw);
  let tap = (tile / across) % taps;
  let split = tile / across / taps;
  // The range of (n, z, y) rows that belongs to this workgroup; chunk counts rows.
  let rows = params.n * params.yd * params.yh;
  let reach = vec3<i32>(
    i32(tap) / (params.kw * params.kh) * -params.dil_z + params.pad_z,
    (i32(tap) / params.kw) % params.kh * -params.dil_y + params.pad_y,
    i32(tap) % params.kw * -params.dil_x + params.pad_x);
  let channel = c / params.x_of;
  // Outputs whose input lies inside along x: 0 <= ox * stride + reach < xw.
  let low = max(0, (-reach.z + params.down_x - 1) / params.down_x);
  let high = min(i32(params.yw), (params.xw - reach.z + params.down_x - 1) / params.down_x);
  var sum = 0.0;
  for (var row = split * params.chunk; row < min(rows, (split + 1u) * params.chunk); row++) {
    let oy = row % params.yh;
    let oz = (row / params.yh) % params.yd;
    let iz = i32(oz) * params.down_z + reach.x;
    let iy = i32(oy) * params.down_y + reach.y;
    if (iz < 0 || iz >= params.xd || iy < 0 || iy >= params.xh) { continue; }
    let x0 = ((i32(row / params.yh / params.yd) * params.xd + iz) * params.xh + iy) * params.xw + reach.z;
    for (var left = high - low; left > 0; left--) {
      let ox = high - left;
      sum += f32(dy[(row * params.yw + u32(ox)) * params.yc + c]) * f32(x[u32(x0 + ox * params.down_x) * params.xc + channel]);
    }
  }
  partial[(split * params.yc + c) * taps + tap] = sum;
}
