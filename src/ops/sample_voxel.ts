// SPDX-License-Identifier: MIT
// A random voxel of a mask, chosen on the device: clicks on what a network gets wrong, without reading its mask back.
import { ShapeError } from '../errors.ts';
import { numel } from '../engine/dtype.ts';
import { aTensor } from '../engine/door.ts';
import { defineOp, dispatch, expectDType, type Dispatch } from '../engine/op.ts';
import type { Tensor } from '../engine/tensor.ts';
import { voxel_counts, voxel_pick } from '../gen/sample_voxel.ts';
import { elementLaunch } from './lanes.ts';

/**
 * For each mask of [B, D, H, W] one voxel, drawn with u [B] (uniform in [0, 1)) among those that are not 0. `coords` [B, 3] are its
 * centre in (0, 1) along D, H, W; `value` [B] is the mask's value there. An empty mask gives 0.5 and value 0. No gradient.
 */
export const sampleVoxel = defineOp({
  name: 'sample_voxel',
  takes: { mask: aTensor, u: aTensor },
  call: (mask: Tensor, u: Tensor) => ({ inputs: [mask, u], attrs: {} }),
  infer([mask, u]) {
    expectDType('sampleVoxel', [mask, u], 'f32');
    if (mask.shape.length !== 4 || u.shape.length !== 1 || u.shape[0] !== mask.shape[0] || numel(mask.shape.slice(1)) === 0) {
      throw new ShapeError(
        `sampleVoxel: got a mask [${mask.shape}] and u [${u.shape}], expected [B, D, H, W] of at least one voxel and [B].`,
      );
    }
    return [
      { shape: [mask.shape[0], 3], dtype: 'f32' },
      { shape: [mask.shape[0]], dtype: 'f32' },
    ];
  },
  lower({ caps, inputs: [mask, u], outputs: [coords, value], scratch }): Dispatch[] {
    const [rows, depth, height, width] = mask.shape as [number, number, number, number];
    const n = depth * height * width;
    const run = Math.ceil(Math.sqrt(n));
    const runs = Math.ceil(n / run);
    const counts = scratch([rows, runs], 'u32');
    const params = { rows, n, run, runs, height, width };
    const count = elementLaunch(caps, rows * runs);
    const pick = elementLaunch(caps, rows);
    return [
      dispatch(voxel_counts, { mask, counts }, params, count.grid, { overrides: count.overrides }),
      dispatch(voxel_pick, { mask, u, counted: counts, coords, value }, params, pick.grid, { overrides: pick.overrides }),
    ];
  },
  result: ([coords, value]) => ({ coords, value }),
});
