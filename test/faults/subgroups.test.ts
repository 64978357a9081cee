// SPDX-License-Identifier: MIT
// An adapter without the feature that kernels are written with: refused before anything is compiled, and doctor says why.
import { create } from 'webgpu';
import { expect, it, vi } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { voxelgrad } from '../cli/voxelgrad.ts';

vi.mock('../../src/gpu/provider.ts', () => ({
  adapterNames: async () => ['Old GPU'],
  takeAdapter: () => undefined,
  freeMemory: () => undefined,
  provideGPU: async () => ({
    requestAdapter: async () => ({
      info: { vendor: 'v', device: 'Old GPU', description: '1.0' },
      features: new Set(['shader-f16']),
      limits: {},
    }),
  }),
}));

it('openDevice names the adapter, what it lacks, and what to do', async () => {
  await expect(openDevice()).rejects.toMatchObject({
    code: 'LIMIT',
    message: expect.stringMatching(/Old GPU.*`subgroups`/),
    hint: expect.stringMatching(/driver/),
  });
});

it('doctor lists it as missing and fails', async () => {
  const { code, out } = await voxelgrad(['doctor', '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    adapter: null,
    kernel: { ok: false, detail: expect.stringMatching(/Old GPU/) },
    missing: [{ what: expect.stringMatching(/^subgroups/), remedy: expect.stringMatching(/driver/) }],
  });
});

it("a device of the caller's that was opened without it is refused too, and left open", async () => {
  const gpu = create([]);
  const raw = await (await gpu.requestAdapter())!.requestDevice();
  await expect(openDevice({ gpuDevice: raw })).rejects.toMatchObject({ code: 'LIMIT', hint: expect.stringMatching(/requiredFeatures/) });
  raw.pushErrorScope('validation');
  expect(await raw.popErrorScope()).toBeNull();
  raw.destroy();
  await raw.lost;
});
