// SPDX-License-Identifier: MIT
// What an optimiser may be given, and what it keeps of each parameter.
import { fields, flag, instance, listOf, maybe, scalar } from '../check.ts';
import { VoxelgradError } from '../errors.ts';
import { Parameter } from '../nn/parameter.ts';
import type { UpdateKind } from '../ops/optim.ts';

export interface ParameterGroup {
  readonly params: readonly Parameter[];
  readonly weightDecay?: number;
  /** Factor on the learning rate. */
  readonly lrScale?: number;
}

export interface OptimiserOptions {
  lr: number;
  /** Of adam and adamw; default 0.9 and 0.999. Of lion; default 0.9 and 0.99. */
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
  /** Of sgd and rmsprop; default 0. */
  momentum?: number;
  /** Of rmsprop: the share of the past in the mean of squares; default 0.99. */
  alpha?: number;
  /** Scales all gradients down so that their global norm is at most this. */
  clipNorm?: number;
  /** Gradients are those of `scaled(loss)`: for losses that f16 tensors take part in. Default false. */
  lossScale?: boolean;
}

/** PyTorch's names of what an update keeps a parameter, by the arena that holds it. */
export const STATE: Readonly<Record<UpdateKind, readonly (readonly [string, 'm' | 'v'])[]>> = {
  adam: [
    ['exp_avg', 'm'],
    ['exp_avg_sq', 'v'],
  ],
  adamw: [
    ['exp_avg', 'm'],
    ['exp_avg_sq', 'v'],
  ],
  sgd: [['momentum_buffer', 'm']],
  rmsprop: [
    ['square_avg', 'v'],
    ['momentum_buffer', 'm'],
  ],
  lion: [['exp_avg', 'm']],
};

const rate = maybe(scalar);
export const GROUP = fields({ params: listOf(instance('a parameter', Parameter)), weightDecay: rate, lrScale: rate });
export const OPTIONS = fields({
  lr: scalar,
  betas: maybe(listOf(scalar)),
  eps: rate,
  weightDecay: rate,
  momentum: rate,
  alpha: rate,
  clipNorm: rate,
  lossScale: maybe(flag),
});

/** @throws VoxelgradError USAGE naming what is out of its range; NaN is out of every range. */
export function expectRanges(
  { lr, betas = [0, 0], eps = 0, weightDecay = 0, momentum = 0, alpha = 0, clipNorm = 1 }: OptimiserOptions,
  groups: readonly ParameterGroup[],
): void {
  const rules: [string, number, boolean, string][] = [
    ['lr', lr, lr >= 0 && lr < Infinity, 'a number from 0'],
    ['betas[0]', betas[0], betas[0] >= 0 && betas[0] < 1, '0 to below 1'],
    ['betas[1]', betas[1], betas[1] >= 0 && betas[1] < 1, '0 to below 1'],
    ['eps', eps, eps >= 0 && eps < Infinity, 'a number from 0'],
    ['momentum', momentum, momentum >= 0 && momentum < Infinity, 'a number from 0'],
    ['alpha', alpha, alpha >= 0 && alpha < 1, '0 to below 1'],
    ['clipNorm', clipNorm, clipNorm > 0, 'a number above 0'],
    ...[weightDecay, ...groups.map((g) => g.weightDecay ?? 0)].map((decay): [string, number, boolean, string] => [
      'weightDecay',
      decay,
      decay >= 0 && decay < Infinity,
      'a number from 0',
    ]),
    ...groups.map(({ lrScale = 1 }): [string, number, boolean, string] => [
      'lrScale',
      lrScale,
      lrScale >= 0 && lrScale < Infinity,
      'a number from 0',
    ]),
  ];
  for (const [name, got, ok, expected] of rules)
    if (!ok) throw new VoxelgradError('USAGE', `optimiser: ${name} got ${got}, expected ${expected}.`);
}
