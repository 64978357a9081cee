// SPDX-License-Identifier: MIT
// Convolution as an implicit GEMM: rows = output pixels, columns = output channels, reduction = taps x input channels.
// One gather form serves a convolution, its input gradient and both of a transposed convolution. Along each axis
//   in = (out + pad - k dil) / up * down, where the division is exact (other taps do not reach that output pixel):
// a convolution has up = 1, pad and dil negated; its input gradient has down = 1 and up = the stride. Output pixels go by
// phase (out % up): within one, the taps that reach are k0, k0 + step, ..., so no work is spent on the others.
// Channels are contiguous, and so are taps along x where dil = -1: `run` taps form one reduction of run * gi elements, which
// keeps the tiles' steps of 8 full for few channels. Padding = lanes outside [lo, lo + len) of a row's run read as zero.
// Tiles as in lib/tile.wgsl. Relu on the way out, all else in a second pass over the tile.
enable subgroups;
// @import "lib/finish.wgsl"
// @import "lib/tile.wgsl"

alias T = f32; // @spec f32 f16
alias W = f32; // @spec f32 f16 vec4<f32> vec4<f16>
const WV = 1u; // @spec W: 1u 1u 4u 4u
override OTHER: bool = true; // act may ask for `other`; where its code stands unused, products take a quarter longer on Mesa 26

// @import "lib/conv.wgsl"
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;       // [N, XD, XH, XW, XC]
// by strides: column, reduction, group, taps; as vec4 w_k is 1 and the others are multiples of 4
@group(0) @binding(2) var<storage, read> w: array<W>;
@group(0) @binding(3) var<storage, read> bias: array<T>;    // [YC]
@group(0) @binding(4) var<storage, read_write> y: array<T>; // [N, YD, YH, YW, YC]
@group(0) @binding(5) var<storage, read> other: array<T>;   // as y, where act asks for it; else any buffer

fn w_at(i: u32) -> f32 { return vec4<f32>(vec4(w[i])).x; }

@compute @workgroup_size(WG)
fn conv(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) sid: u32,
) {
  let tile = wid.x + wid.y * nwg.x;
  if (tile >= params.tiles) { return; }

  // Tile -> phase, group, first row, first column.
  let up = vec3<u32>(u32(params.up_z), u32(params.up_y), u32(params.up_x));
  let grid = (vec3<u32>(params.yd, params.yh, params.yw) + up - 1u) / up; // output pixels of a phase
  let across = (params.go + TN * WG - 1u) / (TN * WG);
  let groups = params.yc / params.go;
  let down = (params.n * grid.x * grid.y * grid.z + TM - 1u) / TM;
  var rest = tile / down; // rows first: weights stay in the cache
  let m0 = (tile % down) * TM;
  let column = (rest % across) * (TN * WG);
  rest = rest / across;
  let group = rest % groups;
  rest = rest / groups;
  let phase = vec3<u32>(rest / (up.y * up.z), (rest / up.z) % up.y, rest % up.z);
  let az = axis(i32(phase.x), params.kd, params.up_z, params.pad_z, params.dil_z, params.step_z);
  let ay = axis(i32(phase.y), params.kh, params.up_y, params.pad_y, params.dil_y, params.step_y);
  let ax = axis(i32(phase.z), params.kw, params.up_x, params.pad_x, params.dil_x, params.step_x);

  // Rows: where each one's window starts, and its output pixel. The first by division, the others by carrying.
  var out: array<u32, TM>;
  var base: array<i32, TM>;
  var origin: array<vec3<i32>, TM>;
  var qx = m0 % grid.z;
  rest = m0 / grid.z;
  var qy = rest % grid.y;
  rest = rest / grid.y;
  var qz = rest % grid.x;
  var qn = rest / grid.x;
  for (var r = 0u; r < TM; r++) {
    let at = vec3<u32>(qz, qy, qx) * up + phase;
    let inside = qn < params.n && at.x < params.yd && at.y < params.yh && at.z < params.yw;
    out[r] = select(0xffffffffu, ((qn * params.yd + at.x) * params.yh + at.y) * params.yw + at.z, inside);
    let o = vec3<i32>(i32(qz) * params.down_z + az.offset, i32(qy) * params.down_y + ay.offset, i32(qx) * params.down_x + ax.offset);
    origin[r] = vec3(select(0x3fffffff, o.x, inside), o.y, o.z); // a row outside sees padding only
    base[r] = (((i32(qn) * params.xd + o.x) * params.xh + o.y) * params.xw + o.z) * params.xc + i32(group * params.gi);
    qx++;
    if (qx == grid.z) { qx = 0u; qy++; }
    if (qy == grid.y) { qy = 0u; qz++; }
    if (qz == grid.x) { qz = 0u; qn++; }
  }
  let n0 = column + lane;
  var cols: array<u32, TN>;
  for (var c = 0u; c < TN; c++) { cols[c] = group * params.w_group + min(n0 + c * WG, params.go - 1u) * params.w_col; }

  var acc: Tile;
  let length = u32(params.run) * params.gi;
  let taps_x = (ax.count + params.run - 1) / params.run;
  var tz = 0;
  var ty = 0;
  var tx = 0;
  for (var left = az.count * ay.count * taps_x; left > 0; left--) {
    let hop = vec3<i32>(tz * az.step, ty * ay.step, tx * ax.step);
    let skip = ((hop.x * params.xh + hop.y) * params.xw + hop.z) * params.xc;
    let w0 = u32(az.k0 + tz * params.step_z) * params.w_z + u32(ay.k0 + ty * params.step_y) * params.w_y
      + u32(ax.k0 + tx * params.step_x) * params.w_x;
    var lo: array<u32, TM>;
    var len: array<u32, TM>;
    for (var r = 0u; r < TM; r++) {
      let at = origin[r] + hop;
      let inside = u32(at.x) < u32(params.xd) && u32(at.y) < u32(params.xh);
      let first = max(0, -at.z);
      let last = min(params.run, params.xw - at.z);
      lo[r] = u32(first) * params.gi;
      len[r] = select(0u, u32(max(0, last - first)) * params.gi, inside);
    }
    var j = 0u;
    for (var steps = (length + 7u) / 8u; steps > 0u; steps--) {
      var b: Columns;
      let j0 = w0 + j * params.w_k;
      let end = length - 1u - j;
      for (var c = 0u; c < TN; c++) {
        let q = cols[c] + j0;
        let s = params.w_k;
        if (WV == 4u) {
          b[c][0] = vec4<f32>(vec4(w[q / 4u]));
          b[c][1] = vec4<f32>(vec4(w[q / 4u + min(1u, end / 4u)]));
        } else {
          b[c][0] = vec4(w_at(q), w_at(q + min(1u, end) * s), w_at(q + min(2u, end) * s), w_at(q + min(3u, end) * s));
          b[c][1] = vec4(w_at(q + min(4u, end) * s), w_at(q + min(5u, end) * s), w_at(q + min(6u, end) * s), w_at(q + min(7u, end) * s));
        }
      }
      let k = j + (sid & (SG - 1u));
      for (var r = 0u; r < TM; r++) {
        let start = base[r] + skip + i32(k);
        let inside = k - lo[r] < len[r];
        let s = select(0.0, f32(x[select(0, start, inside)]), inside);
        var t = 0.0;
        if (SG == 4u) {
          let inside4 = k + 4u - lo[r] < len[r];
          t = select(0.0, f32(x[select(0, start + 4, inside4)]), inside4);
        }
        let low = spread_low(s);
        let high = spread_high(s, t);
        for (var c = 0u; c < TN; c++) { acc[r][c] += dot(low, b[c][0]) + dot(high, b[c][1]); }
      }
      j += 8u;
    }
    tx++; // by carrying: division is dear on a processor
    if (tx == taps_x) { tx = 0; ty++; }
    if (ty == ay.count) { ty = 0; tz++; }
  }

  for (var c = 0u; c < TN; c++) {
    let n = n0 + c * WG;
    if (n < params.go) {
      let channel = group * params.go + n;
      var add = 0.0;
      if (params.has_bias == 1u) { add = f32(bias[channel]); }
      for (var r = 0u; r < TM; r++) {
        let v = acc[r][c] + add;
        if (out[r] != 0xffffffffu) { y[out[r] * params.yc + channel] = T(select(v, 0.0, params.act == 1u && v < 0.0)); }
      }
    }
  }
  if (params.act < 2u) { return; }
  for (var r = 0u; r < TM; r++) {
    for (var n = n0; n < min(params.go, n0 + TN * WG); n += WG) {
      if (out[r] != 0xffffffffu) {
        let q = out[r] * params.yc + group * params.go + n;
        if (OTHER) { y[q] = T(finish(f32(y[q]), q)); } else { y[q] = T(activate(f32(y[q]), params.act)); }
      }
    }
  }
}
