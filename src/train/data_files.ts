// SPDX-License-Identifier: MIT
// The files that a data set is made of, by content: what a run was trained on, and whether it still is that.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Case, Dataset } from '../data/dataset.ts';
import { DataError } from '../errors.ts';
import { volumeEnding } from '../io/endings.ts';
import { volumeFiles } from '../io/node/volume.ts';

/** sha256 sums by path within the data set. */
export type FileSums = Readonly<Record<string, string>>;

/** What changed in the data between two sessions, accepted by whoever resumed. */
export interface DataChange { readonly iteration: number; readonly files: readonly string[] }

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Files below a path: itself, with the data file that a header names; or those of a DICOM series; none where there is neither. */
async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile()) return volumeEnding(path) === undefined ? [path] : volumeFiles(path);
  if (!found?.isDirectory()) return [];
  return (await Promise.all((await readdir(path)).map((name) => filesAt(join(path, name))))).flat();
}

/** Sums of the JSON files of a data set and of the images and labels of some of its cases. */
export async function fileSums({ folder }: Dataset, cases: readonly Case[]): Promise<FileSums> {
  const paths = [join(folder, 'dataset.json'), join(folder, 'annotations.json'), ...cases.flatMap(({ images, label }) => [...images, ...(label === undefined ? [] : [label])])];
  const files = (await Promise.all(paths.map(filesAt))).flat().sort();
  const sums: Record<string, string> = {};
  for (const file of files) sums[relative(folder, file).replaceAll(sep, '/')] = await sha256(file);
  return sums;
}

/** One sum over names and sums. */
export function sumOfSums(sums: FileSums): string {
  const hash = createHash('sha256');
  for (const [file, sum] of Object.entries(sums)) hash.update(`${file} ${sum}\n`);
  return hash.digest('hex');
}

/** Sums of what training of `names` reads. */
export const trainedSums = (dataset: Dataset, names: readonly string[]): Promise<FileSums> => fileSums(dataset, dataset.training.filter(({ name }) => names.includes(name)));

/** Files that are not what they were, with how. */
export function changedFiles(before: FileSums, now: FileSums): string[] {
  return [
    ...Object.entries(before).filter(([file, sum]) => now[file] !== sum).map(([file]) => `${file} (${file in now ? 'changed' : 'gone'})`),
    ...Object.keys(now).filter((file) => !(file in before)).map((file) => `${file} (new)`),
  ];
}

/** @throws DataError naming the files */
export function refuseChanged(folder: string, files: readonly string[]): never {
  const shown = files.slice(0, 5).join(', ');
  throw new DataError(`${folder}: not the data that the run began with, got ${files.length === 1 ? 'another file' : `${files.length} other files`}: ${shown}${files.length > 5 ? ', ...' : ''}.`,
    'Name the data set as it was, or train into a new folder. Where it was corrected on purpose, --data-changed goes on with it, and the run says so.');
}
