// What a product does on its way out to v, element i of its result: an activation, or from 5 on something of it and of `other[i]`.
// Whoever imports this has `params.act`, and binds `other`: as the result, where act asks for it; else any buffer.
// @import "lib/math.wgsl"
fn finish(v: f32, i: u32) -> f32 {
  switch (params.act) {
    case 5u: { return v + f32(other[i]); }
    case 6u: { return v * gelu_grad(f32(other[i])); }
    case 7u: { return relu_grad(v, f32(other[i])); }
    case 8u: { return v * silu_grad(f32(other[i])); }
    default: { return activate(v, params.act); }
  }
}
