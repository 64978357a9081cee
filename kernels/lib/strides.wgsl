// The axes of two strided views of one shape, last first, and where an element lies in both. `params` are these.
override RANK: u32 = 7u; // axes; of transpose: at least three

struct Params {
  n: u32,                                                                 // elements, in T; of transpose: squares
  x_offset: u32, y_offset: u32,                                           // first element of x; of y
  size0: u32, size1: u32, size2: u32, size3: u32, size4: u32, size5: u32, // last axis first; the first axis needs none
  x0: u32, x1: u32, x2: u32, x3: u32, x4: u32, x5: u32, x6: u32,          // strides of x, last axis first; negative: 2^32 - s
  y0: u32, y1: u32, y2: u32, y3: u32, y4: u32, y5: u32, y6: u32,          // strides of y, likewise
}

// Where i, which counts along all axes but the first two, lies in x and in y.
fn outer(i: u32, first: vec2<u32>) -> vec2<u32> {
  var rest = i;
  var at = first;
  if (RANK > 3u) { let q = rest / params.size2; at += (rest - q * params.size2) * vec2(params.x2, params.y2); rest = q; }
  if (RANK > 4u) { let q = rest / params.size3; at += (rest - q * params.size3) * vec2(params.x3, params.y3); rest = q; }
  if (RANK > 5u) { let q = rest / params.size4; at += (rest - q * params.size4) * vec2(params.x4, params.y4); rest = q; }
  if (RANK > 6u) { let q = rest / params.size5; at += (rest - q * params.size5) * vec2(params.x5, params.y5); rest = q; }
  return at + rest * vec2(params.x6, params.y6); // the first axis, whatever the rank
}
