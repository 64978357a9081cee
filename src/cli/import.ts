// SPDX-License-Identifier: MIT
// voxelgrad import: foreign folders become a data set in nnU-Net's layout.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import { importLidcVoi } from '../io/node/dataset/import/lidc_voi.ts';
import { importLuna16 } from '../io/node/dataset/import/luna16.ts';
import type { ImportResult } from '../io/node/dataset/import/new_dataset.ts';
import { ABDOMEN_1K_LABELS, importPairs } from '../io/node/dataset/import/pairs.ts';
import { NAME_RULE } from '../data/names.ts';
import { writePhantomDataset, type PhantomDatasetOptions } from '../io/node/dataset/phantoms.ts';
import { UsageError } from '../errors.ts';
import { assertApart } from './apart.ts';
import { integer } from './numbers.ts';
import { progress, type Progress } from './progress.ts';
import type { Outcome, Verb } from './verb.ts';

const KINDS = ['lidc', 'luna16', 'pairs', 'phantom'] as const;
type Kind = (typeof KINDS)[number];
interface Options {
  readonly to: string;
  readonly format?: Kind;
  readonly masks?: string;
  readonly spheres?: boolean;
  readonly classes?: string;
  readonly minSlices?: number;
  readonly cases: number;
  readonly seed: number;
}

/** Chest regions that a small network learns in minutes: large nodules well apart from the lung, few vessels, no pleura. */
const PHANTOMS: Omit<PhantomDatasetOptions, 'training' | 'test' | 'seed'> = {
  size: [16, 64, 64],
  radii: [5, 14],
  contrast: 500,
  vessels: 2,
  pleura: 0,
  spicules: 0,
};

/** What the folder looks like; the word `phantom` asks for made-up scans. */
function kindOf(folder: string): Kind {
  if (folder === 'phantom' && !existsSync(folder)) return 'phantom';
  if (existsSync(join(folder, 'index.csv')) && existsSync(join(folder, 'nodule_mask'))) return 'lidc';
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (names.includes('annotations.csv') && names.some((n) => /^subset\d$/.test(n) || n.endsWith('.mhd'))) return 'luna16';
  return 'pairs';
}

/** `liver=1,kidney=2` or the name of a known table. */
function classesFrom(text: string): Record<string, number> {
  if (text === 'abdomen1k') return { ...ABDOMEN_1K_LABELS };
  const entries = text.split(',').map((part) => /^\s*([^=]+?)\s*=\s*(\d+)\s*$/.exec(part));
  const wrong = entries.findIndex((entry) => entry === null);
  if (wrong >= 0)
    throw new UsageError(
      `--classes: got "${text.split(',')[wrong]}", expected NAME=VALUE,... or abdomen1k.`,
      'For example --classes liver=1,kidney=2.',
    );
  return { background: 0, ...Object.fromEntries(entries.map((entry) => [entry![1], Number(entry![2])])) };
}

function run(kind: Kind, source: string, options: Options, onCase: Progress): Promise<ImportResult> {
  const { to, masks, spheres, classes, minSlices } = options;
  if (kind !== 'luna16' && spheres)
    throw new UsageError(`--spheres: got a folder of kind ${kind}, expected luna16.`, 'Leave --spheres out; masks are named with --masks.');
  if (kind === 'lidc') return importLidcVoi(source, to, { onCase, ...(minSlices !== undefined && { minSlices }) });
  if (kind === 'luna16') return importLuna16(source, to, { onCase, ...(masks !== undefined && { masks }), ...(spheres && { spheres }) });
  if (kind === 'phantom') {
    const test = Math.max(1, Math.round(options.cases / 4));
    return writePhantomDataset(to, { training: options.cases, test, seed: options.seed, ...PHANTOMS, onCase });
  }
  return importPairs(source, to, {
    onCase,
    ...(masks !== undefined && { labels: masks }),
    ...(classes !== undefined && { classes: classesFrom(classes) }),
  });
}

export const importVerb: Verb = {
  configure: (command) => {
    command
      .argument('<source>', 'volumes, folders of DICOM slices, LUNA16, LIDC volumes of interest, or the word phantom')
      .requiredOption('--to <dataset>', 'folder to make; new or empty')
      .addOption(new Option('--format <kind>', 'by default recognised from the files').choices(KINDS))
      .option('--masks <folder>', 'masks named like the images')
      .option('--spheres', 'luna16 without masks: balls of the annotated diameter, marked as such in every result')
      .option('--classes <list>', 'pairs: background=0,liver=1,... or abdomen1k')
      .option('--min-slices <n>', 'lidc: leave thinner nodules out', integer(1, 1000))
      .option('--cases <n>', 'phantom: training cases; a quarter as many are held out', integer(5, 10_000), 24)
      .option('--seed <n>', 'phantom: draws the scans', integer(0, 2 ** 32 - 1), 1337)
      .addHelpText('after', NAME_RULE);
  },
  async run([source], options: Options, context): Promise<Outcome> {
    const kind = options.format ?? kindOf(source);
    // The next import of that folder would take the data set for a series, its masks for scans.
    if (kind !== 'phantom')
      for (const place of [source, options.masks]) if (place !== undefined && existsSync(place)) assertApart(place, options.to, '--to');
    const result = await run(kind, source, options, progress('import', context));
    return {
      text: [...result.notes.map((n) => `note: ${n}`), `${result.folder}: ${result.cases} cases (${kind})`].join('\n'),
      json: { ...result, kind },
    };
  },
};
