// SPDX-License-Identifier: MIT
// Looks at a whole data set as training would and lists everything that is wrong, instead of stopping at the first.
import type { Triple } from '../../../axes.ts';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { DataError } from '../../../errors.ts';
import { annotationWeight } from '../../../data/annotations.ts';
import { checkedLabel, loadCase, type Case, type Dataset, type LoadedCase } from '../../../data/dataset.ts';
import { findingOf, type Finding } from '../../../data/finding.ts';
import { assertSameGeometry, sameGeometry } from '../../../data/geometry.ts';
import { channelWords, HOUNSFIELD_REMEDY, notHounsfield } from '../../../data/hounsfield.ts';
import { rangeOf } from '../../../data/sample.ts';
import { inferUnlabelled, type UnlabelledProposal } from '../../../data/infer_unlabelled.ts';
import { orientGeometry, rasOrientation } from '../../../data/orientation.ts';
import type { Volume } from '../../../data/volume.ts';
import { volumeEnding } from '../../endings.ts';
import { readVolume, writeVolume } from '../volume.ts';
import type { Tell } from '../../source.ts';
import { listDataset } from './open.ts';

/** What was seen of a readable case, on its RAS grid. */
export interface CaseSummary {
  readonly name: string;
  readonly patient: string;
  readonly size: Triple;
  readonly spacing: Triple;
  readonly range: readonly [low: number, high: number];
  /** Annotated voxels of each class, index = class. */
  readonly counts: readonly number[];
  /** Share of voxels annotated, 0 to 1. */
  readonly annotated: number;
}

/** The result of `checkDataset`. `proposal` says which classes may be unlabelled in which case. */
export interface CheckResult {
  readonly findings: readonly Finding[];
  readonly cases: readonly CaseSummary[];
  readonly proposal: UnlabelledProposal | undefined;
}

/** How `checkDataset` works. */
export interface CheckOptions {
  /** Called after each case. */
  readonly onCase?: (done: number, total: number, name: string) => void;
  /** Copies the image's grid into a label of the same size before checking it; reported as a warning. */
  readonly fixHeader?: boolean;
}

/** Checks lists, files, grids, values and annotation of a data set. Never throws for what it finds; reads every volume once. */
export async function checkDataset(folder: string, options: CheckOptions = {}): Promise<CheckResult> {
  const { dataset, findings } = await listDataset(folder);
  const cases: CaseSummary[] = [];
  if (dataset?.folds?.fault) findings.push(findingOf(dataset.folds.file, dataset.folds.fault));
  if (!dataset) {
    await checkVolumes(folder, findings);
    return { findings, cases, proposal: undefined };
  }
  const scans = [...dataset.training, ...dataset.test];
  for (const [i, scan] of scans.entries()) {
    try {
      if (options.fixHeader && (await fixLabelHeader(scan, dataset.folder))) {
        findings.push({
          level: 'warning',
          file: scan.label!,
          message: `its header differed from the image's and was replaced by it.`,
          remedy: 'Look at the case once to see that mask and image lie on each other.',
        });
      }
      const said: Finding[] = [];
      const loaded = await loadCase(dataset, scan, ({ file, message, remedy }) => said.push({ level: 'warning', file, message, remedy }));
      const others = await problemsOf(dataset, { ...scan, label: undefined });
      findings.push(...said, ...others);
      if (others.every((f) => f.level === 'warning')) cases.push(summarise(dataset, scan, loaded, findings));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      const first = foundBy(scan.images[0] ?? scan.name, error, [...scan.images, ...(scan.label === undefined ? [] : [scan.label])]);
      // Reading a case ends at its first problem; the others are looked for one by one.
      const all = await problemsOf(dataset, scan);
      findings.push(...(all.some(({ file, message }) => file === first.file && message === first.message) ? [] : [first]), ...all);
    }
    options.onCase?.(i + 1, scans.length, scan.name);
  }
  warnAboutSet(dataset, cases, findings);
  const labelled = new Map(cases.filter((c) => c.counts.length > 0).map((c) => [c.name, c.counts]));
  return { findings, cases, proposal: inferUnlabelled(dataset, labelled) };
}

/** The same, where a message may begin with any file that exists: a slice of a series, say. */
function foundBy(file: string, error: DataError, others: readonly string[] = []): Finding {
  const first = /^([^\n]+?): /.exec(error.message)?.[1];
  return findingOf(file, error, [...others, ...(first !== undefined && existsSync(first) ? [first] : [])]);
}

/** Everything that is wrong with the files of a case, each by itself and together; channels beyond the first are looked at nowhere else. */
async function problemsOf({ folder, info, annotations }: Dataset, { name, images, label }: Case): Promise<Finding[]> {
  const found: Finding[] = [];
  const tell: Tell = ({ file, message, remedy }) => {
    found.push({ level: 'warning', file, message, remedy });
  };
  const attempt = async <T>(file: string, action: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      found.push(foundBy(file, error, [...images, ...(label === undefined ? [] : [label])]));
      return undefined;
    }
  };
  const alone = label === undefined;
  let first: Volume | undefined;
  for (const file of alone ? images.slice(1) : images) {
    first ??= alone ? await readVolume(images[0], () => {}) : undefined;
    const volume = await attempt(file, () => readVolume(file, tell));
    if (volume && first) await attempt(file, () => assertSameGeometry(first!, images[0], volume, file));
    if (file === images[0]) first = volume;
  }
  if (label === undefined) return found;
  const mask = await attempt(label, () => readVolume(label, tell));
  if (mask && first) await attempt(label, () => assertSameGeometry(first, images[0], mask, label));
  if (mask) await attempt(label, () => checkedLabel(label, mask.data, info));
  const grid = first ?? mask;
  const size = grid && orientGeometry(grid, rasOrientation(grid)).size;
  if (size)
    await attempt(join(folder, 'annotations.json'), () =>
      annotationWeight(size, annotations.planes.get(name), `${join(folder, 'annotations.json')}: ${name}`),
    );
  return found;
}

/** Without a usable dataset.json the volumes can still be read, each by itself. */
async function checkVolumes(folder: string, findings: Finding[]): Promise<void> {
  for (const part of ['imagesTr', 'labelsTr', 'imagesTs', 'labelsTs'].map((name) => join(folder, name))) {
    for (const name of existsSync(part) ? readdirSync(part).sort() : []) {
      if (name.startsWith('.') || volumeEnding(name) === undefined) continue;
      try {
        await readVolume(join(part, name), ({ file, message, remedy }) => {
          findings.push({ level: 'warning', file, message, remedy });
        });
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        findings.push(foundBy(join(part, name), error));
      }
    }
  }
}

function summarise(dataset: Dataset, scan: Case, loaded: LoadedCase, findings: Finding[]): CaseSummary {
  const { image, label, weight } = loaded;
  const range = rangeOf(image.data);
  const doubt = notHounsfield(range);
  if (doubt !== undefined)
    findings.push({
      level: 'warning',
      file: scan.images[0],
      message: `${doubt}.`,
      remedy: range[0] === range[1] ? 'The scan is empty: export it again or leave it out.' : HOUNSFIELD_REMEDY,
    });
  const counts: number[] = [];
  let annotated = 0;
  if (label && weight) {
    counts.push(...dataset.info.classes.map(() => 0));
    for (let i = 0; i < label.length; i++)
      if (weight[i]) {
        counts[label[i]]++;
        annotated++;
      }
    if (annotated > 0 && counts.slice(1).every((n) => n === 0))
      findings.push({
        level: 'warning',
        file: scan.label!,
        message: 'no foreground on its annotated slices.',
        remedy: 'Fine if the structure is really absent; otherwise annotate a slice that shows it.',
      });
  }
  for (const c of label ? loaded.unlabelled : []) {
    const n = label!.reduce((sum, v) => sum + (v === c ? 1 : 0), 0);
    if (n > 0)
      findings.push({
        level: 'warning',
        file: join(dataset.folder, 'annotations.json'),
        message: `unlabelled.${scan.name} lists class ${c} (${dataset.info.classes[c].name}), but its mask has ${n} voxels of it.`,
        remedy: 'Take the class out of the list if it was drawn: as it is, these voxels are neither trained nor scored.',
      });
  }
  return {
    name: scan.name,
    patient: scan.patient,
    size: image.size,
    spacing: image.spacing,
    range,
    counts: annotated > 0 ? counts : [], // of a case that nobody annotated, nobody knows what is in it
    annotated: label ? annotated / label.length : 0,
  };
}

function warnAboutSet(dataset: Dataset, cases: readonly CaseSummary[], findings: Finding[]): void {
  const file = dataset.folder;
  const labelled = cases.filter((c) => c.counts.length > 0);
  for (const { name, value } of dataset.info.classes.slice(1)) {
    if (labelled.length > 0 && labelled.every((c) => c.counts[value] === 0)) {
      findings.push({
        level: 'warning',
        file,
        message: `class ${value} (${name}) has no annotated voxel in any case.`,
        remedy: 'Remove it from dataset.json or annotate it: it cannot be learned.',
      });
    }
  }
  const channels = channelWords(dataset.info.channels);
  if (channels !== undefined)
    findings.push({ level: 'warning', file: join(file, 'dataset.json'), message: `${channels}.`, remedy: HOUNSFIELD_REMEDY });
  if (dataset.info.json.label_source === 'sphere') {
    findings.push({
      level: 'warning',
      file,
      message: 'the masks are spheres of the annotated diameter, not drawn outlines; results will say so.',
      remedy: 'Import again with --masks DIR when real masks are at hand.',
    });
  }
  const { numTraining } = dataset.info.json;
  if (numTraining !== undefined && numTraining !== dataset.training.length) {
    findings.push({
      level: 'warning',
      file: join(file, 'dataset.json'),
      message: `numTraining, got ${numTraining}, expected ${dataset.training.length}, the training cases that are there.`,
      remedy: 'Look whether cases are missing, then correct the number.',
    });
  }
  const patients = new Set(dataset.training.map((c) => c.patient));
  if (dataset.training.length > 0 && patients.size < 5) {
    findings.push({
      level: 'warning',
      file,
      message: `too few patients for five folds, got ${patients.size}.`,
      remedy: 'Train with fewer folds or add patients.',
    });
  }
}

/**
 * Rewrites a label's header from its image where only the grid differs; true if it did. DataError if sizes differ or unreadable, or
 * if a link leads the label's folder out of `folder`: what the data set links to is not the data set's to rewrite.
 */
export async function fixLabelHeader(scan: Case, folder: string): Promise<boolean> {
  if (!scan.label) return false;
  const unheard = (): void => {}; // what there is to say of the files is said when the case is loaded
  const image = await readVolume(scan.images[0], unheard),
    label = await readVolume(scan.label, unheard);
  if (sameGeometry(image, label) || !image.size.every((n, i) => n === label.size[i])) return false;
  const way = relative(realpathSync(folder), realpathSync(dirname(scan.label)));
  if (way.startsWith('..') || isAbsolute(way))
    throw new DataError(
      `${scan.label}: not rewritten, its folder is a link that leads out of ${folder}.`,
      'Correct the file where it lies, or put a copy of the folder in the place of the link.',
    );
  await writeVolume(scan.label, { ...image, data: label.data });
  return true;
}
