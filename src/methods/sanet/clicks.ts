// SPDX-License-Identifier: MIT
// Clicks while training (specification 3.6): the first on annotated foreground, drawn by the sampler; each further one on a voxel
// that the decode before got wrong, chosen on the device. One click a class and decode, every class at once.
import type { Triple } from '../../axes.ts';
import { tensor, type Tensor } from '../../engine/tensor.ts';
import { noGrad } from '../../engine/trace.ts';
import { addScalar, cast, detach, equal, greaterScalar, indicator, mul, mulScalar, neg, sub, where } from '../../ops/pointwise.ts';
import { slice } from '../../ops/layout.ts';
import { reshape } from '../../ops/reshape.ts';
import { sampleVoxel } from '../../ops/sample_voxel.ts';
import type { SamMed3D } from '../../models/sam_med3d/sam.ts';
import { decide, type SparseLabels } from './cross.ts';
import { samDecode } from './forward.ts';
import type { Present } from '../../losses/segmentation.ts';

export interface ClickInputs {
  /** First clicks: coords [B, K-1, 1, 3] in [0, 1], labels [B, K-1, 1]. */
  readonly coords: Tensor;
  readonly labels: Tensor;
  /** Uniform numbers for the clicks after the first, [B, Nc-1, K-1]. */
  readonly draws?: Tensor;
}

/** What both 2D networks say, [..., D, H, W]: class indices, and 1 where they agree and both are sure. */
export interface Consensus {
  readonly label: Tensor;
  readonly sure: Tensor;
}

/** Confidence from which a 2D network's word stands in for ground truth. */
const SURE = 0.9;

/** `looked` is 1 where both networks saw the voxel; broadcasts to [..., D, H, W]. */
export function consensusOf(transverse: Tensor, coronal: Tensor, looked: Tensor): Consensus {
  return noGrad(() => {
    const t = decide(transverse);
    const c = decide(coronal);
    const sure = mul(cast(greaterScalar(t.confidence, SURE), 'f32'), cast(greaterScalar(c.confidence, SURE), 'f32'));
    return { label: t.label, sure: mul(mul(sure, indicator(t.label, c.label)), looked) };
  });
}

/**
 * Class logits [B, D, H, W, K] of volumes [B, D, H, W] after each of `count` clicks. Every decode sees the newest click and the logits of
 * the one before, through which no gradient flows.
 */
export function promptedDecodes(
  sam: SamMed3D,
  volumes: Tensor,
  inputs: ClickInputs,
  count: number,
  truth: SparseLabels,
  consensus: Consensus | null,
  present: Present,
): Tensor[] {
  const [b, ...size] = volumes.shape as unknown as [number, ...Readonly<Triple>];
  const embedding = sam.encode(reshape(volumes, [b, ...size, 1]));
  const first = { coords: reshape(inputs.coords, [-1, 1, 3]), labels: reshape(inputs.labels, [-1, 1]) };
  const out: Tensor[] = [];
  let click = first;
  let previous: Tensor | undefined;
  for (let i = 0; i < count; i++) {
    if (i > 0) {
      const u = reshape(slice(inputs.draws!, { axis: 1, start: i - 1, end: i }), [first.labels.shape[0]]);
      click = noGrad(() => errorClicks(out[i - 1], u, first, truth, consensus));
    }
    const { logits, low } = samDecode(sam, embedding, click, size, { previous, present });
    out.push(logits);
    previous = detach(low);
  }
  return out;
}

/**
 * For each class of each volume a voxel that `logits` [..., D, H, W, K] get wrong, positive where the class is missing and negative where
 * it is too much: among annotated voxels; if there is none, among those that contradict a sure consensus; else the first click again. u
 * [n], first [n, ...], n classes of all volumes.
 */
export function errorClicks(
  logits: Tensor,
  u: Tensor,
  first: { coords: Tensor; labels: Tensor },
  { label, annotated }: SparseLabels,
  consensus: Consensus | null,
): { coords: Tensor; labels: Tensor } {
  const n = u.shape[0];
  const [k, size] = [logits.shape.at(-1)!, logits.shape.slice(-4, -1)];
  const classes = tensor(
    Float32Array.from({ length: k - 1 }, (_, i) => i + 1),
    { shape: [k - 1, 1, 1, 1] },
  );
  const each = (volume: Tensor): Tensor => reshape(volume, [-1, 1, ...size]); // [B, 1, D, H, W]
  const byClass = (index: Tensor): Tensor => indicator(each(index), classes); // [B, K-1, D, H, W]
  const predicted = byClass(decide(logits).label);
  const errors = (reference: Tensor, where_: Tensor): Tensor =>
    reshape(mul(sub(byClass(reference), predicted), each(where_)), [n, ...size]);
  let click = { coords: reshape(first.coords, [n, 3]), value: addScalar(mulScalar(reshape(first.labels, [n]), 2), -1) };
  const prefer = (mask: Tensor): void => {
    const found = sampleVoxel(mask, u);
    const none = equal(found.value, mulScalar(found.value, 0));
    click = { coords: where(reshape(none, [n, 1]), click.coords, found.coords), value: where(none, click.value, found.value) };
  };
  if (consensus) prefer(errors(consensus.label, mul(consensus.sure, addScalar(neg(annotated), 1))));
  prefer(errors(label, annotated));
  return { coords: reshape(click.coords, [n, 1, 3]), labels: reshape(mulScalar(addScalar(click.value, 1), 0.5), [n, 1]) };
}
