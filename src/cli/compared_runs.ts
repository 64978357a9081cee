// SPDX-License-Identifier: MIT
// Runs that are to stand side by side: read, put together by method, and held against each other. What differs is said; what would make
// the numbers mean different things is refused.
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { DataError } from '../errors.ts';
import type { Fold } from '../data/folds.ts';
import { toRas } from '../data/orientation.ts';
import { digestFile } from '../files/digest.ts';
import { methodOf } from '../methods/methods.ts';
import type { Plan } from '../methods/plan.ts';
import { casesOf, type Run } from '../metrics/compare.ts';
import { labelSourceNotes } from '../metrics/label_source.ts';
import type { Summary } from '../metrics/summary.ts';
import { networkSizes } from '../train/cost.ts';
import { listed } from '../report/format.ts';
import { readLog } from '../io/node/run/log.ts';
import { readVolume } from '../io/node/volume.ts';
import { checkpointPath, tracesOf } from '../io/node/run/folder.ts';
import type { RunState } from '../train/checkpoint.ts';
import { doubtWords, evaluatedWords, realPath } from './known_run.ts';
import { evaluationOf, hasEvaluation } from './report_evaluation.ts';
import { readRecord, type RunRecord } from './run_record.ts';
import { runPlan } from './members.ts';
import { annotationWords } from '../train/annotated.ts';

export interface ComparedRun {
  readonly folder: string;
  readonly plan: Plan;
  readonly record: RunRecord;
  readonly summary: Summary;
  readonly notices: readonly string[];
  /** Seconds an iteration. */
  readonly seconds: number | null;
}

/** Runs that differ by fold and seed alone. */
export interface Group extends Run {
  readonly runs: readonly ComparedRun[];
  /** Parts that the plan switches off. */
  readonly off: readonly string[];
  readonly parameters: number | null;
  readonly seconds: number | null;
}

/** A run and its headline evaluation. @throws DataError where that is none of held-out cases */
export async function comparedRun(folder: string): Promise<ComparedRun> {
  if (!existsSync(folder))
    throw new DataError(`${folder}: no such folder, expected a run.`, 'Name the folder given to `voxelgrad train --run`.');
  const plan = runPlan(folder),
    record = readRecord(folder),
    log = readLog(folder);
  const { summary, notices, file } = await evaluationOf(folder);
  const fold = record.fold as Fold | undefined,
    seen = new Set([...(fold?.train ?? []), ...(fold?.selection ?? [])]);
  const trained = summary.metric_per_case.map((c) => c.case).filter((name) => seen.has(name));
  const known = summary.evaluated?.cases ?? 'not known';
  if (known === 'trained on' || (known === 'not known' && trained.length > 0)) {
    throw new DataError(
      `${file}: no held-out result, got cases that the model was trained on or its weights were chosen ` +
        `by${known === 'trained on' ? '' : ` (${listed(trained, 5)})`}, expected others.`,
      'Predict and evaluate the cases of its test fold: voxelgrad predict, voxelgrad eval.',
    );
  }
  if (summary.metric_per_case.some((c) => c.n_copied))
    throw new DataError(
      `${file}: masks with labels copied into them, expected the network's own.`,
      'Evaluate masks that `voxelgrad predict` made.',
    );
  const trainSeconds = record.stages?.find((stage) => stage.name === 'train')?.seconds,
    iterations = log.at(-1)?.iteration;
  return {
    folder,
    plan,
    record,
    summary,
    notices: notices.map((notice) => `${folder}: ${notice}`),
    seconds: trainSeconds !== undefined && iterations ? trainSeconds / iterations : null,
  };
}

/** Why a run that is there has nothing to compare yet; undefined where it has been evaluated, or is none. */
export function notEvaluated(folder: string): string | undefined {
  // A data set may have a plan, too.
  if (!existsSync(join(folder, 'plan.json')) || tracesOf(folder).length < 2 || hasEvaluation(folder)) return undefined;
  return unfinished(folder, readRecord(folder)) ?? 'it is trained and not evaluated';
}

/** How far a run came whose training is not over. */
function unfinished(folder: string, { finished, state }: RunRecord): string | undefined {
  if (finished ?? existsSync(checkpointPath(folder, 'final'))) return undefined;
  const { iteration, iterations } = (state ?? {}) as Partial<RunState>;
  return iteration === undefined ? 'its training has not ended' : `its training stopped at iteration ${iteration} of ${iterations}`;
}

/** Folds of a cross-validation that some seed of a method lacks while it has others. */
export function missingFolds(groups: readonly Group[]): string[] {
  return groups.flatMap(({ name, runs }) => {
    const { folds } = runs[0].plan.split;
    const there = new Map<number, Set<number>>();
    for (const { plan } of runs) {
      const { seed } = plan.training;
      there.set(seed, (there.get(seed) ?? new Set()).add(plan.split.fold));
    }
    return [...there].flatMap(([seed, has]) => {
      const lacks = Array.from({ length: folds }, (_, k) => k).filter((k) => !has.has(k));
      return has.size === 1 || lacks.length === 0
        ? []
        : [
            `${name}: of ${folds} folds (seed ${seed}), ${lacks.map((k) => k + 1).join(', ')} ${lacks.length === 1 ? 'is' : 'are'} ` +
              'missing.',
          ];
    });
  });
}

/** Parts of the method that are off: switching them off changes nothing. */
function partsOff(plan: Plan): string[] {
  return Object.entries(methodOf(plan).parts)
    .filter(([, apply]) => {
      const changed = structuredClone(plan.method);
      apply(changed);
      return JSON.stringify(changed) === JSON.stringify(plan.method);
    })
    .map(([part]) => part);
}

/** What a run's record says of how it was trained, beside its plan. */
function trainedHow({ record }: ComparedRun): { weights: string; processes: string; iterations: number | undefined } {
  const { init, ranks, iterations } = (record.state ?? {}) as Partial<RunState>;
  const first = init && `${basename(init.file)} (sha256 ${init.sha256.slice(0, 12)})`;
  return { weights: first ?? 'drawn', processes: ranks?.map((each) => each.ranks).join(', then ') ?? '1', iterations };
}

/** What makes two runs the same method on the same data: all but fold, seed and names. Masks may be made otherwise than the plan says. */
function settingsOf(run: ComparedRun): Record<string, string> {
  const {
    plan: {
      name: _name,
      preset: _preset,
      split: { fold: _fold, ...split },
      training: { seed: _seed, ...training },
      ...rest
    },
    record,
    summary: { evaluated },
  } = run;
  const { weights, processes } = trainedHow(run);
  const flat = (value: unknown, path: string): [string, string][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, inner]) => flat(inner, path === '' ? key : `${path}.${key}`))
      : [[path, JSON.stringify(value)]];
  const prediction = { ...rest.prediction, ...evaluated?.masks?.prediction };
  return Object.fromEntries([
    ...flat({ ...rest, split, training, prediction }, ''),
    ['first weights', weights],
    ['processes', processes],
    ['data', dataOf(record)],
  ]);
}

const dataOf = (record: RunRecord): string => record.provenance?.datasets?.[0]?.hash?.slice(0, 19) ?? 'not recorded';

/** Runs by method, in the order given. Two groups of one method are told apart by what differs in their plans. */
export function groupRuns(runs: readonly ComparedRun[]): Group[] {
  const groups = new Map<string, ComparedRun[]>();
  for (const run of runs) {
    const key = JSON.stringify(settingsOf(run));
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const drafts = [...groups.values()].map((members) => {
    const { plan } = members[0],
      off = partsOff(plan);
    return { members, off, name: off.length > 0 ? `${plan.method.name} without ${off.join(', ')}` : plan.method.name };
  });
  return drafts.map(({ members, off, name }) => {
    const [first] = members,
      own = settingsOf(first);
    const twins = drafts.filter((d) => d.name === name && d.members !== members).map((d) => settingsOf(d.members[0]));
    const differing = Object.keys(own).filter((path) => twins.some((other) => other[path] !== own[path]));
    const shown = differing
      .slice(0, 3)
      .map((path) => `${path} ${own[path].replaceAll('"', '').replaceAll(',', ', ')}`)
      .join(', ');
    const unique = differing.length > 3 ? `${shown}, ... in ${basename(resolve(first.folder))}` : shown;
    const seconds = members.flatMap((run) => run.seconds ?? []);
    return {
      name: differing.length === 0 ? name : `${name} (${unique})`,
      off,
      runs: members,
      summaries: members.map((run) => run.summary),
      parameters: Object.values(networkSizes(first.plan)).reduce((n, { total }) => n + total, 0),
      seconds: seconds.length === 0 ? null : seconds.reduce((a, b) => a + b, 0) / seconds.length,
    };
  });
}

/**
 * Whether two label files, each still as it was scored, hold the same voxels in the same place: one may be packed otherwise, or lie along
 * other axes.
 */
async function sameLabels(...files: readonly Reference[]): Promise<boolean> {
  for (const { file, digest } of files) if (!existsSync(file) || (await digestFile(file)).digest !== digest) return false;
  const [a, b] = await Promise.all(files.map(async ({ file }) => toRas(await readVolume(file))));
  const near = (x: readonly number[], y: readonly number[]): boolean => x.every((v, i) => Math.abs(v - y[i]) <= 1e-3);
  return (
    a.size.join() === b.size.join() &&
    near(a.spacing, b.spacing) &&
    near(a.origin, b.origin) &&
    near(a.direction, b.direction) &&
    a.data.every((v, i) => v === b.data[i])
  );
}

type CaseMetrics = Summary['metric_per_case'][number]['metrics'];

interface Reference {
  readonly file: string;
  readonly digest: string;
}

/** @throws DataError naming what makes runs incomparable */
export async function assertComparable(runs: readonly Pick<ComparedRun, 'folder' | 'summary'>[]): Promise<void> {
  const again = 'Evaluate all runs in the same way on the same references: voxelgrad eval.';
  const folders = new Map<string, string>(),
    weights = new Map<string, string>();
  const references = new Map<string, Reference & { theta: number; folder: string; sizes: CaseMetrics }>();
  const [first] = runs;
  const scoring = ({ summary: { classes, settings } }: Pick<ComparedRun, 'summary'>): [string, string][] => [
    ['classes', classes.map(({ label, name }) => `${label} ${name}`).join(', ')],
    ['tolerance of surface Dice', `${settings.surface_mm} mm`],
    ['rule of the boundary tolerance', settings.theta_rule],
    ['label that is not scored', String(settings.ignore_label)],
  ];
  for (const run of runs) {
    const { folder, summary } = run,
      path = realPath(folder),
      made = summary.evaluated?.masks?.weights;
    for (const [map, key] of [
      [folders, path],
      [weights, made],
    ] as const) {
      if (key === undefined) continue;
      if (map.has(key))
        throw new DataError(
          `${folder}: the same run as ${map.get(key)}, expected every run once.`,
          'Leave one of them out: it would count twice.',
        );
      map.set(key, folder);
    }
    scoring(run).forEach(([what, value], i) => {
      const expected = scoring(first)[i][1];
      if (value !== expected)
        throw new DataError(`${folder}: scored in another way than ${first.folder}: ${what}, got ${value}, expected ${expected}.`, again);
    });
    for (const { case: name, reference_file: file, reference_digest: digest = '', theta, metrics, n_copied } of summary.metric_per_case) {
      const before = references.get(name);
      const sizes = n_copied ? {} : metrics; // of what was copied nothing is counted
      const same =
        !before ||
        (before.digest !== '' && digest !== ''
          ? before.digest === digest || (await sameLabels(before, { file, digest }))
          : Object.entries(sizes).every(([label, { n_ref }]) => (before.sizes[label]?.n_ref ?? n_ref) === n_ref));
      if (!same)
        throw new DataError(
          `${folder}: ${name} was scored against another reference than in ${before.folder}, expected the same labels.`,
          again,
        );
      if (before && theta !== before.theta)
        throw new DataError(
          `${folder}: ${name} was scored within another tolerance than in ${before.folder}, got ${theta} voxels, expected ${before.theta}.`,
          again,
        );
      if (!before || before.digest === '') references.set(name, { file, digest, theta, folder, sizes });
    }
  }
}

/** Runs of a method that have fold and seed in common. */
function repeated({ runs }: Group): ComparedRun[][] {
  const places = new Map<string, ComparedRun[]>();
  for (const run of runs) {
    const place = `${run.plan.split.fold} ${run.plan.training.seed}`;
    places.set(place, [...(places.get(place) ?? []), run]);
  }
  return [...places.values()].filter((same) => same.length > 1);
}

/** @throws DataError where two runs of one fold and seed made the same masks: nothing is learnt of a method by training it again */
export function assertTrainedOnce(groups: readonly Group[]): void {
  for (const runs of groups.flatMap(repeated)) {
    const found = new Map<string, string>();
    for (const { folder, summary } of runs) {
      const masks = summary.metric_per_case.map((c) => c.prediction_digest);
      if (masks.includes(undefined)) continue;
      const twin = found.get(masks.join());
      if (twin !== undefined)
        throw new DataError(
          `${folder}: the same plan, fold and seed as ${twin}, and the same masks, expected another seed or fold.`,
          'Leave one of them out: it would count twice.',
        );
      found.set(masks.join(), folder);
    }
  }
}

/** @throws DataError where a method shares no scored case with the reference */
export function assertCommonCases(groups: readonly Group[], reference: Group): void {
  const scored = (group: Group): string[] => group.summaries.flatMap((s) => s.metric_per_case.map((c) => c.case));
  const base = new Set(scored(reference));
  for (const group of groups)
    if (!scored(group).some((name) => base.has(name)))
      throw new DataError(
        `${group.name}: no case in common with ${reference.name}, got ${listed(scored(group), 5)}, expected some of ` +
          `${listed([...base], 5)}.`,
        'Compare runs of the same folds, or evaluate them on the same cases.',
      );
}

/** Everything in which runs differ, or that a reader must know of one of them. */
export function differencesBetween(groups: readonly Group[]): string[] {
  const runs = groups.flatMap((group) => group.runs),
    notices: string[] = [];
  const facts: [string, (run: ComparedRun) => string][] = [
    ['data set (hash)', ({ record }) => dataOf(record)],
    ['mark of the labels trained on', ({ record, summary }) => record.labelSource ?? summary.settings.trained_label_source ?? 'none'],
    ['mark of the reference labels', ({ summary }) => summary.settings.label_source ?? 'none'],
    ['annotation scheme', ({ plan: { annotation } }) => annotationWords(annotation)],
    [
      'share annotated',
      ({ record }) => (record.annotation?.voxels == null ? 'not recorded' : `${(100 * record.annotation.voxels).toFixed(1)} %`),
    ],
    ['seed of the annotation', ({ plan: { annotation } }) => String(annotation.seed)],
    ['split', ({ plan: { split } }) => `${split.folds} folds, seed ${split.seed}, ${split.selectionShare} for selection`],
    ['training iterations', (run) => String(trainedHow(run).iterations ?? run.plan.training.iterations)],
    ['weights that they began with', (run) => trainedHow(run).weights],
    ['number of processes', (run) => trainedHow(run).processes],
    ['checkpoint that was evaluated', ({ summary }) => summary.evaluated?.masks?.checkpoint ?? 'not recorded'],
    [
      'options of prediction',
      ({ plan, summary }) =>
        Object.entries({ ...plan.prediction, ...summary.evaluated?.masks?.prediction })
          .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
          .join(', '),
    ],
    ['rule for cases without a prediction', ({ summary }) => (summary.missing_scored ? 'scored as empty masks' : 'left out')],
    ['evaluated cases, as far as they are known', ({ summary }) => summary.evaluated?.cases ?? 'not known'],
    ['adapter (times are not comparable)', ({ record }) => record.machine?.adapter ?? 'not recorded'],
  ];
  for (const [what, of] of facts) {
    const values = new Map<string, string[]>();
    for (const run of runs) values.set(of(run), [...(values.get(of(run)) ?? []), basename(resolve(run.folder))]);
    if (values.size > 1)
      notices.push(
        `The runs differ in their ${what}: ${[...values].map(([value, names]) => `${value} (${listed(names, 5)})`).join('; ')}.`,
      );
  }
  const places = (group: Group): string =>
    [...new Set(group.runs.map(({ plan: { split, training } }) => `fold ${split.fold + 1} seed ${training.seed}`))].sort().join(', ');
  if (new Set(groups.map(places)).size > 1)
    notices.push(`Folds and seeds differ: ${groups.map((group) => `${group.name}: ${places(group)}`).join('; ')}.`);
  for (const runs of groups.flatMap(repeated))
    notices.push(
      `Trained more than once with one fold and seed, and counted each time: ${listed(
        runs.map((r) => r.folder),
        5,
      )}.`,
    );
  const cases = groups.map((group) => casesOf(group)),
    common = [...cases[0]].filter((name) => cases.every((c) => c.has(name)));
  if (cases.some((c) => c.size !== common.length))
    notices.push(
      `The evaluated cases differ: ${groups.map((group, i) => `${group.name}: ${cases[i].size}`).join('; ')}; ${common.length} are ` +
        "common to all. Means are over each method's own cases, differences and tests over pairs.",
    );
  const undigested = runs
    .filter(({ summary }) => summary.metric_per_case.some((c) => c.reference_digest === undefined))
    .map(({ folder }) => folder);
  if (undigested.length > 0)
    notices.push(
      `Whether the reference labels are the same is not known, for evaluations that do not record their content: ${listed(undigested, 5)}.`,
    );
  for (const { folder, summary, notices: own, record } of runs) {
    notices.push(...own);
    const ends = unfinished(folder, record);
    if (ends !== undefined) notices.push(`${folder}: ${ends}, and what was evaluated is what it was then.`);
    if ((summary.evaluated?.cases ?? 'not known') === 'not known')
      notices.push(`${folder}: evaluated on ${evaluatedWords(summary.evaluated)}.`);
    notices.push(...doubtWords(summary.evaluated).map((words) => `${folder}: ${words}`));
    if (summary.evaluated?.cases === 'held out' && summary.evaluated.masks === null)
      notices.push(`${folder}: nothing says which weights made its masks; they lie in its folder.`);
    if (summary.missing.length > 0)
      notices.push(
        `${folder}: no prediction for ${listed(summary.missing, 5)}, ${summary.missing_scored ? 'scored as empty masks' : 'left out'}.`,
      );
    if (summary.evaluated && summary.evaluated.changed.length > 0)
      notices.push(`${folder}: masks that are not as they were predicted: ${listed(summary.evaluated.changed, 5)}.`);
  }
  return [...notices, ...new Set(runs.flatMap(({ summary }) => labelSourceNotes(summary.settings)))];
}
