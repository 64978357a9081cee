// SPDX-License-Identifier: MIT
// A data set in nnU-Net's layout: imagesTr, labelsTr, imagesTs, dataset.json, and annotations.json.
import { DataError } from '../errors.ts';
import { annotationsOf, annotationWeight, isBare, type Annotations } from './annotations.ts';
import type { CaseSource } from './case_source.ts';
import { datasetInfo, insideSource, type DatasetInfo } from './dataset_json.ts';
import { findingOf, firstError, type Finding } from './finding.ts';
import type { Tell } from '../io/source.ts';
import { assertSameGeometry, type Geometry } from './geometry.ts';
import { notRead, volumeEnding, type VOLUME_ENDINGS } from '../io/endings.ts';
import { caseNames, channelNumbered, nameFault, nameKey } from './names.ts';
import { toRas } from './orientation.ts';
import { ownFolds, type OwnFolds } from './own_folds.ts';
import type { Volume } from './volume.ts';

/** One scan. `images` has one file a channel. */
export interface Case {
  readonly name: string;
  readonly patient: string;
  readonly images: readonly string[];
  readonly label: string | undefined;
}

/** A listed data set; nothing has been read but JSON. */
export interface Dataset {
  readonly source: CaseSource;
  /** As `source.folder`. */
  readonly folder: string;
  readonly info: DatasetInfo;
  readonly training: readonly Case[];
  readonly test: readonly Case[];
  readonly annotations: Annotations;
  /** Absent where cases are divided by chance. */
  readonly folds?: OwnFolds;
}

/** A case in memory, turned to RAS. */
export interface LoadedCase {
  readonly name: string;
  /** First channel, stored units (HU), with its RAS grid. */
  readonly image: Volume;
  /** Classes 0..K-1, shape of the image; unannotated voxels under `ignore` are 0 here and 0 in `weight`. Null: no label file. */
  readonly label: Uint8Array | null;
  /** 1 where annotated, shape of the image; null where `label` is. */
  readonly weight: Uint8Array | null;
  /** 1 where the label is `ignore`, so that nobody knows the class; left out where no voxel is. */
  readonly unknown?: Uint8Array;
  /** Classes of annotations.json's "unlabelled" for this case. */
  readonly unlabelled: readonly number[];
  /** The grid of the file, for writing results onto it (`fromRas`). */
  readonly stored: Geometry;
}

const CASE_NAME = /^[^\\/\0]+$/;

/** Lists a data set; throws the first problem as a DataError (run `checkDataset` for all of them). */
export async function datasetOf(source: CaseSource): Promise<Dataset> {
  const { dataset, findings } = await listCases(source);
  const error = firstError(findings);
  if (error) throw error;
  return dataset!;
}

/** Lists a data set and all problems its files and JSON show without reading volumes; no data set if dataset.json is unusable. */
export async function listCases(source: CaseSource): Promise<{ dataset: Dataset | undefined; findings: Finding[] }> {
  const { folder } = source,
    where = source.path('dataset.json'),
    findings: Finding[] = [];
  try {
    const info = await datasetInfo(source, (error) => findings.push(findingOf(where, error)));
    if (!info) return { dataset: undefined, findings };
    const explicit = info.json.dataset !== undefined || info.json.training !== undefined;
    const training = explicit ? listedCases(source, info, findings) : await foundCases(source, 'imagesTr', 'labelsTr', info, findings);
    const test = !explicit ? await foundCases(source, 'imagesTs', 'labelsTs', info, findings) : listedTests(source, info, findings);
    findDuplicates(where, training, test, findings);
    const { patients, folds } = info.json;
    for (const { name, images } of [...training, ...test])
      if (images.length > info.channels.length)
        findings.push({
          level: 'error',
          file: where,
          message:
            `case "${name}" has ${images.length} images, expected ${info.channels.length} ` +
            `as in channel_names (${info.channels.join(', ')}).`,
          remedy: 'Name every channel in channel_names, or take the other images away.',
        });
    for (const { name } of training) {
      if (patients && !Object.hasOwn(patients, name))
        findings.push({
          level: 'error',
          file: where,
          message: `patients lacks the case "${name}", expected every training case.`,
          remedy: 'Name its patient: without it one patient could be trained and tested on at once.',
        });
      if (folds && !Object.hasOwn(folds, name))
        findings.push({
          level: 'error',
          file: where,
          message: `folds lacks the case "${name}", expected every training case.`,
          remedy: 'Name its fold, or remove "folds" to split by chance.',
        });
    }
    if (training.length === 0 && test.length === 0) {
      findings.push({
        level: 'error',
        file: folder,
        message: `no case, got neither imagesTr nor imagesTs with files named <case>_0000${info.ending}, expected at least one.`,
        remedy: 'Run voxelgrad import, or correct file_ending in dataset.json.',
      });
    }
    let annotations: Annotations = { planes: new Map(), unlabelled: new Map() };
    const names = training.map((c) => c.name);
    const hear = (error: DataError): void => {
      findings.push(findingOf(source.path('annotations.json'), error));
    };
    try {
      annotations = await annotationsOf(source, names, info.classes.length, hear);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      hear(error);
    }
    const own = await ownFolds(source, folds, names);
    return { dataset: { source, folder, info, training, test, annotations, ...(own && { folds: own }) }, findings };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    findings.push(
      findingOf(
        where,
        error,
        ['imagesTr', 'labelsTr', 'imagesTs', 'labelsTs'].map((name) => source.path(name)),
      ),
    );
    return { dataset: undefined, findings };
  }
}

const withoutEnding = (name: string, ending: (typeof VOLUME_ENDINGS)[number]): string => name.slice(0, -ending.length);

/** Cases by file name: `<case>_0000<ending>` and `<case><ending>`. */
async function foundCases(
  source: CaseSource,
  imagesName: string,
  labelsName: string,
  info: DatasetInfo,
  findings: Finding[],
): Promise<Case[]> {
  const images = await source.list(imagesName),
    labels = new Set(await source.list(labelsName));
  const channels = new Map<string, Map<number, string>>();
  for (const file of notRead(images))
    findings.push({
      level: 'error',
      file: source.path(imagesName, file),
      message: `a volume of a kind that is not read, expected a name that ends in "${info.ending}".`,
      remedy: 'Convert it, write its ending in small letters, or take it away: as it is, nobody would miss the case.',
    });
  for (const file of images) {
    const ending = volumeEnding(file);
    if (!ending) continue; // .raw beside .mhd, notes
    const match = /^(.+)_(\d{4})$/.exec(withoutEnding(file, ending));
    if (!match) {
      findings.push({
        level: 'error',
        file: source.path(imagesName, file),
        message: `not an image name, got "${file}", expected <case>_0000${info.ending}.`,
        remedy: 'Rename it, or run voxelgrad import.',
      });
      continue;
    }
    const [, name, channel] = match;
    const files = channels.get(name) ?? new Map<number, string>();
    channels.set(name, files);
    const other = files.get(Number(channel));
    if (other !== undefined)
      findings.push({
        level: 'error',
        file: source.path(imagesName, file),
        message: `duplicate case name "${name}", got a second file beside ${other}, expected one a channel.`,
        remedy: 'Remove or rename one of the two.',
      });
    else if (ending !== info.ending)
      findings.push({
        level: 'error',
        file: source.path(imagesName, file),
        message: `other file ending than the data set's, got "${ending}", expected "${info.ending}".`,
        remedy: 'Convert the file or correct file_ending in dataset.json.',
      });
    else files.set(Number(channel), file);
  }
  const cases: Case[] = [];
  for (const [name, files] of channels) {
    if (files.size === 0) continue;
    const missing = info.channels.findIndex((_, channel) => !files.has(channel));
    if (missing >= 0)
      findings.push({
        level: 'error',
        file: source.path(imagesName),
        message:
          `case "${name}" lacks channel ${missing} (${info.channels[missing]}), expected ${name}_${String(missing).padStart(4, '0')}` +
          `${info.ending}.`,
        remedy: 'Add the file or correct channel_names in dataset.json.',
      });
    const labelFile = `${name}${info.ending}`,
      label = labels.delete(labelFile) ? source.path(labelsName, labelFile) : undefined;
    if (!label && imagesName === 'imagesTr')
      findings.push({
        level: 'error',
        file: source.path(labelsName, labelFile),
        message: `no label for the training case "${name}", expected this file.`,
        remedy: 'Add it, or move the image to imagesTs.',
      });
    cases.push({
      name,
      patient: patientOf(info, name),
      images: [...files].sort((a, b) => a[0] - b[0]).map(([, file]) => source.path(imagesName, file)),
      label,
    });
  }
  for (const label of labels) {
    if (volumeEnding(label))
      findings.push({
        level: 'warning',
        file: source.path(labelsName, label),
        message: 'a label without an image; it is not used.',
        remedy: `Add the image to ${imagesName} or remove the label.`,
      });
  }
  return cases;
}

const patientOf = (info: DatasetInfo, name: string): string =>
  info.json.patients && Object.hasOwn(info.json.patients, name) ? info.json.patients[name] : name;

/** Runs `action`, turning a DataError into a finding of dataset.json. */
function collect<T>(where: string, findings: Finding[], action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    findings.push(findingOf(where, error));
    return undefined;
  }
}

/** Cases by the lists in dataset.json; a path that leads out of the folder is an error. */
function listedCases(source: CaseSource, info: DatasetInfo, findings: Finding[]): Case[] {
  const where = source.path('dataset.json');
  const inside = (name: string): string => insideSource(source, name, where);
  const entries: { name: string; images: string[]; label?: string }[] = info.json.dataset
    ? Object.entries(info.json.dataset).map(([name, e]) => ({ name, images: e.images, label: e.label }))
    : (info.json.training ?? []).map((e) => ({ name: caseOfFile(e.label), images: [e.image], label: e.label }));
  return entries.flatMap(
    (e) =>
      collect(where, findings, (): Case => {
        if (!CASE_NAME.test(e.name) || e.name === '.' || e.name === '..')
          throw new DataError(`${where}: case name, got "${e.name}", expected a file name without folders.`, 'Rename the case.');
        return {
          name: e.name,
          patient: patientOf(info, e.name),
          images: e.images.map(inside),
          label: e.label === undefined ? undefined : inside(e.label),
        };
      }) ?? [],
  );
}

function listedTests(source: CaseSource, info: DatasetInfo, findings: Finding[]): Case[] {
  const where = source.path('dataset.json');
  const images = (info.json.test ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.image));
  const stems = images.map(caseOfFile),
    training = info.json.training ?? [];
  // Labels carry no channel: where images have _0000 more than theirs, it is one.
  const channels =
    training.length > 0 ? training.every((e) => caseOfFile(e.image) === `${caseOfFile(e.label)}_0000`) : channelNumbered(stems, 'imagesTs');
  const names = caseNames(stems, channels);
  return images.flatMap(
    (image, i) =>
      collect(where, findings, (): Case => {
        const name = names.get(stems[i])!;
        return { name, patient: patientOf(info, name), images: [insideSource(source, image, where)], label: undefined };
      }) ?? [],
  );
}

function caseOfFile(file: string): string {
  const name = /([^/]*)\/*$/.exec(file)![1],
    ending = volumeEnding(name);
  return ending ? withoutEnding(name, ending) : name;
}

function findDuplicates(where: string, training: readonly Case[], test: readonly Case[], findings: Finding[]): void {
  const seen = new Map<string, { name: string; place: string }>();
  for (const [place, cases] of [
    ['the training set', training],
    ['the test set', test],
  ] as const) {
    for (const { name } of cases) {
      const fault = nameFault(name);
      if (fault !== undefined)
        findings.push({
          level: 'warning',
          file: where,
          message: `case name ${fault}, got ${JSON.stringify(name)}, expected a file name that every system can store.`,
          remedy: 'Rename the case: masks are named like it.',
        });
      // Names that differ only in capitals or Unicode form would overwrite each other's results on some file systems.
      const other = seen.get(nameKey(name));
      if (!other) {
        seen.set(nameKey(name), { name, place });
        continue;
      }
      findings.push({
        level: 'error',
        file: where,
        message: `duplicate case name, got "${name}" in ${place} and "${other.name}" in ${other.place}, expected every case once.`,
        remedy: place === other.place ? 'Rename one of them.' : 'A case that is trained on cannot be tested on: remove it from one side.',
      });
    }
  }
}

/**
 * Reads a case, turned to RAS and checked: image and label on one grid, label values of the data set, annotated slices inside
 * the volume and at least one voxel annotated, unless none is meant to be. `tell`: as for `decodeVolume`. DataError naming the file.
 */
export async function loadCase(dataset: Dataset, scan: Case, tell?: Tell): Promise<LoadedCase> {
  const stored = await dataset.source.volume(scan.images[0], tell);
  const image = toRas(stored);
  const { data: _voxels, ...grid } = stored;
  const unlabelled = dataset.annotations.unlabelled.get(scan.name) ?? [];
  if (!scan.label) return { name: scan.name, image, label: null, weight: null, unlabelled, stored: grid };
  const labelVolume = await dataset.source.volume(scan.label, tell);
  assertSameGeometry(stored, scan.images[0], labelVolume, scan.label);
  // The label follows the image's axes, not its own header's last digits.
  const label = checkedLabel(scan.label, toRas({ ...grid, data: labelVolume.data }).data, dataset.info);
  const planes = dataset.annotations.planes.get(scan.name);
  const weight = annotationWeight(image.size, planes, `${dataset.source.path('annotations.json')}: ${scan.name}`);
  const { ignore } = dataset.info;
  const unknown = ignore !== undefined && label.includes(ignore) ? label.map((v) => Number(v === ignore)) : null;
  if (unknown)
    for (let i = 0; i < label.length; i++)
      if (unknown[i]) {
        label[i] = 0;
        weight[i] = 0;
      }
  if (!weight.includes(1) && !isBare(planes))
    throw new DataError(
      `${scan.label}: no annotated slice, got only the ignore label on the annotated planes, expected at least one annotated voxel.`,
      'Annotate a slice, or take the case out of the training set.',
    );
  return { name: scan.name, image, label, weight, ...(unknown && { unknown }), unlabelled, stored: grid };
}

/** Label voxels as uint8, ignore value kept. DataError for values that dataset.json does not list. */
export function checkedLabel(file: string, data: Volume['data'], info: DatasetInfo): Uint8Array {
  const highest = info.classes.length - 1;
  const out = new Uint8Array(data.length);
  const wrong = new Map<number, number>();
  for (let i = 0; i < data.length; i++) {
    const v = data[i];
    if ((v >= 0 && v <= highest && Number.isInteger(v)) || v === info.ignore) out[i] = v;
    else wrong.set(v, (wrong.get(v) ?? 0) + 1);
  }
  if (wrong.size > 0) {
    const list = [...wrong]
      .sort((a, b) => a[0] - b[0])
      .slice(0, 8)
      .map(([v, n]) => `${v} (${n} voxels)`)
      .join(', ');
    throw new DataError(
      `${file}: label values outside the data set's, got ${list}${wrong.size > 8 ? ', ...' : ''}, expected 0 to ${highest}` +
        `${info.ignore === undefined ? '' : ` or ${info.ignore} (ignore)`}.`,
      'Add the class to dataset.json or correct the mask.',
    );
  }
  return out;
}
