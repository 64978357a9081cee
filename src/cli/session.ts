// SPDX-License-Identifier: MIT
// voxelgrad session: a data set and a run of the command line as one file, which the studio opens and goes on with.
import { existsSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { DataError } from '../errors.ts';
import { AtomicWriter } from '../files/atomic_writer.ts';
import { writeZip, type ZipEntry } from '../files/zip_writer.ts';
import { openDataset } from '../io/node/dataset/open.ts';
import { scanFiles } from '../io/node/dataset/scan_files.ts';
import { RunFolder, tracesOf } from '../io/node/run/folder.ts';
import type { Outcome, Verb } from './verb.ts';

interface Options {
  readonly run?: string;
  readonly out: string;
}

async function entryOf(name: string, path: string): Promise<ZipEntry> {
  return {
    name,
    size: (await stat(path)).size,
    async piece(from, to) {
      await using file = await open(path);
      const bytes = new Uint8Array(to - from);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
      if (bytesRead < bytes.length) throw new DataError(`${path}: became shorter while it was packed.`, 'Pack it again.');
      return bytes;
    },
  };
}

/** What training reads of a data set, by the names that a session file has for it. */
async function dataOf(folder: string): Promise<ZipEntry[]> {
  const dataset = await openDataset(folder),
    root = resolve(folder);
  const files = new Set(
    ['dataset.json', 'annotations.json', 'annotations.simulated.json'].map((name) => join(root, name)).filter((path) => existsSync(path)),
  );
  for (const { images, label } of [...dataset.training, ...dataset.test])
    for (const way of [...images, ...(label === undefined ? [] : [label])])
      for (const path of await scanFiles(way)) files.add(resolve(path));
  return Promise.all(
    [...files].map((path) => {
      const name = relative(root, path).split(sep).join('/');
      if (name.startsWith('../'))
        throw new DataError(
          `${path}: lies outside of ${folder}, expected all scans of the data set within it.`,
          'Copy the data set into one folder.',
        );
      return entryOf(`data/${name}`, path);
    }),
  );
}

/** What `train --resume` reads of a run. run.json is left out: it names folders of this machine. */
async function runOf(folder: string): Promise<ZipEntry[]> {
  const names = tracesOf(folder);
  if (!names.includes('plan.json') || !names.some((name) => name.startsWith('checkpoints/')))
    throw new DataError(`${folder}: holds no run, got ${names.join(', ') || 'none of its files'}, expected plan.json and checkpoints.`);
  return Promise.all(names.filter((name) => name !== 'run.json').map((name) => entryOf(`run/${name}`, join(folder, name))));
}

export const session: Verb = {
  configure: (command) => {
    command
      .argument('<data>', 'data set')
      .option('--run <folder>', 'run on it, to go on with in the studio')
      .requiredOption('--out <file>', 'session file to write, ending in .zip')
      .addHelpText(
        'after',
        '\nDrop the file on the page of `voxelgrad studio`. A session that was taken away there is unpacked into `data` and `run`, ' +
          'and\n`voxelgrad train data --run run --resume` goes on with it. Scans go in as they are, with what their headers say.',
      );
  },
  async run([data], { run, out }: Options): Promise<Outcome> {
    if (!out.endsWith('.zip')) throw new DataError(`--out: got ${out}, expected a name that ends in .zip.`);
    const own = run === undefined ? [] : await runOf(run); // before it is held: holding it makes its folder
    using _held = run === undefined ? undefined : await RunFolder.open(run, false); // nobody trains in it meanwhile
    const entries = [...(await dataOf(data as string)), ...own];
    let bytes = 0;
    await using file = await AtomicWriter.open(out);
    await writeZip(entries, async (chunk) => {
      bytes += chunk.length;
      await file.write(chunk);
    });
    await file.commit();
    return {
      text: `${out}: ${entries.length} files, ${bytes} bytes. Drop it on the page of \`voxelgrad studio\`.`,
      json: { file: out, bytes, files: entries.map(({ name }) => name) },
    };
  },
};
