// SPDX-License-Identifier: MIT
// Weight gradient of a convolution as an implicit GEMM: rows = channels of the small grid (dy), columns = taps x channels of
// the large grid (x), reduction = pixels of the small grid, in = out stride - pad + k dil. For a transposed convolution the
// same with dy and x exchanged. Steps of 8 pixels run along x, over several rows where one is short (`join`), or along n where
// that fills them better (`inner_n`).
// The remaining axes form the outer index; a workgroup takes a range of it (`chunk`), stores its sum, and split_sum.wgsl adds
// the sums of the ranges in order. Tiles as in lib/tile.wgsl: lanes share 8 pixels of dy, and hold 8 pixels of x a column.
enable subgroups;
// @import "lib/tile.wgsl"

alias T = f32; // @spec f32 f16
const JOIN = 0u; // @spec 0u 1u

// @import "lib/conv_dweight.wgsl"
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;    // [N, XD, XH, XW, XC]
@group(0) @binding(2) var<storage, read> dy: array<T>;   // [N, YD, YH, YW, YC]
@group(0) @binding(3) var<storage, read_write> partial: array<f32>; // [splits, YC, KD, KH, KW, gi]

@compute @workgroup_size(WG)
fn conv_dweight(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) nwg: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) sid: u32,
) {
  let tile = wid.x + wid.y * nwg.x;
  if (tile >= params.tiles) { return; }
  let width = params.kd * params.kh * params.kw * params.gi;
  let across = (width + TN * WG - 1u) / (TN * WG);
  let down = (params.go + TM - 1u) / TM;
  let groups = params.yc / params.go;
  var rest = tile / across;
  let m0 = (rest % down) * TM;
  rest = rest / down;
  let split = rest % params.splits;
  let group = rest / params.splits;

  // Columns: tap and channel of each, as offsets of position and of element.
  let n0 = (tile % across) * (TN * WG) + lane;
  var reach: array<vec3<i32>, TN>;
  var shift: array<i32, TN>;
  for (var c = 0u; c < TN; c++) {
    let col = min(n0 + c * WG, width - 1u);
    let tap = col / params.gi;
    let at = vec3<i32>(
      i32(tap / (params.kw * params.kh)) * params.dil_z - params.pad_z,
      i32((tap / params.kw) % params.kh) * params.dil_y - params.pad_y,
      i32(tap % params.kw) * params.dil_x - params.pad_x);
    reach[c] = at;
    shift[c] = ((at.x * params.xh + at.y) * params.xw + at.z) * params.xc + i32(group * params.gi + col % params.gi);
  }
  var rows: array<u32, TM>;
  for (var r = 0u; r < TM; r++) { rows[r] = group * params.go + min(m0 + r, params.go - 1u); }

  let flip = params.inner_n == 1u;
  let size1 = select(params.yd, params.yh, flip);
  let size2 = select(params.yh / params.join, params.yw, flip);
  let inner = select(params.join * params.yw, params.n, flip);
  let dy_step = select(1u, params.yd * params.yh * params.yw, flip) * params.yc;
  let x_step = select(params.stride_x, params.xd * params.xh * params.xw, flip) * params.xc;
  let hop = select(params.stride_x, 0, flip);
  let first = split * params.chunk;
  let last = min(first + params.chunk, params.n * params.yd * params.yh * params.yw / inner);
  var o2 = first % size2;
  rest = first / size2;
  var o1 = rest % size1;
  var o0 = rest / size1;

  var acc: Tile;
  for (var o = first; o < last; o++) {
    let oz = select(o1, o0, flip);
    let oy = select(o2 * params.join, o1, flip);
    let ox = select(0u, o2, flip);
    let on = select(o0, 0u, flip);
    let z = i32(oz) * params.stride_z;
    let yy = i32(oy) * params.stride_y;
    let dy0 = (((on * params.yd + oz) * params.yh + oy) * params.yw + ox) * params.yc;
    let x0 = (((i32(on) * params.xd + z) * params.xh + yy) * params.xw + i32(ox) * params.stride_x) * params.xc;
    var row = 0u; // of the joined ones, and the column in it: where the next step starts
    var column = 0u;
    for (var i = 0u; i < inner; i += 8u) {
      let left = inner - i;
      let xx = i32(ox) * params.stride_x + i32(i) * hop;
      // The step's pixels from o's first: rows and columns of x, and elements.
      var down: array<i32, 8>;
      var along: array<i32, 8>;
      var offset: array<i32, 8>;
      if (JOIN == 1u) {
        for (var p = 0u; p < 8u; p++) {
          down[p] = i32(row) * params.stride_y;
          along[p] = i32(column) * params.stride_x;
          offset[p] = (down[p] * params.xw + along[p]) * params.xc;
          column++;
          if (column == params.yw) { column = 0u; row++; }
        }
      }
      var b: Columns;
      for (var c = 0u; c < TN; c++) {
        let at = reach[c] + vec3<i32>(z, yy, xx);
        let inside = u32(at.x) < u32(params.xd) && (JOIN == 1u || u32(at.y) < u32(params.xh));
        let q = x0 + i32(i) * x_step + shift[c];
        for (var h = 0u; h < 2u; h++) {
          for (var j = 0u; j < 4u; j++) {
            let p = h * 4u + j;
            if (JOIN == 1u) {
              let ok = inside && p < left && u32(at.y + down[p]) < u32(params.xh) && u32(reach[c].z + along[p]) < u32(params.xw);
              b[c][h][j] = select(0.0, f32(x[select(0, x0 + shift[c] + offset[p], ok)]), ok);
            } else {
              let ok = inside && p < left && u32(at.z + i32(p) * hop) < u32(params.xw);
              b[c][h][j] = select(0.0, f32(x[select(0, q + i32(p) * x_step, ok)]), ok);
            }
          }
        }
      }
      let k = sid & (SG - 1u);
      for (var r = 0u; r < TM; r++) {
        let q = dy0 + (i + k) * dy_step + rows[r];
        let s = select(0.0, f32(dy[select(0u, q, k < left)]), k < left);
        var t = 0.0;
        if (SG == 4u) { t = select(0.0, f32(dy[select(0u, q + 4u * dy_step, k + 4u < left)]), k + 4u < left); }
        let low = spread_low(s);
        let high = spread_high(s, t);
        for (var c = 0u; c < TN; c++) { acc[r][c] += dot(low, b[c][0]) + dot(high, b[c][1]); }
      }
    }
    o2++;
    if (o2 == size2) { o2 = 0u; o1++; }
    if (o1 == size1) { o1 = 0u; o0++; }
  }

  for (var c = 0u; c < TN; c++) {
    let n = n0 + c * WG;
    for (var r = 0u; r < TM; r++) {
      if (n < width && m0 + r < params.go) { partial[(split * params.yc + group * params.go + m0 + r) * width + n] = acc[r][c]; }
    }
  }
}
