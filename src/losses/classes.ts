// SPDX-License-Identifier: MIT
// Losses of classes along the last axis: logits or log-probabilities [..., C], targets as indices [...] (u32 or i32) or as probabilities
// [..., C]. Values and gradients are PyTorch's; results are f32. A class that is none is an IndexError where the host knows it (in a
// program: of u32 targets), else the loss is NaN.
import { fields, flag, integer, maybe, number, type Kinds } from '../check.ts';
import { IndexError, ShapeError } from '../errors.ts';
import { aTensor, door, noneOrTensor } from '../engine/door.ts';
import { tensor, type Tensor } from '../engine/tensor.ts';
import { gather, indexSelect } from '../ops/gather.ts';
import { oneHot } from '../ops/one_hot.ts';
import { add, addScalar, cast, div, equal, exp, mul, mulScalar, neg, powScalar, sigmoid, square, where } from '../ops/pointwise.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { logSoftmax } from '../ops/softmax.ts';
import { logitTerms } from './elementwise.ts';
import { expectAlike, reduced, REDUCTION, wide, type LossOptions } from './reduction.ts';

export interface ClassOptions extends LossOptions {
  /** Factor of each class [C]; the mean over indices is by the weight of the targets. */
  weight?: Tensor | null;
  /** Targets of this index count nothing. Default for i32 targets -100, as in PyTorch; for u32 none. */
  ignoreIndex?: number;
}
const CLASSES: Kinds = { ...REDUCTION, weight: noneOrTensor, ignoreIndex: maybe(integer()) };

const isIndex = ({ dtype }: Tensor): boolean => dtype === 'u32' || dtype === 'i32';
const number0 = (value: number, like: Tensor): Tensor => tensor([value], { shape: [], dtype: like.dtype });

/** @throws ShapeError */
function expectClasses(name: string, x: Tensor, target: Tensor, weight: Tensor | null): number {
  const classes = x.shape.at(-1);
  if (classes === undefined) throw new ShapeError(`${name}: got a scalar, expected classes along the last axis.`);
  const expected = isIndex(target) ? x.shape.slice(0, -1) : x.shape;
  if (target.shape.join() !== expected.join())
    throw new ShapeError(
      `${name}: got a target [${target.shape}] ${target.dtype} for [${x.shape}], expected ` +
        `${isIndex(target) ? 'indices' : 'probabilities'} [${expected}].`,
      'Classes are the last axis; class indices are u32 or i32, probabilities f32.',
    );
  if (weight && weight.shape.join() !== `${classes}`)
    throw new ShapeError(`${name}: got weight [${weight.shape}], expected one for each of ${classes} classes.`);
  return classes;
}

/** Ignored indices hide the others from what checks a call's indices. @throws IndexError where the host wrote a class that is none. */
function expectKnownClasses(name: string, target: Tensor, classes: number, ignoreIndex = -100): void {
  const holds = target.node || target.size * classes === 0 ? null : target.storage.holds;
  const wrong = holds && [holds.low, holds.high].find((i) => (i < 0 || i >= classes) && i !== ignoreIndex);
  if (wrong != null) throw new IndexError(`${name}: got class ${wrong}, expected 0 to ${classes - 1}, or ${ignoreIndex} to be ignored.`);
}

/** 1 where the index counts nothing, and the indices with 0 in those places; null where all count. */
function ignored(index: Tensor, ignoreIndex = index.dtype === 'i32' ? -100 : undefined): { mask: Tensor; index: Tensor } | null {
  if (ignoreIndex === undefined || (index.dtype === 'u32' && ignoreIndex < 0)) return null;
  const mask = equal(index, number0(ignoreIndex, index));
  return { mask, index: where(mask, number0(0, index), index) };
}

/** [..., C] at indices [...] */
const pick = (x: Tensor, index: Tensor): Tensor => reshape(gather(x, reshape(index, [...index.shape, 1]), { axis: -1 }), index.shape);

/** The loss of log-probabilities [..., C] and indices [...], a share `smoothing` of it by all classes alike. */
function byIndex(logp: Tensor, target: Tensor, { weight, ignoreIndex, reduction }: ClassOptions, smoothing: number): Tensor {
  const out = ignored(target, ignoreIndex);
  const index = out?.index ?? target;
  const kept = (t: Tensor): Tensor => (out ? where(out.mask, number0(0, t), t) : t);
  const picked = pick(logp, index);
  const w = weight ? indexSelect(weight, index) : null;
  let terms = neg(kept(w ? mul(picked, w) : picked));
  if (smoothing > 0) {
    const all = kept(neg(sum(weight ? mul(logp, weight) : logp, { axes: -1 })));
    terms = add(mulScalar(terms, 1 - smoothing), mulScalar(all, smoothing / logp.shape.at(-1)!));
  }
  if (reduction !== undefined && reduction !== 'mean') return reduced(terms, reduction);
  if (!w && !out) return reduced(terms);
  const counted = w ? kept(w) : addScalar(neg(cast(out!.mask, 'f32')), 1);
  return div(sum(terms), sum(counted));
}

/**
 * Cross entropy of logits x [..., C] and class indices [...], or probabilities [..., C] of each class: `F.cross_entropy`, with classes
 * last. `labelSmoothing` mixes so much of the uniform distribution into the target.
 */
export const crossEntropy = door(
  'crossEntropy',
  { x: aTensor, target: aTensor, options: maybe(fields({ ...CLASSES, labelSmoothing: maybe(number(0, 1)) })) },
  (x: Tensor, target: Tensor, { labelSmoothing = 0, ...options }: ClassOptions & { labelSmoothing?: number } = {}): Tensor => {
    const classes = expectClasses('crossEntropy', x, target, options.weight ?? null);
    if (isIndex(target)) expectKnownClasses('crossEntropy', target, classes, options.ignoreIndex);
    const logp = logSoftmax(wide(x), -1);
    const weight = options.weight && wide(options.weight);
    if (isIndex(target)) return byIndex(logp, target, { ...options, weight }, labelSmoothing);
    const t = wide(target);
    const smooth = labelSmoothing > 0 ? addScalar(mulScalar(t, 1 - labelSmoothing), labelSmoothing / classes) : t;
    const shares = mul(logp, smooth);
    const terms = neg(sum(weight ? mul(shares, weight) : shares, { axes: -1 }));
    // The mean is over all values, a class apart: no number where there is no class.
    return options.reduction === 'sum' || options.reduction === 'none'
      ? reduced(terms, options.reduction)
      : mulScalar(sum(terms), classes / x.size);
  },
);

/** Negative log likelihood of log-probabilities x [..., C] and class indices [...]: `F.nll_loss`, with classes last. */
export const nll = door(
  'nll',
  { x: aTensor, target: aTensor, options: maybe(fields(CLASSES)) },
  (x: Tensor, target: Tensor, options: ClassOptions = {}): Tensor => {
    const classes = expectClasses('nll', x, target, options.weight ?? null);
    if (!isIndex(target))
      throw new ShapeError(
        `nll: got a target of ${target.dtype}, expected class indices, u32 or i32.`,
        'crossEntropy takes probabilities.',
      );
    expectKnownClasses('nll', target, classes, options.ignoreIndex);
    return byIndex(wide(x), target, { ...options, weight: options.weight && wide(options.weight) }, 0);
  },
);

export interface FocalOptions extends LossOptions {
  /** How much what is known well already counts less; 0 is cross entropy. Default 2. */
  gamma?: number;
  /** Factor of positive targets, 1 - alpha of negative ones; default none. Of binary targets only. */
  alpha?: number;
  /** Factor of each class [C]. Of class indices only; the mean is over the number of terms. */
  weight?: Tensor | null;
}

/**
 * Focal loss (Lin et al. 2017): cross entropy times (1 - p)^gamma, p the probability of what is true. Of class indices [...] with logits
 * [..., C]; else each logit is a yes or no of its own, target of the same shape, as torchvision's `sigmoid_focal_loss`.
 */
export const focal = door(
  'focal',
  {
    x: aTensor,
    target: aTensor,
    options: maybe(fields({ ...REDUCTION, gamma: maybe(number(0, Number.MAX_VALUE)), alpha: maybe(number(0, 1)), weight: noneOrTensor })),
  },
  (x: Tensor, target: Tensor, { gamma = 2, alpha, weight, reduction }: FocalOptions = {}): Tensor => {
    const z = wide(x);
    if (isIndex(target)) {
      expectClasses('focal', x, target, weight ?? null);
      const cost = neg(pick(logSoftmax(z, -1), target));
      const terms = mul(cost, powScalar(addScalar(neg(exp(neg(cost))), 1), gamma));
      return reduced(weight ? mul(terms, indexSelect(wide(weight), target)) : terms, reduction);
    }
    expectAlike('focal', x, target);
    const t = wide(target);
    const untrue = add(mul(sigmoid(z), addScalar(neg(t), 1)), mul(sigmoid(neg(z)), t)); // 1 - p, without loss where p is near 1
    const terms = mul(logitTerms(z, t), powScalar(untrue, gamma));
    const share = alpha === undefined ? null : addScalar(mulScalar(t, 2 * alpha - 1), 1 - alpha);
    return reduced(share ? mul(terms, share) : terms, reduction);
  },
);

export interface DiceOptions extends LossOptions {
  /** Added to numerator and denominator, so that nothing found where nothing is costs nothing. Default 1e-5. */
  smooth?: number;
  /** Sums of squares in the denominator (Milletari et al. 2016). Default false. */
  squared?: boolean;
  /** Sums over the batch too, before the quotient. Default false. */
  batch?: boolean;
}

/**
 * 1 - (2 sum p t + smooth) / (sum p + sum t + smooth) of probabilities p [N, ..., C]; target [N, ..., C], or class indices [N, ...]. Sums
 * run over places: a term for every sample and class, [N, C], or [C] with `batch`. MONAI's DiceLoss.
 */
export const dice = door(
  'dice',
  {
    x: aTensor,
    target: aTensor,
    options: maybe(fields({ ...REDUCTION, smooth: maybe(number(0, Number.MAX_VALUE)), squared: maybe(flag), batch: maybe(flag) })),
  },
  (x: Tensor, target: Tensor, { smooth = 1e-5, squared = false, batch = false, reduction }: DiceOptions = {}): Tensor => {
    const classes = expectClasses('dice', x, target, null);
    if (x.shape.length < 2) throw new ShapeError(`dice: got [${x.shape}], expected [N, ..., C].`);
    if (classes === 0 && isIndex(target) && target.size > 0)
      throw new ShapeError(`dice: got class indices [${target.shape}] for [${x.shape}], expected at least one class.`);
    const [p, t] = [wide(x), isIndex(target) ? oneHot(target, { classes }) : wide(target)];
    const axes = x.shape.map((_, i) => i).slice(batch ? 0 : 1, -1);
    const total = (v: Tensor): Tensor => (axes.length > 0 ? sum(v, { axes }) : v);
    const size = (v: Tensor): Tensor => total(squared ? square(v) : v);
    const share = div(addScalar(mulScalar(total(mul(p, t)), 2), smooth), addScalar(add(size(p), size(t)), smooth));
    return reduced(addScalar(neg(share), 1), reduction);
  },
);
