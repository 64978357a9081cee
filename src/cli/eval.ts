// SPDX-License-Identifier: MIT
// voxelgrad eval: predicted masks against reference masks, case by case, into summary.json and a table.
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { openDataset, type Dataset } from '../data/dataset.ts';
import { assertSameGeometry, type Triple } from '../data/geometry.ts';
import { listFiles, volumeStem } from '../data/import/new_dataset.ts';
import { toRas } from '../data/orientation.ts';
import type { Volume } from '../data/volume.ts';
import { readVolume } from '../io/node/volume.ts';
import { DataError } from '../errors.ts';
import { DEFAULT_SURFACE_MM, evaluateCase, type CaseResult, type ClassMetrics, type EvaluationCase, type LabelClass } from '../metrics/evaluate.ts';
import { labelSourceNotes } from '../metrics/label_source.ts';
import type { LabelMap } from '../metrics/mask.ts';
import { METRIC_NAMES, summarise, type Summary } from '../metrics/summary.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { knownRun, planesSeen, recordEvaluation, type KnownRun } from './known_run.ts';
import { number } from './numbers.ts';
import { progress } from './progress.ts';
import { readRecord } from './run_record.ts';
import { csvText, table } from './text.ts';
import type { Context, Outcome, Verb } from './verb.ts';

interface Options { readonly out?: string; readonly surfaceMm?: number; readonly theta?: number; readonly networks: boolean }
interface Pair { readonly name: string; readonly reference: string; readonly prediction: string }

/** The data set that a folder is, or that holds it: it knows the classes, the annotation and what was never drawn. */
async function datasetOf(path: string): Promise<Dataset | undefined> {
  const folder = [path, dirname(resolve(path))].find((f) => existsSync(join(f, 'dataset.json')));
  return folder === undefined ? undefined : openDataset(folder);
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

async function volumesIn(folder: string): Promise<Map<string, string>> {
  return new Map((await listFiles(folder)).flatMap((file) => { const stem = volumeStem(file); return stem === undefined ? [] : [[stem, join(folder, file)]]; }));
}

/** Reference masks by case: a file, a folder, or a data set's labelsTr and labelsTs. */
async function referencesIn(path: string): Promise<Map<string, string>> {
  const folders = existsSync(join(path, 'dataset.json')) ? ['labelsTr', 'labelsTs'].map((name) => join(path, name)).filter(isFolder) : [path];
  return new Map((await Promise.all(folders.map(volumesIn))).flatMap((files) => [...files]));
}

async function pairsOf(reference: string, prediction: string): Promise<{ pairs: Pair[]; unused: number }> {
  if (!isFolder(reference) && !isFolder(prediction)) return { pairs: [{ name: volumeStem(basename(reference)) ?? reference, reference, prediction }], unused: 0 };
  for (const [file, folder] of [[reference, prediction], [prediction, reference]] as const) {
    if (existsSync(file) && !isFolder(file) && isFolder(folder)) throw new DataError(`${file}: a file, but ${folder} is a folder, expected two masks or two folders.`, `Name the mask in ${folder} that belongs to it, or the folder that holds ${basename(file)}.`);
  }
  const [references, predictions] = [await referencesIn(reference), await volumesIn(prediction)];
  if (predictions.size === 0) throw new DataError(`${prediction}: no volume, expected predicted masks named like the references.`);
  const pairs = [...predictions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, file]): Pair => {
    const match = references.get(name);
    if (match === undefined) throw new DataError(`${file}: no reference for it in ${reference}, expected a mask named "${name}".`, 'Name predictions like their cases, or take this file away.');
    return { name, reference: match, prediction: file };
  });
  return { pairs, unused: references.size - pairs.length };
}

function labelMap(file: string, volume: Volume, dataset?: Dataset): LabelMap {
  const { data, size, spacing } = toRas(volume);
  const wrong = data.findIndex((v) => !Number.isInteger(v) || v < 0 || v > 255);
  if (wrong >= 0) throw new DataError(`${file}: not a mask, got the value ${data[wrong]}, expected whole numbers from 0 to 255.`, 'Was this the image?');
  const highest = dataset && dataset.info.classes.length - 1;
  const stranger = highest === undefined ? -1 : data.findIndex((v) => v > highest && v !== dataset!.info.ignore);
  if (stranger >= 0) throw new DataError(`${file}: label values outside the data set's, got ${data[stranger]}, expected 0 to ${highest}.`, 'Was it made for another data set? Else add the class to dataset.json.');
  return { data: Uint8Array.from(data), size, spacing };
}

async function load({ name, reference, prediction }: Pair, dataset: Dataset | undefined, run: KnownRun | undefined): Promise<EvaluationCase> {
  const [a, b] = [await readVolume(reference), await readVolume(prediction)];
  assertSameGeometry(a, reference, b, prediction);
  const mask = labelMap(reference, a, dataset);
  const annotated = dataset && planesSeen(run, dataset, name, [...mask.size] as Triple);
  return {
    case: name, reference_file: reference, prediction_file: prediction, reference: mask, prediction: labelMap(prediction, b, dataset),
    ...(annotated && { annotated }), unlabelled: dataset?.annotations.unlabelled.get(name) ?? [],
  };
}

/** Without a data set, the classes are the values that occur anywhere: every case is then scored for the same ones. */
async function classesIn(pairs: readonly Pair[]): Promise<LabelClass[]> {
  const found = new Set<number>();
  for (const file of pairs.flatMap((pair) => [pair.reference, pair.prediction])) for (const value of labelMap(file, await readVolume(file)).data) found.add(value);
  return [...found].filter((value) => value > 0).sort((a, b) => a - b).map((label) => ({ label, name: `class_${label}` }));
}

/** What the command line says, else the plan of the masks' run. */
function tolerances({ surfaceMm, theta }: Options, run: KnownRun | undefined): { surfaceMm: number; theta: number | undefined } {
  const planned = run?.plan.evaluation;
  return { surfaceMm: surfaceMm ?? planned?.surfaceMm ?? DEFAULT_SURFACE_MM, theta: theta ?? (planned?.boundaryTolerance === 'auto' ? undefined : planned?.boundaryTolerance) };
}

interface Work { readonly pairs: readonly Pair[]; readonly dataset: Dataset | undefined; readonly run: KnownRun | undefined; readonly options: Options; readonly title: string }

async function score({ pairs, dataset, run, options, title }: Work, context: Context): Promise<Summary> {
  const { surfaceMm, theta } = tolerances(options, run);
  const [labelSource, trainedLabelSource] = [dataset?.info.json.label_source, run && readRecord(run.folder).labelSource];
  const settings = { surfaceMm, ...(labelSource !== undefined && { labelSource }), ...(trainedLabelSource !== undefined && { trainedLabelSource }), ...(theta !== undefined && { theta }), ...(dataset?.info.ignore !== undefined && { ignoreLabel: dataset.info.ignore }) };
  const classes = dataset?.info.classes.slice(1).map(({ value, name }): LabelClass => ({ label: value, name })) ?? await classesIn(pairs);
  const step = progress(title, context);
  const results: CaseResult[] = [];
  for (const [i, pair] of pairs.entries()) {
    results.push(evaluateCase(await load(pair, dataset, run), classes, settings));
    step(i + 1, pairs.length, pair.name);
  }
  return summarise(results, classes, settings);
}

/** Folders of single networks beside the headline's masks, as `predict` writes them, with the same cases. */
async function networksBeside(prediction: string, pairs: readonly Pair[]): Promise<Map<string, Pair[]>> {
  const found = new Map<string, Pair[]>();
  for (const name of ['ensemble', 'sam', 'transverse', 'coronal']) {
    if (!isFolder(prediction) || !isFolder(join(prediction, name))) continue;
    const masks = await volumesIn(join(prediction, name));
    if (pairs.every((pair) => masks.has(pair.name))) found.set(name, pairs.map((pair) => ({ ...pair, prediction: masks.get(pair.name)! })));
  }
  return found;
}

const COLUMNS = ['Dice', 'IoU', 'BF', 'HD95', 'ASSD', 'SurfaceDice', 'RAVD'] as const;

/** One line a case and class; undefined values are empty. */
function csvOf(summary: Summary): string {
  const columns: (keyof ClassMetrics)[] = [...METRIC_NAMES, 'TP', 'FP', 'FN', 'TN'];
  const rows = summary.metric_per_case.flatMap((c) => Object.entries(c.metrics).map(([label, m]) => [csvText(c.case), label, ...columns.map((name) => m[name] ?? '')].join(',')));
  return `${['case', 'label', ...columns].join(',')}\n${rows.join('\n')}\n`;
}

function describe(summary: Summary): string {
  const value = (group: Summary['foreground'], name: (typeof COLUMNS)[number]): string => {
    const { mean, ci, unit } = group.metrics[name];
    return mean === null ? '-' : `${mean.toFixed(2)}${unit === 'mm' ? ' mm' : ''}${ci ? ` [${ci.map((v) => v.toFixed(2)).join(', ')}]` : ''}`;
  };
  const rows = [...summary.classes.map((c) => ({ name: c.name, group: c })), { name: 'foreground', group: summary.foreground }];
  const { theta, surface_mm } = summary.settings;
  return [
    table(['class', ...COLUMNS, 'defined', 'missed', 'spurious', 'both empty', 'unlabelled'],
      rows.map(({ name, group: g }) => [name, ...COLUMNS.map((c) => value(g, c)), ...[g.n_defined, g.n_missed, g.n_spurious, g.n_both_empty, g.n_unlabelled].map(String)])),
    `Means over cases where defined, 95 % bootstrap interval; boundary F1 within ${theta.join(', ')} voxels, surface Dice within ${surface_mm} mm.`,
    ...labelSourceNotes(summary.settings).map((note) => `note: ${note}`),
  ].join('\n');
}

export const evalVerb: Verb = {
  configure: (command) => {
    command.argument('<reference>', 'a data set, a folder of masks, or one mask').argument('<prediction>', 'a folder of masks named like the references, or one mask')
      .option('--out <folder>', 'where summary.json and metrics.csv go (default: the folder of the predictions)')
      .option('--no-networks', 'only the masks themselves, not those of single networks in folders below')
      .option('--surface-mm <mm>', 'tolerance of surface Dice (default: as the run\'s plan says, else 2)', number(0, 100))
      .option('--theta <voxels>', 'tolerance of boundary F1 (default: as the run\'s plan says, else 0.75 % of the diagonal, rounded up)', number(0, 100));
  },
  async run([reference, prediction], options: Options, context): Promise<Outcome> {
    const start = performance.now();
    const { pairs, unused } = await pairsOf(reference, prediction);
    const dataset = await datasetOf(reference);
    const folder = options.out ?? (isFolder(prediction) ? prediction : dirname(prediction));
    const run = knownRun([isFolder(prediction) ? prediction : dirname(prediction), folder]);
    const save = (name: string, summary: Summary): string => {
      const file = join(folder, name);
      writeFileAtomic(file, `${JSON.stringify(summary, null, 2)}\n`);
      return file;
    };
    const summary = await score({ pairs, dataset, run, options, title: 'eval' }, context);
    makeFolder(folder);
    const file = save('summary.json', summary);
    writeFileAtomic(join(folder, 'metrics.csv'), csvOf(summary));
    const networks: Record<string, string> = {};
    for (const [name, own] of options.networks ? await networksBeside(prediction, pairs) : []) {
      networks[name] = save(`summary_${name}.json`, await score({ pairs: own, dataset, run, options, title: `eval ${name}` }, context));
    }
    if (run) recordEvaluation(run, { names: pairs.map((pair) => pair.name), dataset, summary: file, networks, seconds: (performance.now() - start) / 1000 });
    const notes = unused > 0 ? `\n${unused} references have no prediction and are not counted.` : '';
    return { text: `${describe(summary)}${notes}\n${file}`, json: summary };
  },
};
