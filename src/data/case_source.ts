// SPDX-License-Identifier: MIT
// The door through which a data set comes in: a folder in Node (io/node/dataset), what a person dropped on a page (io/browser).
import type { Tell } from '../io/source.ts';
import type { Volume } from './volume.ts';

/** sha256 sums by path within the data set, with `/` on every system. */
export type FileSums = Readonly<Record<string, string>>;

/** The files of a data set. `path` makes the names that people know them by; what takes a path takes those. */
export interface CaseSource {
  readonly folder: string;
  /** The last part of it. */
  readonly name: string;
  path(...parts: readonly string[]): string;
  /** The path of a file that dataset.json names; undefined where that is absolute or leads out of the data set. */
  inside(name: string): string | undefined;
  /** Whether a JSON file is there, and its value. @throws DataError naming it */
  has(name: string): Promise<boolean>;
  json(name: string): Promise<unknown>;
  /** Names in a folder of the data set in a fixed order, hidden ones left out; none where there is no such folder. */
  list(name: string): Promise<readonly string[]>;
  /** A volume in the orientation it is stored in; as `decodeVolume`. */
  volume(path: string, tell?: Tell): Promise<Volume>;
  /** Sums of files, of data files that they name, and of those in folders of DICOM series; what is not there is left out. */
  sums(paths: readonly string[]): Promise<FileSums>;
}
