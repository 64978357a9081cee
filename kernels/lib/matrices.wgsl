// Subgroup matrices (tensor cores), f16 in and f32 accumulated: the only file with their syntax, which still moves. Four subgroups,
// 2 x 2, compute a product (lib/product.wgsl); each has RM x RN matrices of M x N. Steps of BK of both operands lie in workgroup
// memory as [row][BK + PAD]: PAD moves rows to other banks, and all loads start at 16 bytes. Results go through workgroup memory,
// a matrix a subgroup at a time, so that bounds, bias and activation are ordinary code. Sizes are the adapter's (caps), and so is
// LANES: four subgroups. At most 14 KiB.
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
// @import "lib/product.wgsl"
const M = 16u; // @spec 8u 16u
const N = 16u; // @spec 8u 16u
const K = 16u; // @spec 8u 16u
const RM = 2u; // @spec 2u 4u
const RN = 2u; // @spec 2u 4u
const LANES = 128u; // @spec 32u 64u 128u 256u
const BM = 2u * RM * M;
const BN = 2u * RN * N;
const BK = 16u;
const PAD = 8u;
const LINE = (BK + PAD) / 4u; // quads of a row
const AT_ONCE = LANES / (BK / 4u); // rows that all lanes read at once
alias S = f16;

var<workgroup> left_tile: array<vec4<f16>, BM * LINE>;
var<workgroup> right_tile: array<vec4<f16>, BN * LINE>;
var<workgroup> results: array<f32, 4u * M * N>;
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
  let m_own = (subgroup / 2u) * RM * M;
  let n_own = (subgroup % 2u) * RN * N;
  var acc: array<array<subgroup_matrix_result<f32, N, M>, RN>, RM>;
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
        let k = q * K;
        var b: array<subgroup_matrix_right<f16, N, K>, RN>;
        for (var c = 0u; c < RN; c++) {
          b[c] = subgroupMatrixLoad<subgroup_matrix_right<f16, N, K>, col_major>(&right_tile, (n_own + c * N) * LINE + k / 4u, LINE);
        }
        for (var r = 0u; r < RM; r++) {
          let a = subgroupMatrixLoad<subgroup_matrix_left<f16, K, M>, row_major>(&left_tile, (m_own + r * M) * LINE + k / 4u, LINE);
          for (var c = 0u; c < RN; c++) { acc[r][c] = subgroupMatrixMultiplyAccumulate(a, b[c], acc[r][c]); }
        }
      }
    }
    workgroupBarrier();
    for (var i = 0u; i < BM / AT_ONCE; i++) { left_tile[(a_slot.x + AT_ONCE * i) * LINE + a_slot.y] = a_next[i]; }
    for (var i = 0u; i < BN / AT_ONCE; i++) { right_tile[(b_slot.x + AT_ONCE * i) * LINE + b_slot.y] = b_next[i]; }
    workgroupBarrier();
  }
  let own = subgroup * M * N;
  for (var r = 0u; r < RM; r++) {
    for (var c = 0u; c < RN; c++) {
      subgroupMatrixStore<row_major>(&results, own, acc[r][c], N);
      workgroupBarrier();
      for (var rest = (M * N + LANES / 4u - 1u - sid) / (LANES / 4u); rest > 0u; rest--) {
        let e = sid + (rest - 1u) * (LANES / 4u);
        let out = outs[m_own + r * M + e / N];
        let j = p.n0 + n_own + c * N + e % N;
        emit(p, out, j, results[own + e]);
        if (pending()) { settle(p, out, j); }
      }
      workgroupBarrier();
    }
  }
}
