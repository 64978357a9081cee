// SPDX-License-Identifier: MIT
// What a tool may touch: HU within bounds.

/** Inclusive bounds in HU. */
export interface Gate {
  readonly low: number;
  readonly high: number;
}

/** HU of the slice that is drawn on, and the bounds; without bounds everything may be touched. */
export interface Ground {
  readonly hu: { readonly length: number; readonly [index: number]: number };
  readonly gate: Gate | null;
}

export const open = ({ hu, gate }: Ground, i: number): boolean => gate === null || (hu[i] >= gate.low && hu[i] <= gate.high);
