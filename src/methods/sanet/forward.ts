// SPDX-License-Identifier: MIT
// What one network computes in a training step, and its loss (specification 3.6, 5.3, 6).
import { tensor, type Tensor } from '../../engine/tensor.ts';
import { noGrad } from '../../engine/trace.ts';
import { concat, slice } from '../../ops/layout.ts';
import { permute } from '../../ops/permute.ts';
import { add, addScalar, mul, mulScalar, neg } from '../../ops/pointwise.ts';
import { reshape } from '../../ops/reshape.ts';
import { softmax } from '../../ops/softmax.ts';
import type { Net2DOutput } from '../../models/sanet/net2d.ts';
import { toNative, type Fit, type Size3 } from '../../models/sanet/planes.ts';
import type { SamMed3D } from '../../models/sam_med3d/sam.ts';
import {
  boundaryLoss,
  boundaryTarget,
  marginalTarget,
  oneHotOf,
  segLoss,
  type Present,
  type SegFactors,
} from '../../losses/segmentation.ts';
import type { Supervision } from './cross.ts';
import type { SanetFields } from './plan.ts';

/** Logit of a class that nobody asked for: no probability, no gradient. */
const SILENT = -1e4;

/**
 * Mask logits of every foreground class [K-1, D, H, W, 1] as class logits [D, H, W, K], background 0. Classes that the case has no
 * labels of are silent: SAM is not prompted for them.
 */
export function classLogits(masks: Tensor, present?: Present): Tensor {
  const [n, d, h, w] = masks.shape as [number, number, number, number];
  let foreground = n === 1 ? reshape(masks, [d, h, w, 1]) : permute(reshape(masks, [n, d, h, w]), [1, 2, 3, 0]);
  if (present) {
    const asked = slice(present, { axis: 0, start: 1 });
    foreground = add(mul(foreground, asked), mulScalar(addScalar(neg(asked), 1), SILENT));
  }
  return concat([tensor(new Float32Array(d * h * w), { shape: [d, h, w, 1] }), foreground], { axis: -1 });
}

/**
 * One prompted decode for each foreground class, at the ROI's size. coords [K-1, 1, 3] in [0, 1], labels [K-1, 1]; `previous` are the
 * low-resolution logits of the decode before.
 */
export function samDecode(
  sam: SamMed3D,
  embedding: Tensor,
  click: { coords: Tensor; labels: Tensor },
  size: Size3,
  { previous, present }: { previous?: Tensor | undefined; present?: Present } = {},
): { logits: Tensor; low: Tensor } {
  const low = sam.decode(embedding, click, previous);
  return { logits: classLogits(sam.upsample(low, size), present), low };
}

/** Probabilities without gradient: pseudo labels are constants. */
export function probabilities(logits: Tensor): Tensor {
  return noGrad(() => softmax(logits, -1));
}

/** N3's loss: Lseg averaged over its clicks. */
export function samLoss(
  logits: readonly Tensor[],
  { target, weight }: Supervision,
  classes: number,
  factors: SegFactors,
  present: Present,
): Tensor {
  const oneHot = noGrad(() => oneHotOf(target, classes));
  const losses = logits.map((z) => segLoss(z, oneHot, weight, present, factors));
  return mulScalar(losses.reduce(add), 1 / losses.length);
}

/** The whole and its terms before their factors; the terms of modules that are switched off are absent. */
export interface SliceLoss {
  readonly total: Tensor;
  readonly final: Tensor;
  readonly auxiliary?: Tensor;
  readonly edge: Tensor;
  readonly boundary?: Tensor;
}

/** A 2D network's loss: final output, auxiliary outputs and boundaries, all scored at the native slice. */
export function sliceLoss(
  out: Net2DOutput,
  fit: Fit,
  { target, weight }: Supervision,
  classes: number,
  options: SanetFields['loss'],
  present: Present,
): SliceLoss {
  const { oneHot, boundary, valid } = noGrad(() => {
    const labels = oneHotOf(target, classes);
    const edge = boundaryTarget(marginalTarget(labels, present), weight, options.boundaryRadius);
    return { oneHot: labels, boundary: edge.boundary, valid: mul(edge.valid, weight) };
  });
  const region = (z: Tensor): Tensor => segLoss(toNative(z, fit), oneHot, weight, present, options);
  const outline = (z: Tensor): Tensor => boundaryLoss(reshape(toNative(z, fit), weight.shape), boundary, valid);
  const average = (terms: readonly Tensor[]): Tensor | undefined =>
    terms.length > 0 ? mulScalar(terms.reduce(add), 1 / terms.length) : undefined;
  const final = region(out.logits);
  const edge = outline(out.edge);
  const auxiliary = average(out.region.map(region));
  const inner = average(out.boundary.map(outline));
  const total = [
    final,
    ...(auxiliary ? [mulScalar(auxiliary, options.auxiliary)] : []),
    mulScalar(inner ? add(edge, inner) : edge, options.boundary),
  ].reduce(add);
  return { total, final, edge, ...(auxiliary && { auxiliary }), ...(inner && { boundary: inner }) };
}
