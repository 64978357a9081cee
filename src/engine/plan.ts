// SPDX-License-Identifier: MIT
// The memory plan: which buffer each tensor of a program lives in. Pure; buffers are made by program.ts.
import { LimitError } from '../errors.ts';

/** A tensor or scratch that needs memory from step `first` to step `last` of the program, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface MemoryPlan {
  /** Slot of each lifetime, by its index. */
  readonly slotOf: readonly number[];
  /** Bytes of each slot. */
  readonly slotBytes: readonly number[];
  /** Largest sum of live bytes at one step: what no plan can go below. */
  readonly lowerBound: number;
}

/**
 * Interval colouring, largest first: each tensor takes the first slot that is free during its whole life. Whole buffers,
 * since WebGPU tracks usage per buffer and disjoint ranges of one cannot be bound for reading and writing in one dispatch.
 */
export function planMemory(lifetimes: readonly Lifetime[]): MemoryPlan {
  const order = lifetimes
    .map((_, i) => i)
    .sort((i, j) => lifetimes[j].bytes - lifetimes[i].bytes || lifetimes[i].first - lifetimes[j].first);
  const slotOf = new Array<number>(lifetimes.length);
  const slotBytes: number[] = [];
  const taken: { first: number; last: number }[][] = []; // by slot, sorted by first
  for (const i of order) {
    const life = lifetimes[i];
    let slot = taken.findIndex((list) => insertAt(list, life) >= 0);
    if (slot < 0) {
      slot = taken.length;
      taken.push([]);
      slotBytes.push(life.bytes);
    }
    const list = taken[slot];
    list.splice(insertAt(list, life), 0, { first: life.first, last: life.last });
    slotOf[i] = slot;
  }
  return { slotOf, slotBytes, lowerBound: peakBytes(lifetimes) };
}

/** Position at which `life` fits between the sorted intervals of a slot, -1 where it overlaps one. */
function insertAt(list: readonly { first: number; last: number }[], life: Lifetime): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (list[mid].first < life.first) low = mid + 1;
    else high = mid;
  }
  const before = list[low - 1];
  const after = list[low];
  return (before && before.last >= life.first) || (after && after.first <= life.last) ? -1 : low;
}

function peakBytes(lifetimes: readonly Lifetime[]): number {
  const change = new Map<number, number>();
  for (const { bytes, first, last } of lifetimes) {
    change.set(first, (change.get(first) ?? 0) + bytes);
    change.set(last + 1, (change.get(last + 1) ?? 0) - bytes);
  }
  let now = 0;
  let peak = 0;
  for (const step of [...change.keys()].sort((a, b) => a - b)) {
    now += change.get(step)!;
    peak = Math.max(peak, now);
  }
  return peak;
}

/** @throws LimitError where slots take more than `most`, or a tensor more than one binding may have */
export function expectRoom(
  { lifetimes, names }: { readonly lifetimes: readonly Lifetime[]; readonly names: readonly string[] },
  slotBytes: number,
  binding: number,
  most = Infinity,
): void {
  if (slotBytes > most)
    throw new LimitError(`compile: activations take ${slotBytes} bytes, got maxSlotBytes ${most}.`, 'Compute less at once.');
  const i = lifetimes.findIndex(({ bytes }) => bytes > binding);
  if (i >= 0)
    throw new LimitError(
      `${names[i]}: a tensor of ${lifetimes[i].bytes} bytes, got limit maxStorageBufferBindingSize ${binding}.`,
      'Use a smaller batch, patch or preset.',
    );
}
