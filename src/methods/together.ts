// SPDX-License-Identifier: MIT
// How much of an iteration is computed at once: as many of its micro-batches as the device has memory for.
import type { CompileOptions } from '../engine/program.ts';
import { LimitError } from '../errors.ts';
import { currentDevice, type Device } from '../gpu/device.ts';
import { ACTIVATIONS } from './batches.ts';
import type { Together } from './method.ts';

/** Bytes for the activations of the programs of an iteration, which share them. */
export const activationBytes = (device: Device = currentDevice()): number => device.room * ACTIVATIONS;

/** Numbers that divide `n`, largest first: so many at once leave no run that is not full. */
export const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => n - i).filter((d) => n % d === 0);

/**
 * How many at once a program may take, largest first: what its run began with, `unrecorded` where that was before runs noted it; else any
 * of `sizes`.
 */
export const sizesOf = (begun: Together | undefined, name: string, sizes: readonly number[], unrecorded = 1): readonly number[] =>
  begun ? [begun[name] ?? unrecorded] : sizes;

/** Compiles for the first of `sizes` (falling) whose activations fit into `bytes`; for the last one they may take what there is. */
export async function compileLargest<P>(
  sizes: readonly number[],
  bytes: number,
  compileFor: (size: number, limit: Pick<CompileOptions, 'maxSlotBytes'>) => Promise<P>,
): Promise<{ size: number; program: P }> {
  for (const size of sizes.slice(0, -1)) {
    try {
      return { size, program: await compileFor(size, { maxSlotBytes: bytes }) };
    } catch (e) {
      if (!(e instanceof LimitError)) throw e;
    }
  }
  const last = sizes.at(-1)!;
  return { size: last, program: await compileFor(last, {}) };
}
