// SPDX-License-Identifier: MIT
// Undo and redo. A step holds what it changed of one slice, in runs, so that memory follows what was drawn and not the volume's size.

/** Steps that are always kept, and bytes beyond which older ones go. */
import type { SlicePlane } from '../../axes.ts';
export const KEPT_STEPS = 50;
const MOST_BYTES = 48 * 2 ** 20;
const MOST_STEPS = 500;

/** Consecutive pixels that went from one value to another. */
interface Runs {
  readonly start: Uint32Array;
  readonly length: Uint32Array;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

export interface Step {
  readonly name: string;
  readonly plane: SlicePlane;
  readonly index: number;
  /** Whether the slice counted as annotated, before and after. */
  readonly marked: readonly [boolean, boolean];
  readonly runs: Runs;
}

/** What differs between two bitmaps. */
export function differences(before: Uint8Array, after: Uint8Array): Runs {
  const start: number[] = [],
    length: number[] = [],
    from: number[] = [],
    to: number[] = [];
  for (let i = 0; i < after.length;) {
    const [a, b] = [before[i], after[i]];
    const begin = i;
    if (a === b) {
      i++;
      continue;
    }
    while (i < after.length && before[i] === a && after[i] === b) i++;
    start.push(begin);
    length.push(i - begin);
    from.push(a);
    to.push(b);
  }
  return { start: Uint32Array.from(start), length: Uint32Array.from(length), before: Uint8Array.from(from), after: Uint8Array.from(to) };
}

/** Puts one side of the runs into a bitmap, in place. */
export function restore({ start, length, before, after }: Runs, bitmap: Uint8Array, side: 'before' | 'after'): void {
  const values = side === 'before' ? before : after;
  start.forEach((begin, k) => bitmap.fill(values[k], begin, begin + length[k]));
}

const bytesOf = ({ runs }: Step): number => 200 + 10 * runs.start.length;

/** Steps done and undone. */
export class History {
  private done: Step[] = [];
  private undone: Step[] = [];
  /** Of all steps held. */
  bytes = 0;

  get canUndo(): boolean {
    return this.done.length > 0;
  }
  get canRedo(): boolean {
    return this.undone.length > 0;
  }
  get length(): number {
    return this.done.length + this.undone.length;
  }

  push(step: Step): void {
    for (const gone of this.undone) this.bytes -= bytesOf(gone);
    this.undone = [];
    this.done.push(step);
    this.bytes += bytesOf(step);
    while (this.done.length > MOST_STEPS || (this.bytes > MOST_BYTES && this.done.length > KEPT_STEPS))
      this.bytes -= bytesOf(this.done.shift()!);
  }

  /** The step to take back, which is then one to do again. */
  undo(): Step | undefined {
    const step = this.done.pop();
    if (step) this.undone.push(step);
    return step;
  }
  redo(): Step | undefined {
    const step = this.undone.pop();
    if (step) this.done.push(step);
    return step;
  }
}
