// Sums and maxima over LANES neighbouring lanes of one subgroup, by butterfly: a fixed order on every device, no barrier, no
// workgroup memory (on Lavapipe a barrier costs more than the row it would share). The host sets LANES to a power of two that
// is at most the device's smallest subgroup size, and WG to a multiple of it; the subgroup may be larger. This needs lanes
// of a one-dimensional workgroup to lie in subgroups in order, as they do in every implementation.
enable subgroups;
override WG: u32 = 8u;    // lanes a workgroup
override LANES: u32 = 4u; // lanes that share a row

// How often a lane comes by in `for (i = lane; i < n; i += LANES)`; loops count it down (CONTRIBUTING.md),
// and so walk a row downwards: a tenth faster for norms, softmax and short sums on Mesa 26 than upwards (bench/lab).
fn passes(lane: u32, n: u32) -> u32 { return (n + LANES - 1u - lane) / LANES; }

// The row that a lane shares, and its place there. A lane past the last row stands on row 0, not inside: it may not leave before the others
// of its subgroup have had its part of every sum.
struct Row { at: u32, lane: u32, inside: bool }
fn own_row(wid: vec3<u32>, nwg: vec3<u32>, local: u32, rows: u32) -> Row {
  let index = ((wid.x + wid.y * nwg.x) * WG + local) / LANES;
  return Row(select(0u, index, index < rows), local % LANES, index < rows);
}

fn lanes_sum(value: f32) -> f32 {
  var v = value;
  for (var bit = countTrailingZeros(LANES); bit > 0u; bit--) { v += subgroupShuffleXor(v, 1u << (bit - 1u)); }
  return v;
}

fn lanes_max(value: f32) -> f32 {
  var v = value;
  for (var bit = countTrailingZeros(LANES); bit > 0u; bit--) { v = max(v, subgroupShuffleXor(v, 1u << (bit - 1u))); }
  return v;
}
