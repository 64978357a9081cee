// The matrix product of matmul.wgsl in the terms of lib/product.wgsl. An operand may be read as vectors of 4 along K where its
// strides allow (stride 1 along K, the others and K multiples of 4).
// @import "lib/finish.wgsl"
// @import "lib/matmul.wgsl"
alias T = f32; // @spec f32 f16
alias R = f32; // @spec f32 f16
alias A = f32; // @spec f32 f16 vec4<f32> vec4<f16>
const AV = 1u; // @spec A: 1u 1u 4u 4u
alias B = f32; // @spec f32 f16 vec4<f32> vec4<f16>
const BV = 1u; // @spec B: 1u 1u 4u 4u

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<A>;             // [batch, M, K] by strides
@group(0) @binding(2) var<storage, read> b: array<B>;             // [batch, K, N] by strides
@group(0) @binding(3) var<storage, read> bias: array<T>;          // [N]
@group(0) @binding(4) var<storage, read_write> y: array<R>;       // [splits, batch, M, N] by strides
@group(0) @binding(5) var<storage, read> other: array<T>;         // as y, where act asks for it; else any buffer

struct Place { m0: u32, n0: u32, steps: u32, a0: u32, b0: u32, y0: u32, first: u32, last: u32 }
struct Row { at: u32 }
struct Col { at: u32 }
struct Step { k: u32, last: u32 }

fn place(tile: u32) -> Place {
  let across = (params.n + BN - 1u) / BN;
  let down = (params.m + BM - 1u) / BM;
  let outer = tile / (down * across);
  let batch = outer / params.splits;
  let split = outer % params.splits;
  let first = split * params.chunk;
  let last = min(first + params.chunk, params.k);
  let b0 = batch / params.batch1;
  let b1 = batch % params.batch1;
  return Place((tile % down) * BM, ((tile / down) % across) * BN, (max(first, last) - first + BK - 1u) / BK,
    params.a_first + b0 * params.a_batch0 + b1 * params.a_batch1, params.b_first + b0 * params.b_batch0 + b1 * params.b_batch1,
    params.y_first + split * params.y_split + b0 * params.y_batch0 + b1 * params.y_batch1, first, last);
}

fn left_along() -> bool { return params.a_k == 1u; }
fn right_along() -> bool { return params.b_k == 1u; }
fn left_row(p: Place, i: u32) -> Row { return Row(p.a0 + min(i, params.m - 1u) * params.a_row); }
fn right_col(p: Place, j: u32) -> Col { return Col(p.b0 + min(j, params.n - 1u) * params.b_col); }
fn step(p: Place, s: u32) -> Step { return Step(p.first + s * BK, p.last); }

fn a_at(i: u32, ok: bool) -> S { return select(S(), S(vec4(a[select(0u, i, ok)]).x), ok); }
fn b_at(i: u32, ok: bool) -> S { return select(S(), S(vec4(b[select(0u, i, ok)]).x), ok); }

fn left(row: Row, step: Step, at: u32) -> vec4<S> {
  let k = step.k + at;
  let q = row.at + k * params.a_k;
  if (AV == 4u) {
    let ok = k < step.last;
    return select(vec4<S>(), vec4<S>(vec4(a[select(0u, q / 4u, ok)])), ok);
  }
  let d = params.a_k;
  return vec4<S>(
    a_at(q, k < step.last), a_at(q + d, k + 1u < step.last), a_at(q + 2u * d, k + 2u < step.last),
    a_at(q + 3u * d, k + 3u < step.last));
}
fn right(col: Col, step: Step, at: u32) -> vec4<S> {
  let k = step.k + at;
  let q = col.at + k * params.b_k;
  if (BV == 4u) {
    let ok = k < step.last;
    return select(vec4<S>(), vec4<S>(vec4(b[select(0u, q / 4u, ok)])), ok);
  }
  let d = params.b_k;
  return vec4<S>(
    b_at(q, k < step.last), b_at(q + d, k + 1u < step.last), b_at(q + 2u * d, k + 2u < step.last),
    b_at(q + 3u * d, k + 3u < step.last));
}

fn out_row(p: Place, i: u32) -> u32 { return select(OUTSIDE, p.y0 + i * params.y_row, i < params.m); }
fn emit(p: Place, out: u32, j: u32, value: f32) {
  if (out == OUTSIDE || j >= params.n) { return; }
  var v = value;
  if (params.has_bias == 1u) { v += f32(bias[j]); }
  y[out + j * params.y_col] = R(select(v, 0.0, params.act == 1u && v < 0.0));
}
fn pending() -> bool { return params.act > 1u; }
fn settle(p: Place, out: u32, j: u32) {
  if (out == OUTSIDE || j >= params.n) { return; }
  let q = out + j * params.y_col;
  y[q] = R(finish(f32(y[q]), q));
}
