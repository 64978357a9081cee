// SPDX-License-Identifier: MIT
// What `predict` and `label` share: a run's networks, one case after another, one folder an output.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Geometry, Triple } from '../data/geometry.ts';
import { gridAtSpacing } from '../data/resample.ts';
import { writeVolume, type Volume } from '../data/volume.ts';
import { DataError, LimitError } from '../errors.ts';
import { openDevice } from '../gpu/device.ts';
import { freeMemory } from '../gpu/provider.ts';
import { makeFolder, writeFileAtomic } from '../files/atomic.ts';
import { readTrained, restoreNetworks } from '../train/checkpoint.ts';
import { predictionDeviceBytes } from '../train/cost.ts';
import { onStoredGrid, prepareScan, segment } from '../train/inference.ts';
import { planDigest } from '../train/start.ts';
import { makeNetworks } from '../train/networks.ts';
import { parsePlanText } from '../train/plan.ts';
import type { Plan } from '../train/plan_schema.ts';
import { predictionBytes } from '../train/predict_volume.ts';
import { Predictor } from '../train/predictor.ts';
import { checkpointPath } from '../train/run_folder.ts';
import { assertTrainedWith } from '../train/trained_plan.ts';
import { progress } from './progress.ts';
import { readRecord, recordStage } from './run_record.ts';
import { tunedTiles } from './tuned_tiles.ts';
import type { Context } from './verb.ts';

export type Which = 'best' | 'final' | 'latest';

export function runPlan(run: string): Plan {
  const file = join(run, 'plan.json');
  if (!existsSync(file)) throw new DataError(`${run}: no plan.json, so this is no run folder.`, 'Name the folder given to `voxelgrad train --run`.');
  return parsePlanText(readFileSync(file, 'utf8'), file);
}

/** The checkpoint asked for, or the best one there is. */
function chooseCheckpoint(run: string, which: Which | undefined): string {
  const order: readonly Which[] = which ? [which] : ['best', 'final', 'latest'];
  const path = order.map((w) => checkpointPath(run, w)).find((p) => existsSync(p));
  if (!path) throw new DataError(`${join(run, 'checkpoints')}: no checkpoint named ${order.join(', ')}.`, 'Train first: voxelgrad train.');
  return path;
}

export interface Job {
  readonly verb: 'predict' | 'label';
  readonly plan: Plan;
  readonly run: string;
  readonly checkpoint?: Which;
  readonly out: string;
  readonly names: readonly string[];
  /** A scan turned to RAS, and the grid of its file. */
  read(name: string): Promise<{ image: Volume; stored: Geometry }>;
  /** Changes a mask (on the file's voxels, turned to RAS) before it is written, e.g. to ground truth where annotated. */
  finish?(mask: Uint8Array, name: string): void;
}

export interface JobResult { readonly files: string[]; readonly written: number; readonly checkpoint: string; readonly adapter: string; readonly seconds: number }

/** What masks of a folder come from: existing ones are kept only where they would come out the same. */
interface Source { readonly version: 1; readonly run: string; readonly checkpoint: string; readonly iteration: number; readonly plan: string; readonly prediction: Plan['prediction'] }

const SOURCE = 'prediction.json';

/** The run whose masks a folder holds, if it says. */
export function runOfMasks(folder: string): string | undefined {
  const file = join(folder, SOURCE);
  if (!existsSync(file)) return undefined;
  let source: Partial<Source> | null;
  try {
    source = JSON.parse(readFileSync(file, 'utf8')) as Partial<Source> | null;
  } catch (cause) {
    throw new DataError(`${file}: not JSON: ${(cause as Error).message}.`, 'Remove it, or predict again into another folder.', { cause });
  }
  if (typeof source?.run !== 'string') throw new DataError(`${file}: does not say which run the masks come from, got ${source?.run === undefined ? 'nothing' : JSON.stringify(source.run)}, expected the folder of a run.`, 'Remove it, or predict again into another folder.');
  return source.run;
}

/** Writes where the folder's masks come from; true if it said so before. @throws DataError if it said otherwise */
function claimFolder(out: string, source: Source): boolean {
  const file = join(out, SOURCE);
  const text = `${JSON.stringify(source, null, 2)}\n`;
  if (existsSync(file)) {
    if (readFileSync(file, 'utf8') === text) return true;
    throw new DataError(`${file}: the masks in this folder come from another run, checkpoint or setting.`, 'Choose another output folder, or remove this one.');
  }
  makeFolder(out);
  writeFileAtomic(file, text);
  return false;
}

/** Beside arrays: the runtime, the decoder of volumes, shaders and their compiler, garbage not yet collected. Measured on a software adapter: 110 to 140 MiB. */
const RUNTIME_BYTES = 384 * 2 ** 20;

const bytesText = (n: number): string => (n < 0.1 * 2 ** 30 ? `${Math.ceil(n / 2 ** 20)} MiB` : `${(n / 2 ** 30).toFixed(2)} GiB`);

/** What a scan takes beside what is taken already, and whether the device's part comes out of the host's memory. */
interface Need { readonly scan: number; readonly device: number; readonly software: boolean }

/** Says what a scan will take, and refuses before it is taken; returns the bytes of the largest scan said so far. */
function announce(name: string, size: Triple, { scan, device, software }: Need, said: number, context: Context): number {
  const more = scan + RUNTIME_BYTES + (software ? device : 0);
  // This process has held its weights and the scan; it may have held more before, while it read them.
  const host = Math.max(process.memoryUsage.rss() + more, process.resourceUsage().maxRSS * 1024);
  const free = freeMemory();
  const words = `${name}: ${size.join(' x ')} voxels to predict`;
  if (scan > 1.5 * said) context.note(`${words}, at most ${bytesText(host)} of memory${free === undefined ? '' : ` of ${bytesText(free + process.memoryUsage.rss())} there is`}; on the device at most ${bytesText(device)}${software ? ', part of it (software adapter)' : ''}`);
  if (free !== undefined && more > free) throw new LimitError(`${words} take ${bytesText(more)} more memory, got ${bytesText(free)} free.`, 'Crop the scan, close other programs, or use a larger machine.');
  return Math.max(said, scan);
}

/** Headline masks land in `out`, those of each network in `out/<network>`. Cases already there are left alone. */
export async function segmentCases(job: Job, context: Context): Promise<JobResult> {
  const { plan, out } = job;
  const checkpoint = chooseCheckpoint(job.run, job.checkpoint);
  const { state, tensors } = await readTrained(checkpoint);
  if (state.trained) assertTrainedWith(plan, state.trained, join(job.run, 'plan.json'));
  else if (state.plan !== planDigest(runPlan(job.run))) context.note(`${join(job.run, 'plan.json')}: not the plan as it was trained; whether more than prediction and evaluation changed, this old checkpoint does not say`);
  readRecord(job.run); // damaged, it says so before the work, not after
  const files = job.names.map((name) => join(out, `${name}.nii.gz`));
  const missing = job.names.filter((_, i) => !existsSync(files[i]!));
  const deviceBytes = missing.length > 0 ? await predictionDeviceBytes(plan) : 0;
  using device = await openDevice({ tiles: tunedTiles });
  const nets = makeNetworks(plan);
  restoreNetworks(nets, tensors, checkpoint);
  const again = claimFolder(out, { version: 1, run: resolve(job.run), checkpoint: resolve(checkpoint), iteration: state.iteration, plan: state.plan, prediction: plan.prediction });
  const start = performance.now();
  const show = progress('predicting', context);
  let predictor: Predictor | null = null;
  let said = 0;
  for (const [i, name] of missing.entries()) {
    const { image, stored } = await job.read(name);
    const grid = [...plan.data.spacing === 'native' ? image.size : gridAtSpacing(image, [...plan.data.spacing] as Triple).size] as Triple;
    said = announce(name, grid, { scan: predictionBytes(plan, [...image.size] as Triple, grid), device: deviceBytes, software: device.caps.software }, said, context);
    const scan = prepareScan(plan, name, image, stored);
    predictor ??= await Predictor.create(plan, nets); // after the first scan: one that cannot be read says so at once
    const masks = await segment(plan, predictor, scan);
    const headline = plan.evaluation.headline in masks ? plan.evaluation.headline : 'ensemble';
    for (const [network, mask] of Object.entries(masks)) {
      job.finish?.(mask, name);
      if (network === headline) continue;
      makeFolder(join(out, network));
      await writeVolume(join(out, network, `${name}.nii.gz`), onStoredGrid(mask, scan));
    }
    await writeVolume(join(out, `${name}.nii.gz`), onStoredGrid(masks[headline]!, scan)); // last: its presence says that the case is done
    show(i + 1, missing.length, name);
  }
  predictor?.dispose();
  const seconds = (performance.now() - start) / 1000;
  if (missing.length > 0) recordStage(job.run, { name: `${job.verb} ${out}`, seconds, peakBytes: device.memory().peak }, again);
  return { files, written: missing.length, checkpoint, adapter: device.info.name, seconds };
}
