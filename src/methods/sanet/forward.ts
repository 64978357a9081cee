// SPDX-License-Identifier: MIT
// What one network computes in a training step, and its loss (specification 3.6, 5.3, 6).
import type { Triple } from '../../axes.ts';
import { tensor, zeros, type Tensor } from '../../engine/tensor.ts';
import { noGrad } from '../../engine/trace.ts';
import { concat, slice } from '../../ops/layout.ts';
import { permute } from '../../ops/permute.ts';
import { add, addScalar, mul, mulScalar, neg } from '../../ops/pointwise.ts';
import { mean, sum } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { softmax } from '../../ops/softmax.ts';
import type { Net2DOutput } from '../../models/sanet/net2d.ts';
import { toNative, type Fit } from '../../models/sanet/planes.ts';
import type { SamMed3D } from '../../models/sam_med3d/sam.ts';
import {
  besideClasses,
  boundaryLosses,
  boundaryTarget,
  marginalTarget,
  meanOf,
  oneHotOf,
  segLosses,
  type Present,
  type SegFactors,
} from '../../losses/segmentation.ts';
import type { Supervision } from './cross.ts';
import type { SanetFields } from './plan.ts';

/** Logit of a class that nobody asked for: no probability, no gradient. */
const SILENT = -1e4;

/**
 * Mask logits of every foreground class of B volumes [B * (K-1), D, H, W, 1] as class logits [B, D, H, W, K], background 0. Classes that
 * a case has no labels of (`present` [B, K]) are silent: SAM is not prompted for them.
 */
export function classLogits(masks: Tensor, volumes: number, present?: Present): Tensor {
  const [n, ...size] = masks.shape.slice(0, -1) as [number, ...Readonly<Triple>];
  const k = n / volumes;
  let foreground = k === 1 ? masks : permute(reshape(masks, [volumes, k, ...size]), [0, 2, 3, 4, 1]);
  if (present) {
    const asked = besideClasses(slice(present, { axis: -1, start: 1 }), foreground);
    foreground = add(mul(foreground, asked), mulScalar(addScalar(neg(asked), 1), SILENT));
  }
  return concat([zeros([volumes, ...size, 1]), foreground], { axis: -1 });
}

/**
 * One prompted decode for each foreground class of B volumes, at the ROI's size: embedding [B, ...], coords [B * (K-1), 1, 3] in [0, 1],
 * labels [B * (K-1), 1]; `previous` are the low-resolution logits of the decode before.
 */
export function samDecode(
  sam: SamMed3D,
  embedding: Tensor,
  click: { coords: Tensor; labels: Tensor },
  size: Readonly<Triple>,
  { previous, present }: { previous?: Tensor | undefined; present?: Present } = {},
): { logits: Tensor; low: Tensor } {
  const low = sam.decode(embedding, click, previous);
  return { logits: classLogits(sam.upsample(low, size), embedding.shape[0], present), low };
}

/** Probabilities without gradient: pseudo labels are constants. */
export function probabilities(logits: Tensor): Tensor {
  return noGrad(() => softmax(logits, -1));
}

/** N3's loss: Lseg of each volume, averaged over its clicks, and over volumes. logits [B, D, H, W, K]. */
export function samLoss(
  logits: readonly Tensor[],
  { target, weight }: Supervision,
  classes: number,
  factors: SegFactors,
  present: Present,
): Tensor {
  const oneHot = noGrad(() => oneHotOf(target, classes));
  const losses = logits.map((z) => segLosses(z, oneHot, weight, present, factors));
  return meanOf(mulScalar(losses.reduce(add), 1 / losses.length));
}

/** The whole and its terms before their factors; the terms of modules that are switched off are absent. */
export interface SliceLoss {
  readonly total: Tensor;
  readonly final: Tensor;
  readonly auxiliary?: Tensor;
  readonly edge: Tensor;
  readonly boundary?: Tensor;
}

/**
 * A 2D network's loss: final output, auxiliary outputs and boundaries, all scored at the native slice. The slices are B micro-batches one
 * after another, `present` [B, K]: the mean of their losses.
 */
export function sliceLoss(
  out: Net2DOutput,
  fit: Fit,
  { target, weight }: Supervision,
  classes: number,
  options: SanetFields['loss'],
  present: Present,
  batches = 1,
): SliceLoss {
  const [slices, h, w] = weight.shape as [number, number, number];
  const shape = [batches, slices / batches, h, w];
  const { oneHot, boundary, valid } = noGrad(() => {
    const labels = oneHotOf(reshape(target, shape), classes);
    const edge = boundaryTarget(reshape(marginalTarget(labels, present), [slices, h, w, classes]), weight, options.boundaryRadius);
    return { oneHot: labels, boundary: reshape(edge.boundary, shape), valid: reshape(mul(edge.valid, weight), shape) };
  });
  const outputs = [out.logits, ...out.region];
  const outlines = [out.edge, ...out.boundary];
  const regions = segLosses(together(outputs, fit, [...shape, classes]), oneHot, reshape(weight, shape), present, options); // [R, B]
  const edges = boundaryLosses(together(outlines, fit, shape), boundary, valid);
  const [auxiliary, inner] = [outputs.length - 1, outlines.length - 1];
  const sharesOf = (count: number, first: number, others: number): Tensor =>
    tensor(
      Float32Array.from({ length: count + 1 }, (_, i) => (i === 0 ? first : others / count) / batches),
      { shape: [count + 1, 1] },
    );
  const some = (losses: Tensor, start: number, end?: number): Tensor => mean(slice(losses, { axis: 0, start, ...(end && { end }) }));
  return {
    total: add(
      sum(mul(regions, sharesOf(auxiliary, 1, options.auxiliary))),
      sum(mul(edges, sharesOf(inner, options.boundary, options.boundary))),
    ),
    final: some(regions, 0, 1),
    edge: some(edges, 0, 1),
    ...(auxiliary > 0 && { auxiliary: some(regions, 1) }),
    ...(inner > 0 && { boundary: some(edges, 1) }),
  };
}

/** Logits of several outputs at the native slice, one after another: [R, ...shape]. Neighbours of one resolution are resized at once. */
function together(outputs: readonly Tensor[], fit: Fit, shape: readonly number[]): Tensor {
  const groups: Tensor[][] = [];
  for (const z of outputs) {
    const last = groups.at(-1);
    if (last?.[0].shape.join() === z.shape.join()) last.push(z);
    else groups.push([z]);
  }
  const native = groups.map((zs) => toNative(concat(zs, { axis: 0 }), fit));
  return reshape(concat(native, { axis: 0 }), [outputs.length, ...shape]);
}
