// SPDX-License-Identifier: MIT
// Results must not land among what they are made of. Compared by what the system says a place is, so that links, capitals and
// mounts do not hide that two paths are one.
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { volumeEnding } from '../io/endings.ts';
import { UsageError } from '../errors.ts';

/** Undefined where nothing is, below a file too. */
const identity = (path: string): string | undefined => {
  const stats = existsSync(path) ? statSync(path, { bigint: true, throwIfNoEntry: false }) : undefined;
  return stats && `${stats.dev}:${stats.ino}`;
};

/** A path without links, as far as it exists. */
function real(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync.native(absolute);
  } catch {
    return dirname(absolute) === absolute
      ? absolute
      : join(real(dirname(absolute)), absolute.slice(dirname(absolute).length).replace(/^[\\/]+/, ''));
  }
}

/** A place and all that hold it, innermost first. */
function places(path: string): string[] {
  const found: string[] = [];
  for (let at = real(path); ; at = dirname(at)) {
    const id = identity(at);
    if (id !== undefined) found.push(id);
    if (dirname(at) === at) return found;
  }
}

/** @throws UsageError unless `output`, of this option, is neither `input` nor inside it nor around it */
export function assertApart(input: string, output: string, option = '--output'): void {
  const [own, target] = [identity(input), identity(output)];
  const relation =
    target !== undefined && target === own
      ? 'is'
      : own !== undefined && statSync(input).isDirectory() && places(output).includes(own)
        ? 'lies inside'
        : target !== undefined && places(input).includes(target)
          ? 'holds'
          : undefined;
  if (relation !== undefined)
    throw new UsageError(
      `${option}: ${output} ${relation} the input ${input}: results would lie among scans, and might replace them.`,
      'Choose a folder of its own, beside the input.',
    );
}

/** @throws UsageError where a file to be written is one of `files`, or a link to it, or what it links to */
export function assertNotAmong(targets: readonly string[], files: readonly string[]): void {
  const sources = new Map(files.map((file) => [identity(file), file]));
  for (const target of targets) {
    const source = sources.get(identity(target) ?? '');
    if (source !== undefined)
      throw new UsageError(`--output: ${target} is the scan ${source}: its mask would replace it.`, 'Choose a folder of its own.');
  }
}

/** The volumes that lie in a folder. */
export function volumesAt(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.') && volumeEnding(name) !== undefined)
      .sort();
  } catch {
    return [];
  }
}
