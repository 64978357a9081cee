// SPDX-License-Identifier: MIT
// voxelgrad compare: runs of several methods side by side, as a page, CSV, LaTeX and JSON.
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { toRas } from '../data/orientation.ts';
import { DataError, UsageError } from '../errors.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { readVolume } from '../io/node/volume.ts';
import { compareMethods, COMPARED, type MethodTable } from '../metrics/compare_methods.ts';
import type { LabelMap } from '../metrics/mask.ts';
import type { SanetFields } from '../methods/sanet/plan.ts';
import { differenceCells, metricCells, millions, perIteration, TITLES, type Comparison } from '../report/comparison.ts';
import { renderComparison } from '../report/comparison_page.ts';
import { comparisonCsv, comparisonLatex } from '../report/comparison_text.ts';
import { percent } from '../report/format.ts';
import { chooseOverlayCases, placeOf, rankCases } from '../report/overlay_choice.ts';
import type { SurfaceCase } from '../report/section_distances.ts';
import {
  assertCommonCases,
  assertComparable,
  assertTrainedOnce,
  comparedRun,
  differencesBetween,
  missingFolds,
  notEvaluated,
  groupRuns,
  type ComparedRun,
  type Group,
} from './compared_runs.ts';
import { evaluatedWords } from './known_run.ts';
import { table } from './text.ts';
import type { Context, Outcome, Verb } from './verb.ts';
import { viewerLibrary } from './viewer_library.ts';

interface Options {
  readonly against?: string;
  readonly to: string;
  readonly title: string;
  readonly surfaces: boolean;
}

/** The rows of the paper's table 2, by the parts of SA-Net that are off. */
const ABLATIONS: readonly { label: string; off: string }[] = [
  { label: 'A1: SAM alone', off: '2d' },
  { label: 'A2: baseline, 2D networks and SAM', off: 'bgc,msa,rm' },
  { label: 'A3: + MSA', off: 'bgc,rm' },
  { label: 'A4: + BGC', off: 'rm' },
  { label: 'A5: + RM, all of SA-Net', off: '' },
  { label: 'control: no exchange', off: 'cross' },
];

/** Which row of table 2 a group is. Without 2D networks the other parts are nothing. */
function ablationOf({ runs, off }: Group): number {
  const { name, volume } = runs[0].plan.method as Partial<SanetFields>;
  if (name !== 'sanet' || volume !== 'sam') return -1;
  const key = off.includes('2d') && !off.includes('sam') ? '2d' : [...off].sort().join();
  return ABLATIONS.findIndex((row) => row.off === key);
}

/** Groups of table 2 under the names that they have there, if there are two or more rows. */
function ablationGroups(groups: readonly Group[]): Group[] {
  const rows = groups
    .map((group) => ({ group, row: ablationOf(group) }))
    .filter(({ row }) => row >= 0)
    .sort((a, b) => a.row - b.row);
  if (new Set(rows.map(({ row }) => row)).size < 2) return [];
  return rows.map(({ group, row }) => ({
    ...group,
    name: `${ABLATIONS[row].label}${rows.filter((r) => r.row === row).length > 1 ? ` [${group.name}]` : ''}`,
  }));
}

/** Best, median and worst case of a method, over its folds; masks that are not where they were evaluated are left out with a word. */
async function surfacesOf({ name, runs }: Group, context: Context): Promise<SurfaceCase[]> {
  const entries = new Map<string, ComparedRun['summary']['metric_per_case'][number]>(),
    folders = new Map<string, string>();
  for (const { folder, summary } of runs)
    for (const entry of summary.metric_per_case) {
      if (entries.has(entry.case)) continue;
      entries.set(entry.case, entry);
      folders.set(entry.case, folder);
    }
  const pooled = { ...runs[0].summary, metric_per_case: [...entries.values()] },
    ranked = rankCases(pooled);
  const shown: SurfaceCase[] = [];
  for (const chosen of chooseOverlayCases(pooled)) {
    const { reference_file: reference, prediction_file: prediction } = entries.get(chosen)!;
    if (prediction === null || !existsSync(reference) || !existsSync(prediction)) {
      context.note(`${name}: no surface of ${chosen}, its masks are not where they were evaluated`);
      continue;
    }
    const mask = async (file: string): Promise<LabelMap> => {
      const { data, size, spacing } = toRas(await readVolume(file));
      return { data: Uint8Array.from(data), size, spacing };
    };
    const rank = ranked.findIndex((entry) => entry.case === chosen);
    shown.push({
      title: `${name}: ${placeOf(rank, ranked.length).toLowerCase()} case`,
      note: `${chosen}, Dice ${percent(ranked[rank].dice)}${runs.length > 1 ? ` (${basename(resolve(folders.get(chosen)!))})` : ''}`,
      reference: await mask(reference),
      prediction: await mask(prediction),
    });
  }
  return shown;
}

function textOf({ rows }: MethodTable): string {
  return table(
    [
      'method',
      'runs',
      'cases',
      ...COMPARED.map((m) => TITLES[m]),
      'Jaccard difference',
      'p (Holm)',
      'pairs',
      'left out',
      'parameters',
      'iteration',
    ],
    rows.map((row) => {
      const d = differenceCells(row);
      return [
        row.name,
        String(row.n_runs),
        String(row.n_cases),
        ...COMPARED.map((m) => {
          const { mean, without, best } = metricCells(row, m);
          return `${mean}${best ? ' *' : ''}${without && ` (${without})`}`;
        }),
        ...(d ? [`${d.difference} [${d.interval}]`, d.p, d.pairs, d.left] : ['reference', '', '', '']),
        millions(row.parameters),
        perIteration(row.seconds),
      ];
    }),
  );
}

async function comparisonOf(folders: readonly string[], options: Options, context: Context): Promise<Comparison> {
  const runs: ComparedRun[] = [];
  const missing: string[] = [];
  for (const folder of folders) {
    const why = notEvaluated(folder);
    if (why === undefined) runs.push(await comparedRun(folder));
    else missing.push(`${folder}: left out, ${why}.`);
  }
  if (runs.length === 0) throw new DataError(`No run to compare: ${missing.join(' ')}`, 'Evaluate the runs first: voxelgrad eval.');
  await assertComparable(runs);
  const groups = groupRuns(runs);
  const reference = options.against === undefined ? groups[0] : groups.find(({ name }) => name === options.against);
  if (!reference)
    throw new UsageError(
      `--against: got "${options.against}", expected ${groups.map(({ name }) => `"${name}"`).join(' or ')}.`,
      ['Methods are named by their plans.', ...missing].join(' '),
    );
  if (options.against === undefined && runs[0].folder !== folders[0])
    missing.push(`${reference.name} is what the others are tested against, for the first run is left out.`);
  assertTrainedOnce(groups);
  assertCommonCases(groups, reference);
  const ablation = ablationGroups(groups);
  // Ablated forms have a table of their own, unless there is nothing else to compare.
  const whole = groups.filter((group) => ablation.length === 0 || group === reference || group.off.length === 0 || ablationOf(group) < 0);
  const { seed, resamples, level, surface_mm: tolerance } = runs[0].summary.settings,
    bootstrap = { seed, resamples, level };
  const full = ablation.find((group) => ablationOf(group) === 4) ?? ablation[0];
  if (full) assertCommonCases(ablation, full);
  const surfaces: SurfaceCase[] = [];
  if (options.surfaces) for (const group of groups) surfaces.push(...(await surfacesOf(group, context)));
  return {
    notices: [...missing, ...missingFolds(groups), ...differencesBetween(groups)],
    level,
    tolerance,
    surfaces,
    methods: compareMethods(whole.length > 1 ? whole : groups, reference.name, bootstrap),
    ablation: full ? compareMethods(ablation, full.name, bootstrap) : null,
    runs: groups.flatMap((group) =>
      group.runs.map(({ folder, plan, summary }) => ({
        method: group.name,
        run: folder,
        fold: plan.split.fold,
        seed: plan.training.seed,
        evaluated: evaluatedWords(summary.evaluated),
      })),
    ),
  };
}

export const compare: Verb = {
  configure: (command) => {
    command
      .argument('<runs...>', 'run folders, each evaluated with voxelgrad eval; folds and seeds of one method are put together')
      .option('--against <name>', 'the method that the others are tested against (default: that of the first run)')
      .option('--to <folder>', 'where comparison.html, .csv, .tex and .json go', 'comparison')
      .option('--title <text>', 'of the page', 'Methods side by side')
      .option('--no-surfaces', 'without the surfaces of the best, median and worst case')
      .addHelpText(
        'after',
        `
What differs between the runs (data, labels, split, annotation, cases) is said first. Exit code 3 if they cannot be compared: cases that a
model was trained on, other reference labels or scoring, no case in common, the same run twice.
comparison.tex is to be \\input; it needs \\usepackage{array,booktabs,graphicx} and, with pdfLaTeX, \\usepackage[T1]{fontenc}.`,
      );
  },
  async run([folders], options: Options, context): Promise<Outcome> {
    const comparison = await comparisonOf(folders, options, context);
    const { surfaces, ...numbers } = comparison;
    const starred = [comparison.methods, comparison.ablation].some((each) => each?.rows.some((row) => row.best.length > 0));
    const page = renderComparison(comparison, {
      title: options.title,
      date: new Date().toISOString().slice(0, 10),
      ...(surfaces.length > 0 && { viewer: viewerLibrary() }),
    });
    const json = { version: 1, ...numbers };
    const contents = {
      html: page,
      csv: comparisonCsv(comparison),
      tex: comparisonLatex(comparison),
      json: `${JSON.stringify(json, null, 2)}\n`,
    };
    makeFolder(options.to);
    const files = Object.entries(contents).map(([ending, content]) => {
      const file = join(options.to, `comparison.${ending}`);
      writeFileAtomic(file, content);
      return file;
    });
    return {
      text: [
        ...comparison.notices.map((notice) => `note: ${notice}`),
        textOf(comparison.methods),
        ...(comparison.ablation ? ['', textOf(comparison.ablation)] : []),
        ...(starred ? ['* significantly better than every other method'] : []),
        ...files,
      ].join('\n'),
      json: { ...json, files },
    };
  },
};
