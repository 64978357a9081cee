// SPDX-License-Identifier: MIT
// Augmentation of samples (specification 7.4): drawn as a small record, then applied, so that a record can be stored, repeated
// in another language, or undone. Image, label and weight always move together; flips come before slicing into planes.
import type { Triple } from '../axes.ts';
import { Philox } from '../random/philox.ts';
import type { Sample } from './sample.ts';
import type { VoxelArray } from './volume.ts';

/** What happens to a sample. Order: flips, quarter turns, then image * (1 + scale) + shift. */
export interface Augmentation {
  /** Reverse [D, H, W]. */
  readonly flips: readonly [boolean, boolean, boolean];
  /** Quarter turns in the H-W plane as numpy.rot90 (out[h, w] = in[w, N-1-h] for one), 0 to 3; an odd number needs H = W. */
  readonly turns: number;
  /** Relative change of contrast. */
  readonly scale: number;
  /** Added after scaling, in normalised units. */
  readonly shift: number;
}

/** Changes nothing. */
export const NO_AUGMENTATION: Augmentation = { flips: [false, false, false], turns: 0, scale: 0, shift: 0 };

/** How often each change happens, and the half-range of scale and shift. */
export interface AugmentationOdds {
  readonly flip: number;
  readonly rotate90: number;
  readonly scale: { readonly probability: number; readonly range: number };
  readonly shift: { readonly probability: number; readonly range: number };
}

/** ConvUNET's. */
export const AUGMENTATION_ODDS: AugmentationOdds = {
  flip: 0.5,
  rotate90: 0.2,
  scale: { probability: 0.1, range: 0.1 },
  shift: { probability: 0.1, range: 0.1 },
};

/** Draws the augmentation of element `op` of iteration `step` for regions of shape `size`: a function of the arguments. */
export function drawAugmentation(
  seed: number,
  step: number,
  op: number,
  size: Triple,
  odds: AugmentationOdds = AUGMENTATION_ODDS,
): Augmentation {
  // One element for each decision, whatever is decided, so that no draw moves another.
  const u = new Philox(seed, 'augment').uniform(step, op, 9);
  const square = size[1] === size[2];
  return {
    flips: [u[0] < odds.flip, u[1] < odds.flip, u[2] < odds.flip],
    turns: u[3] < odds.rotate90 ? (square ? 1 + Math.floor(u[4] * 3) : 2) : 0,
    scale: u[5] < odds.scale.probability ? (2 * u[6] - 1) * odds.scale.range : 0,
    shift: u[7] < odds.shift.probability ? (2 * u[8] - 1) * odds.shift.range : 0,
  };
}

/** Flips and turns an array [D, H, W]; RangeError for an odd number of turns where H differs from W. */
export function moveVoxels<A extends VoxelArray>(data: A, [D, H, W]: Triple, { flips, turns }: Augmentation): A {
  const quarter = ((turns % 4) + 4) % 4;
  if (quarter % 2 === 1 && H !== W) throw new RangeError(`moveVoxels: ${turns} quarter turns need H = W, got ${H} and ${W}.`);
  const out = new (data.constructor as new (n: number) => A)(data.length);
  for (let d = 0, i = 0; d < D; d++)
    for (let h = 0; h < H; h++)
      for (let w = 0; w < W; w++, i++) {
        // Output (h, w) comes from here in the flipped array, and that from the mirrored place in the source.
        const y = quarter === 0 ? h : quarter === 1 ? w : quarter === 2 ? H - 1 - h : W - 1 - w;
        const x = quarter === 0 ? w : quarter === 1 ? H - 1 - h : quarter === 2 ? W - 1 - w : h;
        out[i] = data[((flips[0] ? D - 1 - d : d) * H + (flips[1] ? H - 1 - y : y)) * W + (flips[2] ? W - 1 - x : x)];
      }
  return out;
}

/** The sample after `a`; the input is not changed. */
export function applyAugmentation(sample: Sample, a: Augmentation): Sample {
  const { size } = sample;
  const image = moveVoxels(sample.image, size, a);
  if (a.scale !== 0 || a.shift !== 0) for (let i = 0; i < image.length; i++) image[i] = image[i] * (1 + a.scale) + a.shift;
  return { image, label: moveVoxels(sample.label, size, a), weight: moveVoxels(sample.weight, size, a), size };
}
