// SPDX-License-Identifier: MIT
// The adapter for peers that expect a browser: `navigator.gpu` from the same Dawn, as the engine opens it.
import { create, globals } from 'webgpu';
import { collect } from './collect.mjs';

let kept; // a collected instance never answers

/** Makes this process look like a browser; returns the devices that are requested. */
export function browserLike() {
  Object.assign(globalThis, globals);
  kept = create(['enable-dawn-features=allow_unsafe_apis', 'disable-dawn-features=timestamp_quantization']);
  globalThis.navigator = { gpu: kept, userAgent: 'node', platform: 'linux' };
  return collect(kept);
}
