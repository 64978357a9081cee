// SPDX-License-Identifier: MIT
// What to do where the engine cannot run: which browser, which setting.
import type { JSX } from 'preact';
import type { Offered } from '../../gpu/offered.ts';

type Lack = Exclude<Offered, 'ready'>;

const WHY: Readonly<Record<Lack, string>> = {
  insecure: 'Browsers offer WebGPU only on pages from https:// or from this machine (http://localhost).',
  'no-webgpu': 'This browser offers no WebGPU.',
  'no-adapter': 'This browser knows WebGPU, but found no GPU that it would use.',
  'no-subgroups': 'This browser’s WebGPU lacks “subgroups”, which the kernels need.',
};

const WAYS: Readonly<Record<Lack, readonly string[]>> = {
  insecure: ['Open the page by the address that `voxelgrad studio` printed, or serve it over HTTPS.'],
  'no-webgpu': [
    'Use Chrome or Edge 144 or newer, on Windows, macOS, ChromeOS or Android.',
    'On Linux, start it with --enable-unsafe-webgpu --enable-features=Vulkan, or set chrome://flags/#enable-unsafe-webgpu and ' +
      '#enable-vulkan to Enabled.',
    'Firefox and Safari have WebGPU, but not the subgroups that the kernels need.',
  ],
  'no-adapter': [
    'Look at chrome://gpu: WebGPU should say “Hardware accelerated”. A new driver often helps.',
    'Turn on “Use graphics acceleration when available” in the browser’s settings, and start it anew.',
    'On Linux, or where the GPU is on the browser’s list of blocked ones: set chrome://flags/#enable-unsafe-webgpu and ' +
      '#ignore-gpu-blocklist to Enabled.',
  ],
  'no-subgroups': [
    'Use Chrome or Edge 144 or newer; older ones hide subgroups behind chrome://flags/#enable-unsafe-webgpu.',
    'Firefox and Safari do not have subgroups yet.',
  ],
};

export const Unsupported = ({ verdict }: { readonly verdict: Lack }): JSX.Element => (
  <main class="unsupported">
    <p class="brand">
      voxelgrad <b>studio</b>
    </p>
    <h1>The studio cannot run here yet</h1>
    <p class="lead">{WHY[verdict]}</p>
    <ul>
      {WAYS[verdict].map((way) => (
        <li key={way}>{way}</li>
      ))}
    </ul>
    <p class="soft">Nothing was loaded, and nothing was sent.</p>
    <p>
      <strong class="warning">Not for clinical use</strong>
    </p>
  </main>
);
