// SPDX-License-Identifier: MIT
// Runs in the worker before it: takes its device away when the page says so.

const devices: GPUDevice[] = [];
const before = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...options) {
  const device = await before.apply(this, options);
  devices.push(device);
  return device;
};
new BroadcastChannel('hooks').addEventListener('message', () => {
  devices.at(-1)!.destroy();
});
