// SPDX-License-Identifier: MIT
// Voxelgrad. A case is one compiled program, replayed; inputs are bound by reference.
import * as data from '../step.mjs';
import { importEngine } from '../engine.mjs';

export async function open() {
  const vg = await importEngine();
  const device = await vg.openDevice();
  return {
    ...device.info,
    device: device.gpu,
    sync: () => device.sync(),
    prepare: (c, pass, inputs) => (c.kind === 'step' ? prepareStep(vg, device) : prepareOp(vg, device, c, pass, inputs)),
    close: () => device.close(),
  };
}

const OPS = {
  matmul: (vg, { a, b }) => vg.matmul(a, b),
  conv: (vg, { x, w }, { rank, stride, padding, groups }) => (rank === 3 ? vg.conv3d : vg.conv2d)(x, w, { stride, padding, groups }),
  attention: (vg, { q, k, v }) => vg.attention(q, k, v),
  softmax: (vg, { x }) => vg.softmax(x),
  layernorm: (vg, { x, gamma, beta }) => vg.layerNorm(x, gamma, beta),
  groupnorm: (vg, { x, gamma, beta }, { groups }) => vg.groupNorm(x, gamma, beta, { groups }),
  batchnorm: (vg, { x, gamma, beta, mean, variance }) => vg.batchNorm(x, gamma, beta, mean, variance, { training: true }),
  add: (vg, { x, z }) => vg.add(x, z),
  maxpool: (vg, { x }, { kernel, stride, padding }) => vg.maxPool2d(x, { kernel, stride, padding }),
  avgpool: (vg, { x }, { kernel, stride, padding }) => vg.avgPool2d(x, { kernel, stride, padding }),
  resize: (vg, { x }, { y }) => vg.resize(x, y.slice(1, -1)),
  windows: (vg, { x }, { kernel, stride }) => vg.unfold(x, { window: kernel, stride }),
  permute: (vg, { x }, { order }) => vg.permute(x, order),
  chain: (vg, { x, z, v }) => vg.add(vg.mulScalar(vg.relu(vg.add(vg.mul(x, z), v)), 0.5), x),
};

const hostValues = (vg, dtype, values) => (dtype === 'f16' ? Float32Array.from(values, vg.fromF16) : values);

/** The program of a case on its inputs, bound by reference. */
export function programOf(vg, c, pass, tensors) {
  const given = c.kind === 'batchnorm' ? { ...tensors, mean: vg.zeros([c.y.at(-1)]), variance: vg.full([c.y.at(-1)], 1) } : tensors;
  return vg.compile((t) => {
    const y = OPS[c.kind](vg, t, c);
    if (pass === 'forward') return { y };
    const wanted = c.gradients.map((name) => t[name]);
    const product = vg.mul(y, t.g);
    const grads = vg.backward(vg.sum(c.dtype === 'f16' ? vg.cast(product, 'f32') : product), wanted);
    return { y, ...Object.fromEntries(c.gradients.map((name, i) => [`d${name}`, grads.get(wanted[i])])) };
  }, given);
}

async function prepareOp(vg, device, c, pass, inputs) {
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, values]) => [name, vg.tensor(values, { shape: c.inputs[name].shape, dtype: c.dtype })]),
  );
  const program = await programOf(vg, c, pass, tensors);
  let out;
  return {
    run() {
      out = program.run();
    },
    wait: () => device.sync(),
    read: async () =>
      Object.fromEntries(await Promise.all(Object.entries(out).map(async ([name, t]) => [name, hostValues(vg, t.dtype, await t.data())]))),
    facts: () => ({ dispatches: program.report().dispatches }),
    dispose() {
      program.dispose();
      for (const t of Object.values(tensors)) t.dispose();
      device.trim();
    },
  };
}

/** The network of step.mjs with its values, and its optimiser. */
export function stepModel(vg) {
  class Step extends vg.Module {
    constructor() {
      super();
      data.LAYERS.forEach(({ from, to, stride }, i) => {
        this[`conv${i}`] = new vg.Conv2d(from, to, 3, { stride, padding: 1 });
        this[`bn${i}`] = new vg.BatchNorm(to);
      });
      this.fc = new vg.Linear(64, data.CLASSES);
    }
    forward(image) {
      const outs = [];
      let x = image;
      data.LAYERS.forEach(({ add }, i) => {
        x = this[`bn${i}`].forward(this[`conv${i}`].forward(x), { relu: true, add: add === undefined ? undefined : outs[add] });
        outs.push(x);
      });
      return this.fc.forward(vg.mean(x, { axes: [1, 2] }));
    }
  }
  const net = new Step().initialise(1);
  const opt = vg.adam(net.parameters(), { lr: data.ADAM.lr, betas: [data.ADAM.beta1, data.ADAM.beta2], eps: data.ADAM.eps });
  const given = data.parameters();
  for (const [name, p] of net.namedParameters()) if (given[name]) p.write(given[name].values);
  return { net, opt };
}

async function prepareStep(vg, device) {
  const { net, opt } = stepModel(vg);
  const { image, target } = data.batch();
  const example = {
    image: vg.tensor(image, { shape: [data.BATCH, data.SIZE, data.SIZE, 3] }),
    target: vg.tensor(target, { shape: [data.BATCH, data.CLASSES] }),
  };
  const program = await vg.compile((t) => {
    const loss = vg.mulScalar(vg.sum(vg.mul(vg.logSoftmax(net.forward(t.image)), t.target)), -1 / data.BATCH);
    opt.step(vg.backward(loss, net.parameters()));
    return { loss };
  }, example);
  let loss;
  return {
    run() {
      ({ loss } = program.run());
    },
    wait: () => device.sync(),
    loss: () => loss.item(),
    facts: () => ({
      dispatches: program.report().dispatches,
      pipelines: program.report().pipelines,
      slotBytes: program.report().slotBytes,
    }),
    dispose() {
      program.dispose();
      opt.dispose();
      for (const t of Object.values(example)) t.dispose();
      device.trim();
    },
  };
}
