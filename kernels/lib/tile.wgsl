// Register tiles: a workgroup computes TM rows by TN * WG columns, lane l the columns l, l + WG, ...; no workgroup memory.
// The reduction goes in steps of 8. Left operand: the lanes gather a row's 8 values together, one each, and broadcast them,
// an eighth of the loads that reading at a uniform index costs where uniformity is not seen (Lavapipe 25). Right operand:
// 8 values a column in registers, reused by all rows. WG is a multiple of SG.
const TM = 16u; // @spec 4u 8u 16u 32u
const TN = 4u; // @spec 1u 2u 4u 8u
const SG = 8u; // @spec 8u 4u
override WG: u32 = 8u;

alias Tile = array<array<f32, TN>, TM>;
alias Columns = array<array<vec4<f32>, 2>, TN>;

// Values 0-3 of the 8 that lanes hold in s (in s and t where subgroups have 4 lanes).
fn spread_low(s: f32) -> vec4<f32> {
  return vec4(subgroupBroadcast(s, 0u), subgroupBroadcast(s, 1u), subgroupBroadcast(s, 2u), subgroupBroadcast(s, 3u));
}
fn spread_high(s: f32, t: f32) -> vec4<f32> {
  if (SG == 4u) { return spread_low(t); }
  return vec4(subgroupBroadcast(s, 4u), subgroupBroadcast(s, 5u), subgroupBroadcast(s, 6u), subgroupBroadcast(s, 7u));
}
