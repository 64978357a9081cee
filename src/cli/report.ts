// SPDX-License-Identifier: MIT
// voxelgrad report: what a run folder holds, as one HTML file. Everything but the evaluation may be missing.
import { closeSync, existsSync, lstatSync, openSync, readSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { loadCase, type Dataset } from '../data/dataset.ts';
import { openDataset } from '../io/node/dataset/open.ts';
import { toRas } from '../data/orientation.ts';
import { scanFiles } from '../io/node/dataset/scan_files.ts';
import { readVolume } from '../io/node/volume.ts';
import { UsageError } from '../errors.ts';
import { digestFiles } from '../files/digest.ts';
import type { Run } from '../metrics/compare.ts';
import type { Summary } from '../metrics/summary.ts';
import type { OverlayCase, ReportInput } from '../report/input.ts';
import { chooseOverlayCases } from '../report/overlay_choice.ts';
import { renderReport } from '../report/report.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import type { Plan } from '../methods/plan.ts';
import { readLog } from '../io/node/run/log.ts';
import { assertComparable } from './compared_runs.ts';
import { doubtWords, evaluatedWords } from './known_run.ts';
import { madeOf } from './mask_source.ts';
import { readPlanFile } from './plan_file.ts';
import { evaluationOf, evaluationsBeside } from './report_evaluation.ts';
import { readRecord, type RunRecord } from './run_record.ts';
import { viewerLibrary } from './viewer_library.ts';
import type { Context, Outcome, Verb } from './verb.ts';
import { annotationWords } from '../train/annotated.ts';

interface Options {
  readonly data?: string;
  readonly compare?: readonly string[];
  readonly title?: string;
  readonly out?: string;
}

/** What run.json adds to a report: its facts. */
function recorded({ annotation, evaluated, ensemble, references, stages, machine }: RunRecord): Partial<ReportInput> {
  return {
    ...(annotation && { annotation }),
    ...(evaluated !== undefined && { evaluated }),
    ...(typeof ensemble === 'string' && { ensemble }),
    ...(references && { references }),
    ...(stages && { stages }),
    ...(machine && { machine }),
  };
}

/** Image, reference and prediction of the best, median and worst case, on the case's RAS grid. */
async function overlaysOf(summary: Summary, dataset: Dataset, context: Context): Promise<OverlayCase[]> {
  const overlays: OverlayCase[] = [];
  for (const name of chooseOverlayCases(summary)) {
    const scan = [...dataset.training, ...dataset.test].find((c) => c.name === name);
    const files = summary.metric_per_case.find((c) => c.case === name)!;
    const { prediction_file: predicted } = files;
    if (!scan || predicted === null || !existsSync(files.reference_file) || !existsSync(predicted)) {
      context.note(`${name}: no overlay, its image or masks are not where they were evaluated`);
      continue;
    }
    // A data set may hold another patient's scan under that name.
    const made = (await madeOf(predicted, name))?.scan;
    if (made !== undefined && made.digest !== (await digestFiles(await scanFiles(scan.images[0]))).digest) {
      context.note(`${name}: no overlay, ${scan.images[0]} is not the scan that its mask was made of`);
      continue;
    }
    const { image } = await loadCase(dataset, { ...scan, label: undefined });
    const mask = async (file: string) => Uint8Array.from(toRas(await readVolume(file)).data);
    overlays.push({
      case: name,
      size: image.size,
      spacing: image.spacing,
      image: image.data,
      orientation: 'RAS',
      reference: await mask(files.reference_file),
      prediction: await mask(predicted),
    });
  }
  return overlays;
}

const schemeOf = ({ annotation }: Plan): string => annotationWords(annotation);

async function inputOf(folder: string, options: Options, context: Context): Promise<ReportInput> {
  const evaluation = await evaluationOf(folder),
    { summary } = evaluation;
  const { notices, ...beside } = await evaluationsBeside(folder, evaluation);
  const at = (name: string) => join(folder, name);
  const plan = existsSync(at('plan.json')) ? readPlanFile(at('plan.json')) : undefined;
  const record = readRecord(folder);
  const data = options.data ?? (record.dataset !== undefined && existsSync(record.dataset) ? record.dataset : undefined);
  const log = readLog(folder);
  const name = (run: string) => basename(resolve(run));
  const runs: Run[] = [{ name: name(folder), summaries: [summary] }];
  const others: { folder: string; summary: Summary }[] = [];
  for (const run of options.compare ?? []) others.push({ folder: run, summary: (await evaluationOf(run)).summary });
  await assertComparable([{ folder, summary }, ...others]);
  for (const each of others) runs.push({ name: name(each.folder), summaries: [each.summary] });
  const said = [
    ...evaluation.notices,
    ...notices,
    ...doubtWords(summary.evaluated),
    ...runs.flatMap((run) =>
      run.summaries[0].evaluated?.cases === summary.evaluated?.cases
        ? []
        : [`${run.name} is compared on ${evaluatedWords(run.summaries[0].evaluated)}.`],
    ),
  ];
  for (const run of runs.slice(1))
    if (run.summaries[0].missing.length > 0)
      said.push(
        `${run.name} lacks predictions of ${run.summaries[0].missing.length} cases, ` +
          `${run.summaries[0].missing_scored ? 'which count as empty masks' : 'which are compared on neither side'}.`,
      );
  for (const notice of said) context.note(notice);
  const overlays = data === undefined ? [] : await overlaysOf(summary, await openDataset(data), context);
  return {
    title: options.title ?? (plan ? `${plan.method.name}: ${plan.name}` : name(folder)),
    date: new Date().toISOString().slice(0, 10),
    summary,
    ...(plan && { annotation: { scheme: schemeOf(plan) } }),
    ...(log.length > 0 && { log }),
    ...(runs.length > 1 && { runs }),
    ...(data !== undefined && { overlays }),
    ...(overlays.length > 0 && { viewer: viewerLibrary() }),
    ...recorded(record),
    ...beside,
    ...(summary.evaluated && { evaluated: evaluatedWords(summary.evaluated) }),
    ...(plan && { headline: plan.evaluation.headline }),
    ...(said.length > 0 && { notices: said }),
    ...((record.provenance ?? plan) && {
      provenance: {
        ...record.provenance,
        ...(plan && { plan, seeds: { training: plan.training.seed, split: plan.split.seed, annotation: plan.annotation.seed } }),
      },
    }),
  };
}

/** Whether a file with content is there that begins as no page does. A link is replaced, and what it leads to is left alone. */
function isOther(file: string): boolean {
  if (!existsSync(file) || !lstatSync(file).isFile()) return false;
  const handle = openSync(file, 'r'),
    head = Buffer.alloc(64);
  try {
    const length = readSync(handle, head, 0, head.length, 0);
    return length > 0 && !/^\s*<(!doctype html|html)/i.test(head.toString('latin1', 0, length));
  } finally {
    closeSync(handle);
  }
}

export const report: Verb = {
  configure: (command) => {
    command
      .argument('<run>', 'folder with summary.json (voxelgrad eval), and what training left: plan.json, log.jsonl')
      .option('--data <dataset>', 'shows the best, median and worst case from its images (default: the data set that was trained on)')
      .option('--compare <runs...>', 'other runs on the same cases, tested against this one')
      .option('--title <text>')
      .option('--out <file>', 'default: report.html in the run folder');
  },
  async run([folder], options: Options, context): Promise<Outcome> {
    const file = options.out ?? join(folder, 'report.html');
    if (isOther(file))
      throw new UsageError(
        `--out: ${file} is there and no report, expected a new file or an HTML file.`,
        'Name another file: the report would replace it.',
      );
    const input = await inputOf(folder, options, context);
    writeFileAtomic(file, renderReport(input));
    return {
      text: file,
      json: { file, cases: input.summary!.metric_per_case.length, overlays: (input.overlays ?? []).map((o) => o.case) },
    };
  },
};
