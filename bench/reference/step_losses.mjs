// SPDX-License-Identifier: MIT
// Four losses of the training step in float64. Written by step.mjs.
export const LOSSES = [2.4300766868648815, 2.2692625773947257, 2.1211235788385556, 1.9752554440281964];
