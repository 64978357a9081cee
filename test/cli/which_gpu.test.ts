// SPDX-License-Identifier: MIT
// Which of several GPUs a process takes: by name, by its place on the bus where names are the same, and never silently another.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { shareDevices, takeDevice, type Machine } from '../../src/cli/which_gpu.ts';
import { needs } from '../needs.ts';
import { bundleCli } from './processes.ts';

/** A machine with GPUs by address; Mesa's layer shows the one that DRI_PRIME names, where there is the layer. */
function machineOf(gpus: Readonly<Record<string, string>>, { layer = true, env = {}, software = true } = {}) {
  const taken: string[] = [];
  const machine: Machine & { readonly taken: string[] } = {
    taken,
    env: { ...env },
    addresses: () => ['0000:00:02.0', ...Object.keys(gpus)].sort(), // a display that is no GPU of ours is on the bus, too
    take: (name) => taken.push(name),
    names() {
      const shown = Object.entries(gpus).filter(([address]) => layer && machine.env.DRI_PRIME === `pci-${address.replace(/[:.]/g, '_')}!`);
      const all = Object.values(gpus);
      return Promise.resolve(
        shown.length > 0 ? shown.map(([, name]) => name) : software ? [...all, 'llvmpipe (LLVM 19.1.7, 256 bits)'] : all,
      );
    },
  };
  return machine;
}
const twins = { '0000:3b:00.0': 'NVIDIA H200', '0000:5d:00.0': 'NVIDIA H200', '0000:9a:00.0': 'NVIDIA H200' };

describe('--device', () => {
  it('chooses by name where names differ; software is not counted beside GPUs', async () => {
    const machine = machineOf({ '0000:01:00.0': 'Intel UHD', '0000:3b:00.0': 'NVIDIA H200' });
    await takeDevice(1, machine);
    expect(machine.taken).toEqual(['NVIDIA H200']);
    await expect(takeDevice(2, machine)).rejects.toThrow('--device: got 2, expected one of 0 (Intel UHD), 1 (NVIDIA H200).');
  });

  it('chooses by the place on the bus where names are the same, and where one is part of another', async () => {
    for (const [i, address] of Object.keys(twins).entries()) {
      const machine = machineOf(twins);
      await takeDevice(i, machine);
      expect([machine.env.DRI_PRIME, machine.taken]).toEqual(
        i === 0 ? [undefined, ['NVIDIA H200']] : [`pci-${address.replace(/[:.]/g, '_')}!`, []],
      );
    }
    const machine = machineOf({ '0000:3b:00.0': 'NVIDIA A100-SXM', '0000:5d:00.0': 'NVIDIA A100' });
    await takeDevice(1, machine);
    expect(machine.env.DRI_PRIME).toBe('pci-0000_5d_00_0!');
  });

  it('refuses what cannot be told apart, and leaves the environment as it was', async () => {
    const machine = machineOf(twins, { layer: false, env: { DRI_PRIME: '1' } });
    await expect(takeDevice(2, machine)).rejects.toThrow(
      'device 2: got others of its name, "NVIDIA H200", which Dawn cannot tell from it.',
    );
    expect(machine.env.DRI_PRIME).toBe('1');
  });
});

describe('the processes of a machine', () => {
  const said = async (machine: Machine): Promise<string[]> => {
    const lines: string[] = [];
    await shareDevices((line) => lines.push(line), machine);
    return lines;
  };
  it('take one each of the GPUs that are alike, again from the first where they are more', async () => {
    const env = (rank: number) => ({ OMPI_COMM_WORLD_LOCAL_RANK: String(rank) });
    const own = { '0000:01:00.0': 'Intel UHD', ...twins };
    const places = [];
    for (let rank = 0; rank < 4; rank++) {
      const machine = machineOf(own, { env: env(rank) });
      expect(await said(machine)).toEqual([]);
      places.push(machine.env.DRI_PRIME ?? machine.taken[0]);
    }
    expect(places).toEqual(['NVIDIA H200', 'pci-0000_5d_00_0!', 'pci-0000_9a_00_0!', 'NVIDIA H200']);
  });

  it('say it where GPUs cannot be told apart, and nothing where there is one, or no launcher', async () => {
    const env = { MPI_LOCALRANKID: '1' };
    expect(await said(machineOf(twins, { layer: false, env }))).toEqual([
      expect.stringMatching(/^3 GPUs are called "NVIDIA H200", and Dawn cannot tell them apart: all processes may share the first/),
    ]);
    expect(await said(machineOf({ '0000:3b:00.0': 'NVIDIA H200' }, { env }))).toEqual([]);
    expect(await said(machineOf(twins))).toEqual([]);
    expect(await said(machineOf({}, { env }))).toEqual([]);
  });
});

const ICDS = ['/usr/share/vulkan/icd.d/lvp_icd.json', '/usr/lib/chromium/vk_swiftshader_icd.json'];
needs(ICDS.every(existsSync), 'Lavapipe and SwiftShader (apt-get install mesa-vulkan-drivers chromium)').describe('two drivers', () => {
  let cli: string;
  beforeAll(async () => {
    cli = await bundleCli();
  });
  it('are two devices: each is the one that was asked for', () => {
    const env = { ...process.env, VK_DRIVER_FILES: ICDS.join(':'), VK_ICD_FILENAMES: ICDS.join(':') };
    const doctor = (...more: string[]) => spawnSync(process.execPath, [cli, 'doctor', ...more], { env, encoding: 'utf8' });
    const list = doctor('--device', '99').stderr;
    const names = [.../(\d) \((\w+).*?\)/g[Symbol.matchAll](list)].map(([, i, name]) => [i, name]);
    expect(names.map(([, name]) => name).sort()).toEqual(['SwiftShader', 'llvmpipe']);
    for (const [i, name] of names) {
      const { stdout, stderr } = doctor('--device', i);
      expect(stdout + stderr).toMatch(new RegExp(name, 'i'));
    }
  });
});
