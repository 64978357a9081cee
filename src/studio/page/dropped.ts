// SPDX-License-Identifier: MIT
// Files and folders that were dropped or chosen, with their ways within what was given.
import type { PathFile } from '../protocol.ts';

export const chosen = (list: FileList): PathFile[] => [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

export async function dropped(transfer: DataTransfer): Promise<PathFile[]> {
  // Entries have to be asked for at once: after the first wait the list is empty.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return chosen(transfer.files);
  const found: PathFile[] = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry: FileSystemEntry, found: PathFile[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ''), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A hundred at a time, and none when there are no more.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const each of some) await walk(each, found);
  }
}
