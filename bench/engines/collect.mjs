// SPDX-License-Identifier: MIT
// Devices that a peer requests, so that they can be told and waited for.

/** Peers get the adapter that ours takes. @returns {GPUDevice[]} filled as devices are requested of `gpu` */
export function collect(gpu) {
  const devices = [];
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const adapter = await requestAdapter({ ...options, powerPreference: 'high-performance' });
    if (!adapter) return adapter;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (wanted) => {
      const device = await requestDevice(wanted);
      device.addEventListener('uncapturederror', (e) => console.error(e.error.message));
      devices.push(device);
      return device;
    };
    return adapter;
  };
  return devices;
}
