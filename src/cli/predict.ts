// SPDX-License-Identifier: MIT
// voxelgrad predict: masks for new scans. No ground truth is read.
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Option } from 'commander';
import { listFiles, volumeStem } from '../data/import/new_dataset.ts';
import { toRas } from '../data/orientation.ts';
import { readVolume } from '../data/volume.ts';
import { DataError, UsageError } from '../errors.ts';
import { number } from './numbers.ts';
import { runPlan, segmentCases, type Which } from './segment_cases.ts';
import type { Outcome, Verb } from './verb.ts';

interface Options { readonly input: string; readonly output: string; readonly run: string; readonly checkpoint?: Which; readonly step?: number; readonly tta?: boolean; readonly part?: string }

/** Scans by case name: a file, a folder of volumes, or a folder of DICOM series. */
async function scansIn(path: string): Promise<Map<string, string>> {
  if (!existsSync(path)) throw new DataError(`${path}: does not exist, expected a volume or a folder of volumes.`, 'Check the path.');
  const strip = (stem: string): string => stem.replace(/_0000$/, '');
  if (!statSync(path).isDirectory()) return new Map([[strip(volumeStem(basename(path)) ?? basename(path)), path]]);
  const found = new Map<string, string>();
  for (const file of await listFiles(path)) {
    const stem = volumeStem(file);
    if (stem === undefined) continue;
    const [name, other] = [strip(stem), found.get(strip(stem))];
    if (other !== undefined) throw new DataError(`${join(path, file)}: duplicate case name "${name}", got ${other} too, expected one file a case.`, 'Rename or remove one of them.');
    found.set(name, join(path, file));
  }
  if (found.size > 0) return found;
  // As import does: a folder for each series, or the slices of one.
  const entries = (await readdir(path, { withFileTypes: true })).filter((e) => !e.name.startsWith('.'));
  for (const folder of entries.filter((e) => e.isDirectory()).map((e) => e.name).sort()) if ((await listFiles(join(path, folder))).length > 0) found.set(folder, join(path, folder));
  if (found.size === 0 && entries.length > 0) found.set(basename(resolve(path)), path);
  if (found.size === 0) throw new DataError(`${path}: no volume in it, expected .nii, .nii.gz, .nrrd, .mha or .mhd files, or folders of DICOM slices.`, 'Check the path, or convert the scans.');
  return found;
}

/** `2/5` takes every fifth case, from the second. */
function partOf(names: readonly string[], part: string | undefined): string[] {
  if (part === undefined) return [...names];
  const match = /^(\d+)\/(\d+)$/.exec(part);
  const [i, n] = match ? [Number(match[1]), Number(match[2])] : [0, 0];
  if (i < 1 || n < 1 || i > n) throw new UsageError(`--part: got "${part}", expected i/n with 1 <= i <= n.`, 'For example 2/5: every fifth scan, from the second.');
  return names.filter((_, at) => at % n === i - 1);
}

export const predict: Verb = {
  configure: (command) => {
    command.requiredOption('-i, --input <path>', 'a scan, a folder of scans, or a folder of DICOM series')
      .requiredOption('-o, --output <folder>', 'masks go here; those of each network into folders below')
      .requiredOption('--run <folder>', 'run folder of voxelgrad train')
      .addOption(new Option('--checkpoint <which>', 'default: best, else final, else latest').choices(['best', 'final', 'latest']))
      .option('--step <share>', 'of the window between two patches, for scans larger than the ROI', number(0.1, 1))
      .option('--tta', 'average over mirrored scans')
      .option('--part <i/n>', 'only every n-th scan, from the i-th: several processes share the work');
  },
  async run(_, options: Options, context): Promise<Outcome> {
    const plan = runPlan(options.run);
    if (options.step !== undefined) plan.prediction.step = options.step;
    if (options.tta) plan.prediction.mirror = true;
    const scans = await scansIn(options.input);
    const names = partOf([...scans.keys()].sort(), options.part);
    const result = await segmentCases({
      verb: 'predict', plan, run: options.run, out: options.output, names, ...(options.checkpoint && { checkpoint: options.checkpoint }),
      read: async (name) => {
        const volume = await readVolume(scans.get(name)!);
        const { data: _data, ...stored } = volume;
        return { image: toRas(volume), stored };
      },
    }, context);
    const kept = result.files.length - result.written;
    return { text: `${result.written} masks written to ${options.output}${kept > 0 ? `, ${kept} kept` : ''} (${result.seconds.toFixed(1)} s on ${result.adapter}, ${result.checkpoint})`, json: result };
  },
};
