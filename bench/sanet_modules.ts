// SPDX-License-Identifier: MIT
// What sanet.mjs takes from src, in one bundle: modules loaded twice would have two current devices.
export { openDevice } from '../src/gpu/device.ts';
export { methodOf } from '../src/methods/methods.ts';
export { buildNetworks, buildOptimisers } from '../src/train/networks.ts';
export { presetPlan } from '../src/train/presets.ts';
export { phantomSampler } from '../test/train/phantom_step.ts';
