// SPDX-License-Identifier: MIT
// Which prediction belongs to which reference, and what has none: nothing is left out without being named.
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { listFiles, volumeStem } from '../io/node/dataset/import/new_dataset.ts';
import { nameKey } from '../data/names.ts';
import { DataError } from '../errors.ts';
import { notRead, VOLUME_ENDINGS } from '../io/endings.ts';
import { listed } from '../report/format.ts';
import { madeOf, sourceOf } from './mask_source.ts';

/** A case: its reference, and its prediction if there is one. */
export interface Pair {
  readonly name: string;
  readonly reference: string;
  readonly prediction: string | null;
}

export interface Pairing {
  readonly pairs: readonly Pair[];
  /** Predictions that no reference belongs to. */
  readonly unused: readonly string[];
  /** References by the part of the data they belong to, where nothing of that part was predicted. */
  readonly notEvaluated: Readonly<Record<string, string[]>>;
}

/** What a mask was called when it was made: alone, it may be held against a reference of another name. */
export function maskName({ name, prediction }: Pair): string {
  const own = volumeStem(basename(prediction ?? ''));
  return own === undefined || own.normalize('NFC') === name ? name : own;
}

export const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

/** The folder of a mask, or the folder itself. */
const placeOf = (path: string): string => (isFolder(path) ? path : dirname(path));

/** Whether a place is a data set or where one keeps its labels. */
const isDataset = (folder: string): boolean =>
  existsSync(join(folder, 'dataset.json')) ||
  (/^labelsT[rs]$/.test(basename(resolve(folder))) && existsSync(join(dirname(resolve(folder)), 'dataset.json')));

/**
 * @throws DataError where predictions stand in the place of references: what is scored, and where the result goes, would be turned
 * round
 */
export function assertNotSwapped(reference: string, prediction: string): void {
  const [truth, masks] = [placeOf(reference), placeOf(prediction)];
  const predicted = sourceOf(truth) !== undefined;
  if (predicted || (isDataset(masks) && !isDataset(truth)))
    throw new DataError(
      predicted
        ? `${reference}: masks that voxelgrad made (prediction.json), expected references.`
        : `${prediction}: the labels of a data set, got ${reference} as their references, which are of none, expected predictions.`,
      'The references come first, then the predictions. To see how far two predictions agree, copy those that are to be the reference ' +
        'into a folder of their own.',
    );
}

/** Volumes of a folder by case name, however an accent is stored. @throws DataError where two would be one case */
export async function volumesIn(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>(),
    keys = new Map<string, string>();
  for (const file of await listFiles(folder)) {
    const name = volumeStem(file)?.normalize('NFC');
    if (name === undefined) continue;
    const other = keys.get(nameKey(name));
    if (other !== undefined)
      throw new DataError(`${join(folder, file)}: two masks of one case, got ${other} too, expected one.`, 'Rename or remove one of them.');
    keys.set(nameKey(name), join(folder, file));
    found.set(name, join(folder, file));
  }
  return found;
}

/** Reference masks of a folder. @throws DataError for one of a kind that is not read: without it, the means would be of fewer cases */
async function masksIn(folder: string): Promise<Map<string, string>> {
  const [strange] = notRead(await listFiles(folder));
  if (strange !== undefined)
    throw new DataError(
      `${join(folder, strange)}: a volume of a kind that is not read, expected a name that ends in ${VOLUME_ENDINGS.join(', ')}.`,
      'Convert it, write its ending in small letters, or take it away.',
    );
  return volumesIn(folder);
}

/** Reference masks by case: a folder's, or those of a data set's labelsTr and labelsTs. */
async function referencesIn(path: string): Promise<Map<string, string>> {
  if (!existsSync(join(path, 'dataset.json'))) return masksIn(path);
  const found = new Map<string, string>();
  for (const folder of ['labelsTr', 'labelsTs'].map((name) => join(path, name)).filter(isFolder)) {
    for (const [name, file] of await masksIn(folder)) {
      const other = found.get(name);
      if (other !== undefined)
        throw new DataError(
          `${file}: two references for one case, got ${other} too, expected one.`,
          'Name with REFERENCE the folder that is meant.',
        );
      found.set(name, file);
    }
  }
  return found;
}

/**
 * Pairs by name. A part of the data is expected to be predicted whole as soon as one of its cases is: `part` names the part of a
 * case, by default the folder of its reference.
 */
export async function pairsOf(reference: string, prediction: string, part: (name: string) => string | undefined): Promise<Pairing> {
  if (!isFolder(reference) && !isFolder(prediction)) {
    const name = volumeStem(basename(reference)) ?? reference,
      own = volumeStem(basename(prediction))?.normalize('NFC');
    const beside = (await listFiles(dirname(reference))).map((file) => volumeStem(file)?.normalize('NFC'));
    if (own !== undefined && own !== name.normalize('NFC') && beside.includes(own) && (await madeOf(prediction, own))?.asWritten)
      throw new DataError(
        `${prediction}: the mask of "${own}", got the reference of "${name}", expected that of "${own}", which lies beside it.`,
        'Name the mask and the reference of one case.',
      );
    return { pairs: [{ name, reference, prediction }], unused: [], notEvaluated: {} };
  }
  for (const [file, folder] of [
    [reference, prediction],
    [prediction, reference],
  ] as const) {
    if (existsSync(file) && !isFolder(file) && isFolder(folder))
      throw new DataError(
        `${file}: a file, but ${folder} is a folder, expected two masks or two folders.`,
        `Name the mask in ${folder} that belongs to it, or the folder that holds ${basename(file)}.`,
      );
  }
  const [references, predictions] = [await referencesIn(reference), await volumesIn(prediction)];
  if (predictions.size === 0)
    throw new DataError(
      `${prediction}: no volume, got ${listed(await listFiles(prediction), 3) || 'no file'}, expected predicted masks named like the ` +
        `references, ending in ${VOLUME_ENDINGS.join(', ')}.`,
      'Convert them, or write their endings in small letters.',
    );
  const parts = new Map<string, string[]>();
  for (const [name, file] of references) {
    const own = part(name) ?? basename(dirname(resolve(file)));
    parts.set(own, [...(parts.get(own) ?? []), name]);
  }
  const pairs: Pair[] = [];
  const notEvaluated: Record<string, string[]> = {};
  for (const [own, names] of parts) {
    if (!names.some((name) => predictions.has(name))) notEvaluated[own] = names;
    else for (const name of names) pairs.push({ name, reference: references.get(name)!, prediction: predictions.get(name) ?? null });
  }
  const unused = [...predictions]
    .filter(([name]) => !references.has(name))
    .map(([, file]) => file)
    .sort();
  if (pairs.length === 0)
    throw new DataError(
      `${unused[0]}: no reference for it in ${reference}, expected a mask named "${volumeStem(basename(unused[0]))}".`,
      'Name predictions like their cases, or take this file away.',
    );
  return { pairs: pairs.sort((a, b) => (a.name < b.name ? -1 : 1)), unused, notEvaluated };
}

/** The masks of a single network in a folder beside the headline's, for the same cases. */
export async function sameCases(pairs: readonly Pair[], folder: string): Promise<Pair[]> {
  const masks = await volumesIn(folder);
  return pairs.map((pair) => ({ ...pair, prediction: masks.get(pair.name) ?? null }));
}
