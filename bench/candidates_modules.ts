// SPDX-License-Identifier: MIT
// What candidates.mjs takes from src, in one bundle: modules loaded twice would have two current devices.
export * from '../src/index.ts';
export { everyTile, rangesOf, tileCount, tileName } from '../src/ops/gemm.ts';
export { raceTiles } from '../src/ops/tune.ts';
export { shapeClasses } from '../src/train/cost.ts';
export { presetPlan } from '../src/train/presets.ts';
