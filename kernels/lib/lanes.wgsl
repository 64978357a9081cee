// Sums and maxima over LANES neighbouring lanes of one subgroup, by butterfly: a fixed order on every device, no barrier, no
// workgroup memory (on Lavapipe a barrier costs more than the row it would share). The host sets LANES to a power of two that
// is at most the device's smallest subgroup size, and WG to a multiple of it; the subgroup may be larger. This needs lanes
// of a one-dimensional workgroup to lie in subgroups in order, as they do in every implementation.
enable subgroups;
override WG: u32 = 8u;    // lanes a workgroup
override LANES: u32 = 4u; // lanes that share a row

fn lanes_sum(value: f32) -> f32 {
  var v = value;
  for (var d = LANES / 2u; d > 0u; d = d / 2u) { v += subgroupShuffleXor(v, d); }
  return v;
}

fn lanes_max(value: f32) -> f32 {
  var v = value;
  for (var d = LANES / 2u; d > 0u; d = d / 2u) { v = max(v, subgroupShuffleXor(v, d)); }
  return v;
}
