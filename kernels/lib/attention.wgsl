// What attention's forward and backward share: where the slice (batch b, head h, group g) of a tensor starts, and a tile of scores.
// A lane owns four queries, the components of a vec4; keys are read by all lanes of a workgroup alike, so their loads are uniform.
// @import "lib/nan.wgsl"
alias T = f32; // @spec f32 f16
const BIAS = 0u; // @spec 0u 1u 2u
const MASKED = -3e38;

struct Params {
  slices: u32, heads: u32, groups: u32,         // batch * heads * groups; heads; groups
  rows: u32, keys: u32, d: u32, dv: u32,        // queries a slice; keys a slice; channels of q and k; channels of v and y
  q0: u32, qb: u32, qh: u32, qg: u32, qt: u32,  // q: first element; stride over batch; over head; over group; over token
  k0: u32, kb: u32, kh: u32, kg: u32, kt: u32,  // k, likewise
  v0: u32, vb: u32, vh: u32, vg: u32, vt: u32,  // v, likewise
  y0: u32, yb: u32, yh: u32, yg: u32, yt: u32,  // y, likewise
  bias_b: u32, bias_h: u32,                     // strides of bias [B | 1, heads | 1, rows, keys], 0 where it has one
  n0: u32, n1: u32, n2: u32,                    // relative positions: queries and keys are a grid n0 x n1 x n2
  ahead: u32,                                   // query i sees keys up to i + ahead: 0 causal, 2147483647 all
  slice0: u32, row0: u32, row_count: u32,       // of the scratch: its first slice; its first query; queries of each slice
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<T>;          // [B, heads, groups, rows, d] by strides
@group(0) @binding(2) var<storage, read> k: array<T>;          // [B, heads, groups, keys, d]
@group(0) @binding(3) var<storage, read> v: array<T>;          // [B, heads, groups, keys, dv]
// [slices, keys]: factor, added term, -, 1 / norm; filled by attention_norms
@group(0) @binding(4) var<storage, read> cols: array<vec4<f32>>;
// BIAS 1: [B | 1, heads | 1, rows, keys]; 2: [slices, rows, (2 n0 - 1) + (2 n1 - 1) + (2 n2 - 1)], filled by attention_positions
@group(0) @binding(5) var<storage, read> bias: array<T>;

// @import "lib/slices.wgsl"

// The four of `tokens` queries or keys that a lane owns: their slice and places. A lane without some stands on the last and is not valid
// there.
struct Four { z: u32, t: vec4<u32>, valid: vec4<bool> }

fn four_of(index: u32, lane: u32, lanes: u32, tokens: u32) -> Four {
  let tiles = (tokens + 4u * lanes - 1u) / (4u * lanes);
  let own = (index % tiles) * 4u * lanes + lane + vec4<u32>(0u, lanes, 2u * lanes, 3u * lanes);
  let valid = own < vec4<u32>(tokens);
  return Four(index / tiles, min(own, vec4<u32>(tokens - 1u)), valid);
}

// What queries t of slice z read: their rows, their elements of q, and where the keys and values begin.
struct Reads { r: vec4<u32>, q: vec4<u32>, k: u32, v: u32 }

fn reads(z: u32, t: vec4<u32>) -> Reads {
  return Reads(z * params.rows + t,
    start(z, params.q0, params.qb, params.qh, params.qg) + t * params.qt,
    start(z, params.k0, params.kb, params.kh, params.kg),
    start(z, params.v0, params.vb, params.vh, params.vg));
}

// a[j] = rows of x at t, times eight rows of k from key0: four queries times eight keys.
fn products(x: vec4<u32>, first: u32, step: u32) -> array<vec4<f32>, 8> {
  var a = array<vec4<f32>, 8>();
  for (var left = params.d; left > 0u; left--) {
    let c = params.d - left;
    let xv = vec4<f32>(f32(q[x.x + c]), f32(q[x.y + c]), f32(q[x.z + c]), f32(q[x.w + c]));
    for (var j = 0u; j < 8u; j++) { a[j] = fma(xv, vec4<f32>(f32(k[first + j * step + c])), a[j]); }
  }
  return a;
}

// The score of four queries t and one key of slice z, from their product. `factor` belongs to the queries.
// -infinity is kept out of the sums, and nothing else: the result of a row whose keys are all masked is 0, not NaN.
fn score(product: vec4<f32>, z: u32, t: vec4<u32>, factor: vec4<f32>, key: u32) -> vec4<f32> {
  let col = cols[z * params.keys + key];
  var s = product * (factor * col.x) + col.y;
  if (BIAS == 1u) {
    let at = start(z, 0u, params.bias_b, params.bias_h, 0u) + t * params.keys + key;
    s += vec4<f32>(f32(bias[at.x]), f32(bias[at.y]), f32(bias[at.z]), f32(bias[at.w]));
  }
  if (BIAS == 2u) {
    // where a query's values for offset 0 of each axis lie, less the key's coordinate
    let row = (z * params.rows + t) * (2u * (params.n0 + params.n1 + params.n2) - 3u);
    let i0 = row + t / (params.n1 * params.n2) + params.n0 - 1u - key / (params.n1 * params.n2);
    let i1 = row + (t / params.n2) % params.n1 + 2u * params.n0 + params.n1 - 2u - (key / params.n2) % params.n1;
    let i2 = row + t % params.n2 + 2u * (params.n0 + params.n1) + params.n2 - 3u - key % params.n2;
    s += vec4<f32>(f32(bias[i0.x]), f32(bias[i0.y]), f32(bias[i0.z]), f32(bias[i0.w]))
      + vec4<f32>(f32(bias[i1.x]), f32(bias[i1.y]), f32(bias[i1.z]), f32(bias[i1.w]))
      + vec4<f32>(f32(bias[i2.x]), f32(bias[i2.y]), f32(bias[i2.z]), f32(bias[i2.w]));
  }
  let masked = (vec4<u32>(key) > t + params.ahead) | (bitcast<vec4<u32>>(s) == vec4<u32>(0xff800000u));
  return select(s, vec4<f32>(MASKED), masked);
}

// Queries that see no key. A maximum may drop NaN, the sum of exponentials does not.
fn none(high: vec4<f32>, sum: vec4<f32>) -> vec4<bool> { return (high == vec4<f32>(MASKED)) & !is_nan4(sum); }
