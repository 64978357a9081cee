// SPDX-License-Identifier: MIT
// voxelgrad eval: predicted masks against reference masks, case by case, into summary.json and a table.
import type { Triple } from '../axes.ts';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { openDataset } from '../io/node/dataset/open.ts';
import { type Dataset } from '../data/dataset.ts';
import { assertSameGeometry } from '../data/geometry.ts';
import { NAME_RULE } from '../data/names.ts';
import { toRas } from '../data/orientation.ts';
import type { Volume } from '../data/volume.ts';
import { readVolume } from '../io/node/volume.ts';
import { DataError } from '../errors.ts';
import { METHODS, methodOf } from '../methods/methods.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { digestFile } from '../files/digest.ts';
import { DEFAULT_SURFACE_MM, evaluateCase, type CaseResult, type EvaluationCase, type LabelClass } from '../metrics/evaluate.ts';
import type { LabelMap } from '../metrics/mask.ts';
import { summarise, type Evaluated, type Summary, type SummaryFacts } from '../metrics/summary.ts';
import { assertNotSwapped, isFolder, maskName, pairsOf, sameCases, type Pair, type Pairing } from './eval_pairs.ts';
import { csvOf, describe } from './eval_text.ts';
import { leftOpen } from '../train/annotated.ts';
import { assertOwnMasks, knownRun, realPath, recordEvaluation, Seen, TRAINED, type KnownRun } from './known_run.ts';
import { madeOf, masksRoot, sourceOf } from './mask_source.ts';
import { number } from './numbers.ts';
import { progress } from './progress.ts';
import { readRecord } from './run_record.ts';
import type { Context, Outcome, Verb } from './verb.ts';

interface Options {
  readonly out?: string;
  readonly surfaceMm?: number;
  readonly theta?: number;
  readonly networks: boolean;
  readonly allowMissing?: boolean;
}

/** The data set that a folder is, or that holds it: it knows the classes, the annotation and what was never drawn. */
async function datasetOf(path: string): Promise<Dataset | undefined> {
  const folder = [path, dirname(resolve(path))].find((f) => existsSync(join(f, 'dataset.json')));
  return folder === undefined ? undefined : openDataset(folder);
}

function labelMap(file: string, volume: Volume, dataset?: Dataset): LabelMap {
  const { data, size, spacing } = toRas(volume);
  const wrong = data.findIndex((v) => !Number.isInteger(v) || v < 0 || v > 255);
  if (wrong >= 0)
    throw new DataError(`${file}: not a mask, got the value ${data[wrong]}, expected whole numbers from 0 to 255.`, 'Was this the image?');
  const highest = dataset && dataset.info.classes.length - 1;
  const stranger = highest === undefined ? -1 : data.findIndex((v) => v > highest && v !== dataset!.info.ignore);
  if (stranger >= 0)
    throw new DataError(
      `${file}: label values outside the data set's, got ${data[stranger]}, expected 0 to ${highest}.`,
      'Was it made for another data set? Else add the class to dataset.json.',
    );
  return { data: Uint8Array.from(data), size, spacing };
}

/** What a mask's values were, were it there: a case without a prediction is scored as an empty mask. */
const emptyLike = ({ data, size, spacing }: LabelMap): LabelMap => ({ data: new Uint8Array(data.length), size, spacing });

/** A case in memory; `copied` says whether the mask holds labels, null: that is to be found out. */
async function load({ name, reference, prediction }: Pair, { dataset, seen, copied }: Work): Promise<EvaluationCase> {
  const a = await readVolume(reference),
    b = prediction === null ? null : await readVolume(prediction);
  if (b) assertSameGeometry(a, reference, b, prediction!);
  const mask = labelMap(reference, a, dataset);
  const predicted = b ? labelMap(prediction!, b, dataset) : emptyLike(mask);
  const size = [...mask.size] as Triple;
  const annotated = b === null ? undefined : seen && dataset ? await seen.planes(dataset, name) : dataset?.annotations.planes.get(name);
  const own =
    b === null || !seen || copied === false || (copied === null && seen.part(name) !== TRAINED)
      ? undefined
      : await seen.copied(name, dataset);
  if (own && own.length !== mask.data.length)
    throw new DataError(
      `${reference}: not on the grid of the labels that were copied, got ${size.join(' x ')} voxels.`,
      'Evaluate against masks on the grid of the scans.',
    );
  const unlabelled = dataset?.annotations.unlabelled.get(name) ?? [];
  const isCopy = own !== undefined && (copied === true || equalWhere(own, mask, predicted, unlabelled));
  return {
    case: name,
    reference_file: reference,
    prediction_file: prediction,
    reference_digest: (await digestFile(reference)).digest,
    ...(prediction !== null && { prediction_digest: (await digestFile(prediction)).digest }),
    reference: mask,
    prediction: predicted,
    ...(annotated && { annotated }),
    ...(isCopy && { copied: own }),
    unlabelled,
  };
}

/** Whether two masks are the same on every marked voxel, and hold something there: no network does that, a copy does. */
function equalWhere(marked: Uint8Array, { data: a }: LabelMap, { data: b }: LabelMap, unlabelled: readonly number[]): boolean {
  let foreground = 0;
  for (let i = 0; i < a.length; i++) {
    if (!marked[i]) continue;
    if (a[i] !== b[i] && !leftOpen(a[i], b[i], unlabelled)) return false;
    if (a[i] > 0) foreground++;
  }
  return foreground > 0;
}

/** Without a data set, the classes are the values that occur anywhere: every case is then scored for the same ones. */
async function classesIn(pairs: readonly Pair[]): Promise<LabelClass[]> {
  const found = new Set<number>();
  for (const file of pairs.flatMap((pair) => [pair.reference, pair.prediction ?? []].flat()))
    for (const value of labelMap(file, await readVolume(file)).data) found.add(value);
  return [...found]
    .filter((value) => value > 0)
    .sort((a, b) => a - b)
    .map((label) => ({ label, name: `class_${label}` }));
}

/** What the command line says, else the plan of the masks' run. */
function tolerances({ surfaceMm, theta }: Options, run: KnownRun | undefined): { surfaceMm: number; theta: number | undefined } {
  const planned = run?.plan.evaluation;
  return {
    surfaceMm: surfaceMm ?? planned?.surfaceMm ?? DEFAULT_SURFACE_MM,
    theta: theta ?? (planned?.boundaryTolerance === 'auto' ? undefined : planned?.boundaryTolerance),
  };
}

/** What made the masks of an output, in words of their folder. */
function madeBy(source: ReturnType<typeof sourceOf>, output: string | undefined): Evaluated['masks'] {
  if (source?.verb === undefined) return null;
  const { verb, run, weights, iteration, checkpoint, prediction } = source;
  return {
    verb,
    run,
    weights: weights!,
    iteration: iteration!,
    ...(checkpoint !== undefined && { checkpoint: basename(checkpoint, '.safetensors') }),
    ...(output !== undefined && { output }),
    ...(prediction && { prediction }),
  };
}

interface Work {
  readonly pairing: Pairing;
  readonly dataset: Dataset | undefined;
  readonly run: KnownRun | undefined;
  readonly seen: Seen | undefined;
  /** Whether the masks hold copied labels; null: nobody says. */
  readonly copied: boolean | null;
  readonly options: Options;
  readonly masks: Evaluated['masks'];
  readonly title: string;
}

/** Scores every pair; cases that the run was trained on are never averaged with others. */
async function score(work: Work, context: Context): Promise<Summary> {
  const {
    pairing: { pairs, unused, notEvaluated },
    dataset,
    run,
    seen,
    options,
    masks,
  } = work;
  const { surfaceMm, theta } = tolerances(options, run);
  const [labelSource, trainedLabelSource] = [dataset?.info.json.label_source, run && readRecord(run.folder).labelSource];
  const settings = {
    surfaceMm,
    ...(labelSource !== undefined && { labelSource }),
    ...(trainedLabelSource !== undefined && { trainedLabelSource }),
    ...(theta !== undefined && { theta }),
    ...(dataset?.info.ignore !== undefined && { ignoreLabel: dataset.info.ignore }),
  };
  const classes = dataset?.info.classes.slice(1).map(({ value, name }): LabelClass => ({ label: value, name })) ?? (await classesIn(pairs));
  const step = progress(work.title, context);
  const patients = new Map([...(dataset?.training ?? []), ...(dataset?.test ?? [])].map((c) => [c.name, c.patient]));
  const sides = { trained: side(), others: side() };
  for (const [i, pair] of pairs.entries()) {
    const made = pair.prediction === null ? undefined : await madeOf(pair.prediction, maskName(pair));
    const at = seen && (await seen.trainedOn(pair.name, made?.scan, pair.reference)) ? sides.trained : sides.others;
    at.patients.add(patients.get(pair.name) ?? pair.name);
    at.names.push(pair.name);
    if (pair.prediction === null) at.missing.push(pair.name);
    else if (masks && !made?.asWritten) at.changed.push(pair.name);
    if (made && made.doubts.length > 0) at.doubtful[pair.name] = [...made.doubts];
    if (masks && pair.prediction !== null && !made && seen?.part(pair.name) === undefined) at.strange = true;
    if (pair.prediction !== null || !options.allowMissing) at.results.push(evaluateCase(await load(pair, work), classes, settings));
    step(i + 1, pairs.length, pair.name);
  }
  const put = (
    { results, missing, changed, doubtful, patients: { size }, names }: Side,
    cases: Evaluated['cases'],
    more: SummaryFacts,
  ): Summary =>
    summarise(results, classes, {
      ...settings,
      missing,
      missingScored: !options.allowMissing,
      evaluated: { cases, n_cases: names.length, n_patients: size, masks, changed, doubtful },
      ...more,
    });
  const { trained, others } = sides;
  if (others.names.length === 0) return put(trained, 'trained on', { unused, notEvaluated });
  const training = trained.names.length > 0 ? put(trained, 'trained on', {}) : undefined;
  return put(others, run?.proved && !others.strange ? 'held out' : 'not known', { unused, notEvaluated, ...(training && { training }) });
}

interface Side {
  readonly results: CaseResult[];
  readonly names: string[];
  readonly missing: string[];
  readonly changed: string[];
  readonly doubtful: Record<string, string[]>;
  readonly patients: Set<string>;
  /** A mask that nobody recorded has a name that the run does not know: of which scan it was made, nobody can say. */
  strange: boolean;
}
const side = (): Side => ({ results: [], names: [], missing: [], changed: [], doubtful: {}, patients: new Set(), strange: false });

/** Folders of single networks that may lie beside the headline's masks, as `predict` writes them. */
const networksOf = (run: KnownRun | undefined): string[] => [
  ...new Set(['ensemble', ...(run ? [methodOf(run.plan)] : Object.values(METHODS)).flatMap(({ outputs }) => outputs)]),
];

export const evalVerb: Verb = {
  configure: (command) => {
    command
      .argument('<reference>', 'a data set, a folder of masks, or one mask')
      .argument('<prediction>', 'a folder of masks named like the references, or one mask')
      .option('--out <folder>', 'where summary.json and metrics.csv go (default: the folder of the predictions)')
      .option('--no-networks', 'only the masks themselves, not those of single networks in folders below')
      .option('--allow-missing', 'leave references without a prediction out of the means, instead of scoring them as empty masks')
      .option('--surface-mm <mm>', "tolerance of surface Dice (default: as the run's plan says, else 2)", number(0, 100))
      .option(
        '--theta <voxels>',
        "tolerance of boundary F1 (default: as the run's plan says, else 0.75 % of the diagonal, rounded up)",
        number(0, 100),
      )
      .addHelpText(
        'after',
        `
Exit code 3, after all is written, if references have no prediction or predictions no reference; 0 with --allow-missing. A part of a data
set (labelsTr, labelsTs, a run's fold) is expected to be predicted whole as soon as one of its cases is.
Cases that the masks' run was trained on are scored apart from the others; voxels that \`label\` copied are not scored.
${NAME_RULE}`,
      );
  },
  async run([reference, prediction], options: Options, context): Promise<Outcome> {
    const start = performance.now();
    const masks = isFolder(prediction) ? prediction : dirname(prediction),
      folder = options.out ?? masks;
    const run = await knownRun(masks),
      root = masksRoot(masks),
      source = sourceOf(root);
    // The folder itself holds the headline's masks, those below it one network's each.
    const output = realPath(root) === realPath(masks) ? source?.headline : basename(resolve(masks));
    assertNotSwapped(reference, prediction);
    assertOwnMasks(run, masks, folder);
    if (source?.verb === 'label' && !run)
      throw new DataError(
        `${masks}: holds labels that were copied where they are annotated, and the run that says where is not there, got ` +
          `${source.run}, expected it with its run.json.`,
        'Put the run back, or evaluate masks that `voxelgrad predict` made of these scans.',
      );
    const seen = run && new Seen(run);
    const pairing = await pairsOf(reference, prediction, (name) => seen?.part(name));
    const dataset = await datasetOf(reference);
    const work = {
      dataset,
      run,
      seen,
      options,
      copied: source?.verb === undefined ? null : source.verb === 'label',
      masks: madeBy(source, output),
    };
    const save = (name: string, summary: Summary): string => {
      const file = join(folder, name);
      writeFileAtomic(file, `${JSON.stringify(summary, null, 2)}\n`);
      return file;
    };
    const summary = await score({ ...work, pairing, title: 'eval' }, context);
    makeFolder(folder);
    const file = save('summary.json', summary);
    writeFileAtomic(join(folder, 'metrics.csv'), csvOf(summary));
    const networks: Record<string, string> = {};
    for (const name of networksOf(run)) {
      const own = join(masks, name);
      if (options.networks && isFolder(prediction) && isFolder(own)) {
        const pairs = await sameCases(pairing.pairs, own);
        if (pairs.some((pair) => pair.prediction !== null))
          networks[name] = save(
            `summary_${name}.json`,
            await score({ ...work, masks: madeBy(source, name), pairing: { ...pairing, pairs }, title: `eval ${name}` }, context),
          );
      }
      if (networks[name] === undefined) removeSummary(join(folder, `summary_${name}.json`));
    }
    // A mask picked by hand is no evaluation of a run, nor are those of one of its networks.
    if (run?.proved && run.others.length === 0 && isFolder(prediction) && output === source?.headline)
      recordEvaluation(run, summary, { summary: file, networks, seconds: (performance.now() - start) / 1000 });
    const incomplete = [summary, summary.training].some((s) => s && (s.missing.length > 0 || s.unused.length > 0));
    return { text: `${describe(summary)}\n${file}`, json: summary, exitCode: incomplete && !options.allowMissing ? 3 : 0 };
  },
};

/** An evaluation of earlier masks must not lie beside that of these. */
function removeSummary(file: string): void {
  try {
    if (Array.isArray((JSON.parse(readFileSync(file, 'utf8')) as Partial<Summary> | null)?.metric_per_case)) rmSync(file);
  } catch {
    /* not there, or not ours */
  }
}
