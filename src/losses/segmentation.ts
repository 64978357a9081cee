// SPDX-License-Identifier: MIT
// The losses of SA-Net (specification 6) on channels-last logits [S, h, w, K]. Targets are class indices as f32 [S, h, w],
// weights f32 [S, h, w]; sums run over the whole micro-batch. Target maps carry no gradient.
// Micro-batches that are computed together lie along a leading axis, [B, ...], and each has its own loss, [B]. Outputs that are scored
// against the same targets lie along an axis before it, [R, B, ...], and so do their losses, [R, B].
import type { Tensor } from '../engine/tensor.ts';
import { tensor } from '../engine/tensor.ts';
import { noGrad } from '../engine/trace.ts';
import { concat, pad, slice } from '../ops/layout.ts';
import { oneHot } from '../ops/one_hot.ts';
import { add, addScalar, div, exp, greaterScalar, cast, log, maximum, mul, mulScalar, neg, sigmoid, sub } from '../ops/pointwise.ts';
import { maxPool2d } from '../ops/pool.ts';
import { max, mean, sum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { logSoftmax } from '../ops/softmax.ts';
import { logitTerms } from './elementwise.ts';

const EPS = 1e-5;

/**
 * Which foreground classes a case may be missing: [K] f32, of several cases [B, K]; 1 = labelled, 0 = missing; undefined where every case
 * has all.
 */
export type Present = Tensor | undefined;

/** present [K] or [B, K] so that it broadcasts against x [..., K] or [B, ..., K]. */
export function besideClasses(present: Tensor, { shape }: Tensor): Tensor {
  const cases = present.shape.slice(0, -1);
  return reshape(present, [...cases, ...Array<number>(shape.length - cases.length - 1).fill(1), present.shape.at(-1)!]);
}

const alone = (x: Tensor): Tensor => reshape(x, [1, ...x.shape]);
/** The axes of one item's voxels, weight [B, ...], counted from the end; `behind` more follow. */
const voxelsOf = ({ shape }: Tensor, behind = 0): number[] => shape.slice(1).map((_, i) => -1 - behind - i);
/** [B] so that it broadcasts against x [B, ...]. */
const besideItems = (values: Tensor, { shape }: Tensor): Tensor => reshape(values, [shape[0], ...shape.slice(1).map(() => 1)]);

/** Log-probabilities after the classes missing in this case have joined background: log(p0 + sum of the missing). Targets [B, ..., K]. */
function marginalLogProbabilities(logits: Tensor, present: Present, targets: Tensor): Tensor {
  const logp = logSoftmax(logits, -1);
  if (!present) return logp;
  const k = logits.shape.at(-1)!;
  const first = tensor(
    Float32Array.from({ length: k }, (_, c) => (c === 0 ? 1 : 0)),
    { shape: [k] },
  );
  // 1 for background and for every missing class
  const joins = besideClasses(maximum(addScalar(neg(present), 1), first), targets);
  // log-sum-exp over those, shifted by their maximum: a confident voxel's probabilities underflow. Not -inf, since 0 * inf is NaN.
  const joined = add(logp, mulScalar(addScalar(joins, -1), 1e30));
  const top = noGrad(() => max(joined, { axes: [-1], keepDims: true }));
  const merged = add(log(sum(exp(sub(joined, top)), { axes: [-1], keepDims: true })), top);
  return concat([merged, slice(logp, { axis: -1, start: 1 })], { axis: -1 });
}

/** Targets of missing classes become background. */
export function marginalTarget(oneHot: Tensor, present: Present): Tensor {
  if (!present) return oneHot;
  const kept = mul(slice(oneHot, { axis: -1, start: 1 }), besideClasses(slice(present, { axis: -1, start: 1 }), oneHot));
  return concat([addScalar(neg(sum(kept, { axes: [-1], keepDims: true })), 1), kept], { axis: -1 });
}

/** Class indices [...] as one-hot f32 [..., K]; NaN for what is no class. */
export const oneHotOf = (target: Tensor, classes: number): Tensor => oneHot(target, { classes });

/** 1 - (2 sum w p g + eps) / (sum w p^2 + sum w g^2 + eps) over an item's voxels: p [R, B, ..., C], g [B, ..., C]; [R, B, C]. */
function softDiceLoss(p: Tensor, g: Tensor, weight: Tensor): Tensor {
  const axes = voxelsOf(weight, 1);
  const w = reshape(weight, [...weight.shape, 1]);
  const inter = sum(mul(w, mul(p, g)), { axes });
  const sizes = add(sum(mul(w, mul(p, p)), { axes }), sum(mul(w, mul(g, g)), { axes }));
  return addScalar(neg(div(addScalar(mulScalar(inter, 2), EPS), addScalar(sizes, EPS))), 1);
}

/** Factors of the two halves of Lseg; 0 leaves one out. */
export interface SegFactors {
  readonly ce: number;
  readonly dice: number;
}

/** Lseg = ce * weighted cross entropy + dice * weighted Dice. logits [..., K]; oneHot [..., K]; weight [...]. Scalar. */
export function segLoss(logits: Tensor, oneHot: Tensor, weight: Tensor, present?: Present, factors?: SegFactors): Tensor {
  return reshape(segLosses(alone(logits), alone(oneHot), alone(weight), present && alone(present), factors), []);
}

/** Lseg of each of B: logits [B, ..., K] or [R, B, ..., K]; oneHot [B, ..., K]; weight [B, ...]; present [B, K]. [B] or [R, B]. */
export function segLosses(
  logits: Tensor,
  oneHot: Tensor,
  weight: Tensor,
  present?: Present,
  { ce, dice }: SegFactors = { ce: 0.5, dice: 0.5 },
): Tensor {
  const logp = marginalLogProbabilities(logits, present, oneHot);
  const target = noGrad(() => marginalTarget(oneHot, present));
  const terms: Tensor[] = [];
  if (ce !== 0 || dice === 0) terms.push(mulScalar(crossEntropy(logp, target, weight), ce));
  if (dice !== 0) terms.push(mulScalar(diceLoss(logp, target, weight, present), dice));
  return terms.reduce(add);
}

/** Mean of the losses of B, a scalar. */
export const meanOf = (losses: Tensor): Tensor => (losses.size === 1 ? reshape(losses, []) : mean(losses));

function crossEntropy(logp: Tensor, target: Tensor, weight: Tensor): Tensor {
  const surprise = mul(reshape(weight, [...weight.shape, 1]), mul(target, logp));
  return div(neg(sum(surprise, { axes: [-1, ...voxelsOf(weight, 1)] })), addScalar(sum(weight, { axes: voxelsOf(weight) }), EPS));
}

/** Mean over the foreground classes that the case has labels of; 0 where it has none. */
function diceLoss(logp: Tensor, target: Tensor, weight: Tensor, present: Present): Tensor {
  const terms = softDiceLoss(exp(slice(logp, { axis: -1, start: 1 })), slice(target, { axis: -1, start: 1 }), weight);
  if (!present) return mean(terms, { axes: -1 });
  const foreground = slice(present, { axis: -1, start: 1 });
  return div(sum(mul(terms, foreground), { axes: -1 }), maximum(sum(foreground, { axes: -1 }), tensor([1], { shape: [] })));
}

/**
 * Boundary of the mixed label and where it is known (specification 6): per foreground class dilate - erode with a
 * (2r+1)^2 square, union over classes; valid where the whole square has weight. oneHot [S, h, w, K], weight [S, h, w].
 */
export function boundaryTarget(oneHot: Tensor, weight: Tensor, radius: 'auto' | 1 | 2 = 'auto'): { boundary: Tensor; valid: Tensor } {
  const [, h, w] = weight.shape as [number, number, number];
  const r = radius === 'auto' ? (Math.max(h, w) <= 128 ? 1 : 2) : radius;
  const window = { kernel: 2 * r + 1, stride: 1, padding: r };
  const foreground = slice(oneHot, { axis: -1, start: 1 });
  const bands = add(maxPool2d(foreground, window), maxPool2d(neg(foreground), window));
  const count = sum(bands, { axes: [-1] });
  const unknown = cast(greaterScalar(neg(weight), -1e-30), 'f32'); // weight <= 0
  const outside = pad(reshape(unknown, [...unknown.shape, 1]), { axes: [1, 2], before: [r, r], after: [r, r], value: 1 });
  const valid = addScalar(neg(maxPool2d(outside, { ...window, padding: 0 })), 1);
  return { boundary: cast(greaterScalar(count, 0.5), 'f32'), valid: reshape(valid, weight.shape) };
}

/** Lb: class-balanced binary cross entropy + Dice. logits, boundary, u = valid * weight: all [S, h, w]. Scalar. */
export function boundaryLoss(logits: Tensor, boundary: Tensor, u: Tensor): Tensor {
  return reshape(boundaryLosses(alone(logits), alone(boundary), alone(u)), []);
}

/** Lb of each of B: logits [B, ...] or [R, B, ...]; boundary, u [B, ...]. [B] or [R, B]. */
export function boundaryLosses(logits: Tensor, boundary: Tensor, u: Tensor): Tensor {
  const axes = voxelsOf(u);
  const { alpha, total } = noGrad(() => {
    const positive = sum(mul(u, boundary), { axes });
    const negative = sub(sum(u, { axes }), positive);
    const all = addScalar(add(positive, negative), EPS);
    const inverse = addScalar(neg(boundary), 1);
    const balanced = add(mul(boundary, besideItems(negative, u)), mul(inverse, besideItems(positive, u)));
    return { alpha: div(balanced, besideItems(all, u)), total: addScalar(sum(u, { axes }), EPS) };
  });
  const bce = div(sum(mul(mul(u, alpha), logitTerms(logits, boundary)), { axes }), total);
  const one = (x: Tensor): Tensor => reshape(x, [...x.shape, 1]);
  const dice = sum(softDiceLoss(one(sigmoid(logits)), one(boundary), u), { axes: -1 });
  return add(bce, dice);
}
