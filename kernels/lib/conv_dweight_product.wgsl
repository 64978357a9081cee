// The weight gradient of conv_dweight.wgsl in the terms of lib/product.wgsl. The reduction runs over all pixels of the small grid,
// flat, without regard to rows: `chunk` counts pixels, and `inner_n` and `join` are not read. Channels are neighbours in memory, pixels are
// not.
// @import "lib/conv_dweight.wgsl"
alias T = f32; // @spec f32 f16

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>;    // [N, XD, XH, XW, XC]
@group(0) @binding(2) var<storage, read> dy: array<T>;   // [N, YD, YH, YW, YC]
@group(0) @binding(3) var<storage, read_write> partial: array<f32>; // [splits, YC, KD, KH, KW, gi]

struct Place { m0: u32, n0: u32, steps: u32, group: u32, first: u32, last: u32, out: u32 }
struct Row { at: u32 }                          // a channel of dy
struct Col { reach: vec3<i32>, channel: i32 }   // a tap, and a channel of x
struct Step { pixel: u32, last: u32 }

fn width() -> u32 { return params.kd * params.kh * params.kw * params.gi; }

fn place(tile: u32) -> Place {
  let across = (width() + BN - 1u) / BN;
  let down = (params.go + BM - 1u) / BM;
  let outer = tile / (across * down);
  let split = outer % params.splits;
  let group = outer / params.splits;
  let first = split * params.chunk;
  let last = min(first + params.chunk, params.n * params.yd * params.yh * params.yw);
  return Place(((tile / across) % down) * BM, (tile % across) * BN, (max(first, last) - first + BK - 1u) / BK, group, first, last,
    (split * params.yc + group * params.go) * width());
}

fn left_along() -> bool { return false; }
fn right_along() -> bool { return false; }
fn left_row(p: Place, i: u32) -> Row { return Row(p.group * params.go + min(i, params.go - 1u)); }
fn right_col(p: Place, j: u32) -> Col {
  let col = min(j, width() - 1u);
  let tap = col / params.gi;
  let k = vec3<i32>(vec3<u32>(tap / (params.kw * params.kh), (tap / params.kw) % params.kh, tap % params.kw));
  return Col(
    k * vec3<i32>(params.dil_z, params.dil_y, params.dil_x) - vec3<i32>(params.pad_z, params.pad_y, params.pad_x),
    i32(p.group * params.gi + col % params.gi));
}
fn step(p: Place, s: u32) -> Step { return Step(p.first + s * BK, p.last); }

fn dy_at(row: Row, pixel: u32, last: u32) -> S {
  let ok = pixel < last;
  return select(S(), S(dy[select(0u, pixel * params.yc + row.at, ok)]), ok);
}
fn left(row: Row, step: Step, k: u32) -> vec4<S> {
  let p = step.pixel + k;
  return vec4<S>(dy_at(row, p, step.last), dy_at(row, p + 1u, step.last), dy_at(row, p + 2u, step.last), dy_at(row, p + 3u, step.last));
}

// A pixel of the small grid: image and position, and the next one.
fn pixel(i: u32) -> vec4<u32> {
  let yx = i / params.yw;
  let zyx = yx / params.yh;
  return vec4<u32>(zyx / params.yd, zyx % params.yd, yx % params.yh, i % params.yw);
}
fn next(at: vec4<u32>) -> vec4<u32> {
  var q = at;
  q.w++;
  if (q.w == params.yw) { q.w = 0u; q.z++; }
  if (q.z == params.yh) { q.z = 0u; q.y++; }
  if (q.y == params.yd) { q.y = 0u; q.x++; }
  return q;
}
fn x_at(col: Col, q: vec4<u32>, valid: bool) -> S {
  let at = vec3<i32>(q.yzw) * vec3<i32>(params.stride_z, params.stride_y, params.stride_x) + col.reach;
  let ok = valid && u32(at.x) < u32(params.xd) && u32(at.y) < u32(params.xh) && u32(at.z) < u32(params.xw);
  let i = (((i32(q.x) * params.xd + at.x) * params.xh + at.y) * params.xw + at.z) * params.xc + col.channel;
  return select(S(), S(x[select(0, i, ok)]), ok);
}
fn right(col: Col, step: Step, k: u32) -> vec4<S> {
  let i = step.pixel + k;
  let p0 = pixel(i);
  let p1 = next(p0);
  let p2 = next(p1);
  return vec4<S>(
    x_at(col, p0, i < step.last), x_at(col, p1, i + 1u < step.last), x_at(col, p2, i + 2u < step.last),
    x_at(col, next(p2), i + 3u < step.last));
}

fn out_row(p: Place, i: u32) -> u32 { return select(OUTSIDE, p.out + i * width(), i < params.go); }
fn emit(p: Place, out: u32, j: u32, v: f32) {
  if (out != OUTSIDE && j < width()) { partial[out + j] = v; }
}
fn pending() -> bool { return false; }
fn settle(p: Place, out: u32, j: u32) { }
