// SPDX-License-Identifier: MIT
// Cross supervision (specification 5.2): from the three networks' probabilities and the sparse labels to the targets and
// voxel weights of each. All on the device, all without gradient. Volumes are [D, H, W] or [D, H, W, K], several [B, D, H, W] or
// [B, D, H, W, K].
import { tensor, type Tensor } from '../../engine/tensor.ts';
import { noGrad } from '../../engine/trace.ts';
import {
  add,
  addScalar,
  cast,
  clamp,
  div,
  equalScalar,
  exp,
  greater,
  greaterEqual,
  greaterScalar,
  indicator,
  maximum,
  mul,
  mulScalar,
  neg,
  where,
} from '../../ops/pointwise.ts';
import { slice } from '../../ops/layout.ts';
import { argmax, max, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { oneHotOf } from '../../losses/segmentation.ts';

/** Probabilities of N3 and of the two 2D networks, stacked to volumes [D, H, W, K]. */
export interface Predictions {
  readonly sam: Tensor;
  readonly transverse: Tensor;
  readonly coronal: Tensor;
}

export interface SparseLabels {
  /** Class indices as f32 [D, H, W]; meaningful where annotated. */
  readonly label: Tensor;
  /** 1 where annotated, else 0; f32 [D, H, W]. */
  readonly annotated: Tensor;
}

export interface CrossOptions {
  readonly hardThreshold: number;
  readonly softThreshold: number;
  readonly quality: 'dice' | 'accuracy';
  readonly qualityBar: number;
  /** Shift N3's probabilities to the volume that annotated voxels have (`calibrated`). */
  readonly calibrate?: boolean;
}

/** Targets (class indices f32) and weights, [D, H, W]. */
export interface Supervision {
  readonly target: Tensor;
  readonly weight: Tensor;
}

export interface CrossTargets {
  /** For N3: labels of the 2D networks where they agree. */
  readonly sam: Supervision;
  /** For both 2D networks: labels of N3 where it is confident. */
  readonly slices: Supervision;
  /**
   * Of each volume, [B]: N3's quality on annotated voxels; and the share of unannotated voxels that both looked at with a pseudo label for
   * N3. Not a number where there are no such voxels; the hard threshold holds then.
   */
  readonly quality: Tensor;
  readonly agreement: Tensor;
}

/** Label (f32) and confidence of probabilities [D, H, W, K], or of logits, whose label is the same; ties go to the lowest class. */
export function decide(p: Tensor): { label: Tensor; confidence: Tensor } {
  return { label: cast(argmax(p, { axis: -1 }), 'f32'), confidence: max(p, { axes: [-1] }) };
}

/** A shift of logits that calibration makes at most. */
const MOST = 3;

/**
 * Probabilities [..., D, H, W, K] whose foreground has, summed over annotated voxels of a volume, the size of the labels there: each
 * class's logit is shifted by two of Newton's steps. Without annotated voxels nothing moves.
 */
export function calibrated(p: Tensor, { label, annotated }: SparseLabels): Tensor {
  const classes = p.shape.at(-1)!;
  const weight = reshape(annotated, [...annotated.shape, 1]);
  const volume = (x: Tensor): Tensor => sum(mul(x, weight), { axes: [-4, -3, -2], keepDims: true });
  const foreground = tensor(Float32Array.from({ length: classes }, (_, c) => Number(c > 0)));
  const wanted = volume(oneHotOf(label, classes));
  let shifted = p;
  for (let step = 0; step < 2; step++) {
    const slope = maximum(volume(mul(shifted, addScalar(neg(shifted), 1))), tensor([1]));
    const excess = clamp(div(add(volume(shifted), neg(wanted)), slope), -MOST, MOST);
    const raw = mul(shifted, exp(mul(neg(excess), foreground)));
    shifted = div(raw, sum(raw, { axes: [-1], keepDims: true }));
  }
  return shifted;
}

const asFloat = (mask: Tensor): Tensor => cast(mask, 'f32');

/**
 * MIX with thresholds: where annotated the ground truth with weight 1, elsewhere pseudo labels with weight lambda or 0.
 * `chosen` is 1 where both 2D networks looked (f32, broadcasts to [D, H, W]); `lambda` is [1], `lambdaSlices` that of N3's labels for the
 * 2D networks. `mirrored`: what the networks say of the mirrored volume, mirrored back. Where one contradicts itself, its label does not
 * count.
 */
export function crossTargets(
  p: Predictions,
  truth: SparseLabels,
  chosen: Tensor,
  lambda: Tensor,
  options: CrossOptions,
  lambdaSlices: Tensor = lambda,
  mirrored: Predictions | null = null,
): CrossTargets {
  return noGrad(() => {
    const three = decide(options.calibrate ? calibrated(p.sam, truth) : p.sam);
    const t = decide(p.transverse);
    const c = decide(p.coronal);
    const { label, annotated } = truth;
    const isAnnotated = greater(annotated, mulScalar(annotated, 0));
    const one = tensor([1]);

    const steady = (by: keyof Predictions, voxels: Tensor): Tensor =>
      mirrored ? mul(voxels, indicator(decide(p[by]).label, decide(mirrored[by]).label)) : voxels;
    const agree = steady('transverse', steady('coronal', mul(indicator(t.label, c.label), chosen)));
    const contradicts = addScalar(neg(indicator(t.label, three.label)), 1);
    const surer = mul(asFloat(greater(three.confidence, t.confidence)), asFloat(greater(three.confidence, c.confidence)));
    const accepted = mul(agree, addScalar(neg(mul(contradicts, surer)), 1));

    const quality = qualityOf(three.label, truth, p.sam.shape.at(-1)!, options.quality);
    const threshold = where(
      greaterEqual(quality, tensor([options.qualityBar])),
      tensor([options.softThreshold]),
      tensor([options.hardThreshold]),
    );
    const sure = greater(three.confidence, reshape(threshold, [...three.confidence.shape.slice(0, -3), 1, 1, 1]));
    const confident = steady('sam', asFloat(sure));

    const unannotated = addScalar(neg(annotated), 1);
    return {
      sam: { target: where(isAnnotated, label, t.label), weight: where(isAnnotated, one, mul(accepted, lambda)) },
      slices: { target: where(isAnnotated, label, three.label), weight: where(isAnnotated, one, mul(confident, lambdaSlices)) },
      quality,
      agreement: div(sumEach(mul(accepted, unannotated)), sumEach(mul(chosen, unannotated))),
    };
  });
}

/** Sum over each volume [D, H, W], [B]. */
const sumEach = (x: Tensor): Tensor => reshape(sum(x, { axes: [-3, -2, -1] }), [-1]);

/**
 * Quality of each network as a teacher of each volume, [B]: on annotated voxels that both 2D networks looked at, so that all are asked the
 * same. Without such voxels 0, and so is `volumes`, else 1: means of many volumes are taken over those that could be judged.
 */
export function teacherQuality(
  p: Predictions,
  { label, annotated }: SparseLabels,
  chosen: Tensor,
  { quality, calibrate }: Pick<CrossOptions, 'quality' | 'calibrate'>,
): Record<keyof Predictions | 'volumes', Tensor> {
  return noGrad(() => {
    const seen = { label, annotated: mul(annotated, chosen) };
    const judged = greaterScalar(sumEach(seen.annotated), 0);
    const of = (x: Tensor): Tensor => where(judged, qualityOf(decide(x).label, seen, x.shape.at(-1)!, quality), tensor([0]));
    return {
      sam: of(calibrate ? calibrated(p.sam, { label, annotated }) : p.sam),
      transverse: of(p.transverse),
      coronal: of(p.coronal),
      volumes: asFloat(judged),
    };
  });
}

/**
 * Of each volume over annotated voxels: accuracy, or the mean Dice of the foreground classes that occur in prediction or labels (1 where
 * none does); [B], not a number without such voxels: nothing speaks for the teacher then.
 */
function qualityOf(predicted: Tensor, { label, annotated }: SparseLabels, classes: number, metric: 'dice' | 'accuracy'): Tensor {
  const one = tensor([1]);
  const voxels = sumEach(annotated);
  if (metric === 'accuracy') return div(sumEach(mul(indicator(predicted, label), annotated)), voxels);
  const weight = reshape(annotated, [...annotated.shape, 1]);
  const foreground = (index: Tensor): Tensor => mul(slice(oneHotOf(index, classes), { axis: -1, start: 1 }), weight);
  const each = (x: Tensor): Tensor => reshape(sum(x, { axes: [-4, -3, -2] }), [-1, classes - 1]);
  const [a, b] = [foreground(predicted), foreground(label)];
  const sizes = each(add(a, b)); // [B, K-1]
  const dice = div(mulScalar(each(mul(a, b)), 2), maximum(sizes, one));
  const present = sum(indicator(maximum(sizes, one), sizes), { axes: 1 }); // sizes are whole numbers
  const found = where(equalScalar(present, 0), one, div(sum(dice, { axes: 1 }), maximum(present, one)));
  return mul(found, div(voxels, voxels));
}
