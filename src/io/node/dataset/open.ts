// SPDX-License-Identifier: MIT
// A data set as a folder of this machine.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { annotationsOf, type Annotations } from '../../../data/annotations.ts';
import type { CaseSource } from '../../../data/case_source.ts';
import { datasetOf, listCases, type Dataset } from '../../../data/dataset.ts';
import { findingOf, type Finding, type Hear } from '../../../data/finding.ts';
import { DataError } from '../../../errors.ts';
import { readJson, unreadable } from '../../../files/regular.ts';
import { volumeEnding } from '../../endings.ts';
import { readVolume, volumeFiles } from '../volume.ts';

export function folderSource(folder: string): CaseSource {
  return {
    folder,
    name: basename(resolve(folder)),
    path: (...parts) => join(folder, ...parts),
    inside(name) {
      const way = relative(resolve(folder), resolve(folder, name));
      return isAbsolute(name) || way === '' || way === '..' || way.startsWith('../') || way.startsWith('..\\') || isAbsolute(way)
        ? undefined
        : join(folder, way);
    },
    has: async (name) => existsSync(join(folder, name)),
    json: async (name) => readJson(join(folder, name)),
    async list(name) {
      const path = join(folder, name);
      if (!existsSync(path)) return [];
      return (
        await readdir(path).catch((cause) => {
          throw unreadable(path, cause);
        })
      )
        .filter((each) => !each.startsWith('.'))
        .sort();
    },
    volume: readVolume,
    async sums(paths) {
      const sums: Record<string, string> = {};
      for (const file of (await Promise.all(paths.map(filesAt))).flat().sort())
        sums[relative(folder, file).replaceAll(sep, '/')] = await sha256(file);
      return sums;
    },
  };
}

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

const assertFolder = async (folder: string): Promise<void> => {
  if (
    await stat(folder).then(
      (s) => s.isFile(),
      () => false,
    )
  )
    throw new DataError(
      `${folder}: a file, got ${basename(folder)}, expected the folder of a data set.`,
      `Name the folder that holds it: ${dirname(folder)}`,
    );
};

/** Lists a data set; throws the first problem as a DataError (run `checkDataset` for all of them). */
export async function openDataset(folder: string): Promise<Dataset> {
  await assertFolder(folder);
  return datasetOf(folderSource(folder));
}

/** Lists a data set and all problems its files and JSON show without reading volumes; no data set if dataset.json is unusable. */
export async function listDataset(folder: string): Promise<{ dataset: Dataset | undefined; findings: Finding[] }> {
  try {
    await assertFolder(folder);
  } catch (error) {
    return { dataset: undefined, findings: [findingOf(folder, error as DataError)] };
  }
  return listCases(folderSource(folder));
}

/** Reads annotations.json of a folder (`annotationsOf`). */
export const readAnnotations = (folder: string, cases: readonly string[], classes: number, hear?: Hear): Promise<Annotations> =>
  annotationsOf(folderSource(folder), cases, classes, hear);
