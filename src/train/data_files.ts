// SPDX-License-Identifier: MIT
// The files that a data set is made of, by content: what a run was trained on, and whether it still is that.
import type { FileSums } from '../data/case_source.ts';
import type { Case, Dataset } from '../data/dataset.ts';
import { DataError } from '../errors.ts';
import { sha256 } from '../files/sha256.ts';

/** What changed in the data between two sessions, accepted by whoever resumed. */
export interface DataChange {
  readonly iteration: number;
  readonly files: readonly string[];
}

/** Sums of the JSON files of a data set and of the images and labels of some of its cases. */
export function fileSums({ source }: Dataset, cases: readonly Case[]): Promise<FileSums> {
  return source.sums([
    source.path('dataset.json'),
    source.path('annotations.json'),
    ...cases.flatMap(({ images, label }) => [...images, ...(label === undefined ? [] : [label])]),
  ]);
}

/** One sum over names and sums. */
export function sumOfSums(sums: FileSums): string {
  const hash = sha256();
  for (const [file, sum] of Object.entries(sums)) hash.update(`${file} ${sum}\n`);
  return hash.digest('hex');
}

/** One sum over all cases of a data set, and the folds that it brings. */
export const sumOfDataset = async (dataset: Dataset): Promise<string> =>
  sumOfSums({
    ...(await fileSums(dataset, [...dataset.training, ...dataset.test])),
    ...(dataset.folds && (await dataset.source.sums([dataset.folds.file]))),
  });

/** Sums of what training of `names` reads. */
export const trainedSums = (dataset: Dataset, names: readonly string[]): Promise<FileSums> =>
  fileSums(
    dataset,
    dataset.training.filter(({ name }) => names.includes(name)),
  );

/** Files that are not what they were, with how. */
export function changedFiles(before: FileSums, now: FileSums): string[] {
  return [
    ...Object.entries(before)
      .filter(([file, sum]) => now[file] !== sum)
      .map(([file]) => `${file} (${file in now ? 'changed' : 'gone'})`),
    ...Object.keys(now)
      .filter((file) => !(file in before))
      .map((file) => `${file} (new)`),
  ];
}

/** @throws DataError naming the files */
export function refuseChanged(folder: string, files: readonly string[]): never {
  const shown = files.slice(0, 5).join(', ');
  throw new DataError(
    `${folder}: not the data that the run began with, got ${files.length === 1 ? 'another file' : `${files.length} other files`}: ` +
      `${shown}${files.length > 5 ? ', ...' : ''}.`,
    'Name the data set as it was, or train into a new folder. Where it was corrected on purpose, --data-changed goes on with it, ' +
      'and the run says so.',
  );
}
