// SPDX-License-Identifier: MIT
import { crossEntropy, dice, focal, nll } from '../../src/losses/classes.ts';
import { bce, bceWithLogits, huber, kl, l1, mse, smoothL1 } from '../../src/losses/elementwise.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { sigmoid } from '../../src/ops/pointwise.ts';
import { input as x, type Family } from './case.ts';

const logits = x([9, 7], { scale: 4 });
const map = x([2, 5, 3, 4], { scale: 3 }); // [N, H, W, C]
const index = x([9], { below: 7, dtype: 'u32' });
const some = x([9], { values: [3, -100, 0, 6, -100, 2, 2, 5, 1], dtype: 'i32' });
const places = x([2, 5, 3], { below: 4, dtype: 'u32' });
const weight = x([7], { scale: 0.5, offset: 1 });
const shares = x([9, 7], { scale: 0.5, offset: 0.5 });
const pair = [x([7, 9], { scale: 3 }), x([7, 9], { scale: 3 })] as const;
const chance = x([7, 9], { scale: 0.49, offset: 0.5 });
const yes = x([7, 9], { below: 2 });

export const losses: Family = {
  crossEntropy: [
    { name: 'indices', inputs: [logits, index], call: (a, b) => crossEntropy(a, b), torch: 'F.cross_entropy(a, b)' },
    {
      name: 'of maps, summed',
      inputs: [map, places],
      call: (a, b) => crossEntropy(a, b, { reduction: 'sum' }),
      torch: "F.cross_entropy(first(a), b, reduction='sum')",
    },
    {
      name: 'ignored, weighted, smoothed',
      inputs: [logits, some, weight],
      call: (a, b, w) => crossEntropy(a, b, { weight: w, labelSmoothing: 0.1 }),
      torch: 'F.cross_entropy(a, b, c.detach(), label_smoothing=0.1)',
      grad: [0],
    },
    {
      name: 'ignored, smoothed',
      inputs: [logits, some],
      call: (a, b) => crossEntropy(a, b, { labelSmoothing: 0.3 }),
      torch: 'F.cross_entropy(a, b, label_smoothing=0.3)',
    },
    {
      name: 'an ignored class, term by term',
      inputs: [logits, index],
      call: (a, b) => crossEntropy(a, b, { ignoreIndex: 2, reduction: 'none' }),
      torch: "F.cross_entropy(a, b, ignore_index=2, reduction='none')",
    },
    { name: 'probabilities', inputs: [logits, shares], call: (a, b) => crossEntropy(a, b), torch: 'F.cross_entropy(a, b)' },
    {
      name: 'probabilities, weighted, smoothed',
      inputs: [logits, shares, weight],
      call: (a, b, w) => crossEntropy(a, b, { weight: w, labelSmoothing: 0.2 }),
      torch: 'F.cross_entropy(a, b, c.detach(), label_smoothing=0.2)',
      grad: [0, 1],
    },
    {
      name: 'probabilities, term by term',
      inputs: [logits, shares],
      call: (a, b) => crossEntropy(a, b, { reduction: 'none' }),
      torch: "F.cross_entropy(a, b, reduction='none')",
    },
  ],
  nll: [
    {
      name: 'weighted',
      inputs: [logits, some, weight],
      call: (a, b, w) => nll(a, b, { weight: w }),
      torch: 'F.nll_loss(a, b, c.detach())',
      grad: [0],
    },
    {
      name: 'summed',
      inputs: [logits, index],
      call: (a, b) => nll(a, b, { reduction: 'sum' }),
      torch: "F.nll_loss(a, b, reduction='sum')",
    },
  ],
  focal: [
    {
      name: 'classes',
      inputs: [logits, index],
      call: (a, b) => focal(a, b, { gamma: 1.5 }),
      torch: '(lambda l: (l * (1 - (-l).exp()) ** 1.5).mean())(F.cross_entropy(a, b, reduction="none"))',
    },
    {
      name: 'weighted classes',
      inputs: [logits, index, weight],
      call: (a, b, w) => focal(a, b, { weight: w, reduction: 'sum' }),
      torch: '(lambda l: (l * (1 - (-l).exp()) ** 2 * c.detach()[b]).sum())(F.cross_entropy(a, b, reduction="none"))',
      grad: [0],
    },
    {
      name: 'yes or no',
      inputs: [pair[0], yes],
      call: (a, b) => focal(a, b, { alpha: 0.25 }),
      torch:
        '(lambda p, l: (l * (1 - (p * b + (1 - p) * (1 - b))) ** 2 * (0.25 * b + 0.75 * (1 - b))).mean())(a.sigmoid(), ' +
        'F.binary_cross_entropy_with_logits(a, b, reduction="none"))',
    },
  ],
  dice: [
    {
      name: 'of classes',
      inputs: [map, places],
      call: (a, b) => dice(softmax(a), b),
      torch:
        '(lambda p, t: (1 - (2 * (p * t).sum((1, 2)) + 1e-5) / (p.sum((1, 2)) + t.sum((1, 2)) + 1e-5)).mean())(a.softmax(-1), ' +
        'F.one_hot(b, 4))',
    },
    {
      name: 'squared, over the batch',
      inputs: [map, x([2, 5, 3, 4], { scale: 0.5, offset: 0.5 })],
      call: (a, b) => dice(sigmoid(a), b, { squared: true, batch: true, smooth: 1, reduction: 'none' }),
      torch: '(lambda p: 1 - (2 * (p * b).sum((0, 1, 2)) + 1) / ((p * p).sum((0, 1, 2)) + (b * b).sum((0, 1, 2)) + 1))(a.sigmoid())',
    },
  ],
  mse: [
    { name: 'mean', inputs: pair, call: (a, b) => mse(a, b), torch: 'F.mse_loss(a, b)' },
    { name: 'sum', inputs: pair, call: (a, b) => mse(a, b, { reduction: 'sum' }), torch: "F.mse_loss(a, b, reduction='sum')" },
  ],
  l1: [{ name: 'terms', inputs: pair, call: (a, b) => l1(a, b, { reduction: 'none' }), torch: "F.l1_loss(a, b, reduction='none')" }],
  smoothL1: [
    { name: 'mean', inputs: pair, call: (a, b) => smoothL1(a, b), torch: 'F.smooth_l1_loss(a, b)' },
    { name: 'beta', inputs: pair, call: (a, b) => smoothL1(a, b, { beta: 2.5 }), torch: 'F.smooth_l1_loss(a, b, beta=2.5)' },
    { name: 'beta 0', inputs: pair, call: (a, b) => smoothL1(a, b, { beta: 0 }), torch: 'F.smooth_l1_loss(a, b, beta=0.0)' },
  ],
  huber: [
    {
      name: 'delta',
      inputs: pair,
      call: (a, b) => huber(a, b, { delta: 2, reduction: 'sum' }),
      torch: "F.huber_loss(a, b, delta=2.0, reduction='sum')",
    },
  ],
  bce: [
    { name: 'mean', inputs: [chance, chance], call: (a, b) => bce(a, b), torch: 'F.binary_cross_entropy(a, b)' },
    {
      name: 'weighted',
      inputs: [chance, chance, x([9], { offset: 1 })],
      call: (a, b, w) => bce(a, b, { weight: w }),
      torch: 'F.binary_cross_entropy(a, b, c.detach())',
      grad: [0, 1],
    },
  ],
  bceWithLogits: [
    {
      name: 'large logits too',
      inputs: [x([7, 9], { scale: 30 }), yes],
      call: (z, y) => bceWithLogits(z, y),
      torch: 'F.binary_cross_entropy_with_logits(a, b)',
      grad: [0],
    },
    {
      name: 'weighted',
      inputs: [pair[0], chance, x([7, 9], { offset: 1 }), x([9], { offset: 2 })],
      call: (z, y, w, p) => bceWithLogits(z, y, { weight: w, posWeight: p, reduction: 'sum' }),
      torch: "F.binary_cross_entropy_with_logits(a, b, c.detach(), pos_weight=d.detach(), reduction='sum')",
      grad: [0, 1],
    },
  ],
  kl: [
    { name: 'mean', inputs: [pair[0], chance], call: (a, b) => kl(a, b), torch: 'F.kl_div(a, b)' },
    {
      name: 'of a sample',
      inputs: [pair[0], chance],
      call: (a, b) => kl(a, b, { reduction: 'batchMean' }),
      torch: "F.kl_div(a, b, reduction='batchmean')",
    },
    {
      name: 'logarithms',
      inputs: pair,
      call: (a, b) => kl(a, b, { logTarget: true, reduction: 'sum' }),
      torch: "F.kl_div(a, b, log_target=True, reduction='sum')",
    },
  ],
};
