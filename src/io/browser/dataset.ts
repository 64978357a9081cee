// SPDX-License-Identifier: MIT
// A data set as files that a person dropped on a page: by their paths within it, `imagesTr/case_0000.nii.gz`.
import type { CaseSource } from '../../data/case_source.ts';
import { datasetOf, type Dataset } from '../../data/dataset.ts';
import { DataError } from '../../errors.ts';
import { parseJson } from '../../files/json.ts';
import { sha256 } from '../../files/sha256.ts';
import { dataFileOf } from '../decode.ts';
import { volumeEnding } from '../endings.ts';
import { bytesOf, readVolume, type PageFile } from './volume.ts';

/** Bytes read and hashed at a time. */
const PIECE = 2 ** 22;
/** A data set of 100,000 cases is described in less. */
const MOST_JSON = 64 * 2 ** 20;

/** `way` without `.` and `..`; undefined where it leads out, or nowhere. */
function resolved(way: string): string | undefined {
  if (/^[\\/]|^[A-Za-z]:/.test(way)) return undefined;
  const parts: string[] = [];
  for (const part of way.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.length > 0 ? parts.join('/') : undefined;
}

/** `name` is what the data set is called, and messages begin with. */
export function pageSource(name: string, files: ReadonlyMap<string, PageFile>): CaseSource {
  const within = (path: string): string => path.slice(name.length + 1);
  const fileAt = (way: string, path = `${name}/${way}`): PageFile => {
    const file = files.get(way);
    if (!file)
      throw new DataError(`${path}: cannot be read, got no such file, expected a readable file.`, 'Add it to the files of the data set.');
    return file;
  };
  const besides =
    (way: string) =>
    (other: string): string =>
      resolved(`${way.slice(0, way.lastIndexOf('/') + 1)}${other}`) ?? '';
  return {
    folder: name,
    name,
    path: (...parts) => [name, ...parts].join('/'),
    inside(way) {
      const found = resolved(way);
      return found === undefined ? undefined : `${name}/${found}`;
    },
    has: async (way) => files.has(way),
    async json(way) {
      const source = bytesOf(fileAt(way));
      if (source.size > MOST_JSON)
        throw new DataError(
          `${name}/${way}: too large, got ${source.size} bytes, expected at most ${MOST_JSON}.`,
          'Is this the right file?',
        );
      return parseJson(await source.read(0, source.size), `${name}/${way}`);
    },
    list: async (folder) =>
      [...files.keys()]
        .filter((way) => way.startsWith(`${folder}/`))
        .map((way) => way.slice(folder.length + 1))
        .filter((file) => !file.includes('/') && !file.startsWith('.'))
        .sort(),
    volume(path, tell) {
      const way = within(path);
      return readVolume(path, fileAt(way, path), { beside: (other) => files.get(besides(way)(other)), ...(tell && { tell }) });
    },
    async sums(paths) {
      const ways = new Set<string>();
      for (const way of paths.map(within)) {
        if (!files.has(way)) continue;
        ways.add(way);
        const other = volumeEnding(way) === undefined ? undefined : await dataFileOf(`${name}/${way}`, bytesOf(fileAt(way)));
        if (other !== undefined && files.has(besides(way)(other))) ways.add(besides(way)(other));
      }
      const sums: Record<string, string> = {};
      for (const way of [...ways].sort()) {
        const source = bytesOf(fileAt(way)),
          hash = sha256();
        for (let at = 0; at < source.size; at += PIECE) hash.update(await source.read(at, Math.min(at + PIECE, source.size)));
        sums[way] = hash.digest('hex');
      }
      return sums;
    },
  };
}

/** Lists a data set of a page; throws the first problem as a DataError. */
export const openDataset = (name: string, files: ReadonlyMap<string, PageFile>): Promise<Dataset> => datasetOf(pageSource(name, files));
