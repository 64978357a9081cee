// SPDX-License-Identifier: MIT
// What layers with a weight and a bias share: how they begin, and how they meet the dtype of what they are given.
import { callable, expectArguments, flag, maybe } from '../check.ts';
import { aTensor } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { castTo } from './cast_to.ts';
import type { Initialiser } from './init.ts';
import type { Parameter } from './parameter.ts';

export interface Initial {
  bias?: boolean;
  init?: Initialiser;
  biasInit?: Initialiser;
}

interface Weights {
  readonly weight: Parameter;
  readonly bias?: Parameter;
}
/** Weight and bias in the dtype of x. @throws VoxelgradError USAGE unless x is a tensor */
export function asMet({ weight, bias }: Weights, x: Tensor): { weight: Tensor; bias: Tensor | null } {
  expectArguments('forward', { x: aTensor }, [x]);
  return { weight: castTo(weight, x.dtype), bias: bias ? castTo(bias, x.dtype) : null };
}

/** Kinds of the options above. */
export const INITIAL = { bias: maybe(flag), init: maybe(callable), biasInit: maybe(callable) };
