// SPDX-License-Identifier: MIT
// Dynamic loss scale (P. Micikevicius et al. 2018): the loss is trained times `scale`, so that small gradients do not vanish in f16.
// One lane judges an iteration by the norm of all scaled gradients, which is not finite where one of them is not.
// Finite: the factor on the gradients undoes the scale and clips; after `growth` such iterations in a row the scale doubles.
// Else: factor -1, with which optim.wgsl leaves everything alone, and half the scale.
// beta1^t and beta2^t of Adam's bias correction are kept here, since t counts the updates that took place.

struct Params {
  max_norm: f32, beta1: f32, beta2: f32, // bound of the norm, 0: none; Adam's
  growth: f32,                           // finite iterations in a row after which the scale doubles
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scaled: array<f32>;       // [2] 1, norm of the scaled gradients; filled by clip_factor
@group(0) @binding(2) var<storage, read> rate: array<f32>;         // [1] learning rate
@group(0) @binding(3) var<storage, read_write> state: array<f32>;  // [4] scale, finite iterations in a row, beta1^t, beta2^t
@group(0) @binding(4) var<storage, read_write> clip: array<f32>;   // [2] factor, norm without the scale; -1, 0 where nothing is applied
@group(0) @binding(5) var<storage, read_write> hyper: array<f32>;  // [3] learning rate, 1 - beta1^t, 1 - beta2^t

const LARGEST = 16777216.0; // 2^24: a network whose gradients are all 0 would let the scale grow for ever

// Workgroups: `1`
@compute @workgroup_size(1)
fn loss_scale() {
  let scale = state[0];
  // Compilers may assume that no float is NaN or infinite: the bits say so.
  if ((bitcast<u32>(scaled[1]) & 0x7f800000u) == 0x7f800000u) {
    clip[0] = -1.0;
    clip[1] = 0.0;
    state[0] = scale * 0.5;
    state[1] = 0.0;
  } else {
    let norm = scaled[1] / scale;
    clip[0] = 1.0 / scale;
    if (params.max_norm > 0.0) { clip[0] = min(1.0, params.max_norm / (norm + 1e-6)) / scale; }
    clip[1] = norm;
    let good = state[1] + 1.0;
    let grows = good >= params.growth;
    state[0] = select(scale, min(scale * 2.0, LARGEST), grows);
    state[1] = select(good, 0.0, grows);
    state[2] *= params.beta1;
    state[3] *= params.beta2;
  }
  hyper[0] = rate[0];
  hyper[1] = 1.0 - state[2];
  hyper[2] = 1.0 - state[3];
}
