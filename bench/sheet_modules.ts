// SPDX-License-Identifier: MIT
// What sheet.mjs takes from src, in one bundle: modules loaded twice would have two current devices.
export * from '../src/index.ts';
export { dryDevice } from '../src/gpu/dry.ts';
export { networkList } from '../src/methods/method.ts';
export { methodOf } from '../src/methods/methods.ts';
export { buildOptimisers, makeNetworks } from '../src/train/networks.ts';
export { presetPlan } from '../src/train/presets.ts';
