// SPDX-License-Identifier: MIT
// Learning rates as functions of how many steps are done: `opt.lr = rate(i)` before run i. PyTorch's schedules of these names, in closed
// form, so that a run that goes on at step i has the rate that it would have had.
import { expectArguments, fields, integer, integers, maybe, number } from '../check.ts';
import { VoxelgradError } from '../errors.ts';

/** The rate of step i = 0, 1, 2, ... */
export type Schedule = (step: number) => number;

const rate = number(0, Number.MAX_VALUE);
const count = integer(1);

/** `lr` times gamma for every `every` steps: StepLR. */
export function stepDecay(lr: number, options: { every: number; gamma?: number }): Schedule {
  expectArguments('stepDecay', { lr: rate, options: fields({ every: count, gamma: maybe(rate) }) }, [lr, options]);
  const { every, gamma = 0.1 } = options;
  return (step) => lr * gamma ** Math.floor(step / every);
}

/** `lr` times gamma at each of the milestones: MultiStepLR. */
export function multiStep(lr: number, options: { milestones: readonly number[]; gamma?: number }): Schedule {
  expectArguments('multiStep', { lr: rate, options: fields({ milestones: integers(0), gamma: maybe(rate) }) }, [lr, options]);
  const { milestones, gamma = 0.1 } = options;
  return (step) => lr * gamma ** milestones.filter((m) => step >= m).length;
}

/** Half a cosine from `lr` to `least` over `steps`, which stays there: CosineAnnealingLR. */
export function cosine(lr: number, options: { steps: number; least?: number }): Schedule {
  expectArguments('cosine', { lr: rate, options: fields({ steps: count, least: maybe(rate) }) }, [lr, options]);
  const { steps, least = 0 } = options;
  return (step) => least + ((lr - least) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps))) / 2;
}

/** `lr` (1 - step / steps)^power, 0 from there: PolynomialLR; power 0.9 is nnU-Net's. */
export function poly(lr: number, options: { steps: number; power?: number }): Schedule {
  expectArguments('poly', { lr: rate, options: fields({ steps: count, power: maybe(rate) }) }, [lr, options]);
  const { steps, power = 0.9 } = options;
  return (step) => lr * (1 - Math.min(step, steps) / steps) ** power;
}

/**
 * Up to `lr` on half a cosine over the share `rise` of `steps`, and down to `lr` / (start final) on another (Smith 2018): OneCycleLR. It
 * begins at `lr` / start.
 */
export function oneCycle(lr: number, options: { steps: number; rise?: number; start?: number; final?: number }): Schedule {
  const kinds = { steps: integer(2), rise: maybe(number(0, 1)), start: maybe(number(1)), final: maybe(number(1)) };
  expectArguments('oneCycle', { lr: rate, options: fields(kinds) }, [lr, options]);
  const { steps, rise = 0.3, start = 25, final = 1e4 } = options;
  const [top, end] = [rise * steps - 1, steps - 1];
  const between = (from: number, to: number, share: number): number => to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
  return (step) => {
    const i = Math.min(step, end);
    if (i <= top) return between(lr / start, lr, top > 0 ? i / top : 1);
    return between(lr, lr / start / final, (i - top) / (end - top));
  };
}

/** Rates of `then` times (step + 1) / steps over the first `steps`, and `then` itself after them. */
export function warmUp(steps: number, then: Schedule | number): Schedule {
  expectArguments('warmUp', { steps: integer(0) }, [steps]);
  if (typeof then !== 'number' && typeof then !== 'function')
    throw new VoxelgradError('USAGE', 'warmUp: got no schedule, expected a rate or a function of the step.');
  return (step) => (typeof then === 'number' ? then : then(step)) * Math.min(1, (step + 1) / steps);
}
