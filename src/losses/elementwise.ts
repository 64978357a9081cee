// SPDX-License-Identifier: MIT
// Losses of numbers and probabilities, element by element: PyTorch's values and gradients, at corners, infinities and NaN too. Prediction
// and target have one shape, whatever it is; results are f32.
import { fields, flag, maybe, number, oneOf, type Kinds } from '../check.ts';
import { aTensor, door, noneOrTensor } from '../engine/door.ts';
import type { Tensor } from '../engine/tensor.ts';
import { abs, add, addScalar, exp, mul, mulScalar, neg, softplus, square, sub } from '../ops/pointwise.ts';
import { sum } from '../ops/reduce.ts';
import { one, row, two } from '../ops/row.ts';
import * as slope from '../ops/slopes.ts';
import { expectAlike, reduced, REDUCTION, wide, type LossOptions, type Reduction } from './reduction.ts';

const ofDifference = (name: string, f: (difference: Tensor) => Tensor) =>
  door(
    name,
    { x: aTensor, target: aTensor, options: maybe(fields(REDUCTION)) },
    (x: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor => {
      expectAlike(name, x, target);
      return reduced(f(sub(wide(x), wide(target))), reduction);
    },
  );

/** (x - target)^2: `F.mse_loss`. @throws ShapeError unless the shapes are one */
export const mse = ofDifference('mse', square);
/** |x - target|: `F.l1_loss`. @throws ShapeError unless the shapes are one */
export const l1 = ofDifference('l1', abs);

// Of NaN no comparison holds: it takes the way on which it stays NaN.
const smoothGrad = row('smooth_l1_grad', 2, 'a * select(select(b / p0, 1.0, b >= p0), -1.0, b <= -p0)', null);
const smoothRow = row('smooth_l1', 1, 'select(abs(a) - 0.5 * p0, 0.5 * a * a / p0, abs(a) < p0)', (g, [d], _, consts) => [
  () => smoothGrad([g, d], consts),
]);
const huberGrad = row('huber_grad', 2, 'a * select(select(b, p0, b >= p0), -p0, b <= -p0)', null);
const huberRow = row('huber', 1, 'select(p0 * (abs(a) - 0.5 * p0), 0.5 * a * a, abs(a) <= p0)', (g, [d], _, consts) => [
  () => huberGrad([g, d], consts),
]);
const positive = number(Number.MIN_VALUE, Number.MAX_VALUE);

/** With d = x - target: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2: `F.smooth_l1_loss`. `beta` 0 is `l1`. */
export const smoothL1 = door(
  'smoothL1',
  { x: aTensor, target: aTensor, options: maybe(fields({ ...REDUCTION, beta: maybe(number(0, Number.MAX_VALUE)) })) },
  (x: Tensor, target: Tensor, { beta = 1, reduction }: LossOptions & { beta?: number } = {}): Tensor => {
    expectAlike('smoothL1', x, target);
    const d = sub(wide(x), wide(target));
    return reduced(beta === 0 ? abs(d) : smoothRow([d], [beta]), reduction);
  },
);

/** With d = x - target: d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2): `F.huber_loss`. */
export const huber = door(
  'huber',
  { x: aTensor, target: aTensor, options: maybe(fields({ ...REDUCTION, delta: maybe(positive) })) },
  (x: Tensor, target: Tensor, { delta = 1, reduction }: LossOptions & { delta?: number } = {}): Tensor => {
    expectAlike('huber', x, target);
    return reduced(huberRow([sub(wide(x), wide(target))], [delta]), reduction);
  },
);

const log1m = (p: string): string => `select(log_exact(1.0 - ${p}), log1p_near(-${p}), ${p} < 0.3)`;
const bceGrad = row('bce_grad', 3, 'a * (b - c) / max((1.0 - b) * b, 1e-12)', null);
const bceTargetGrad = row('bce_target_grad', 2, `a * (${log1m('b')} - log_exact(b))`, null);
// Outside of 0 to 1 a logarithm is NaN, and so is what it is multiplied with.
const bceRow = row('bce', 2, `-(b * largest(log_exact(a), -100.0) + (1.0 - b) * largest(${log1m('a')}, -100.0))`, (g, [p, y]) => [
  () => bceGrad([g, p, y]),
  () => bceTargetGrad([g, p]),
]);

export interface WeightedOptions extends LossOptions {
  /** Factor of every term; broadcasts. The mean is over the number of terms, not their weight, as in PyTorch. */
  weight?: Tensor | null;
}
const weighted = (terms: Tensor, weight: Tensor | null | undefined, reduction?: Reduction): Tensor =>
  reduced(weight ? mul(terms, wide(weight)) : terms, reduction);
const WEIGHTED: Kinds = { ...REDUCTION, weight: noneOrTensor };

/**
 * Binary cross entropy of probabilities x in 0 to 1: -(target log x + (1 - target) log(1 - x)), logarithms of at least -100:
 * `F.binary_cross_entropy`. Where PyTorch refuses an x outside of 0 to 1 the loss is NaN.
 */
export const bce = door(
  'bce',
  { x: aTensor, target: aTensor, options: maybe(fields(WEIGHTED)) },
  (x: Tensor, target: Tensor, { weight, reduction }: WeightedOptions = {}): Tensor => {
    expectAlike('bce', x, target);
    return weighted(bceRow([wide(x), wide(target)]), weight, reduction);
  },
);

/** max(z, 0) - z y + log(1 + exp(-|z|)), element by element. A row, for the slopes of its parts are not that of the whole at 0. */
export const logitTerms = two(
  row('bce_with_logits', 2, 'largest(a, 0.0) - a * b + log1p_near(exp(-abs(a)))', (g, [z, y]) => [
    () => slope.bceWithLogits([g, z, y]),
    () => neg(mul(g, z)),
  ]),
);

/**
 * Binary cross entropy of logits: `F.binary_cross_entropy_with_logits`. `posWeight`, a factor of what is lost where the target is 1,
 * broadcasts.
 */
export const bceWithLogits = door(
  'bceWithLogits',
  { x: aTensor, target: aTensor, options: maybe(fields({ ...WEIGHTED, posWeight: noneOrTensor })) },
  (x: Tensor, target: Tensor, { weight, posWeight, reduction }: WeightedOptions & { posWeight?: Tensor | null } = {}): Tensor => {
    expectAlike('bceWithLogits', x, target);
    const [z, y] = [wide(x), wide(target)];
    if (!posWeight) return weighted(logitTerms(z, y), weight, reduction);
    const factor = addScalar(mul(addScalar(wide(posWeight), -1), y), 1);
    const terms = add(mul(addScalar(neg(y), 1), z), mul(factor, softplus(neg(z))));
    return weighted(terms, weight, reduction);
  },
);

const entropyGrad = row('negative_entropy_grad', 2, 'select(a * log_exact(b) + a, nan_of(b), b == 0.0)', null);
/** x log x, 0 at 0 */
const negativeEntropy = one(row('negative_entropy', 1, 'select(a * log_exact(a), 0.0, a == 0.0)', (g, [x]) => [() => entropyGrad([g, x])]));

/**
 * Kullback-Leibler divergence from log-probabilities x: target (log target - x), or with `logTarget` exp(target) (target - x): `F.kl_div`.
 * `batchMean` divides the sum by the first axis, which is the divergence of a sample; PyTorch's default, `mean`, is over all elements.
 */
export const kl = door(
  'kl',
  {
    x: aTensor,
    target: aTensor,
    options: maybe(fields({ reduction: maybe(oneOf('mean', 'batchMean', 'sum', 'none')), logTarget: maybe(flag) })),
  },
  (
    x: Tensor,
    target: Tensor,
    { logTarget = false, reduction = 'mean' }: { reduction?: Reduction | 'batchMean'; logTarget?: boolean } = {},
  ): Tensor => {
    expectAlike('kl', x, target);
    const [p, t] = [wide(x), wide(target)];
    const terms = logTarget ? mul(exp(t), sub(t, p)) : sub(negativeEntropy(t), mul(t, p));
    return reduction === 'batchMean' ? mulScalar(sum(terms), 1 / (x.shape[0] ?? 1)) : reduced(terms, reduction);
  },
);
