// SPDX-License-Identifier: MIT
// jax-js on Dawn: every case one jitted function, as its README advises. Arrays are owned by the function they are passed to; `.ref`
// keeps one for another use.
import * as data from '../step.mjs';
import { outputsOf } from '../cases.mjs';
import { channelsFirst, permute, permuted } from '../inputs.mjs';
import { browserLike } from './dawn.mjs';
import { given, likeOf, ncOrder, returned } from './layout.mjs';

/** Iterator helpers, which jax-js's einsum needs and Node has from 22 on; there they work on a list at once. */
function iteratorHelpers() {
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  for (const name of ['map', 'filter', 'flatMap'])
    prototype[name] ??= function helper(f) {
      return [...this][name](f)[Symbol.iterator]();
    };
  for (const name of ['reduce', 'some', 'every', 'find', 'forEach'])
    prototype[name] ??= function helper(...args) {
      return [...this][name](...args);
    };
  prototype.toArray ??= function toArray() {
    return [...this];
  };
}

export async function open() {
  iteratorHelpers();
  const devices = browserLike();
  const jax = await import('@jax-js/jax');
  await jax.init('webgpu');
  jax.defaultDevice('webgpu');
  const device = devices[0];
  return {
    name: device.adapterInfo.device,
    driver: device.adapterInfo.description,
    device,
    prepare: (c, pass, inputs) => (c.kind === 'step' ? prepareStep(jax, device) : prepareOp(jax, device, c, pass, inputs)),
  };
}

const pads = (padding, rank) => Array.from({ length: rank }, () => [padding, padding]);
const affine = (y, gamma, beta, shape) => y.mul(gamma.reshape(shape)).add(beta.reshape(shape));

const OPS = {
  matmul: ({ numpy: np }, [a, b]) => np.matmul(a, b),
  conv: ({ lax }, [x, w], { rank, stride, padding, groups }) =>
    lax.convGeneralDilated(x, w, Array(rank).fill(stride), pads(padding, rank), { featureGroupCount: groups }),
  attention: ({ nn }, [q, k, v]) => nn.dotProductAttention(q, k, v),
  softmax: ({ nn }, [x]) => nn.softmax(x, -1),
  layernorm: ({ nn }, [x, gamma, beta]) => affine(nn.standardize(x, -1, { epsilon: 1e-5 }), gamma, beta, [-1]),
  groupnorm: ({ nn }, [x, gamma, beta], { groups }) => {
    const { shape } = x;
    return affine(nn.standardize(x.reshape([shape[0], groups, -1]), -1, { epsilon: 1e-5 }).reshape(shape), gamma, beta, [
      -1,
      ...shape.slice(2).map(() => 1),
    ]);
  },
  batchnorm: ({ nn }, [x, gamma, beta]) => affine(nn.standardize(x, [0, 2, 3], { epsilon: 1e-5 }), gamma, beta, [-1, 1, 1]),
  add: (_, [x, z]) => x.add(z),
  avgpool: ({ lax, numpy: np }, [x], { kernel, stride }) => lax.reduceWindow(x, (w) => np.mean(w), [kernel, kernel], [stride, stride]),
  permute: ({ numpy: np }, [x], { order }) => np.transpose(x, order),
  chain: ({ nn }, [x, z, v]) => nn.relu(x.ref.mul(z).add(v)).mul(0.5).add(x),
};

/** Ready means submitted there; the queue says when it is done. */
async function finish(ready, device) {
  await ready;
  await device.queue.onSubmittedWorkDone();
}

function prepareOp(jax, device, c, pass, inputs) {
  if (!OPS[c.kind]) throw new Error(`no op for ${c.kind}`);
  const { numpy: np, jit, vjp, blockUntilReady } = jax;
  const names = c.gradients.length > 0 ? c.gradients : Object.keys(inputs);
  const arrays = Object.fromEntries(
    Object.entries(inputs).map(([name, host]) => {
      const { values, shape } = given(ncOrder(c, name, c.inputs[name].shape.length), host, c.inputs[name].shape);
      return [name, np.array(values).reshape(shape)];
    }),
  );
  const forward = (...args) => OPS[c.kind](jax, args, c);
  const f = jit(
    pass === 'forward'
      ? forward
      : (g, ...args) => {
          const [y, pull] = vjp(forward, args);
          const grads = pull(g);
          pull.dispose();
          return [y, ...grads];
        },
  );
  const outputs = Object.entries(outputsOf(c, pass));
  let out = [];
  const drop = () => {
    for (const a of out) a.dispose();
    out = [];
  };
  return {
    run() {
      drop();
      const args = names.map((name) => arrays[name].ref);
      out = [pass === 'forward' ? f(...args) : f(arrays.g.ref, ...args)].flat();
    },
    wait: () => finish(blockUntilReady(out), device),
    read: async () =>
      Object.fromEntries(
        await Promise.all(
          outputs.map(async ([name, shape], i) => [
            name,
            returned(ncOrder(c, likeOf(c, name), shape.length), await out[i].ref.data(), shape),
          ]),
        ),
      ),
    dispose() {
      drop();
      f.dispose?.();
      for (const a of Object.values(arrays)) a.dispose();
    },
  };
}

function prepareStep(jax, device) {
  const { numpy: np, nn, lax, jit, valueAndGrad, blockUntilReady } = jax;
  const given4 = ({ shape, values }) =>
    shape.length === 4
      ? np.array(permute(values, shape, channelsFirst(4))).reshape(permuted(shape, channelsFirst(4)))
      : np.array(values).reshape(shape);
  const start = data.parameters();
  const names = Object.keys(start);
  const zeros = (name) => given4({ shape: start[name].shape, values: new Float32Array(start[name].values.length) });
  const { image, target } = data.batch();
  const x = given4({ shape: [data.BATCH, data.SIZE, data.SIZE, 3], values: image });
  const y = np.array(target).reshape([data.BATCH, data.CLASSES]);

  const loss = (p, input, wanted) => {
    const outs = [];
    let h = input;
    data.LAYERS.forEach(({ stride, add }, i) => {
      h = lax.convGeneralDilated(h, p[`conv${i}.weight`], [stride, stride], pads(1, 2));
      h = affine(nn.standardize(h, [0, 2, 3], { epsilon: data.BN_EPS }), p[`bn${i}.weight`], p[`bn${i}.bias`], [-1, 1, 1]);
      if (add !== undefined) h = h.add(outs[add]);
      h = nn.relu(h);
      // Kept for the layer that adds it.
      outs.push(data.LAYERS.some((l) => l.add === i) ? h.ref : null);
    });
    const logits = np.matmul(np.mean(h, [2, 3]), p['fc.weight'].transpose()).add(p['fc.bias']);
    return nn
      .logSoftmax(logits, -1)
      .mul(wanted)
      .sum()
      .mul(-1 / data.BATCH);
  };
  const { lr, beta1, beta2, eps } = data.ADAM;
  const f = jit((p, m, v, correction1, correction2, input, wanted) => {
    const kept = Object.fromEntries(names.map((n) => [n, p[n].ref]));
    const [value, grads] = valueAndGrad(loss)(kept, input, wanted);
    const next = { p: {}, m: {}, v: {} };
    for (const n of names) {
      next.m[n] = m[n].mul(beta1).add(grads[n].ref.mul(1 - beta1));
      next.v[n] = v[n].mul(beta2).add(np.square(grads[n]).mul(1 - beta2));
      next.p[n] = p[n].sub(
        next.m[n].ref
          .mul(correction1.ref)
          .mul(lr)
          .div(np.sqrt(next.v[n].ref.mul(correction2.ref)).add(eps)),
      );
    }
    correction1.dispose();
    correction2.dispose();
    return [value, next.p, next.m, next.v];
  });
  let state = {
    p: Object.fromEntries(names.map((n) => [n, given4(start[n])])),
    m: Object.fromEntries(names.map((n) => [n, zeros(n)])),
    v: Object.fromEntries(names.map((n) => [n, zeros(n)])),
  };
  let value;
  let t = 0;
  return {
    run() {
      t++;
      value?.dispose();
      const [l, p, m, v] = f(state.p, state.m, state.v, np.array(1 / (1 - beta1 ** t)), np.array(1 / (1 - beta2 ** t)), x.ref, y.ref);
      value = l;
      state = { p, m, v };
    },
    wait: () => finish(blockUntilReady([value, state.p]), device),
    loss: async () => (await value.ref.data())[0],
    dispose() {
      value.dispose();
      for (const group of Object.values(state)) for (const a of Object.values(group)) a.dispose();
      x.dispose();
      y.dispose();
    },
  };
}
