// SPDX-License-Identifier: MIT
// Reading a plan: what the file leaves out comes from its preset, what it says is checked, and every mistake is named by its path,
// with what was found and what is expected.
import * as z from 'zod';
import { expectedOf, foundAt, show } from '../data/issue.ts';
import { DataError, UsageError } from '../errors.ts';
import type { Method } from '../methods/method.ts';
import { METHODS, methodOf } from '../methods/methods.ts';
import { PRESETS, schemaWith, type Plan, type Preset } from '../methods/plan.ts';
import { parseJson } from '../files/json.ts';
import { upgradePlan } from './plan_v1.ts';
import { presetPlan } from './presets.ts';
import { leaves } from './trained_plan.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `over` laid upon `base`, objects field by field, everything else whole. */
function merge(base: unknown, over: unknown): unknown {
  if (!isObject(base) || !isObject(over)) return over;
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) merged.set(key, Object.hasOwn(base, key) ? merge(base[key], value) : value);
  return Object.fromEntries(merged);
}

/** Edits (insert, delete, replace, swap neighbours) between two words. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j++) {
      let best = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, rows[i - 2][j - 2] + 1);
      rows[i][j] = best;
    }
  }
  return rows[a.length][b.length];
}

const pathsOf = (value: unknown, path: string[] = []): string[][] =>
  isObject(value) ? Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...pathsOf(inner, [...path, key])]) : [];

/** The known field that an unknown name most likely means: nearest in its own group, or of the same name elsewhere. */
function nearest(method: string, path: readonly string[], unknown: string): string | undefined {
  if (unknown.length > 60) return undefined;
  const all = pathsOf(presetPlan('paper', method));
  const siblings = all.filter((p) => p.length === path.length + 1 && path.every((part, i) => p[i] === part));
  const close = siblings
    .map((p) => ({ name: p.at(-1)!, edits: distance(unknown.toLowerCase(), p.at(-1)!.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)[0];
  if (close && close.edits <= Math.max(2, unknown.length / 3)) return close.name;
  return all.find((p) => p.at(-1)!.toLowerCase() === unknown.toLowerCase())?.join('.');
}

/** The range of numbers allowed at a path, so that a message shows both ends of it. */
function rangeAt(schema: z.core.$ZodType | undefined, path: readonly PropertyKey[]): string | undefined {
  for (const key of path) {
    if (schema instanceof z.ZodObject) schema = (schema.shape as Readonly<Record<string, z.ZodType>>)[key as string];
    else if (schema instanceof z.ZodTuple) schema = schema.def.items[key as number];
    else return undefined;
  }
  return schema instanceof z.ZodNumber ? `${schema.minValue} to ${schema.maxValue}` : undefined;
}

/** More wrong fields than these say nothing more. */
const MOST_LINES = 20;

function linesOf(issue: z.core.$ZodIssue, plan: unknown, { name, schema }: Method): string[] {
  const path = issue.path.map(String);
  const at = path.join('.') || 'plan';
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, MOST_LINES).map((key) => {
      const meant = nearest(name, path, key);
      return `${[...path, key].join('.')}: unknown field${meant ? `, did you mean "${meant}"?` : ''}`;
    });
  }
  if (issue.code === 'custom' && issue.message.startsWith('got ')) return [`${at}: ${issue.message}`];
  const range = issue.code === 'too_small' || issue.code === 'too_big' ? rangeAt(schemaWith(schema), issue.path) : undefined;
  return [`${at}: got ${show(foundAt(issue, plan))}, expected ${range ?? expectedOf(issue)}`];
}

/** Relations between fields, once each field is right by itself. */
function contradictions(plan: Plan): string[] {
  const { data, annotation, split, evaluation } = plan;
  const strided = !['dataset', 'dense', 'central'].includes(annotation.use);
  const method = methodOf(plan);
  const outputs = ['ensemble', ...method.outputs];
  const rules: [boolean, string][] = [
    [split.fold < split.folds, `split.fold: got ${split.fold}, expected 0 to ${split.folds - 1} (split.folds is ${split.folds})`],
    [
      annotation.every === null || strided,
      `annotation.every: got ${annotation.every} with annotation.use "${annotation.use}", expected null (only simulated strides have one)`,
    ],
    [
      annotation.cases === null || annotation.use !== 'dataset',
      `annotation.cases: got ${annotation.cases} with annotation.use "dataset", expected null (annotations.json says which cases ` +
        'are annotated)',
    ],
    [data.roi.reduce((n, d) => n * d, 1) <= 2 ** 25, `data.roi: got ${show(data.roi)}, expected at most ${2 ** 25} voxels`],
    ...data.jitter.map((j, i): [boolean, string] => [
      j <= data.roi[i],
      `data.jitter.${i}: got ${j}, expected at most data.roi.${i} (${data.roi[i]})`,
    ]),
    [
      outputs.includes(evaluation.headline),
      `evaluation.headline: got ${show(evaluation.headline)}, expected ${outputs.map((o) => `"${o}"`).join(' or ')}`,
    ],
  ];
  return [...rules.filter(([good]) => !good).map(([, line]) => line), ...method.contradictions(plan)];
}

const refusal = (where: string, lines: readonly string[], hint = 'Correct the file, or let `voxelgrad plan` write a new one.'): DataError =>
  new DataError(
    lines.length === 1
      ? `${where}: ${lines[0]}.`
      : `${where}: ${lines.length > MOST_LINES ? 'more than ' : ''}${Math.min(lines.length, MOST_LINES)} fields cannot be used:\n${lines
          .slice(0, MOST_LINES)
          .map((l) => `  ${l}`)
          .join('\n')}.`,
    hint,
  );

/**
 * A complete plan from parsed JSON, of this version or the first. Fields that are left out come from the plan's `preset` and method.
 * @throws DataError that names every wrong field of `where`.
 */
export function parsePlan(json: unknown, where = 'plan'): Plan {
  const refuse = (lines: readonly string[]) => refusal(where, lines);
  if (!isObject(json)) throw refuse([`got ${show(json)}, expected an object`]);
  const preset = json.preset as Preset;
  if (!PRESETS.includes(preset)) throw refuse([`preset: got ${show(json.preset)}, expected ${PRESETS.map((p) => `"${p}"`).join(' or ')}`]);
  if (json.version === 1 && Object.hasOwn(json, 'method'))
    throw refuse(['version: got 1 beside "method", which plans of version 1 do not have, expected 2']);
  const own = upgradePlan(json);
  const name = isObject(own.method) ? (own.method.name ?? 'sanet') : 'sanet';
  const method = typeof name === 'string' && Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (!method)
    throw refusal(
      where,
      [
        `method.name: got ${show(name)}, expected ${Object.keys(METHODS)
          .map((n) => `"${n}"`)
          .join(' or ')}`,
      ],
      'Correct the name. A method of your own is known where its file is loaded: node --import ./FILE.mjs node_modules/.bin/voxelgrad.',
    );
  const complete = merge(presetPlan(preset, method.name), own);
  const result = schemaWith(method.schema).safeParse(complete);
  if (!result.success) throw refuse(result.error.issues.slice(0, MOST_LINES).flatMap((issue) => linesOf(issue, complete, method)));
  const plan = result.data as Plan;
  const wrong = contradictions(plan);
  if (wrong.length) throw refuse(wrong);
  return plan;
}

/** Reads the text of a plan file. */
export const parsePlanText = (text: string, where: string): Plan => parsePlan(parseJson(text, where), where);

/**
 * For a run that begins: who sets a field that decides nothing waits for what never comes. Plans of runs that have begun are read as they
 * are. @throws DataError naming the fields that are not as their preset has them
 */
export function assertNothingIdle(plan: Plan): void {
  const { name, idle } = methodOf(plan);
  const preset = new Map(leaves(presetPlan(plan.preset, name)));
  const lines = Object.entries(idle?.(plan.method) ?? {}).flatMap(([group, beside]) =>
    leaves(plan)
      .filter(([path, value]) => path.startsWith(`method.${group}.`) && preset.get(path) !== value)
      .map(
        ([path, value]) => `${path}: got ${value} with method.${beside}, which has no use for it, expected ${preset.get(path)} or nothing`,
      ),
  );
  if (lines.length > 0) throw refusal('plan', lines);
}

/** The plan with parts of the method switched off (`--ablate msa,bgc`). @throws UsageError on a name that is no part */
export function ablate<P extends Plan>(plan: P, parts: readonly string[]): P {
  const changed = structuredClone(plan);
  const { name, parts: known } = methodOf(plan);
  for (const part of parts) {
    const apply = Object.hasOwn(known, part) ? known[part] : undefined;
    if (!apply)
      throw new UsageError(
        `--ablate: got "${part}", expected ${Object.keys(known).join(', ') || `nothing: ${name} has no parts`}.`,
        'Separate several by commas: --ablate msa,bgc.',
      );
    apply(changed.method);
  }
  const wrong = contradictions(changed);
  if (wrong.length) throw new UsageError(`--ablate ${parts.join(',')}: ${wrong[0]}.`, 'Switch fewer parts off, or change the plan.');
  return changed;
}
