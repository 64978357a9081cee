// SPDX-License-Identifier: MIT
// How should a register tile read its operands? C[M,N] = A[M,K] B, lanes across N, one subgroup a workgroup.
//   node bench/lab/gemm_tiles.mjs [FILTER]
// A: `uni` vec4 at a uniform index | `bc` each lane gathers one of 8 values along K, then subgroupBroadcast
// B: `kn` [K,N] scalars | `nk` [N,K] vec4 along K | `pk` packed [K/4][N] of vec4 along K
import { Lab, error, open, random } from './harness.mjs';

const text = (a, b, TM, TN) => {
  const bc = a === 'bc';
  const KU = bc ? 8 : 4;
  const broadcast = (v) => [0, 1, 2, 3].map((j) => `subgroupBroadcast(s, ${v * 4 + j}u)`);
  const V = KU / 4;
  const load =
    b === 'st'
      ? (v) => `vec4f(${[0, 1, 2, 3].map((j) => `B[n * dims.w + (k + ${v * 4 + j}u) * stride]`)})`
      : b === 'sk'
        ? (v) => `vec4f(${[0, 1, 2, 3].map((j) => `B[n * K + k + ${v * 4 + j}u]`)})`
        : b === 'kn'
          ? (v) => `vec4f(${[0, 1, 2, 3].map((j) => `B[(k + ${v * 4 + j}u) * N + n]`)})`
          : b === 'nk'
            ? (v) => `B[(n * K + k) / 4u + ${v}u]`
            : (v) => `B[(k / 4u + ${v}u) * N + n]`;
  return `${bc ? 'enable subgroups;' : ''}
const TM = ${TM}u; const TN = ${TN}u;
@group(0) @binding(0) var<uniform> dims: vec4u;
@group(0) @binding(1) var<storage, read> A: array<${bc ? 'f32' : 'vec4f'}>;
@group(0) @binding(2) var<storage, read> B: array<${b === 'kn' || b[0] === 's' ? 'f32' : 'vec4f'}>;
@group(0) @binding(3) var<storage, read_write> C: array<f32>;
@compute @workgroup_size(8) fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let N = dims.y; let K = dims.z; let stride = dims.x / N;
  let n0 = wid.x * TN * 8u + lane;
  let m0 = wid.y * TM;
  var acc: array<array<f32, TN>, TM>;
  for (var k = 0u; k < K; k += ${KU}u) {
    var b: array<array<vec4f, ${V}>, TN>;
    for (var c = 0u; c < TN; c++) { let n = n0 + c * 8u; ${Array.from({ length: V }, (_, v) => `b[c][${v}] = ${load(v)};`).join(' ')} }
    for (var r = 0u; r < TM; r++) {
      ${
        bc
          ? `let s = A[(m0 + r) * K + k + lane];
      ${Array.from({ length: V }, (_, v) => `let a${v} = vec4f(${broadcast(v)});`).join(' ')}`
          : 'let a0 = A[((m0 + r) * K + k) / 4u];'
      }
      for (var c = 0u; c < TN; c++) { acc[r][c] += ${Array.from({ length: V }, (_, v) => `dot(a${v}, b[c][${v}])`).join(' + ')}; }
    }
  }
  for (var r = 0u; r < TM; r++) { for (var c = 0u; c < TN; c++) { C[(m0 + r) * N + n0 + c * 8u] = acc[r][c]; } }
}`;
};

const lab = new Lab(await open());
const S = Number(process.argv[3] ?? 512);
const a = random(S * S, 1),
  b = random(S * S, 2);
const want = new Float64Array(S * S);
for (let i = 0; i < S; i++) for (let k = 0; k < S; k++) for (let j = 0, x = a[i * S + k]; j < S; j++) want[i * S + j] += x * b[k * S + j];
const bt = new Float32Array(S * S),
  pk = new Float32Array(S * S);
for (let k = 0; k < S; k++)
  for (let n = 0; n < S; n++) {
    bt[n * S + k] = b[k * S + n];
    pk[((k >> 2) * S + n) * 4 + (k & 3)] = b[k * S + n];
  }
const A = lab.buffer(a),
  B = { kn: lab.buffer(b), nk: lab.buffer(bt), pk: lab.buffer(pk) };
B.st = B.sk = B.nk;
const dims = lab.uniform(new Uint32Array([S, S, S, S]));
const filter = new RegExp(process.argv[2] ?? '.');
const candidates = [];
for (const way of ['uni', 'bc'])
  for (const form of ['kn', 'nk', 'pk', 'st', 'sk'])
    for (const [TM, TN] of [
      [8, 2],
      [8, 4],
      [16, 2],
      [16, 4],
      [16, 8],
      [32, 2],
      [4, 4],
    ]) {
      const name = `${way}-${form} ${TM}x${TN}`;
      if (!filter.test(name)) continue;
      const C = lab.buffer(S * S * 4);
      const call = lab.call(text(way, form, TM, TN), 'main', { 0: dims, 1: A, 2: B[form], 3: C }, [S / (TN * 8), S / TM, 1]);
      const first = await lab.run([call]);
      const e = error(await lab.read(C), want);
      candidates.push({ name, calls: [call], first, e });
    }
const ms = await lab.race(candidates, { rounds: 5 });
for (const [i, c] of candidates.entries())
  console.log(
    lab.name,
    c.name.padEnd(14),
    `${ms[i].toFixed(2)} ms`,
    `${((2 * S ** 3) / ms[i] / 1e6).toFixed(1)} GF`,
    `jit ${(2 * (c.first - ms[i])).toFixed(0)} ms`,
    `err ${c.e.toExponential(1)}`,
  );
process.exit(0);
