// SPDX-License-Identifier: MIT
// Kernels whose lanes work together ask for subgroups of some size. A device with smaller ones would compute other numbers, without a word:
// so the choice is refused when it is compiled.
import { KernelCompileError } from '../errors.ts';
import type { KernelDef } from './kernel.ts';

/** WebGPU's smallest, where a device does not say. */
const SMALLEST = 4;
const LARGEST = 128;
function subgroupSizes({ adapterInfo }: GPUDevice): readonly [least: number, most: number] {
  const { subgroupMinSize, subgroupMaxSize } = (adapterInfo ?? {}) as Partial<GPUAdapterInfo>;
  return [subgroupMinSize || SMALLEST, subgroupMaxSize || LARGEST];
}

/**
 * What a caller left out, as this device needs it: register tiles (lib/tile.wgsl) broadcast from 8 lanes, or from 4 where a subgroup may
 * have no more; subgroup matrices (lib/matrices.wgsl) have four subgroups a workgroup.
 */
export function withSubgroups(
  { spec: names }: KernelDef,
  spec: Readonly<Record<string, string>>,
  device: GPUDevice,
): Readonly<Record<string, string>> {
  const [least, most] = subgroupSizes(device);
  return {
    ...spec,
    ...('SG' in names && spec.SG === undefined && least < 8 && { SG: '4u' }),
    ...('LANES' in names && spec.LANES === undefined && least === most && { LANES: `${4 * most}u` }),
  };
}

/** @throws KernelCompileError for lanes that a subgroup of this device need not have, or that do not fill its workgroups. */
export function expectSubgroups(
  def: KernelDef,
  spec: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, number>>,
  device: GPUDevice,
): void {
  const [smallest, largest] = subgroupSizes(device);
  const override = (name: string): number | undefined => def.overrides[name] && (overrides[name] ?? Number(def.overrides[name].default));
  const refuse = (got: string, expected: string): never => {
    throw new KernelCompileError(`${def.entry}: got ${got}, expected ${expected}.`, 'See the head of the kernel file.');
  };
  const four = def.spec.LANES && parseInt(spec.LANES ?? def.spec.LANES[0]);
  if (four && (smallest !== largest || four !== 4 * largest))
    refuse(`LANES ${four} on a device whose subgroups have ${smallest} to ${largest} lanes`, 'four subgroups of one size');
  const WG = override('WG');
  for (const [name, lanes] of [
    ['SG', def.spec.SG && parseInt(spec.SG ?? def.spec.SG[0])],
    ['LANES', override('LANES')],
  ] as const) {
    if (!lanes) continue;
    if (!Number.isInteger(Math.log2(lanes))) refuse(`${name} ${lanes}`, 'a power of two');
    if (lanes > smallest)
      refuse(
        `${name} ${lanes} on a device whose subgroups may have ${smallest} lanes`,
        name === 'SG' ? "spec { SG: '4u' }" : `LANES of at most ${smallest}`,
      );
    if (WG !== undefined && WG % lanes !== 0) refuse(`WG ${WG} for ${name} ${lanes}`, 'a multiple of it');
  }
}
