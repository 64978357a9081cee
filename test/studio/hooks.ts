// SPDX-License-Identifier: MIT
// Runs in the worker before it: takes its device away when the page says so, and tries to reach others.

const devices: GPUDevice[] = [];
const before = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...options) {
  const device = await before.apply(this, options);
  devices.push(device);
  return device;
};
const channel = new BroadcastChannel('hooks');
const say = (text: string): void => {
  channel.postMessage(text);
};
channel.addEventListener('message', ({ data }: MessageEvent<string>) => {
  if (data === 'lose') devices.at(-1)!.destroy();
  else if (data.startsWith('http'))
    void fetch(data).then(
      () => {
        say('went out');
      },
      () => {
        say('refused');
      },
    );
});
