// SPDX-License-Identifier: MIT
// Prediction by networks that see whole regions.
import type { Tensor } from '../engine/tensor.ts';
import type { Module } from '../nn/module.ts';
import { roisAtOnce } from '../predict/predict_volume.ts';
import { Batches } from './batches.ts';
import type { RoiPredictor } from './method.ts';
import type { Plan } from './plan.ts';

/** Predictor of networks that see whole ROIs: image [n, D, H, W] -> class probabilities of each, n times [D, H, W, K] one after another. */
export async function densePredictor(
  plan: Plan,
  nets: readonly Module[],
  probabilities: (image: Tensor, n: number) => Readonly<Record<string, Tensor>>,
  joined?: boolean,
): Promise<RoiPredictor> {
  const most = roisAtOnce(plan.data.roi, plan.classes.length, nets.length);
  const batches = await Batches.create(
    { nets, shapes: { image: plan.data.roi }, run: ({ image }, n) => probabilities(image, n) },
    1,
    most,
    joined,
  );
  return {
    most,
    run: async (images) => (await Batches.run([{ batches, count: images.length, item: (i) => ({ image: images[i] }) }]))[0],
    dispose: () => {
      batches.dispose();
    },
  };
}
