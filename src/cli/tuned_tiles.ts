// SPDX-License-Identifier: MIT
// What `voxelgrad tune` found, by adapter and driver, in the user's cache folder. Losing it costs speed alone.
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { readJson } from '../files/regular.ts';
import type { DeviceInfo, TunedTiles } from '../gpu/caps.ts';

export const tunedTilesFile = (): string => join(homedir(), '.cache', 'voxelgrad', 'tiles.json');

const keyOf = ({ name, driver }: DeviceInfo): string => `${name} | ${driver}`;

const rows = z.record(z.string(), z.record(z.string(), z.string()));

function read(file: string): Record<string, TunedTiles> {
  try {
    return rows.parse(readJson(file));
  } catch {
    return {}; // none yet, or damaged: the built-in table serves
  }
}

/** Rows for an adapter with its driver; none where it was never tuned. */
export const tunedTiles = (info: DeviceInfo, file = tunedTilesFile()): TunedTiles => read(file)[keyOf(info)] ?? {};

/** Adds rows to those of the adapter. */
export function rememberTiles(info: DeviceInfo, tiles: TunedTiles, file = tunedTilesFile()): void {
  const known = read(file);
  makeFolder(dirname(file));
  writeFileAtomic(file, `${JSON.stringify({ ...known, [keyOf(info)]: { ...known[keyOf(info)], ...tiles } }, null, 2)}\n`);
}
