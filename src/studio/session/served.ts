// SPDX-License-Identifier: MIT
// Files that `voxelgrad studio FOLDER` offers beside the page: a list, and each of them by its path.
import { DataError } from '../../errors.ts';
import type { PathFile, ServedFile } from '../protocol.ts';

/** Null where none are offered: a static host has no such list. */
export async function servedList(): Promise<readonly ServedFile[] | null> {
  const answer = await fetch('folder.json').catch(() => null);
  if (!answer?.ok || !answer.headers.get('content-type')?.startsWith('application/json')) return null;
  return (await answer.json()) as ServedFile[];
}

export async function servedFiles(paths: readonly string[]): Promise<PathFile[]> {
  const files: PathFile[] = [];
  for (const path of paths) {
    const answer = await fetch(`folder/${path.split('/').map(encodeURIComponent).join('/')}`);
    if (!answer.ok)
      throw new DataError(`${path}: cannot be read, got ${answer.status} from the studio's server.`, 'Is the file still there?');
    files.push({ path, file: await answer.blob() });
  }
  return files;
}
