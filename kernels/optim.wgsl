// SPDX-License-Identifier: MIT
// Optimiser updates over a flat range of parameters, and the global gradient norm that clips them. One lane four elements: ranges are
// padded to whole vectors with zeros, which every update leaves at zero.
// hyper = [learning rate, 1 - beta1^t, 1 - beta2^t], rewritten before every step; clip = [factor on gradients]. One below 0 says that
// scaled gradients are not finite (loss_scale.wgsl): nothing moves then. Else NaN and infinities go where PyTorch's do.
// adamw: I. Loshchilov and F. Hutter 2019 (decoupled decay). adam: decay is added to the gradient, as torch.optim.Adam.
// sgd: torch.optim.SGD with momentum (velocity in m), no dampening.
// rmsprop: torch.optim.RMSprop, beta1 the momentum (velocity in m), beta2 its alpha. lion: X. Chen et al. 2023; a gradient of NaN makes a
// weight of NaN.
// @import "lib/nan.wgsl"

struct Params {
  n: u32,                     // vectors of four
  beta1: f32, beta2: f32,     // decay of the first moment, or momentum; decay of the second moment, rmsprop's alpha
  eps: f32,                   // added to the root of the second moment
  weight_decay: f32,          // plus: weights shrink
  lr_scale: f32,              // factor on hyper[0] for this range
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> p: array<vec4<f32>>;  // [n] vectors of parameters
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;        // [n] gradients
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;  // [n] first moment or velocity
@group(0) @binding(4) var<storage, read_write> v: array<vec4<f32>>;  // [n] second moment
// [3]; learning rate, 1 - beta1^t, 1 - beta2^t: by the host, or filled by loss_scale
@group(0) @binding(5) var<storage, read> hyper: array<f32>;
@group(0) @binding(6) var<storage, read> clip: array<f32>;     // [1]; factor on gradients, filled by clip_factor or loss_scale

fn element(wid: vec3<u32>, nwg: vec3<u32>, lane: u32) -> u32 { return (wid.x + wid.y * nwg.x) * 64u + lane; }

fn moments(i: u32, gradient: vec4<f32>) -> vec4<f32> {
  let first = params.beta1 * m[i] + (1.0 - params.beta1) * gradient;
  let second = params.beta2 * v[i] + (1.0 - params.beta2) * gradient * gradient;
  m[i] = first;
  v[i] = second;
  return (first / hyper[1]) / (sqrt(second / hyper[2]) + params.eps);
}

// Workgroups: `ceil(n / 64)`
@compute @workgroup_size(64)
fn adamw(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = element(wid, nwg, lane);
  if (i >= params.n || clip[0] < 0.0) { return; }
  let lr = hyper[0] * params.lr_scale;
  let decayed = p[i] * (1.0 - lr * params.weight_decay);
  p[i] = decayed - lr * moments(i, g[i] * clip[0]);
}

// Workgroups: `ceil(n / 64)`
@compute @workgroup_size(64)
fn adam(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = element(wid, nwg, lane);
  if (i >= params.n || clip[0] < 0.0) { return; }
  p[i] = p[i] - hyper[0] * params.lr_scale * moments(i, g[i] * clip[0] + params.weight_decay * p[i]);
}

// Workgroups: `ceil(n / 64)`
@compute @workgroup_size(64)
fn sgd(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = element(wid, nwg, lane);
  if (i >= params.n || clip[0] < 0.0) { return; }
  let velocity = params.beta1 * m[i] + g[i] * clip[0] + params.weight_decay * p[i];
  m[i] = velocity;
  p[i] = p[i] - hyper[0] * params.lr_scale * velocity;
}

// Workgroups: `ceil(n / 64)`
@compute @workgroup_size(64)
fn rmsprop(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = element(wid, nwg, lane);
  if (i >= params.n || clip[0] < 0.0) { return; }
  let gradient = g[i] * clip[0] + params.weight_decay * p[i];
  let square = params.beta2 * v[i] + (1.0 - params.beta2) * gradient * gradient;
  let velocity = params.beta1 * m[i] + gradient / (sqrt(square) + params.eps);
  v[i] = square;
  m[i] = velocity;
  p[i] = p[i] - hyper[0] * params.lr_scale * velocity;
}

// Workgroups: `ceil(n / 64)`
@compute @workgroup_size(64)
fn lion(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let lane = lid.x;
  let i = element(wid, nwg, lane);
  if (i >= params.n || clip[0] < 0.0) { return; }
  let lr = hyper[0] * params.lr_scale;
  let gradient = g[i] * clip[0];
  let mixed = params.beta1 * m[i] + (1.0 - params.beta1) * gradient;
  m[i] = params.beta2 * m[i] + (1.0 - params.beta2) * gradient;
  p[i] = p[i] * (1.0 - lr * params.weight_decay) - lr * select(sign(mixed), mixed, is_nan4(mixed));
}
