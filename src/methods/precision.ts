// SPDX-License-Identifier: MIT
// What a plan's precision means to its networks, and to a device.
import type { FloatType } from '../engine/dtype.ts';
import { DataError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { Plan } from './plan.ts';

/** Of activations; weights are f32, and a loss is scaled where its gradients pass through f16. */
export const storageOf = ({ training }: Plan): FloatType => (training.precision === 'mixed' ? 'f16' : 'f32');

/** @throws DataError where the device lacks what the plan's precision needs */
export function assertPrecision(plan: Plan, { caps, info }: Device): void {
  if (storageOf(plan) === 'f32' || caps.f16) return;
  throw new DataError(
    `training.precision: got "${plan.training.precision}" on ${info.name}, which has no shader-f16, expected "f32".`,
    'Set it to "f32" in the plan, or use an adapter with shader-f16 (voxelgrad doctor).',
  );
}
