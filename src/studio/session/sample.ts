// SPDX-License-Identifier: MIT
// The sample that is one click away: a made-up region of a lung with one lesion.
import { makePhantom, type Phantom } from '../../data/phantom.ts';

/** Large enough to look at, small enough to be trained on by a software driver. */
export const makeSample = (): Phantom =>
  makePhantom({ size: [24, 64, 64], seed: 2026, index: 3, radii: [8, 14], contrast: 350, spacing: [1.5, 0.75, 0.75] });
