// What follows runs over long columns is added up by a lane a result or, where a GPU would idle, by a workgroup: its lanes take turns
// and meet in workgroup memory, in a fixed order. Needs an alias A of what is added, and the override WG, a power of two.
override WIDE: bool = false; // a workgroup a result, else a lane

struct Share { at: u32, lane: u32, lanes: u32, inside: bool }
fn share_of(wid: vec3<u32>, nwg: vec3<u32>, local: u32, results: u32) -> Share {
  let index = wid.x + wid.y * nwg.x;
  var own = Share(index * WG + local, 0u, 1u, true);
  if (WIDE) { own = Share(index, local, WG, true); }
  own.inside = own.at < results;
  own.at = min(own.at, results - 1u);
  return own;
}
// How many of n a lane takes: its lane-th and every lanes-th after it.
fn turns(own: Share, n: u32) -> u32 {
  if (!own.inside) { return 0u; }
  return (n + own.lanes - 1u - own.lane) / own.lanes;
}

var<workgroup> wide: array<A, WG>;

// The sum over the lanes of a result, in each of them. All lanes of the workgroup come here together.
fn total(value: A, lane: u32) -> A {
  if (!WIDE) { return value; }
  wide[lane] = value;
  workgroupBarrier();
  for (var bit = countTrailingZeros(WG); bit > 0u; bit--) {
    let half = 1u << (bit - 1u);
    if (lane < half) { wide[lane] += wide[lane + half]; }
    workgroupBarrier();
  }
  let sum = wide[0];
  workgroupBarrier();
  return sum;
}
