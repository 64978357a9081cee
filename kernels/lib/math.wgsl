// Activations, and the functions that they are made of. NaN goes through all of them.
// @import "lib/is_nan.wgsl"

// erf for |x| <= 1/2, and e^(t^2) erfc(t) for t from 1/2 to 11: fitted, the latter after M. M. Shepherd and J. G. Laframboise (1981).
fn erf_near(x: f32) -> f32 {
  let z = x * x;
  return x * (1.1283791 + z * (-0.37612608 + z * (0.11282838 + z * (-0.026758155 + z * 0.0047199284))));
}
fn erfc_scaled(t: f32) -> f32 {
  let q = (t - 2.0) / (t + 2.0);
  return (1.2769784 + q * (-0.092763565 + q * (-0.16603029 + q * (0.16404215 + q * (-0.054219976
    + q * (-0.0079464866 + q * (0.0087023163 + q * (9.4763405e-4 + q * -0.0013298596)))))))) / (1.0 + 2.0 * t);
}

// Distribution and density (without 1 / sqrt(2 pi)) of a normal variable.
struct Normal { below: f32, density: f32 }
fn normal(x: f32) -> Normal {
  let t = min(abs(x) * 0.70710678, 11.0);
  let density = exp(-t * t);
  let tail = 0.5 * density * erfc_scaled(t);
  return Normal(select(select(1.0 - tail, tail, x < 0.0), 0.5 + 0.5 * erf_near(x * 0.70710678), t < 0.5), density);
}

fn gelu(x: f32) -> f32 { return x * normal(x).below; }

// d gelu / dx = Phi(x) + x phi(x)
fn gelu_grad(x: f32) -> f32 {
  let n = normal(x);
  return n.below + x * 0.3989422804014327 * n.density;
}

// Stable at both ends: exp never overflows.
fn sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn silu(x: f32) -> f32 { return x * sigmoid(x); }

fn silu_grad(x: f32) -> f32 {
  let s = sigmoid(x);
  return s * (1.0 + x * (1.0 - s));
}

// 0 where x is negative, by its bits: from -0 to -infinity
fn relu(x: f32) -> f32 { return select(x, 0.0, bitcast<u32>(x) - 0x80000000u <= 0x7f800000u); }

// g where y, the result of relu, is positive or NaN.
fn relu_grad(g: f32, y: f32) -> f32 { return select(0.0, g, bitcast<i32>(y) > 0 || is_nan(y)); }

// Activations by number: 0 none, 1 relu, 2 gelu, 3 sigmoid, 4 silu.
fn activate(v: f32, act: u32) -> f32 {
  switch (act) {
    case 1u: { return relu(v); }
    case 2u: { return gelu(v); }
    case 3u: { return sigmoid(v); }
    case 4u: { return silu(v); }
    default: { return v; }
  }
}
