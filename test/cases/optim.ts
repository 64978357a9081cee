// SPDX-License-Identifier: MIT
import { addScaled, assignScaled, clear, clipFactor, judgeGradients, update, type UpdateKind } from '../../src/ops/optim.ts';
import { input as x, type Case, type Family } from './case.ts';

const T = 3; // updates so far, this one included
const N = 1000;
/** One update; the factor of the clip is 0.5. Parameters and moments are outputs, since they are overwritten. */
const step = (
  kind: UpdateKind,
  title: string,
  torch: string,
  attrs: { beta1?: number; beta2?: number; weightDecay?: number; lrScale?: number },
): Case => ({
  name: title,
  inputs: [
    x([N]),
    x([N]),
    x([N]),
    x([N], { scale: 0.5, offset: 0.5 }),
    x([3], { values: [0.01, 1 - 0.9 ** T, 1 - 0.999 ** T] }),
    x([2], { values: [0.5, 2] }),
  ],
  call: (p, g, m, v, hyper, clip) => {
    update(kind, { p, g, m, v, hyper, clip }, { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, lrScale: 1, ...attrs });
    return kind === 'sgd' || kind === 'lion' ? [p, m] : [p, m, v];
  },
  torch,
  grad: [],
});

/** One verdict on a norm of scaled gradients, five finite iterations after the last overflow. */
const judge = (title: string, norm: number, growth: number): Case => ({
  name: title,
  inputs: [x([2], { values: [1, norm] }), x([1], { values: [0.01] }), x([4], { values: [1024, 5, 0.9 ** 3, 0.999 ** 3] })],
  call: (scaled, rate, state) => {
    const { clip, hyper } = judgeGradients({ scaled, rate, state }, { maxNorm: 4, beta1: 0.9, beta2: 0.999, growth });
    return [clip, hyper, state];
  },
  torch: `loss_scale(a, b, c, 4, ${growth})`,
  grad: [],
});

export const training: Family = {
  update: [
    step('adamw', 'AdamW', `optimise('AdamW', a, b / 2, c, d, ${T}, lr=0.01, weight_decay=0.1)`, { weightDecay: 0.1 }),
    step('adamw', 'AdamW, a group with another rate', `optimise('AdamW', a, b / 2, c, d, ${T}, lr=0.001, weight_decay=0.1)`, {
      weightDecay: 0.1,
      lrScale: 0.1,
    }),
    step('adam', 'Adam', `optimise('Adam', a, b / 2, c, d, ${T}, lr=0.01, weight_decay=0.1)`, { weightDecay: 0.1 }),
    step('sgd', 'SGD with momentum', "optimise('SGD', a, b / 2, c, None, 2, lr=0.01, weight_decay=0.1, momentum=0.9)", {
      weightDecay: 0.1,
    }),
    step(
      'rmsprop',
      'RMSprop with momentum',
      "optimise('RMSprop', a, b / 2, c, d, 2, lr=0.01, alpha=0.98, weight_decay=0.1, momentum=0.7)",
      { beta1: 0.7, beta2: 0.98, weightDecay: 0.1 },
    ),
    step('lion', 'Lion', 'lion(a, b / 2, c, 0.001, 0.9, 0.99, 0.1)', { beta2: 0.99, weightDecay: 0.1, lrScale: 0.1 }),
  ],
  clipFactor: [
    { name: 'two ranges', inputs: [x([4097]), x([65])], call: (a, b) => clipFactor([a, b], 1), torch: 'clip_factor([a, b], 1)', grad: [] },
    { name: 'vectors', inputs: [x([40000]), x([68])], call: (a, b) => clipFactor([a, b], 1), torch: 'clip_factor([a, b], 1)', grad: [] },
    { name: 'no bound', inputs: [x([65])], call: (a) => clipFactor([a], Infinity), torch: 'clip_factor([a], 1e30)', grad: [] },
  ],
  judgeGradients: [
    judge('small', 2048, 100),
    judge('clipped', 8192, 100),
    judge('the last before growth', 2048, 6),
    judge('not finite', 1e39, 100), // past f32
  ],
  addScaled: [
    {
      name: '65 values',
      inputs: [x([65]), x([65])],
      call: (a, b) => {
        addScaled(a, b, 0.3);
        return [a];
      },
      torch: 'a + 0.3 * b',
      grad: [],
    },
    {
      name: 'vectors',
      inputs: [x([264]), x([264])],
      call: (a, b) => {
        addScaled(a, b, 0.3);
        return [a];
      },
      torch: 'a + 0.3 * b',
      grad: [],
    },
  ],
  assignScaled: [
    {
      name: '65 values',
      inputs: [x([65]), x([65])],
      call: (a, b) => {
        assignScaled(a, b, 0.3);
        return [a];
      },
      torch: '0.3 * b',
      grad: [],
    },
    {
      name: 'vectors',
      inputs: [x([264]), x([264])],
      call: (a, b) => {
        assignScaled(a, b, 0.3);
        return [a];
      },
      torch: '0.3 * b',
      grad: [],
    },
  ],
  clear: [
    {
      name: '65 values',
      inputs: [x([65])],
      call: (a) => {
        clear(a);
        return [a];
      },
      torch: 'a * 0',
      grad: [],
    },
    {
      name: 'vectors',
      inputs: [x([264])],
      call: (a) => {
        clear(a);
        return [a];
      },
      torch: 'a * 0',
      grad: [],
    },
  ],
};
