// Subgroup matrices (tensor cores), f16 in and f32 accumulated: the only file with their syntax, which still moves. 2 x SX subgroups
// compute a product (lib/product.wgsl); each has RM x RN matrices of M x N, each a variable of its own: an array of them that is
// indexed in a loop need not stay in registers. Steps of BK of both operands lie in workgroup memory as [row][BK + PAD]: PAD moves rows to
// other banks, and all loads start at 16 bytes. Results go through workgroup memory, a matrix a subgroup at a time, so that bounds, bias
// and activation are ordinary code. Sizes are the adapter's (caps). With matrices of 16 x 16, tiles of 128 x 64 by four subgroups take 20
// KiB, of 128 x 128 by eight 29, of 128 x 256 39; sums take 8 registers of each of 32 lanes a matrix.
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
// @import "lib/product.wgsl"
const M = 8u; // @spec 8u 16u
const N = 8u; // @spec 8u 16u
const K = 8u; // @spec 8u 16u
const RM = 2u; // @spec 2u 4u
const RN = 2u; // @spec 2u 4u
const SX = 2u; // @spec 2u 4u
const OWN = 32u; // @spec 8u 16u 32u 64u
const LANES = 2u * SX * OWN;
const BM = 2u * RM * M;
const BN = SX * RN * N;
const BK = 32u;
const PAD = 8u;
const LINE = (BK + PAD) / 4u; // quads of a row
const AT_ONCE = LANES / (BK / 4u); // rows that all lanes read at once
alias S = f16;

var<workgroup> left_tile: array<vec4<f16>, BM * LINE>;
var<workgroup> right_tile: array<vec4<f16>, BN * LINE>;
var<workgroup> results: array<f32, 2u * SX * M * N>;
var<workgroup> outs: array<u32, BM>; // first element of every output row

fn matrices(tile: u32, lane: u32, subgroup: u32, sid: u32) {
  let p = place(tile);
  let a_slot = slot(lane, AT_ONCE, left_along());
  let b_slot = slot(lane, AT_ONCE, right_along());
  var rows: array<Row, BM / AT_ONCE>;
  for (var i = 0u; i < BM / AT_ONCE; i++) { rows[i] = left_row(p, p.m0 + a_slot.x + AT_ONCE * i); }
  var cols: array<Col, BN / AT_ONCE>;
  for (var i = 0u; i < BN / AT_ONCE; i++) { cols[i] = right_col(p, p.n0 + b_slot.x + AT_ONCE * i); }
  for (var rest = (BM + LANES - 1u - lane) / LANES; rest > 0u; rest--) {
    let i = lane + (rest - 1u) * LANES;
    outs[i] = out_row(p, p.m0 + i);
  }
  let m_own = (subgroup / SX) * RM * M;
  let n_own = (subgroup % SX) * RN * N;
  var c00: subgroup_matrix_result<f32, N, M>; var c01: subgroup_matrix_result<f32, N, M>;
  var c02: subgroup_matrix_result<f32, N, M>; var c03: subgroup_matrix_result<f32, N, M>;
  var c10: subgroup_matrix_result<f32, N, M>; var c11: subgroup_matrix_result<f32, N, M>;
  var c12: subgroup_matrix_result<f32, N, M>; var c13: subgroup_matrix_result<f32, N, M>;
  var c20: subgroup_matrix_result<f32, N, M>; var c21: subgroup_matrix_result<f32, N, M>;
  var c22: subgroup_matrix_result<f32, N, M>; var c23: subgroup_matrix_result<f32, N, M>;
  var c30: subgroup_matrix_result<f32, N, M>; var c31: subgroup_matrix_result<f32, N, M>;
  var c32: subgroup_matrix_result<f32, N, M>; var c33: subgroup_matrix_result<f32, N, M>;
  var a_next: array<vec4<f16>, BM / AT_ONCE>;
  var b_next: array<vec4<f16>, BN / AT_ONCE>;
  for (var rest = p.steps + 1u; rest > 0u; rest--) {
    let s = p.steps + 1u - rest;
    if (s < p.steps) {
      let at = step(p, s);
      for (var i = 0u; i < BM / AT_ONCE; i++) { a_next[i] = left(rows[i], at, 4u * a_slot.y); }
      for (var i = 0u; i < BN / AT_ONCE; i++) { b_next[i] = right(cols[i], at, 4u * b_slot.y); }
    }
    if (s > 0u) {
      for (var q = 0u; q < BK / K; q++) {
        let m_at = m_own * LINE + q * K / 4u;
        let n_at = n_own * LINE + q * K / 4u;
        let b0 = subgroupMatrixLoad<subgroup_matrix_right<f16, N, K>, col_major>(&right_tile, n_at, LINE);
        let b1 = subgroupMatrixLoad<subgroup_matrix_right<f16, N, K>, col_major>(&right_tile, n_at + N * LINE, LINE);
        var b2: subgroup_matrix_right<f16, N, K>;
        var b3: subgroup_matrix_right<f16, N, K>;
        if (RN > 2u) {
          b2 = subgroupMatrixLoad<subgroup_matrix_right<f16, N, K>, col_major>(&right_tile, n_at + 2u * N * LINE, LINE);
          b3 = subgroupMatrixLoad<subgroup_matrix_right<f16, N, K>, col_major>(&right_tile, n_at + 3u * N * LINE, LINE);
        }
        let a0 = subgroupMatrixLoad<subgroup_matrix_left<f16, K, M>, row_major>(&left_tile, m_at, LINE);
        c00 = subgroupMatrixMultiplyAccumulate(a0, b0, c00);
        c01 = subgroupMatrixMultiplyAccumulate(a0, b1, c01);
        if (RN > 2u) {
          c02 = subgroupMatrixMultiplyAccumulate(a0, b2, c02);
          c03 = subgroupMatrixMultiplyAccumulate(a0, b3, c03);
        }
        let a1 = subgroupMatrixLoad<subgroup_matrix_left<f16, K, M>, row_major>(&left_tile, m_at + M * LINE, LINE);
        c10 = subgroupMatrixMultiplyAccumulate(a1, b0, c10);
        c11 = subgroupMatrixMultiplyAccumulate(a1, b1, c11);
        if (RN > 2u) {
          c12 = subgroupMatrixMultiplyAccumulate(a1, b2, c12);
          c13 = subgroupMatrixMultiplyAccumulate(a1, b3, c13);
        }
        if (RM > 2u) {
          let a2 = subgroupMatrixLoad<subgroup_matrix_left<f16, K, M>, row_major>(&left_tile, m_at + 2u * M * LINE, LINE);
          c20 = subgroupMatrixMultiplyAccumulate(a2, b0, c20);
          c21 = subgroupMatrixMultiplyAccumulate(a2, b1, c21);
          if (RN > 2u) {
            c22 = subgroupMatrixMultiplyAccumulate(a2, b2, c22);
            c23 = subgroupMatrixMultiplyAccumulate(a2, b3, c23);
          }
          let a3 = subgroupMatrixLoad<subgroup_matrix_left<f16, K, M>, row_major>(&left_tile, m_at + 3u * M * LINE, LINE);
          c30 = subgroupMatrixMultiplyAccumulate(a3, b0, c30);
          c31 = subgroupMatrixMultiplyAccumulate(a3, b1, c31);
          if (RN > 2u) {
            c32 = subgroupMatrixMultiplyAccumulate(a3, b2, c32);
            c33 = subgroupMatrixMultiplyAccumulate(a3, b3, c33);
          }
        }
      }
    }
    workgroupBarrier();
    for (var i = 0u; i < BM / AT_ONCE; i++) { left_tile[(a_slot.x + AT_ONCE * i) * LINE + a_slot.y] = a_next[i]; }
    for (var i = 0u; i < BN / AT_ONCE; i++) { right_tile[(b_slot.x + AT_ONCE * i) * LINE + b_slot.y] = b_next[i]; }
    workgroupBarrier();
  }
  let own = subgroup * M * N;
  for (var i = 0u; i < RM * RN; i++) {
    let r = i / RN;
    let c = i % RN;
    switch (4u * r + c) {
      case 0u: { subgroupMatrixStore<row_major>(&results, own, c00, N); }
      case 1u: { subgroupMatrixStore<row_major>(&results, own, c01, N); }
      case 2u: { subgroupMatrixStore<row_major>(&results, own, c02, N); }
      case 3u: { subgroupMatrixStore<row_major>(&results, own, c03, N); }
      case 4u: { subgroupMatrixStore<row_major>(&results, own, c10, N); }
      case 5u: { subgroupMatrixStore<row_major>(&results, own, c11, N); }
      case 6u: { subgroupMatrixStore<row_major>(&results, own, c12, N); }
      case 7u: { subgroupMatrixStore<row_major>(&results, own, c13, N); }
      case 8u: { subgroupMatrixStore<row_major>(&results, own, c20, N); }
      case 9u: { subgroupMatrixStore<row_major>(&results, own, c21, N); }
      case 10u: { subgroupMatrixStore<row_major>(&results, own, c22, N); }
      case 11u: { subgroupMatrixStore<row_major>(&results, own, c23, N); }
      case 12u: { subgroupMatrixStore<row_major>(&results, own, c30, N); }
      case 13u: { subgroupMatrixStore<row_major>(&results, own, c31, N); }
      case 14u: { subgroupMatrixStore<row_major>(&results, own, c32, N); }
      default: { subgroupMatrixStore<row_major>(&results, own, c33, N); }
    }
    workgroupBarrier();
    for (var rest = (M * N + OWN - 1u - sid) / OWN; rest > 0u; rest--) {
      let e = sid + (rest - 1u) * OWN;
      let out = outs[m_own + r * M + e / N];
      let j = p.n0 + n_own + c * N + e % N;
      emit(p, out, j, results[own + e]);
      if (pending()) { settle(p, out, j); }
    }
    workgroupBarrier();
  }
}
