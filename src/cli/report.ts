// SPDX-License-Identifier: MIT
// voxelgrad report: what a run folder holds, as one HTML file. Everything but the evaluation may be missing.
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { loadCase, openDataset, type Dataset } from '../data/dataset.ts';
import { issueText } from '../data/issue.ts';
import { toRas } from '../data/orientation.ts';
import { readVolume } from '../io/node/volume.ts';
import { DataError } from '../errors.ts';
import type { Run } from '../metrics/compare.ts';
import type { Summary } from '../metrics/summary.ts';
import { summarySchema } from '../metrics/summary_schema.ts';
import type { OverlayCase, ReportInput } from '../report/input.ts';
import { chooseOverlayCases } from '../report/overlay_choice.ts';
import { renderReport } from '../report/report.ts';
import { writeFileAtomic } from '../files/atomic.ts';
import { readJson } from '../files/regular.ts';
import type { Plan } from '../methods/plan.ts';
import { readLog } from '../train/run_log.ts';
import { readPlanFile } from './plan_file.ts';
import { readRecord, type RunRecord } from './run_record.ts';
import type { Context, Outcome, Verb } from './verb.ts';

interface Options { readonly data?: string; readonly compare?: readonly string[]; readonly title?: string; readonly out?: string }

function summaryIn(file: string): Summary {
  const json = readJson(file, 'Write it again: voxelgrad eval.');
  const parsed = summarySchema.safeParse(json);
  if (!parsed.success) throw new DataError(`${file}: not a summary that voxelgrad eval wrote: ${issueText(parsed.error, json)}.`, 'Evaluate again.');
  return json as Summary;
}

/** The evaluation of a run: in its folder, or where its record says. */
function summaryOf(run: string): Summary {
  const recorded = readRecord(run).evaluations?.headline;
  const file = [...(recorded === undefined ? [] : [recorded]), ...['summary.json', 'validation/summary.json', 'test/summary.json'].map((name) => join(run, name))].find(existsSync);
  if (!file) throw new DataError(`${run}: no summary.json in it, in validation/ or in test/.`, 'Evaluate first: voxelgrad eval REFERENCE PREDICTION --out RUN.');
  return summaryIn(file);
}

/** What run.json adds to a report: its facts, and evaluations that are still where they were. */
function recorded({ annotation, evaluated, references, stages, machine, evaluations }: RunRecord): Partial<ReportInput> {
  const networks = Object.entries(evaluations?.networks ?? {}).filter(([, file]) => existsSync(file)).map(([name, file]) => ({ name, summary: summaryIn(file) }));
  const training = evaluations?.training;
  return {
    ...(annotation && { annotation }), ...(evaluated !== undefined && { evaluated }), ...(references && { references }), ...(stages && { stages }), ...(machine && { machine }),
    ...(networks.length > 0 && { networks }), ...(training !== undefined && existsSync(training) && { trainingSummary: summaryIn(training) }),
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
    const { image } = await loadCase(dataset, { ...scan, label: undefined });
    const mask = async (file: string) => Uint8Array.from(toRas(await readVolume(file)).data);
    overlays.push({
      case: name, size: image.size, spacing: image.spacing, image: image.data, orientation: 'RAS',
      reference: await mask(files.reference_file), prediction: await mask(predicted),
    });
  }
  return overlays;
}

const schemeOf = ({ annotation }: Plan): string => annotation.use === 'dataset' ? 'as the data set says' : annotation.use;

async function inputOf(folder: string, options: Options, context: Context): Promise<ReportInput> {
  const summary = summaryOf(folder);
  const at = (name: string) => join(folder, name);
  const plan = existsSync(at('plan.json')) ? readPlanFile(at('plan.json')) : undefined;
  const record = readRecord(folder);
  const data = options.data ?? (record.dataset !== undefined && existsSync(record.dataset) ? record.dataset : undefined);
  const log = readLog(folder);
  const name = (run: string) => basename(resolve(run));
  const runs: Run[] = [folder, ...(options.compare ?? [])].map((run) => ({ name: name(run), summaries: [summaryOf(run)] }));
  return {
    title: options.title ?? `SA-Net: ${plan?.name ?? name(folder)}`,
    date: new Date().toISOString().slice(0, 10),
    summary,
    ...(plan && { annotation: { scheme: schemeOf(plan) } }),
    ...(log.length > 0 && { log }),
    ...(runs.length > 1 && { runs }),
    ...(data !== undefined && { overlays: await overlaysOf(summary, await openDataset(data), context) }),
    ...recorded(record),
    ...((record.provenance ?? plan) && { provenance: { ...record.provenance, ...(plan && { plan, seeds: { training: plan.training.seed, split: plan.split.seed, annotation: plan.annotation.seed } }) } }),
  };
}

export const report: Verb = {
  configure: (command) => {
    command.argument('<run>', 'folder with summary.json (voxelgrad eval), and what training left: plan.json, log.jsonl')
      .option('--data <dataset>', 'shows the best, median and worst case from its images (default: the data set that was trained on)')
      .option('--compare <runs...>', 'other runs on the same cases, tested against this one')
      .option('--title <text>')
      .option('--out <file>', 'default: report.html in the run folder');
  },
  async run([folder], options: Options, context): Promise<Outcome> {
    const file = options.out ?? join(folder, 'report.html');
    const input = await inputOf(folder, options, context);
    writeFileAtomic(file, renderReport(input));
    return { text: file, json: { file, cases: input.summary!.metric_per_case.length, overlays: (input.overlays ?? []).map((o) => o.case) } };
  },
};
