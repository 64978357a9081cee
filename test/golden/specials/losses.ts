// SPDX-License-Identifier: MIT
// Losses of what a network gives that has diverged, and of targets at the ends of their domains: PyTorch's values and gradients, so that
// NaN is not lost on the way to the number that is watched.
import { crossEntropy, nll } from '../../../src/losses/classes.ts';
import { bce, bceWithLogits, huber, kl, l1, mse, smoothL1 } from '../../../src/losses/elementwise.ts';
import { pairs, rowsOf, type Special, type SpecialInput, type Specials } from './form.ts';

const none = { reduction: 'none' } as const;
const [a6, count] = [rowsOf(6), rowsOf(6).shape[0]];
const index = (at: (i: number) => number): SpecialInput => ({
  values: Array.from({ length: count }, (_, i) => at(i)),
  shape: [count],
  dtype: 'i32',
});
const spread = index((i) => i % 6);
const some = index((i) => (i % 3 === 0 ? -100 : i % 6));
const sharp: SpecialInput = {
  values: Array.from({ length: count * 6 }, (_, i) => Number(i % 6 === Math.floor(i / 6) % 6)),
  shape: [count, 6],
};
const near: Partial<Special> = { ulp: { y: 16, g: 64, least: 1, why: "WGSL's exp, and sums that cancel" } };
const EDGES = [NaN, 0, -0, 0.5, -0.5, 1, -1, 1 + 2 ** -23, 2, -2, 1e20, -1e20, Infinity, -Infinity];
const CHANCES = [0, 1e-30, 0.01, 0.29, 0.31, 0.5, 1 - 2 ** -24, 1];

export const losses: Specials = {
  crossEntropy: [
    {
      name: 'indices',
      inputs: [a6, spread],
      call: (a, b) => crossEntropy(a, b, none),
      grad: [0],
      torch: "F.cross_entropy(a, b, reduction='none')",
      ...near,
    },
    {
      name: 'ignored',
      inputs: [a6, some],
      call: (a, b) => crossEntropy(a, b, none),
      grad: [0],
      torch: "F.cross_entropy(a, b, reduction='none')",
      ...near,
    },
    { name: 'mean', inputs: [a6, spread], call: (a, b) => crossEntropy(a, b), grad: [0], torch: 'F.cross_entropy(a, b)', ...near },
    {
      name: 'nothing counts',
      inputs: [a6, index(() => -100)],
      call: (a, b) => crossEntropy(a, b),
      grad: [],
      torch: 'F.cross_entropy(a, b)',
    },
    {
      name: 'probabilities',
      inputs: [a6, sharp],
      call: (a, b) => crossEntropy(a, b, none),
      grad: [0],
      torch: "F.cross_entropy(a, b, reduction='none')",
      ...near,
    },
  ],
  nll: [{ inputs: [a6, spread], call: (a, b) => nll(a, b, none), grad: [0], torch: "F.nll_loss(a, b, reduction='none')" }],
  mse: [{ inputs: pairs(EDGES, EDGES), call: (a, b) => mse(a, b, none), torch: "F.mse_loss(a, b, reduction='none')" }],
  l1: [{ inputs: pairs(EDGES, EDGES), call: (a, b) => l1(a, b, none), torch: "F.l1_loss(a, b, reduction='none')" }],
  smoothL1: [{ inputs: pairs(EDGES, EDGES), call: (a, b) => smoothL1(a, b, none), torch: "F.smooth_l1_loss(a, b, reduction='none')" }],
  huber: [
    {
      inputs: pairs(EDGES, EDGES),
      call: (a, b) => huber(a, b, { ...none, delta: 2 }),
      torch: "F.huber_loss(a, b, delta=2.0, reduction='none')",
    },
  ],
  bce: [
    {
      inputs: pairs(CHANCES, CHANCES),
      call: (a, b) => bce(a, b, none),
      torch: "F.binary_cross_entropy(a, b, reduction='none')",
      ulp: { y: 16, g: 64, least: 1, why: 'sums that cancel' },
    },
  ],
  bceWithLogits: [
    {
      inputs: pairs([NaN, 0, -0, 1, -1, 20, -20, 90, -90, 1e4, -1e4, 1e20, -1e20], [0, 0.25, 1, NaN]),
      call: (a, b) => bceWithLogits(a, b, none),
      grad: [0],
      torch: "F.binary_cross_entropy_with_logits(a, b, reduction='none')",
      ulp: { y: 300, g: 300, why: "WGSL's exp" },
      within: { g: 2 ** -22, why: 'sigmoid - target' },
    },
  ],
  kl: [
    {
      inputs: pairs([NaN, 0, -1, -100, -Infinity], [NaN, 0, 1e-30, 0.5, 1, -0.5]),
      call: (a, b) => kl(a, b, none),
      torch: "F.kl_div(a, b, reduction='none')",
    },
  ],
};
