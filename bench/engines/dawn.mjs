// SPDX-License-Identifier: MIT
// The adapter for peers that expect a browser: `navigator.gpu` from the same Dawn, as the engine opens it.
import { create, globals } from 'webgpu';

let kept; // a collected instance never answers

/** `devices` collects what is requested, so that a peer's device can be told and waited for. */
export function dawn() {
  Object.assign(globalThis, globals);
  kept = create(['enable-dawn-features=allow_unsafe_apis', 'disable-dawn-features=timestamp_quantization']);
  const devices = [];
  const requestAdapter = kept.requestAdapter.bind(kept);
  kept.requestAdapter = async (options) => {
    const adapter = await requestAdapter(options);
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (wanted) => {
      const device = await requestDevice(wanted);
      device.addEventListener('uncapturederror', (e) => console.error(e.error.message));
      devices.push(device);
      return device;
    };
    return adapter;
  };
  return { gpu: kept, devices };
}
