// SPDX-License-Identifier: MIT
// Depthwise convolution with stride 1 and neighbouring taps. A lane owns a channel of a strip PIXELS wide and walks down its rows: each row
// of the input is loaded once and brings every row of taps to an output row of its own, KY of which are under way. The input gradient is
// the same with the kernel turned round (`flip`) and pad = dil (k - 1) - pad. `depthwise_rows_dweight`: a lane walks all strips of a band
// of output rows, and split_sum.wgsl adds the bands in order. Relu on the way out, all else in a second pass over what a lane has just
// written. depthwise.wgsl does every other case.
// @import "lib/finish.wgsl"
alias T = f32; // @spec f32 f16
const KZ = 1u; // @spec 1u 3u
const KY = 3u; // @spec 1u 3u 5u 7u
const KX = 3u; // @spec 3u 5u 7u
const PIXELS = 8u; // @spec 4u 8u
const TAPS = KZ * KY * KX;
override WG: u32 = 8u;

struct Params {
  n: u32, c: u32,                     // batch; channels
  xd: i32, xh: i32, xw: i32,          // x read: depth; height; width
  yd: u32, yh: u32, yw: u32,          // y written: depth; height; width
  pad_z: i32, pad_y: i32, pad_x: i32, // padding before, plus; input gradient: dil (k - 1) - padding
  dil_z: i32,                         // dilation along z, plus; along y and x it is 1
  flip: u32,                          // 1: taps last to first
  has_bias: u32,                      // 1: add bias
  act: u32,                           // 0 none, 1 relu, 2 gelu, 3 sigmoid, 4 silu; of other: 5 add, 6 gelu', 7 relu', 8 silu'
  tiles: u32,                         // workgroups
  rows: u32,                          // output rows of a band
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;       // [N, XD, XH, XW, C]
@group(0) @binding(2) var<storage, read> w: array<T>;       // [C, KZ, KY, KX]
@group(0) @binding(3) var<storage, read> bias: array<T>;    // [C]
@group(0) @binding(4) var<storage, read_write> y: array<T>; // [N, YD, YH, YW, C]
@group(0) @binding(5) var<storage, read> dy: array<T>;      // [N, YD, YH, YW, C]
@group(0) @binding(6) var<storage, read_write> partial: array<f32>; // [bands, C, KZ, KY, KX]
@group(0) @binding(7) var<storage, read> other: array<T>;   // as y, where act asks for it; else any buffer

alias Run = array<f32, PIXELS + KX - 1u>;
alias Strip = array<f32, PIXELS>;

// A lane's channel and band: output rows [y0, y1) of plane (n, z). `rest` is what remains of the workgroup's number.
struct Band { c: u32, n: u32, z: u32, y0: u32, y1: u32, rest: u32, inside: bool }

fn band_of(tile: u32, lane: u32, strips: u32) -> Band {
  let across = (params.c + WG - 1u) / WG;
  let c = (tile % across) * WG + lane;
  let rest = tile / across;
  let bands = (params.yh + params.rows - 1u) / params.rows;
  let plane = rest / strips / bands;
  let y0 = (rest / strips) % bands * params.rows;
  return Band(
    c, plane / params.yd, plane % params.yd, y0, min(y0 + params.rows, params.yh), rest % strips,
    tile < params.tiles && c < params.c);
}

// The inputs of PIXELS outputs from q0 on, in row `iy` of plane `iz`; outside the image zero.
fn load_run(n: u32, iz: i32, iy: i32, q0: u32, c: u32) -> Run {
  var v: Run;
  if (iz < 0 || iz >= params.xd || iy < 0 || iy >= params.xh) { return v; }
  let row = ((i32(n) * params.xd + iz) * params.xh + iy) * params.xw;
  for (var i = 0u; i < PIXELS + KX - 1u; i++) {
    let ix = i32(q0 + i) - params.pad_x;
    let inside = ix >= 0 && ix < params.xw;
    v[i] = select(0.0, f32(x[u32(row + select(0, ix, inside)) * params.c + c]), inside);
  }
  return v;
}

// Workgroups: `tiles` = `n * yd * ceil(yh / rows) * ceil(yw / PIXELS) * ceil(c / WG)`
@compute @workgroup_size(WG)
fn depthwise_rows(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let strips = (params.yw + PIXELS - 1u) / PIXELS;
  let band = band_of(wid.x + wid.y * nwg.x, lid.x, strips);
  if (!band.inside) { return; }
  let q0 = band.rest * PIXELS;
  var weight: array<f32, TAPS>;
  for (var t = 0u; t < TAPS; t++) { weight[t] = f32(w[band.c * TAPS + select(t, TAPS - 1u - t, params.flip == 1u)]); }
  var add = 0.0;
  if (params.has_bias == 1u) { add = f32(bias[band.c]); }

  var acc: array<Strip, KY>; // acc[k]: the output row that gets tap row k from the current row
  let end = band.y1 + KY - 1u;
  for (var left = end - band.y0; left > 0u; left--) {
    let row = end - left; // of the input, + pad_y
    for (var kz = 0u; kz < KZ; kz++) {
      let v = load_run(band.n, i32(band.z) - params.pad_z + i32(kz) * params.dil_z, i32(row) - params.pad_y, q0, band.c);
      for (var ky = 0u; ky < KY; ky++) {
        for (var t = 0u; t < KX; t++) {
          for (var p = 0u; p < PIXELS; p++) { acc[ky][p] += weight[(kz * KY + ky) * KX + t] * v[p + t]; }
        }
      }
    }
    if (row >= band.y0 + KY - 1u) {
      let first = (((band.n * params.yd + band.z) * params.yh + row + 1u - KY) * params.yw + q0) * params.c + band.c;
      for (var p = 0u; p < PIXELS; p++) {
        let value = acc[KY - 1u][p] + add;
        if (q0 + p < params.yw) { y[first + p * params.c] = T(select(value, 0.0, params.act == 1u && value < 0.0)); }
      }
      if (params.act > 1u) {
        for (var rest = min(PIXELS, params.yw - q0); rest > 0u; rest--) {
          let q = first + (rest - 1u) * params.c;
          y[q] = T(finish(f32(y[q]), q));
        }
      }
    }
    for (var k = KY - 1u; k > 0u; k--) { acc[k] = acc[k - 1u]; }
    acc[0] = Strip();
  }
}

// Workgroups: `tiles` = `n * yd * ceil(yh / rows) * ceil(c / WG)`
@compute @workgroup_size(WG)
fn depthwise_rows_dweight(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_id) lid: vec3<u32>,
) {
  let tile = wid.x + wid.y * nwg.x;
  let band = band_of(tile, lid.x, 1u);
  if (!band.inside) { return; }
  var sum: array<f32, TAPS>;
  let end = band.y1 + KY - 1u;
  let strips = (params.yw + PIXELS - 1u) / PIXELS;
  for (var strip = strips; strip > 0u; strip--) {
    let q0 = (strip - 1u) * PIXELS;
    var g: array<Strip, KY>; // g[k]: dy of the output row that took tap row k from the current row
    for (var left = end - band.y0; left > 0u; left--) {
      let row = end - left;
      for (var k = KY - 1u; k > 0u; k--) { g[k] = g[k - 1u]; }
      g[0] = Strip();
      if (row < band.y1) {
        let first = (((band.n * params.yd + band.z) * params.yh + row) * params.yw + q0) * params.c + band.c;
        for (var p = 0u; p < PIXELS; p++) {
          let inside = q0 + p < params.yw;
          g[0][p] = select(0.0, f32(dy[select(0u, first + p * params.c, inside)]), inside);
        }
      }
      for (var kz = 0u; kz < KZ; kz++) {
        let v = load_run(band.n, i32(band.z) - params.pad_z + i32(kz) * params.dil_z, i32(row) - params.pad_y, q0, band.c);
        for (var ky = 0u; ky < KY; ky++) {
          for (var t = 0u; t < KX; t++) {
            for (var p = 0u; p < PIXELS; p++) { sum[(kz * KY + ky) * KX + t] += g[ky][p] * v[p + t]; }
          }
        }
      }
    }
  }
  let across = (params.c + WG - 1u) / WG;
  let out = (tile / across * params.c + band.c) * TAPS;
  for (var t = 0u; t < TAPS; t++) { partial[out + t] = sum[t]; }
}
