// SPDX-License-Identifier: MIT
// What `predict` and `label` share: a run's networks on one case after another (small ones share runs), one folder an output.
import type { Triple } from '../axes.ts';
import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import type { Geometry } from '../data/geometry.ts';
import { spacingOver } from '../data/familiar.ts';
import { gridAtSpacing } from '../data/resample.ts';
import type { Volume } from '../data/volume.ts';
import { writeVolume } from '../io/node/volume.ts';
import { DataError, LimitError } from '../errors.ts';
import { openDevice } from '../gpu/device.ts';
import { freeMemory } from '../gpu/provider.ts';
import { makeFolder } from '../files/atomic.ts';
import { digestFile, digestFiles, digestText } from '../files/digest.ts';
import { scanFiles } from '../io/node/dataset/scan_files.ts';
import { restoreNetworks } from '../train/checkpoint.ts';
import { predictionDeviceBytes } from '../train/cost.ts';
import { doubtsOf, onStoredGrid, prepareScan, scanBytes, segmentEach } from '../train/inference.ts';
import { makeNetworks } from '../train/networks.ts';
import { averaged } from '../methods/averaged.ts';
import { methodOf } from '../methods/methods.ts';
import type { Plan } from '../methods/plan.ts';
import { assertNotAmong, volumesAt } from './apart.ts';
import {
  assertSameSource,
  claimFolder,
  recordCase,
  recordOf,
  sourceDigest,
  sourceOf,
  UNRECORDED,
  whyAgain,
  type Ingredients,
  type Source,
} from './mask_source.ts';
import { membersOf, votersOf, type Which } from './members.ts';
import { progress } from './progress.ts';
import { recordStage, recordWeights } from './run_record.ts';
import { tunedTiles } from './tuned_tiles.ts';
import type { Context } from './verb.ts';

/** What `--help` says of both verbs. */
export const KEPT_RULE = `
A mask that is there is kept where its record (records/NAME.json: SHA-256 of scan, weights and masks) says that it was made of this scan by
this checkpoint with these options, and is whole; all others are predicted again. A folder of masks from other weights or options is
refused.`;

export interface Job {
  readonly verb: 'predict' | 'label';
  readonly plan: Plan;
  readonly run: string;
  /** Runs whose probabilities are averaged with those of `run`. */
  readonly others?: readonly string[];
  readonly checkpoint?: Which;
  readonly out: string;
  /** Also writes the probabilities of the headline. */
  readonly probabilities?: boolean;
  /** Where each case's scan is, by name. */
  readonly scans: ReadonlyMap<string, string>;
  /** Digest of what else a case's masks are made of. */
  truth?(name: string): Promise<string>;
  /**
   * A scan turned to RAS, and the grid of its file. `finish` changes a mask of it (on the file's voxels, turned to RAS) before it is
   * written, e.g. to ground truth where annotated.
   */
  read(name: string): Promise<{ image: Volume; stored: Geometry; finish?: (mask: Uint8Array) => void }>;
}

/** A case that had masks which could not be kept, and why. */
export interface Again {
  readonly name: string;
  readonly why: string;
}
/** Why the masks of a case may not be what they seem. */
export interface Doubt {
  readonly name: string;
  readonly why: string;
}
export interface JobResult {
  readonly files: string[];
  readonly written: number;
  readonly again: readonly Again[];
  readonly doubts: readonly Doubt[];
  readonly checkpoint: string;
  readonly adapter: string;
  readonly seconds: number;
}

/**
 * Beside arrays: the runtime, the decoder of volumes, shaders and their compiler, garbage not yet collected. Measured on a software
 * adapter: 110 to 140 MiB.
 */
const RUNTIME_BYTES = 384 * 2 ** 20;

const bytesText = (n: number): string => (n < 0.1 * 2 ** 30 ? `${Math.ceil(n / 2 ** 20)} MiB` : `${(n / 2 ** 30).toFixed(2)} GiB`);

/** What a scan takes beside what is taken already, and whether the device's part comes out of the host's memory. */
interface Need {
  readonly scan: number;
  readonly device: number;
  readonly software: boolean;
}

/** Says what a scan will take, and refuses before it is taken; returns the bytes of the largest scan said so far. */
function announce(name: string, size: Triple, { scan, device, software }: Need, said: number, context: Context): number {
  const more = scan + RUNTIME_BYTES + (software ? device : 0);
  // This process has held its weights and the scan; it may have held more before, while it read them.
  const host = Math.max(process.memoryUsage.rss() + more, process.resourceUsage().maxRSS * 1024);
  const free = freeMemory();
  const words = `${name}: ${size.join(' x ')} voxels to predict`;
  if (scan > 1.5 * said)
    context.note(
      `${words}, at most ${bytesText(host)} of memory` +
        `${free === undefined ? '' : ` of ${bytesText(free + process.memoryUsage.rss())} there is`}; on the device at most ` +
        `${bytesText(device)}${software ? ', part of it (software adapter)' : ''}`,
    );
  if (free !== undefined && more > free)
    throw new LimitError(
      `${words} take ${bytesText(more)} more memory, got ${bytesText(free)} free.`,
      'Crop the scan, close other programs, or use a larger machine.',
    );
  return Math.max(said, scan);
}

/** @throws DataError where the output folder holds volumes that no prediction.json accounts for */
function assertOurs(out: string): void {
  const strangers = sourceOf(out) === undefined ? volumesAt(out) : [];
  if (strangers.length > 0)
    throw new DataError(
      `${out}: holds volumes that are not known to be masks of a run, got ${strangers.slice(0, 3).join(', ')}` +
        `${strangers.length > 3 ? ', ...' : ''}, expected a new or empty folder, or one with prediction.json.`,
      'Choose another output folder: masks would lie among these files, or replace them.',
    );
}

/** The scan, and what the very bytes that were read are: somebody may replace the file since it was looked at. */
async function readScan(job: Job, name: string, looked: Ingredients, ingredients: (name: string) => Promise<Ingredients>) {
  for (let made = looked; ;) {
    const scan = await job.read(name);
    const now = await ingredients(name);
    if (isDeepStrictEqual(now, made)) return { made, ...scan };
    made = now;
  }
}

/**
 * A mask that nobody recorded as it is may be a person's correction: a copy is put aside. It stays until ours takes its place: another
 * process may be about to record it. Returns the copy.
 */
function putAside(out: string, mask: string): string {
  const folder = join(out, 'replaced');
  mkdirSync(folder, { recursive: true });
  let target = join(folder, mask);
  for (let n = 2; existsSync(target); n++) target = join(folder, `${n}_${mask}`);
  copyFileSync(join(out, mask), target, constants.COPYFILE_EXCL);
  return target;
}

/** What was put aside is no loss where it came out the same: a process had died before it could record it. */
async function dropIfSame(aside: string, mask: string): Promise<void> {
  if ((await digestFile(aside)).digest !== (await digestFile(mask)).digest) return;
  rmSync(aside);
  if (readdirSync(dirname(aside)).length === 0) rmdirSync(dirname(aside));
}

/** Where a case's probabilities go: a folder for each class by its label. */
const probabilityPaths = ({ probabilities, plan }: Job, name: string): string[] =>
  probabilities ? plan.classes.slice(1).map((_, i) => `probabilities/${i + 1}/${name}.nii.gz`) : [];

async function inTurn<T, U>(list: readonly T[], f: (each: T) => Promise<U>): Promise<U[]> {
  const out: U[] = [];
  for (const each of list) out.push(await f(each));
  return out;
}

async function* headed<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield* rest;
}

/**
 * Headline masks land in `out`, those of each network in `out/<network>`. Cases whose masks are whole, and of the same scan, weights and
 * options, are left alone.
 */
export async function segmentCases(job: Job, context: Context): Promise<JobResult> {
  const { plan, out } = job;
  const names = [...job.scans.keys()].sort();
  const maskOf = (name: string): string => `${name}.nii.gz`;
  assertOurs(out);
  const files = names.map((name) => join(out, maskOf(name)));
  assertNotAmong(files, [...job.scans.values()]);
  const members = await membersOf([job.run, ...(job.others ?? [])], job.checkpoint, context),
    voters = votersOf(members, context),
    seen = spacingOver(members.map(({ spacing }) => spacing));
  const [{ model }] = members,
    alone = members.length === 1;
  const source: Source = {
    version: 2,
    verb: job.verb,
    ...model,
    ...(!alone && {
      weights: digestText(members.map((each) => each.model.weights).join('\n')),
      ensemble: members.map((each) => each.model),
    }),
    prediction: plan.prediction,
    headline: plan.evaluation.headline,
    voxelgrad: manifest.version,
  };
  assertSameSource(out, source);
  const ingredients = async (name: string): Promise<Ingredients> => ({
    source: sourceDigest(source),
    scan: await digestFiles(await scanFiles(job.scans.get(name)!)),
    ...(job.truth && { truth: await job.truth(name) }),
  });
  const doubts: Doubt[] = [];
  const doubt = (name: string, why: readonly string[]): void => {
    for (const each of why) context.note(`${name}: ${each}`);
    doubts.push(...why.map((each) => ({ name, why: each })));
  };
  const missing = new Map<string, { readonly made: Ingredients; readonly why: string }>();
  for (const name of names) {
    const made = await ingredients(name),
      why = await whyAgain(out, name, maskOf(name), made, probabilityPaths(job, name));
    if (why !== undefined) missing.set(name, { made, why });
    else doubt(name, recordOf(out, name)?.doubts ?? []);
  }
  using device = await openDevice({ tiles: tunedTiles });
  const deviceBytes = missing.size > 0 ? await predictionDeviceBytes(plan, device) : 0;
  const models = members.map(({ plan: own, tensors, model: { checkpoint } }) => {
    const nets = makeNetworks(own);
    restoreNetworks(nets, tensors, checkpoint);
    return nets;
  });
  const continued = claimFolder(out, source);
  // before the first mask: whoever finds masks of these weights knows whose they are
  if (missing.size > 0) for (const { model: each, votes } of members) recordWeights(each.run, each.weights, votes);
  const start = performance.now();
  const show = progress('predicting', context);
  const again: Again[] = [];
  const keep = job.probabilities ? plan.evaluation.headline : undefined;
  /** Undefined where another process has made its masks meanwhile. */
  const whyNow = (name: string, made: Ingredients) => whyAgain(out, name, maskOf(name), made, probabilityPaths(job, name));
  let failure: { readonly error: unknown } | undefined;
  async function* read() {
    let said = 0;
    try {
      for (const [name, looked] of missing) {
        if ((await whyNow(name, looked.made)) === undefined) continue;
        const { made, image, stored, finish } = await readScan(job, name, looked.made, ingredients);
        const grid = plan.data.spacing === 'native' ? image.size : gridAtSpacing(image, [...plan.data.spacing] as Triple).size;
        said = announce(
          name,
          grid,
          { scan: scanBytes(plan, image.size, grid, keep), device: deviceBytes * members.length, software: device.caps.software },
          said,
          context,
        );
        const scan = prepareScan(plan, name, image, stored);
        const found = doubtsOf(scan, plan, seen);
        doubt(name, found);
        yield { ...scan, made, found, finish };
      }
    } catch (error) {
      failure = { error }; // once the scans before it have their masks
    }
  }
  const scans = read();
  const first = await scans.next(); // before anything is compiled: a scan that cannot be read says so at once
  let written = 0;
  if (!first.done) {
    const predictor = averaged(await inTurn(models, (nets) => methodOf(plan).predictor(plan, nets)));
    for await (const { scan, masks, probabilities } of segmentEach(plan, predictor, headed(first.value, scans), {
      ensemble: voters,
      keep,
    })) {
      const { name, made, found, finish } = scan;
      const headline = plan.evaluation.headline in masks ? plan.evaluation.headline : 'ensemble';
      const why = await whyNow(name, made);
      if (why === undefined) continue;
      if (why !== 'new') {
        again.push({ name, why });
        context.note(`${name}: predicted again, ${why}`);
      }
      const aside = UNRECORDED.test(why) && existsSync(join(out, maskOf(name))) ? putAside(out, maskOf(name)) : undefined;
      const paths: string[] = [];
      for (const [network, mask] of Object.entries(masks)) {
        finish?.(mask);
        const path = network === headline ? maskOf(name) : `${network}/${maskOf(name)}`;
        if (network !== headline) {
          makeFolder(join(out, network));
          assertNotAmong([join(out, path)], [...job.scans.values()]);
        }
        await writeVolume(join(out, path), onStoredGrid(mask, scan));
        paths.push(path);
      }
      for (const [i, path] of probabilityPaths(job, name).entries()) {
        makeFolder(dirname(join(out, path)));
        assertNotAmong([join(out, path)], [...job.scans.values()]);
        await writeVolume(join(out, path), onStoredGrid(probabilities[i], scan));
        paths.push(path);
      }
      if (aside !== undefined) await dropIfSame(aside, join(out, maskOf(name)));
      await recordCase(out, name, made, paths, found); // last: it says that the case is done
      show(++written, missing.size, name);
    }
    predictor.dispose();
  }
  if (failure) throw failure.error;
  const seconds = (performance.now() - start) / 1000;
  if (written > 0 && alone) recordStage(job.run, { name: `${job.verb} ${out}`, seconds, peakBytes: device.memory().peak }, continued);
  return {
    files,
    written,
    again,
    doubts,
    checkpoint: alone ? model.checkpoint : `${members.length} runs averaged`,
    adapter: device.info.name,
    seconds,
  };
}
