// SPDX-License-Identifier: MIT
// annotations.json: which slices of a case were annotated, and which classes were never drawn (specification 5.1).
// A slice that is annotated and empty differs from one nobody looked at; the label file alone cannot say which it is.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../errors.ts';
import { readJson } from '../files/regular.ts';
import type { Triple } from './geometry.ts';
import { issueText, show } from './issue.ts';

/** Annotated planes, zero-based on the RAS label grid: transverse = index of D (z), coronal = index of H (y). */
export interface Planes { readonly transverse: readonly number[]; readonly coronal: readonly number[] }

/** What annotations.json says. A case in neither map is annotated throughout, for every class. */
export interface Annotations {
  readonly planes: ReadonlyMap<string, Planes>;
  /** Classes that were not drawn in a case although they may be there. */
  readonly unlabelled: ReadonlyMap<string, readonly number[]>;
}

const index = z.number().int().nonnegative();
const Slices = z.strictObject({ transverse: z.array(index).default([]), coronal: z.array(index).default([]) });
const Unlabelled = z.record(z.string(), z.array(z.number().int().positive()));

/** Reads `<folder>/annotations.json`; empty maps if there is none. `cases` are the training cases, `classes` counts background. */
export async function readAnnotations(folder: string, cases: readonly string[], classes: number): Promise<Annotations> {
  const file = join(folder, 'annotations.json');
  const planes = new Map<string, Planes>(), unlabelled = new Map<string, readonly number[]>();
  if (!existsSync(file)) return { planes, unlabelled };
  const known = new Set(cases);
  const json = readJson(file);
  const content = z.record(z.string(), z.unknown()).safeParse(json);
  const form = '{"transverse": [0, 3, ...], "coronal": [1, 4, ...]} or "all"';
  if (!content.success) throw new DataError(`${file}: ${issueText(content.error, json)}.`, `Write {"<case>": ${form}}.`);
  const named = (name: string): void => {
    if (!known.has(name)) throw new DataError(`${file}: case "${name}", got a name that is not in the training set, expected ${cases.length === 0 ? 'no entry (there is no training case)' : `one of ${cases.slice(0, 3).join(', ')}${cases.length > 3 ? ', ...' : ''}`}.`, 'Correct the name or remove the entry.');
  };
  let listed = false;
  for (const [name, value] of Object.entries(content.data)) {
    if (name === 'unlabelled') {
      const parsed = Unlabelled.safeParse(value);
      if (!parsed.success) throw new DataError(`${file}: ${issueText(parsed.error, value, 'unlabelled')}.`, 'Write "unlabelled": {"<case>": [class, ...]}.');
      for (const [caseName, values] of Object.entries(parsed.data)) {
        named(caseName);
        const wrong = values.find((v) => v >= classes);
        if (wrong !== undefined) throw new DataError(`${file}: unlabelled.${caseName}, got class ${wrong}, expected 1 to ${classes - 1}.`, 'Correct the class.');
        unlabelled.set(caseName, [...new Set(values)].sort((a, b) => a - b));
      }
      continue;
    }
    named(name);
    listed = true;
    if (value === 'all') continue;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new DataError(`${file}: ${name}: got ${show(value)}, expected lists of slices.`, `Write "${name}": ${form}.`);
    const parsed = Slices.safeParse(value);
    if (!parsed.success) throw new DataError(`${file}: ${name}: ${issueText(parsed.error, value)}.`, `Write "${name}": ${form}.`);
    if (parsed.data.transverse.length + parsed.data.coronal.length === 0) {
      throw new DataError(`${file}: ${name}: no annotated slice, got two empty lists, expected at least one index.`, 'Annotate a slice, or take the case out of imagesTr and labelsTr.');
    }
    // A slice named a million times is annotated once.
    planes.set(name, { transverse: [...new Set(parsed.data.transverse)], coronal: [...new Set(parsed.data.coronal)] });
  }
  // Once slices are listed for some cases, silence about another is more likely forgotten than meant as "all of it".
  const forgotten = listed ? cases.find((name) => !Object.hasOwn(content.data, name)) : undefined;
  if (forgotten !== undefined) {
    throw new DataError(`${file}: case "${forgotten}" has no annotated slice, got no entry, expected its annotated slices.`, `List them, or write "${forgotten}": "all" if every slice is annotated.`);
  }
  return { planes, unlabelled };
}

/**
 * The weight volume, shape `size` = [D, H, W]: 1 on annotated planes, 0 elsewhere; all 1 if `planes` is undefined.
 * DataError if an index lies beyond the volume; `where` names the file and case.
 */
export function annotationWeight(size: Triple, planes: Planes | undefined, where: string): Uint8Array {
  const [D, H, W] = size;
  const weight = new Uint8Array(D * H * W);
  if (!planes) return weight.fill(1);
  for (const [name, list, n] of [['transverse', planes.transverse, D], ['coronal', planes.coronal, H]] as const) {
    const beyond = list.find((k) => k >= n);
    if (beyond !== undefined) throw new DataError(`${where}: ${name} slice beyond the volume, got ${beyond}, expected 0 to ${n - 1}.`, 'Indices are zero-based and count on the label turned to RAS.');
  }
  for (const d of planes.transverse) weight.fill(1, d * H * W, (d + 1) * H * W);
  for (const h of planes.coronal) for (let d = 0; d < D; d++) weight.fill(1, (d * H + h) * W, (d * H + h + 1) * W);
  return weight;
}
