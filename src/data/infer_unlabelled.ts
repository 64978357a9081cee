// SPDX-License-Identifier: MIT
// Proposes which classes were never drawn in which case. In real multi-organ sets a class that is missing from a mask usually
// means "not contoured" (openkbp: larynx and oesophagus), and training on it as background teaches the wrong thing.
import type { Dataset } from './dataset.ts';

/** Annotated voxels of each class in a case, index = class, length K. */
export type ClassCounts = ReadonlyMap<string, readonly number[]>;

/** A proposal for annotations.json, with its evidence. */
export interface UnlabelledProposal {
  /** case -> classes without a single voxel there though other cases have them, and not listed already. */
  readonly unlabelled: Readonly<Record<string, readonly number[]>>;
  /** For each class 1..K-1: in how many cases it is present. */
  readonly present: readonly { readonly value: number; readonly name: string; readonly cases: number }[];
  readonly cases: number;
}

/**
 * A class is proposed as unlabelled where it has no voxel, if at least one other case has it. Only a proposal: an organ that
 * was removed, or lies outside the scan, is rightly absent, and a person has to say so. Two-class sets get none: there an
 * empty mask is a finding ("no nodule"), not an omission.
 */
export function inferUnlabelled(dataset: Dataset, counts: ClassCounts): UnlabelledProposal {
  const classes = dataset.info.classes;
  const present = classes
    .slice(1)
    .map((c) => ({ value: c.value, name: c.name, cases: [...counts.values()].filter((n) => n[c.value] > 0).length }));
  const unlabelled: Record<string, number[]> = {};
  if (classes.length > 2) {
    for (const [name, n] of counts) {
      const known = dataset.annotations.unlabelled.get(name) ?? [];
      const missing = present.filter((c) => n[c.value] === 0 && c.cases > 0 && !known.includes(c.value)).map((c) => c.value);
      if (missing.length > 0) unlabelled[name] = missing;
    }
  }
  return { unlabelled, present, cases: counts.size };
}
