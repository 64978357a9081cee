// SPDX-License-Identifier: MIT
// TensorFlow.js with its WebGPU backend on Dawn. It has no compiler: every case is its eager ops.
import * as data from '../step.mjs';
import { outputsOf } from '../cases.mjs';
import { permute, permuted } from '../inputs.mjs';
import { browserLike } from './dawn.mjs';
import { importTensorFlow } from './tensorflow.mjs';
import { given, likeOf, returned, tfOrder } from './layout.mjs';

export async function open() {
  const devices = browserLike();
  const tf = await importTensorFlow();
  await tf.setBackend('webgpu');
  await tf.ready();
  const device = devices[0];
  return {
    name: device.adapterInfo.device,
    driver: device.adapterInfo.description,
    device,
    prepare: (c, pass, inputs) => (c.kind === 'step' ? prepareStep(tf, device) : prepareOp(tf, device, c, pass, inputs)),
  };
}

const standard = (tf, x, axes) => {
  const { mean, variance } = tf.moments(x, axes, true);
  return x.sub(mean).mul(variance.add(1e-5).rsqrt());
};
const pads = (padding) =>
  padding === 0
    ? 'valid'
    : [
        [0, 0],
        [padding, padding],
        [padding, padding],
        [0, 0],
      ];

const OPS = {
  matmul: (tf, [a, b]) => tf.matMul(a, b),
  conv(tf, [x, w], { rank, stride, padding, groups, inputs }) {
    if (rank === 3) return tf.conv3d(x, w, stride, padding > 0 ? 'same' : 'valid');
    // 'same' where it means the same: explicit padding has no gradient there for some ops
    const same = stride === 1 && padding > 0 && inputs.w.shape[1] === 2 * padding + 1 ? 'same' : undefined;
    if (groups > 1) return tf.depthwiseConv2d(x, w, stride, same ?? pads(padding));
    return tf.conv2d(x, w, stride, same ?? (padding === 0 ? 'valid' : padding), 'NHWC', 1, same || padding === 0 ? undefined : 'floor');
  },
  attention: (tf, [q, k, v]) => tf.matMul(tf.softmax(tf.matMul(q, k, false, true).mul(1 / Math.sqrt(q.shape.at(-1)))), v),
  softmax: (tf, [x]) => tf.softmax(x),
  layernorm: (tf, [x, gamma, beta]) => standard(tf, x, [-1]).mul(gamma).add(beta),
  // Affine before the last reshape: its binary ops are wrong where they broadcast in five dimensions.
  groupnorm(tf, [x, gamma, beta], { groups, y: shape }) {
    const split = (t, rows) => t.reshape([...rows, groups, shape.at(-1) / groups]);
    return standard(tf, split(x, [shape[0], -1]), [1, 3])
      .mul(split(gamma, [1, 1]))
      .add(split(beta, [1, 1]))
      .reshape(shape);
  },
  batchnorm: (tf, [x, gamma, beta]) => standard(tf, x, [0, 1, 2]).mul(gamma).add(beta),
  add: (tf, [x, z]) => tf.add(x, z),
  maxpool: (tf, [x], { kernel, stride, padding }) => tf.maxPool(x, kernel, stride, padding, 'floor'),
  avgpool: (tf, [x], { kernel, stride, padding }) => tf.avgPool(x, kernel, stride, padding, 'floor'),
  resize: (tf, [x], { y }) => tf.image.resizeBilinear(x, y.slice(1, -1), false, true),
  permute: (tf, [x], { order }) => tf.transpose(x, order),
  chain: (tf, [x, z, v]) => tf.relu(x.mul(z).add(v)).mul(0.5).add(x),
};

/** Everything recorded so far is submitted and done. */
async function finish(tf, device) {
  const backend = tf.backend();
  backend.endComputePassEncoder();
  backend.submitQueue();
  await device.queue.onSubmittedWorkDone();
}

function prepareOp(tf, device, c, pass, inputs) {
  if (!OPS[c.kind]) throw new Error(`no op for ${c.kind}`);
  const names = c.gradients.length > 0 ? c.gradients : Object.keys(inputs);
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, host]) => {
      const { values, shape } = given(tfOrder(c, name, c.inputs[name].shape.length), host, c.inputs[name].shape);
      return [name, tf.tensor(values, shape)];
    }),
  );
  const forward = (...args) => OPS[c.kind](tf, args, c);
  const args = names.map((name) => tensors[name]);
  const outputs = Object.entries(outputsOf(c, pass));
  let out = [];
  const drop = () => {
    tf.dispose(out);
    out = [];
  };
  return {
    run() {
      drop();
      if (pass === 'forward') out = [tf.tidy(() => forward(...args))];
      else {
        const { value, grads } = tf.tidy(() => tf.valueAndGrads(forward)(args, tensors.g));
        out = [value, ...grads];
      }
    },
    wait: () => finish(tf, device),
    read: async () =>
      Object.fromEntries(
        await Promise.all(
          outputs.map(async ([name, shape], i) => [
            name,
            returned(name === 'y' ? null : tfOrder(c, likeOf(c, name), shape.length), await out[i].data(), shape),
          ]),
        ),
      ),
    dispose() {
      drop();
      tf.dispose(Object.values(tensors));
    },
  };
}

function prepareStep(tf, device) {
  const variables = Object.fromEntries(
    Object.entries(data.parameters()).map(([name, { shape, values }]) => {
      const order = shape.length === 4 ? [1, 2, 3, 0] : null;
      return [
        name,
        tf.variable(tf.tensor(order ? permute(values, shape, order) : values, order ? permuted(shape, order) : shape), true, name),
      ];
    }),
  );
  const { image, target } = data.batch();
  const x = tf.tensor(image, [data.BATCH, data.SIZE, data.SIZE, 3]);
  const y = tf.tensor(target, [data.BATCH, data.CLASSES]);
  const loss = () => {
    const outs = [];
    let h = x;
    data.LAYERS.forEach(({ stride, add }, i) => {
      // Stride 2 pads both sides by one, as the others do; 'same' would pad one side.
      h =
        stride === 1
          ? tf.conv2d(h, variables[`conv${i}.weight`], 1, 'same')
          : tf.conv2d(h, variables[`conv${i}.weight`], stride, 1, 'NHWC', 1, 'floor');
      h = standard(tf, h, [0, 1, 2]).mul(variables[`bn${i}.weight`]).add(variables[`bn${i}.bias`]);
      if (add !== undefined) h = h.add(outs[add]);
      h = tf.relu(h);
      outs.push(h);
    });
    const logits = tf.matMul(h.mean([1, 2]), variables['fc.weight'], false, true).add(variables['fc.bias']);
    return tf
      .logSoftmax(logits)
      .mul(y)
      .sum()
      .mul(-1 / data.BATCH);
  };
  const optimizer = tf.train.adam(data.ADAM.lr, data.ADAM.beta1, data.ADAM.beta2, data.ADAM.eps);
  let value;
  return {
    run() {
      value?.dispose();
      value = optimizer.minimize(loss, true);
    },
    wait: () => finish(tf, device),
    loss: async () => (await value.data())[0],
    dispose() {
      tf.disposeVariables();
      tf.dispose([x, y, value]);
      optimizer.dispose();
    },
  };
}
