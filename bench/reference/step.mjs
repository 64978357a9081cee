#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// node bench/reference/step.mjs: four losses of the training step in float64, written to step_losses.mjs. A minute or two.
import { writeFileSync } from 'node:fs';
import { ADAM, batch, BATCH, BN_EPS, CLASSES, LAYERS, parameters, SIZE } from '../step.mjs';

const STEPS = 4;
const values = Object.fromEntries(Object.entries(parameters()).map(([name, p]) => [name, Float64Array.from(p.values)]));
const moments = Object.fromEntries(
  Object.entries(values).map(([name, v]) => [name, { m: new Float64Array(v.length), v: new Float64Array(v.length) }]),
);
const { image, target } = batch();
const losses = [];
for (let t = 1; t <= STEPS; t++) {
  const { loss, grads } = forwardBackward();
  losses.push(loss);
  console.log(t, loss);
  for (const [name, g] of Object.entries(grads)) {
    const [p, { m, v }] = [values[name], moments[name]];
    for (let i = 0; i < p.length; i++) {
      m[i] = ADAM.beta1 * m[i] + (1 - ADAM.beta1) * g[i];
      v[i] = ADAM.beta2 * v[i] + (1 - ADAM.beta2) * g[i] * g[i];
      p[i] -= (ADAM.lr * (m[i] / (1 - ADAM.beta1 ** t))) / (Math.sqrt(v[i] / (1 - ADAM.beta2 ** t)) + ADAM.eps);
    }
  }
}
writeFileSync(
  new URL('step_losses.mjs', import.meta.url),
  '// SPDX-License-Identifier: MIT\n// Four losses of the training step in float64. Written by step.mjs.\nexport const LOSSES = ' +
    `[${losses.join(', ')}];\n`,
);

function forwardBackward() {
  const tape = [];
  let x = Float64Array.from(image);
  let size = SIZE;
  for (const [i, layer] of LAYERS.entries()) {
    const c = convolve(x, values[`conv${i}.weight`], size, layer);
    const b = batchNorm(c.y, layer.to, values[`bn${i}.weight`], values[`bn${i}.bias`]);
    const y = b.y.map((v, at) => Math.max(0, v + (layer.add === undefined ? 0 : tape[layer.add].y[at])));
    tape.push({ x, c, b, y });
    x = y;
    size = c.size;
  }
  const pixels = size * size;
  const pooled = new Float64Array(BATCH * 64);
  for (let i = 0; i < x.length; i++) pooled[Math.floor(i / (pixels * 64)) * 64 + (i % 64)] += x[i] / pixels;
  const [w, bias] = [values['fc.weight'], values['fc.bias']];
  const grads = { 'fc.weight': new Float64Array(w.length), 'fc.bias': new Float64Array(CLASSES) };
  const dpooled = new Float64Array(pooled.length);
  let loss = 0;
  for (let n = 0; n < BATCH; n++) {
    const row = pooled.subarray(n * 64, n * 64 + 64);
    const logits = Array.from(bias, (v, k) => row.reduce((s, a, c) => s + a * w[k * 64 + c], v));
    const top = Math.max(...logits);
    const log = top + Math.log(logits.reduce((s, v) => s + Math.exp(v - top), 0));
    for (let k = 0; k < CLASSES; k++) {
      loss -= (target[n * CLASSES + k] * (logits[k] - log)) / BATCH;
      const d = (Math.exp(logits[k] - log) - target[n * CLASSES + k]) / BATCH;
      grads['fc.bias'][k] += d;
      for (let c = 0; c < 64; c++) {
        grads['fc.weight'][k * 64 + c] += d * row[c];
        dpooled[n * 64 + c] += d * w[k * 64 + c];
      }
    }
  }
  const due = LAYERS.map(() => null); // gradients of layer outputs
  due[LAYERS.length - 1] = x.map((_, i) => dpooled[Math.floor(i / (pixels * 64)) * 64 + (i % 64)] / pixels);
  for (let i = LAYERS.length - 1; i >= 0; i--) {
    const { x: input, c, b, y } = tape[i];
    const dy = due[i].map((g, at) => (y[at] > 0 ? g : 0));
    if (LAYERS[i].add !== undefined) due[LAYERS[i].add] = plus(due[LAYERS[i].add], dy);
    const d = b.backward(dy);
    grads[`bn${i}.weight`] = d.dgamma;
    grads[`bn${i}.bias`] = d.dbeta;
    const { dx, dw } = c.backward(d.dx, input);
    grads[`conv${i}.weight`] = dw;
    if (i > 0) due[i - 1] = plus(due[i - 1], dx);
  }
  return { loss, grads };
}

function plus(a, b) {
  return a ? a.map((v, i) => v + b[i]) : b;
}

function convolve(x, w, size, { from, to, stride }) {
  const out = size / stride;
  const y = new Float64Array(BATCH * out * out * to);
  /** Calls f(first of y's pixel, first of x's pixel, tap) for every pair that touches. */
  const taps = (f) => {
    for (let n = 0; n < BATCH; n++)
      for (let oy = 0; oy < out; oy++)
        for (let ox = 0; ox < out; ox++) {
          const at = ((n * out + oy) * out + ox) * to;
          for (let k = 0; k < 9; k++) {
            const [r, c] = [oy * stride + Math.floor(k / 3) - 1, ox * stride + (k % 3) - 1];
            if (r >= 0 && c >= 0 && r < size && c < size) f(at, ((n * size + r) * size + c) * from, k * from);
          }
        }
  };
  taps((at, xi, tap) => {
    for (let o = 0; o < to; o++) {
      const wi = o * 9 * from + tap;
      let s = 0;
      for (let i = 0; i < from; i++) s += x[xi + i] * w[wi + i];
      y[at + o] += s;
    }
  });
  const backward = (dy, input) => {
    const [dx, dw] = [new Float64Array(input.length), new Float64Array(w.length)];
    taps((at, xi, tap) => {
      for (let o = 0; o < to; o++) {
        const g = dy[at + o];
        const wi = o * 9 * from + tap;
        for (let i = 0; i < from; i++) {
          dx[xi + i] += g * w[wi + i];
          dw[wi + i] += g * input[xi + i];
        }
      }
    });
    return { dx, dw };
  };
  return { y, size: out, backward };
}

function batchNorm(x, c, gamma, beta) {
  const n = x.length / c;
  const [mean, inverse] = [new Float64Array(c), new Float64Array(c)];
  for (let i = 0; i < x.length; i++) mean[i % c] += x[i] / n;
  for (let i = 0; i < x.length; i++) inverse[i % c] += (x[i] - mean[i % c]) ** 2 / n;
  inverse.forEach((v, i) => {
    inverse[i] = 1 / Math.sqrt(v + BN_EPS);
  });
  const hat = x.map((v, i) => (v - mean[i % c]) * inverse[i % c]);
  const backward = (dy) => {
    const [dgamma, dbeta] = [new Float64Array(c), new Float64Array(c)];
    for (let i = 0; i < dy.length; i++) {
      dgamma[i % c] += dy[i] * hat[i];
      dbeta[i % c] += dy[i];
    }
    return { dgamma, dbeta, dx: dy.map((g, i) => gamma[i % c] * inverse[i % c] * (g - dbeta[i % c] / n - (hat[i] * dgamma[i % c]) / n)) };
  };
  return { y: hat.map((v, i) => v * gamma[i % c] + beta[i % c]), backward };
}
