// SPDX-License-Identifier: MIT
// The trained runs that masks are made of: one, or several whose probabilities are averaged. What does not belong together is refused; what
// may be meant (a fold that is missing, a run that is not over) is said.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { DataError } from '../errors.ts';
import { digestFile } from '../files/digest.ts';
import { readTrained } from '../io/node/run/checkpoint.ts';
import { checkpointPath } from '../io/node/run/folder.ts';
import { methodOf } from '../methods/methods.ts';
import type { Plan } from '../methods/plan.ts';
import type { Checkpoint } from '../train/checkpoint.ts';
import { ensembleWords } from '../train/ensemble.ts';
import { planDigest } from '../train/start.ts';
import { assertTrainedWith } from '../train/trained_plan.ts';
import type { Model } from './mask_source.ts';
import { readPlanFile } from './plan_file.ts';
import { readRecord } from './run_record.ts';
import type { Context } from './verb.ts';

export type Which = 'best' | 'final' | 'latest';

export function runPlan(run: string): Plan {
  const file = join(run, 'plan.json');
  if (!existsSync(file))
    throw new DataError(`${run}: no plan.json, so this is no run folder.`, 'Name the folder given to `voxelgrad train --run`.');
  return readPlanFile(file);
}

/** The checkpoint asked for, or the best one there is. */
function chooseCheckpoint(run: string, which: Which | undefined): string {
  const order: readonly Which[] = which ? [which] : ['best', 'final', 'latest'];
  const path = order.map((w) => checkpointPath(run, w)).find((p) => existsSync(p));
  if (!path) throw new DataError(`${join(run, 'checkpoints')}: no checkpoint named ${order.join(', ')}.`, 'Train first: voxelgrad train.');
  return path;
}

/** A run's model as it is loaded: its plan may differ from others' in fold, seed and length. */
export interface Member {
  readonly model: Model;
  readonly plan: Plan;
  readonly tensors: Checkpoint['tensors'];
  /** Networks that vote in its ensemble, and the words for it where some do not; undefined: all vote. */
  readonly voters: readonly string[] | undefined;
  readonly votes: string | undefined;
  /** Sums of the files that it was trained on. */
  readonly data: Checkpoint['state']['data'];
  /** Spacing of the scans among them. */
  readonly spacing: Checkpoint['state']['spacing'];
}

/** The checkpoint and the digest of the very bytes that were read: a run that goes on may replace the file meanwhile. */
async function readWeights(path: string) {
  for (;;) {
    const { digest } = await digestFile(path);
    const checkpoint = await readTrained(path);
    if ((await digestFile(path)).digest === digest) return { ...checkpoint, weights: digest };
  }
}

async function memberOf(run: string, which: Which | undefined, context: Context): Promise<Member> {
  const plan = runPlan(run),
    file = join(run, 'plan.json');
  const checkpoint = chooseCheckpoint(run, which);
  const { state, tensors, sealed, weights } = await readWeights(checkpoint);
  if (!sealed) context.note(`${checkpoint}: of an older version, without a checksum: damage would not be seen`);
  if (state.trained) assertTrainedWith(plan, state.trained, file);
  else if (state.plan !== planDigest(plan))
    context.note(
      `${file}: not the plan as it was trained; whether more than prediction and evaluation changed, this old checkpoint does not say`,
    );
  if (!existsSync(checkpointPath(run, 'final')) && state.iteration < state.iterations)
    context.note(`${run}: its training is not over; these weights are of iteration ${state.iteration} of ${state.iterations}`);
  const votes = state.ensemble && ensembleWords(state.ensemble, Object.keys(methodOf(plan).networks(plan)));
  if (votes !== undefined) context.note(votes);
  readRecord(run); // damaged, it says so before the work, not after
  const model = { run: resolve(run), checkpoint: resolve(checkpoint), weights, iteration: state.iteration, plan: state.plan };
  return { model, plan, tensors, voters: state.ensemble?.members, votes, data: state.data, spacing: state.spacing };
}

/** What must be the same for a mean of probabilities to mean something, and for the order of the runs to mean nothing. */
const shared = ({ classes, data, method, prediction, evaluation }: Plan): Record<string, unknown> => ({
  classes,
  data,
  method,
  prediction,
  'evaluation.headline': evaluation.headline,
});

/** @throws DataError where a run sees scans, or makes masks of them, otherwise than the first one */
function assertAlike([first, ...others]: readonly (readonly [string, Plan])[]): void {
  const expected = shared(first[1]);
  for (const [run, plan] of others)
    for (const [part, own] of Object.entries(shared(plan)))
      if (!isDeepStrictEqual(own, expected[part]))
        throw new DataError(
          `${join(run, 'plan.json')}: "${part}" is not that of the other runs, got ${JSON.stringify(own)}, ` +
            `expected ${JSON.stringify(expected[part])}.`,
          'Average runs that differ in fold and seed alone.',
        );
}

/** What may be meant, or is a mistake: folds of one division of the cases that nobody named, and runs that learnt from different files. */
function noteWhatDiffers(members: readonly Member[], context: Context): void {
  const splits = members.map(({ plan }) => plan.split),
    [{ folds, seed }] = splits,
    named = new Set(splits.map(({ fold }) => fold));
  const missing = Array.from({ length: folds }, (_, k) => k).filter((k) => !named.has(k));
  if (named.size > 1 && missing.length > 0 && splits.every((split) => split.folds === folds && split.seed === seed))
    context.note(
      `of the ${folds} folds, ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not among the runs that are averaged`,
    );
  const [{ data: first = {}, model }] = members;
  for (const { data = {}, model: other } of members) {
    const changed = Object.keys(data).find((file) => file in first && first[file] !== data[file]);
    if (changed !== undefined) context.note(`${other.run}: was trained on another ${changed} than ${model.run}`);
  }
}

/**
 * The models of some runs, in an order that does not depend on how they are named: sums have the same bits.
 * @throws DataError for those that do not belong together
 */
export async function membersOf(runs: readonly string[], which: Which | undefined, context: Context): Promise<Member[]> {
  assertAlike(runs.map((run) => [run, runPlan(run)]));
  const members: Member[] = [];
  for (const run of runs) members.push(await memberOf(run, which, context));
  members.sort((a, b) => (a.model.weights < b.model.weights ? -1 : 1));
  const twin = members.find(({ model: { weights } }, i) => members[i + 1]?.model.weights === weights);
  if (twin) throw new DataError(`${twin.model.checkpoint}: named twice, expected every model once.`, 'Leave one of them out.');
  if (members.length > 1) noteWhatDiffers(members, context);
  return members;
}

/** Who votes in the ensemble of the runs: whoever does in one of them; undefined: all networks. */
export function votersOf(members: readonly Member[], context: Context): readonly string[] | undefined {
  const all = members.map(({ voters }) => voters);
  const voters = all.every((own) => own !== undefined) ? [...new Set(all.flat())] : undefined;
  if (new Set(all.map(String)).size > 1)
    context.note(`the runs' ensembles have different members; in that of all of them vote ${voters?.join(', ') ?? 'all networks'}`);
  return voters;
}
