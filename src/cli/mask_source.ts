// SPDX-License-Identifier: MIT
// Where the masks of a folder come from. prediction.json says it for the folder: run, weights, options. A record for each case, in
// records/, says which scan its masks were made of and what they were when they were whole. A mask is kept only if all of that still
// holds, by content. One file a case: any number of processes can work on one folder, and be killed, without losing each other's word.
import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { show } from '../data/issue.ts';
import { DataError } from '../errors.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { digestFile, digestText, type Digest } from '../files/digest.ts';
import { FolderLock } from '../files/lock.ts';
import { readJson } from '../files/regular.ts';
import type { Plan } from '../methods/plan.ts';

/** A trained model: `run` and `checkpoint` are where they were, the rest is what they were. */
export interface Model {
  readonly run: string;
  readonly checkpoint: string;
  /** Of the checkpoint's file. */
  readonly weights: Digest;
  readonly iteration: number;
  /** Digest of the plan it was trained with. */
  readonly plan: string;
}

/** What decides whether masks would come out the same, all but the paths. */
export interface Source extends Model {
  readonly version: 2;
  readonly verb: 'predict' | 'label';
  /** Where several models were averaged: all of them. The fields above are then those of the first, and `weights` is the digest of all. */
  readonly ensemble?: readonly Model[];
  readonly prediction: Plan['prediction'];
  /** The output whose masks lie in the folder itself. */
  readonly headline: string;
  readonly voxelgrad: string;
}

/** What a case's masks were made of, and what they are. */
export interface CaseRecord {
  readonly version: 1;
  readonly case: string;
  /** Digest of the source without its paths. */
  readonly source: Digest;
  /** Of the scan's file; of several files, of their digests. `bytes` is their size. */
  readonly scan: { readonly digest: Digest; readonly bytes: number };
  /** Of the labels that were copied where they are annotated (`label`). */
  readonly truth?: Digest;
  /** Why the scan may be none that its masks can be trusted on; absent in older records, and where nothing was found. */
  readonly doubts?: readonly string[];
  /** Every mask by path below the folder. */
  readonly masks: Readonly<Record<string, Digest>>;
}

/** What the masks of a case would be made of now. */
export type Ingredients = Pick<CaseRecord, 'source' | 'scan' | 'truth'>;

const SOURCE = 'prediction.json';
const RECORDS = 'records';
const recordFile = (folder: string, name: string): string => join(folder, RECORDS, `${name}.json`);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What prediction.json says, unchecked but for `run`; undefined where there is none. @throws DataError where it is damaged */
export function sourceOf(folder: string): (Partial<Source> & { readonly run: string }) | undefined {
  const file = join(folder, SOURCE);
  if (!existsSync(file)) return undefined;
  const source = readJson(file, 'Remove it, or predict again into another folder.');
  const run = isObject(source) ? source.run : undefined;
  if (typeof run !== 'string')
    throw new DataError(
      `${file}: does not say which run the masks come from, got ${run === undefined ? 'nothing' : show(run)}, expected the folder ` +
        'of a run.',
      'Remove it, or predict again into another folder.',
    );
  return source as Partial<Source> & { run: string };
}

/** The folder with the records of the masks in `folder`: itself, or the one above, whose networks' masks it holds. */
export const masksRoot = (folder: string): string =>
  [folder, dirname(resolve(folder))].find((at) => existsSync(join(at, SOURCE))) ?? folder;

/** A source without the paths, which may change without changing a mask. */
const content = ({ run: _run, checkpoint: _checkpoint, ensemble, ...rest }: Partial<Source>): Record<string, unknown> => ({
  ...rest,
  ...(ensemble && { ensemble: Object.fromEntries(ensemble.map(({ run: _r, checkpoint: _c, ...model }, i) => [i, model])) }),
});

export const sourceDigest = (source: Partial<Source>): Digest =>
  digestText(JSON.stringify(Object.entries(content(source)).sort(([a], [b]) => (a < b ? -1 : 1))));

/** Fields by dotted path, as JSON. */
function fields(value: unknown, path = ''): [string, string][] {
  if (!isObject(value)) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, inner]) => fields(inner, path === '' ? key : `${path}.${key}`));
}

/** @throws DataError with what differs, where the folder's masks come from something else */
export function assertSameSource(out: string, source: Source): void {
  const before = sourceOf(out);
  if (before === undefined) return;
  const [then, now] = [new Map(fields(content(before))), new Map(fields(content(source)))];
  const differing = [...new Set([...then.keys(), ...now.keys()])].filter((key) => then.get(key) !== now.get(key));
  if (differing.length === 0) return;
  const lines = differing.map((key) => `  ${key}: got ${now.get(key) ?? 'nothing'}, expected ${then.get(key) ?? 'nothing'}`).join('\n');
  throw new DataError(
    `${join(out, SOURCE)}: the masks in this folder come from another run, checkpoint or setting (${before.run}):\n${lines}\n`,
    'Choose another output folder, or remove this one.',
  );
}

/**
 * Writes where the folder's masks come from; true if it said so before. Of two that come at the same moment with different settings,
 * one has the folder. @throws DataError if it said otherwise
 */
export function claimFolder(out: string, source: Source): boolean {
  makeFolder(out);
  const lock = FolderLock.take(out, 'source', { patience: 20_000, seize: true });
  if (!(lock instanceof FolderLock))
    throw new DataError(
      `${out}: another process does not finish saying whose masks lie there, got process ${lock.pid} on ${lock.host}.`,
      'Look what it does, and end it.',
    );
  using _held = lock;
  assertSameSource(out, source);
  const before = sourceOf(out);
  // The paths change where the run was moved.
  if (before?.run !== source.run || before.checkpoint !== source.checkpoint)
    writeFileAtomic(join(out, SOURCE), `${JSON.stringify(source, null, 2)}\n`);
  return before !== undefined;
}

/** The record of a case; undefined where there is none that can be read: its masks are then not known to be whole. */
export function recordOf(folder: string, name: string): CaseRecord | undefined {
  try {
    const record: unknown = readJson(recordFile(folder, name));
    const whole =
      isObject(record) &&
      record.version === 1 &&
      record.case === name &&
      typeof record.source === 'string' &&
      isObject(record.scan) &&
      isObject(record.masks) &&
      Object.values(record.masks).every((digest) => typeof digest === 'string') &&
      (record.doubts === undefined || (Array.isArray(record.doubts) && record.doubts.every((doubt) => typeof doubt === 'string')));
    return whole ? (record as unknown as CaseRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** What a mask was made of, and whether it still is what was written; undefined where nothing is recorded. */
export async function madeOf(
  mask: string,
  name: string,
): Promise<{ readonly scan: CaseRecord['scan']; readonly doubts: readonly string[]; readonly asWritten: boolean } | undefined> {
  const root = masksRoot(dirname(mask)),
    source = sourceOf(root);
  if (source === undefined) return undefined;
  const record = recordOf(root, name);
  if (record === undefined) return undefined;
  const digest = record.masks[relative(resolve(root), resolve(mask)).replaceAll('\\', '/')];
  return {
    scan: record.scan,
    doubts: record.doubts ?? [],
    asWritten: record.source === sourceDigest(source) && digest === (await digestFile(mask)).digest,
  };
}

/** Notes that a case is done; `masks` are the paths below the folder, all written. */
export async function recordCase(
  folder: string,
  name: string,
  made: Ingredients,
  masks: readonly string[],
  doubts: readonly string[] = [],
): Promise<void> {
  const digests: Record<string, Digest> = {};
  for (const mask of masks) digests[mask] = (await digestFile(join(folder, mask))).digest;
  const record: CaseRecord = { version: 1, case: name, ...made, ...(doubts.length > 0 && { doubts }), masks: digests };
  makeFolder(join(folder, RECORDS));
  writeFileAtomic(recordFile(folder, name), `${JSON.stringify(record, null, 2)}\n`);
}

/** Reasons of `whyAgain` that leave open who wrote the mask. */
export const UNRECORDED = /without a record|not as it was written$/;

/**
 * Why a case is to be predicted although there is a mask, or `new`; undefined where its masks are whole and of these ingredients, and
 * `also` is there.
 */
export async function whyAgain(
  folder: string,
  name: string,
  mask: string,
  now: Ingredients,
  also: readonly string[] = [],
): Promise<string | undefined> {
  const record = recordOf(folder, name);
  if (!record) return existsSync(join(folder, mask)) ? 'a mask without a record of how it was made' : 'new';
  if (record.scan.digest !== now.scan.digest) return 'its scan is another than the one the mask was made of';
  if (record.truth !== now.truth) return 'its labels or their annotation have changed';
  if (record.source !== now.source) return 'its mask comes from another checkpoint or setting';
  for (const [path, digest] of Object.entries(record.masks)) {
    const file = join(folder, path);
    if (!existsSync(file) || !statSync(file).isFile()) return `${path} is gone`;
    if ((await digestFile(file)).digest !== digest) return `${path} is not as it was written`;
  }
  if (!(mask in record.masks)) return 'its headline mask was not recorded';
  const missing = also.find((path) => !(path in record.masks));
  return missing === undefined ? undefined : `${missing} was not written then`;
}
