// SPDX-License-Identifier: MIT
// annotations.json: which slices of a case were annotated, and which classes were never drawn (specification 5.1).
// A slice that is annotated and empty differs from one nobody looked at; the label file alone cannot say which it is.
import type { Triple } from '../axes.ts';
import * as z from 'zod';
import { DataError } from '../errors.ts';
import type { CaseSource } from './case_source.ts';
import { raise, type Hear } from './finding.ts';
import { issueTexts, show } from './issue.ts';

/** Annotated planes, zero-based on the RAS label grid: transverse = index of D (z), coronal = index of H (y). */
export interface Planes {
  readonly transverse: readonly number[];
  readonly coronal: readonly number[];
}

/** Whether a case was left without annotation on purpose. */
export const isBare = (planes: Planes | undefined): boolean =>
  planes !== undefined && planes.transverse.length + planes.coronal.length === 0;

/** What annotations.json says. A case in neither map is annotated throughout, for every class; one without any plane not at all. */
export interface Annotations {
  readonly planes: ReadonlyMap<string, Planes>;
  /** Classes that were not drawn in a case although they may be there. */
  readonly unlabelled: ReadonlyMap<string, readonly number[]>;
}

const index = z.number().int().nonnegative();
const Slices = z.strictObject({ transverse: z.array(index).default([]), coronal: z.array(index).default([]) });
const Unlabelled = z.record(z.string(), z.array(z.number().int().positive()));

const FORM = '{"transverse": [0, 3, ...], "coronal": [1, 4, ...]}, "all" or "none"';

/**
 * Reads annotations.json; empty maps if there is none. `cases` are the training cases, `classes` counts background.
 * What is wrong goes to `hear`; entries that are wrong are left out.
 */
export async function annotationsOf(
  source: CaseSource,
  cases: readonly string[],
  classes: number,
  hear: Hear = raise,
): Promise<Annotations> {
  const file = source.path('annotations.json');
  const planes = new Map<string, Planes>(),
    unlabelled = new Map<string, readonly number[]>();
  if (!(await source.has('annotations.json'))) return { planes, unlabelled };
  const known = new Set(cases);
  const json = await source.json('annotations.json');
  const content = z.record(z.string(), z.unknown()).safeParse(json);
  const wrong = (what: string, hint: string): void => hear(new DataError(`${file}: ${what}.`, hint));
  if (!content.success) {
    for (const text of issueTexts(content.error, json)) wrong(text, `Write {"<case>": ${FORM}}.`);
    return { planes, unlabelled };
  }
  const named = (name: string): boolean => {
    if (!known.has(name))
      wrong(
        `case "${name}", got a name that is not in the training set, expected ` +
          (cases.length === 0
            ? 'no entry (there is no training case)'
            : `one of ${cases.slice(0, 3).join(', ')}${cases.length > 3 ? ', ...' : ''}`),
        'Correct the name or remove the entry.',
      );
    return known.has(name);
  };
  let listed = false;
  for (const [name, value] of Object.entries(content.data)) {
    if (name === 'unlabelled') {
      const parsed = Unlabelled.safeParse(value);
      if (!parsed.success)
        for (const text of issueTexts(parsed.error, value, 'unlabelled')) wrong(text, 'Write "unlabelled": {"<case>": [class, ...]}.');
      for (const [caseName, values] of Object.entries(parsed.data ?? {})) {
        if (!named(caseName)) continue;
        for (const v of values.filter((v) => v >= classes))
          wrong(`unlabelled.${caseName}, got class ${v}, expected 1 to ${classes - 1}`, 'Correct the class.');
        unlabelled.set(
          caseName,
          [...new Set(values)].filter((v) => v < classes).sort((a, b) => a - b),
        );
      }
      continue;
    }
    listed = true;
    if (!named(name) || value === 'all') continue;
    if (value === 'none') {
      planes.set(name, { transverse: [], coronal: [] });
      continue;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      wrong(`${name}: got ${show(value)}, expected lists of slices`, `Write "${name}": ${FORM}.`);
      continue;
    }
    const parsed = Slices.safeParse(value);
    if (!parsed.success) for (const text of issueTexts(parsed.error, value)) wrong(`${name}: ${text}`, `Write "${name}": ${FORM}.`);
    else if (parsed.data.transverse.length + parsed.data.coronal.length === 0)
      wrong(
        `${name}: no annotated slice, got two empty lists, expected at least one index`,
        `Annotate a slice, or write "${name}": "none" if it is to be learnt from without a label.`,
      );
    // A slice named a million times is annotated once.
    else planes.set(name, { transverse: [...new Set(parsed.data.transverse)], coronal: [...new Set(parsed.data.coronal)] });
  }
  // Once slices are listed for some cases, silence about another is more likely forgotten than meant as "all of it".
  for (const forgotten of listed ? cases.filter((name) => !Object.hasOwn(content.data, name)) : []) {
    wrong(
      `case "${forgotten}" has no annotated slice, got no entry, expected its annotated slices`,
      `List them, or write "${forgotten}": "all" if every slice is annotated.`,
    );
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
  for (const [name, list, n] of [
    ['transverse', planes.transverse, D],
    ['coronal', planes.coronal, H],
  ] as const) {
    const beyond = list.filter((k) => k >= n);
    if (beyond.length > 0)
      throw new DataError(
        `${where}: ${name} slice beyond the volume, got ${beyond.slice(0, 8).join(', ')}${beyond.length > 8 ? ', ...' : ''}, ` +
          `expected 0 to ${n - 1}.`,
        'Indices are zero-based and count on the label turned to RAS.',
      );
  }
  for (const d of planes.transverse) weight.fill(1, d * H * W, (d + 1) * H * W);
  for (const h of planes.coronal) for (let d = 0; d < D; d++) weight.fill(1, (d * H + h) * W, (d * H + h + 1) * W);
  return weight;
}
