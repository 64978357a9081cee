// SPDX-License-Identifier: MIT
// The phantom that the page's tests look at: slices farther apart than pixels, so that what is not to scale is seen.
import type { PhantomOptions } from '../../src/data/phantom.ts';

export const PHANTOM = { size: [24, 64, 64], seed: 11, radii: [9, 14], contrast: 500, spacing: [2.5, 1, 1] } satisfies PhantomOptions;
