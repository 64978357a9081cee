// SPDX-License-Identifier: MIT
// voxelgrad predict: masks for new scans. No ground truth is read.
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Option } from 'commander';
import { listFiles, volumeStem } from '../io/node/dataset/import/new_dataset.ts';
import { assertCaseName, caseNames, channelNumbered, nameKey, NAME_RULE } from '../data/names.ts';
import { toRas } from '../data/orientation.ts';
import { notRead } from '../io/endings.ts';
import { readVolume } from '../io/node/volume.ts';
import { DataError, UsageError } from '../errors.ts';
import { readJson } from '../files/regular.ts';
import { assertApart } from './apart.ts';
import { sourceOf } from './mask_source.ts';
import { number } from './numbers.ts';
import { runPlan, type Which } from './members.ts';
import { KEPT_RULE, segmentCases } from './segment_cases.ts';
import { DEVICE, takeDevice } from './which_gpu.ts';
import type { Context, Outcome, Verb } from './verb.ts';

interface Options {
  readonly input: string;
  readonly output: string;
  readonly run?: string;
  readonly ensemble?: readonly string[];
  readonly probabilities?: boolean;
  readonly checkpoint?: Which;
  readonly step?: number;
  readonly tta?: boolean;
  readonly part?: string;
  readonly device?: number;
}

/** Channels of the data set whose folder of images this is; 1 where it is none, or lists its files itself. */
async function channelsOf(folder: string): Promise<number> {
  const dataset = dirname(resolve(folder));
  if (!/^images(Tr|Ts)$/i.test(basename(resolve(folder))) || !existsSync(join(dataset, 'dataset.json'))) return 1;
  // Its labels may be of a kind that training refuses: nothing here depends on them.
  const json = readJson(join(dataset, 'dataset.json')) as Readonly<Record<string, object | undefined>> | null;
  return json?.dataset !== undefined || json?.training !== undefined
    ? 1
    : Object.keys(json?.channel_names ?? json?.modality ?? { 0: 'CT' }).length;
}

/** The volumes of a folder by case name: of a case with several channels, the first. */
async function volumesByCase(folder: string): Promise<Map<string, string>> {
  const channels = await channelsOf(folder);
  const stems = new Map<string, string>();
  const found = new Map<string, string>(),
    keys = new Map<string, string>();
  for (const file of await listFiles(folder)) {
    const stem = volumeStem(file);
    if (stem === undefined || (channels > 1 && Number(/_(\d{4})$/.exec(stem)?.[1] ?? 0) > 0)) continue;
    stems.set(file, stem);
  }
  const names = caseNames([...stems.values()], channelNumbered([...stems.values()], basename(resolve(folder))));
  for (const [file, stem] of stems) {
    const name = names.get(stem)!,
      other = keys.get(nameKey(name));
    assertCaseName(name, join(folder, file));
    if (other !== undefined)
      throw new DataError(
        `${join(folder, file)}: duplicate case name "${name}", got ${other} too, expected one file a case.`,
        'Rename or remove one of them.',
      );
    keys.set(nameKey(name), join(folder, file));
    found.set(name, join(folder, file));
  }
  return found;
}

/** Scans by case name: a file, a folder of volumes, or a folder of DICOM series. */
async function scansIn(path: string, context: Context): Promise<Map<string, string>> {
  if (!existsSync(path)) throw new DataError(`${path}: does not exist, expected a volume or a folder of volumes.`, 'Check the path.');
  if (!statSync(path).isDirectory()) {
    const [folder, file] = [dirname(resolve(path)), basename(resolve(path))],
      stem = volumeStem(file);
    if (stem === undefined) {
      assertCaseName(file, path);
      return new Map([[file, path]]);
    }
    const stems = (await listFiles(folder)).flatMap((name) => volumeStem(name) ?? []);
    const name = channelNumbered(stems, basename(folder)) ? caseNames([stem], true).get(stem)! : stem;
    assertCaseName(name, path);
    return new Map([[name, path]]);
  }
  if (sourceOf(path) !== undefined)
    throw new DataError(
      `${path}: holds masks that voxelgrad predicted (prediction.json), expected scans.`,
      'Name the folder of the scans.',
    );
  const found = await volumesByCase(path);
  const entries = (await readdir(path, { withFileTypes: true })).filter((e) => !e.name.startsWith('.'));
  const strange = notRead(entries.map((e) => e.name));
  const isFolder = (name: string): boolean => statSync(join(path, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
  const folders = entries
    .map((e) => e.name)
    .filter(isFolder)
    .sort();
  if (found.size > 0) {
    if (strange.length > 0) context.note(`${path}: of a kind that is not read, and not predicted: ${strange.sort().join(', ')}`);
    if (folders.length > 0) context.note(`${path}: folders beside the volumes are not read: ${folders.join(', ')}`);
    return found;
  }
  // As import does: a folder for each series, or the slices of one.
  for (const name of folders) if ((await listFiles(join(path, name))).length > 0) found.set(name, join(path, name));
  if (found.size === 0 && entries.length > 0) found.set(basename(resolve(path)), path);
  if (found.size === 0)
    throw new DataError(
      `${path}: no volume in it, expected .nii, .nii.gz, .nrrd, .mha or .mhd files, or folders of DICOM slices.`,
      'Check the path, or convert the scans.',
    );
  const keys = new Map<string, string>();
  for (const [name, file] of found) {
    assertCaseName(name, file);
    const other = keys.get(nameKey(name));
    if (other !== undefined)
      throw new DataError(
        `${file}: duplicate case name "${name}", got ${other} too, expected one folder a case.`,
        'Rename or remove one of them.',
      );
    keys.set(nameKey(name), file);
  }
  return found;
}

/** `2/5` takes every fifth case, from the second. */
function partOf(names: readonly string[], part: string | undefined): string[] {
  if (part === undefined) return [...names];
  const match = /^(\d+)\/(\d+)$/.exec(part);
  const [i, n] = match ? [Number(match[1]), Number(match[2])] : [0, 0];
  if (i < 1 || n < 1 || i > n)
    throw new UsageError(`--part: got "${part}", expected i/n with 1 <= i <= n.`, 'For example 2/5: every fifth scan, from the second.');
  return names.filter((_, at) => at % n === i - 1);
}

/** @throws UsageError unless one run is named, or several to be averaged */
function runsOf({ run, ensemble }: Options): readonly string[] {
  if ((run === undefined) === (ensemble === undefined))
    throw new UsageError(
      `--run: got ${run === undefined ? 'none' : '--ensemble beside it'}, expected either --run or --ensemble.`,
      'Name the folder given to `voxelgrad train --run`, or several with --ensemble.',
    );
  return ensemble ?? [run!];
}

export const predict: Verb = {
  configure: (command) => {
    command
      .requiredOption('-i, --input <path>', 'a scan, a folder of scans, or a folder of DICOM series')
      .requiredOption('-o, --output <folder>', 'masks go here; those of each network into folders below')
      .option('--run <folder>', 'run folder of voxelgrad train')
      .option('--ensemble <runs...>', 'instead: several runs, such as the folds of one plan, whose probabilities are averaged')
      .option('--probabilities', "also write the headline's probabilities: probabilities/LABEL/NAME.nii.gz, float32, on the scan's grid")
      .addOption(new Option('--checkpoint <which>', 'default: best, else final, else latest').choices(['best', 'final', 'latest']))
      .option('--step <share>', 'of the window between two patches, for scans larger than the ROI', number(0.1, 1))
      .option('--tta', 'average over mirrored scans')
      .option('--part <i/n>', 'only every n-th scan, from the i-th: several processes share the work')
      .option(...DEVICE)
      .addHelpText('after', KEPT_RULE + NAME_RULE);
  },
  async run(_, options: Options, context): Promise<Outcome> {
    const [run, ...others] = runsOf(options);
    if (options.device !== undefined) await takeDevice(options.device);
    const plan = runPlan(run);
    if (options.step !== undefined) plan.prediction.step = options.step;
    if (options.tta) plan.prediction.mirror = true;
    const scans = await scansIn(options.input, context);
    assertApart(options.input, options.output);
    const part = new Map(partOf([...scans.keys()].sort(), options.part).map((name) => [name, scans.get(name)!]));
    const result = await segmentCases(
      {
        verb: 'predict',
        plan,
        run,
        others,
        probabilities: options.probabilities ?? false,
        out: options.output,
        scans: part,
        ...(options.checkpoint && { checkpoint: options.checkpoint }),
        read: async (name) => {
          const volume = await readVolume(scans.get(name)!);
          const { data: _data, ...stored } = volume;
          return { image: toRas(volume), stored };
        },
      },
      context,
    );
    const kept = result.files.length - result.written;
    // What is there now, of all parts: a list of scans that changed while parts were under way leaves gaps between them.
    const without = [...scans.keys()].filter((name) => !existsSync(join(options.output, `${name}.nii.gz`))).length;
    const whole =
      options.part === undefined
        ? ''
        : without === 0
          ? `; all ${scans.size} scans have masks`
          : `; ${without} of ${scans.size} scans have none yet`;
    const again = result.again.length > 0 ? `, ${result.again.length} of them again` : '';
    return {
      text:
        `${result.written} masks written to ${options.output}${again}${kept > 0 ? `, ${kept} kept` : ''} ` +
        `(${result.seconds.toFixed(1)} s on ${result.adapter}, ${result.checkpoint})${whole}`,
      json: { ...result, without },
    };
  },
};
