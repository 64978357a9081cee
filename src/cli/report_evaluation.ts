// SPDX-License-Identifier: MIT
// The evaluations that a report is about: those of this run's masks, as the files still are. What came from elsewhere, or from files
// that have changed since, is refused where the report would be about it, and left out with a word where it would only be beside it.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { issueText } from '../data/issue.ts';
import { DataError } from '../errors.ts';
import { digestFile } from '../files/digest.ts';
import { readJson } from '../files/regular.ts';
import type { Summary } from '../metrics/summary.ts';
import { summarySchema } from '../metrics/summary_schema.ts';
import type { ReportInput } from '../report/input.ts';
import { realPath, weightsOf } from './known_run.ts';
import { runPlan } from './members.ts';
import { readRecord } from './run_record.ts';

function summaryIn(file: string): Summary {
  const json = readJson(file, 'Write it again: voxelgrad eval.');
  const parsed = summarySchema.safeParse(json);
  if (!parsed.success)
    throw new DataError(`${file}: not a summary that voxelgrad eval wrote: ${issueText(parsed.error, json)}.`, 'Evaluate again.');
  // Older summaries lack what came later.
  const added = { missing: [], missing_scored: true, unused: [], not_evaluated: {}, evaluated: null, training: null };
  const summary = { ...added, ...(json as Summary) };
  return summary.training ? { ...summary, training: { ...added, ...summary.training } } : summary;
}

/** Files of an evaluation whose content is another now. Those that are gone cannot be asked. */
async function changedSince({ metric_per_case, training }: Summary): Promise<string[]> {
  const changed: string[] = [];
  for (const { reference_file, reference_digest, prediction_file, prediction_digest } of [
    ...metric_per_case,
    ...(training?.metric_per_case ?? []),
  ]) {
    for (const [file, digest] of [
      [reference_file, reference_digest],
      [prediction_file, prediction_digest],
    ] as const) {
      if (file !== null && digest !== undefined && existsSync(file) && (await digestFile(file)).digest !== digest) changed.push(file);
    }
  }
  return changed;
}

export interface Evaluation {
  readonly file: string;
  readonly summary: Summary;
  readonly notices: readonly string[];
}

/** Where a run's evaluation is, if it has one. */
function evaluationFile(run: string): string | undefined {
  const recorded = readRecord(run).evaluations?.headline;
  return [
    ...(recorded === undefined ? [] : [resolve(run, recorded)]),
    ...['summary.json', 'validation/summary.json', 'test/summary.json'].map((name) => join(run, name)),
  ].find(existsSync);
}

export const hasEvaluation = (run: string): boolean => evaluationFile(run) !== undefined;

/**
 * The evaluation of a run: where its record says, or in its folder. @throws DataError where it is of another run, or of files that have
 * changed
 */
export async function evaluationOf(run: string): Promise<Evaluation> {
  const file = evaluationFile(run);
  if (!file)
    throw new DataError(
      `${run}: no summary.json in it, in validation/ or in test/.`,
      'Evaluate first: voxelgrad eval REFERENCE PREDICTION --out RUN.',
    );
  const summary = summaryIn(file),
    masks = summary.evaluated?.masks;
  const notices: string[] = [];
  if (masks?.output != null && existsSync(join(run, 'plan.json'))) {
    const { headline } = runPlan(run).evaluation;
    if (masks.output !== headline)
      throw new DataError(
        `${file}: not the evaluation of the headline, got masks of "${masks.output}", expected those of "${headline}", as ` +
          `evaluation.headline of ${join(run, 'plan.json')} says.`,
        'Evaluate the folder that `voxelgrad predict` wrote, not one of those in it; after a change of the plan, predict again.',
      );
  }
  if (masks) {
    const current = (await weightsOf(run)).has(masks.weights);
    if (!current && realPath(masks.run) !== realPath(run) && !readRecord(run).predictedWith?.includes(masks.weights))
      throw new DataError(
        `${file}: the evaluation of another run, got masks of ${masks.run}, expected masks of ${run}.`,
        'Evaluate the masks of this run.',
      );
    if (!current)
      notices.push(
        `The run has other weights now: the masks that were evaluated come from iteration ${masks.iteration}, a checkpoint that is ` +
          'no longer there.',
      );
  }
  const changed = await changedSince(summary);
  if (changed.length > 0)
    throw new DataError(
      `${file}: not an evaluation of the files that are there now, got other content in ${changed.slice(0, 3).join(', ')}` +
        `${changed.length > 3 ? `, ... (${changed.length} files)` : ''}, expected those that were evaluated.`,
      'Evaluate again: voxelgrad eval.',
    );
  return { file, summary, notices };
}

const casesOf = ({ metric_per_case, missing }: Summary): string =>
  JSON.stringify([...new Set([...metric_per_case.map((c) => c.case), ...missing])].sort());

/** Evaluations beside the headline's, as run.json names them, if they are of the same weights and, for networks, of the same cases. */
export async function evaluationsBeside(
  run: string,
  { summary: headline }: Evaluation,
): Promise<Pick<ReportInput, 'networks' | 'trainingSummary'> & { notices: string[] }> {
  const { networks = {}, training } = readRecord(run).evaluations ?? {};
  const notices: string[] = [];
  const fits = async (recorded: string, what: string, same: (summary: Summary) => boolean): Promise<Summary | undefined> => {
    const file = resolve(run, recorded);
    if (!existsSync(file)) return undefined;
    const summary = summaryIn(file);
    if (
      summary.evaluated?.masks?.weights === headline.evaluated?.masks?.weights &&
      same(summary) &&
      (await changedSince(summary)).length === 0
    )
      return summary;
    notices.push(`${what} is left out: it was evaluated on other cases, from other weights, or before its files changed.`);
    return undefined;
  };
  const found: NonNullable<ReportInput['networks']> = [];
  for (const [name, file] of Object.entries(networks)) {
    const summary = await fits(file, `The evaluation of ${name}`, (s) => casesOf(s) === casesOf(headline));
    if (summary) found.push({ name, summary });
  }
  const trained =
    headline.training ??
    (training === undefined ? undefined : await fits(training, 'The evaluation of cases that were trained on', () => true));
  const trainingSummary = trained?.training ?? trained;
  return { ...(found.length > 0 && { networks: found }), ...(trainingSummary && { trainingSummary }), notices };
}
