// SPDX-License-Identifier: MIT
// Builds a data set folder aside and renames it when complete, so that an interrupted import leaves no half data set.
import { lstatSync, realpathSync } from 'node:fs';
import { copyFile, readdir, rename, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../../../../errors.ts';
import { discard, folderAside, makeFolder, writeJson } from '../../../../files/atomic.ts';
import { unreadable } from '../../../../files/regular.ts';
import type { DatasetJson } from '../../../../data/dataset_json.ts';
import { volumeEnding } from '../../../endings.ts';
import { readVolume, writeVolume } from '../../volume.ts';
import type { Volume } from '../../../../data/volume.ts';
import { assertCaseName, nameKey } from '../../../../data/names.ts';

/** Ending of imported files. */
export const IMPORTED = '.nii.gz';

/** What an import did; `notes` are sentences for the user. */
export interface ImportResult {
  readonly folder: string;
  readonly cases: number;
  readonly notes: readonly string[];
}

/** Adds cases to a data set under construction; case names are unique (DataError). */
export class DatasetBuilder {
  readonly folder: string;
  readonly notes: string[] = [];
  readonly #names = new Map<string, string>();
  training = 0;
  test = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** A training case, or a test case if `label` is undefined and `toTest`. Files are copied as they are when their ending fits. */
  async add(name: string, image: string | Volume, label: string | Volume | undefined, source: string): Promise<void> {
    const key = nameKey(name),
      other = this.#names.get(key);
    if (other !== undefined)
      throw new DataError(
        `${source}: duplicate case name, got "${name}" from ${other} too, expected every case once.`,
        'Rename one of the files.',
      );
    assertCaseName(name, source);
    this.#names.set(key, source);
    const part = label === undefined ? 'Ts' : 'Tr';
    await this.#put(join(this.folder, `images${part}`, `${name}_0000${IMPORTED}`), image);
    if (label === undefined) {
      this.test++;
      return;
    }
    await this.#put(join(this.folder, 'labelsTr', `${name}${IMPORTED}`), label);
    this.training++;
  }

  async #put(target: string, source: string | Volume): Promise<void> {
    if (typeof source !== 'string') return writeVolume(target, source);
    makeFolder(dirname(target));
    if (volumeEnding(source) !== IMPORTED) return writeVolume(target, await readVolume(source));
    await readVolume(source); // as it stands, if it can be read
    await copyFile(source, target);
  }
}

/** Runs `build` on an empty folder, adds dataset.json, and renames it to `target`, which must not exist or be empty (DataError). */
export async function withNewDataset(
  target: string,
  build: (builder: DatasetBuilder) => Promise<Omit<DatasetJson, 'numTraining' | 'file_ending'>>,
): Promise<ImportResult> {
  const existing = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && !lstatSync(target, { throwIfNoEntry: false })) return undefined;
    throw new DataError(
      `${target}: cannot become a data set folder, got ${error.code}, expected a new or empty folder.`,
      'Choose another name.',
      { cause: error },
    );
  });
  if (existing && existing.length > 0)
    throw new DataError(
      `${target}: exists already, got ${existing.length} entries, expected a new or empty folder.`,
      'Choose another name or remove it.',
    );
  const path = existing ? realpathSync(target) : resolve(target);
  let temporary: string | undefined;
  try {
    temporary = folderAside(join(dirname(path), `importing-${basename(path)}`));
    const builder = new DatasetBuilder(temporary);
    const json = await build(builder);
    if (builder.training + builder.test === 0)
      throw new DataError(`${target}: nothing to import, got no case.`, 'Check the source folder and its file names.');
    writeJson(join(temporary, 'dataset.json'), {
      channel_names: { 0: 'CT' },
      ...json,
      numTraining: builder.training,
      file_ending: IMPORTED,
    });
    if (existing) await rmdir(path);
    await rename(temporary, path);
    return { folder: target, cases: builder.training + builder.test, notes: builder.notes };
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(
      `${target}: import failed: ${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}.`,
      'Free space or choose another folder; nothing was left behind.',
      { cause },
    );
  } finally {
    if (temporary !== undefined) discard(temporary);
  }
}

/** The visible file names of a folder, sorted; DataError if it cannot be listed. */
export async function listFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

/** File name without the ending of a volume; undefined for other files. */
export function volumeStem(name: string): string | undefined {
  const ending = volumeEnding(name);
  return ending && name.slice(0, -ending.length);
}
