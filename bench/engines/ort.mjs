// SPDX-License-Identifier: MIT
// ONNX Runtime's WebGPU provider in Node, with its own Dawn: forward passes that are one node. Weights and inputs are copied to the adapter
// and the result back in every run; there is no other way in this binding, so its times include that.
import { permuted } from '../inputs.mjs';
import { given, likeOf, ncOrder, returned } from './layout.mjs';
import { oneNode } from './onnx.mjs';

const windows = (kernel, stride, padding) => ({
  kernel_shape: [kernel, kernel],
  strides: [stride, stride],
  pads: [padding, padding, padding, padding],
});

const OPS = {
  matmul: () => ['MatMul', ['a', 'b']],
  conv: ({ rank, stride, padding, groups }) => [
    'Conv',
    ['x', 'w'],
    { strides: Array(rank).fill(stride), pads: Array(2 * rank).fill(padding), group: groups },
  ],
  softmax: () => ['Softmax', ['x'], { axis: 1 }],
  layernorm: () => ['LayerNormalization', ['x', 'gamma', 'beta'], { axis: 1, epsilon: 1e-5 }],
  add: () => ['Add', ['x', 'z']],
  maxpool: ({ kernel, stride, padding }) => ['MaxPool', ['x'], windows(kernel, stride, padding)],
  avgpool: ({ kernel, stride, padding }) => ['AveragePool', ['x'], windows(kernel, stride, padding)],
  permute: ({ order }) => ['Transpose', ['x'], { perm: order }],
};

export async function open() {
  const { InferenceSession, Tensor } = (await import('onnxruntime-node')).default;
  return { name: 'ONNX Runtime WebGPU', driver: '', prepare: (c, pass, inputs) => prepare(InferenceSession, Tensor, c, pass, inputs) };
}

async function prepare(InferenceSession, Tensor, c, pass, inputs) {
  if (pass !== 'forward' || !OPS[c.kind]) throw new Error('not one ONNX node');
  const [op, names, attributes] = OPS[c.kind](c);
  const feeds = {};
  const shapes = {};
  for (const name of names) {
    const { values, shape } = given(ncOrder(c, name, c.inputs[name].shape.length), inputs[name], c.inputs[name].shape);
    feeds[name] = new Tensor('float32', values, shape);
    shapes[name] = shape;
  }
  const order = ncOrder(c, likeOf(c, 'y'), c.y.length);
  const session = await InferenceSession.create(oneNode(op, shapes, order ? permuted(c.y, order) : c.y, attributes), {
    executionProviders: ['webgpu'],
  });
  let pending = Promise.resolve();
  let out;
  return {
    run() {
      pending = pending.then(async () => {
        out = await session.run(feeds);
      });
    },
    wait: () => pending,
    read: async () => ({ y: returned(order, out.y.data, c.y) }),
    dispose: () => session.release(),
  };
}
