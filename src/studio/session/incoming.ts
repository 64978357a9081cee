// SPDX-License-Identifier: MIT
// What a person drops, as cases of the open session: volumes, DICOM series, an nnU-Net data set, the sample. Scans are kept as they came
// where they are .nii.gz, else written as that; a file that cannot be used is told of and the others come in all the same.
import { loadCase, type Case, type Dataset } from '../../data/dataset.ts';
import { nameFault, nameKey } from '../../data/names.ts';
import type { Volume } from '../../data/volume.ts';
import { DataError, VoxelgradError } from '../../errors.ts';
import { openDataset } from '../../io/browser/dataset.ts';
import { readSeries, type DicomReference } from '../../io/browser/dicom.ts';
import { readVolume, volumeBytes } from '../../io/browser/volume.ts';
import { volumeEnding } from '../../io/endings.ts';
import type { Remark } from '../../io/source.ts';
import { colourOf, type Failure, type PathFile } from '../protocol.ts';
import { labelsFile } from './cases.ts';
import { maskFactsFile, maskFile } from './masks.ts';
import { failureOf } from './failure.ts';
import type { CaseRecord } from './record.ts';
import { annotatedSlices, MORE } from './planes.ts';
import { makeSample } from './sample.ts';
import type { SessionStore } from './session_store.ts';

export const referenceFile = (name: string): string => `dicom/${name}.json`;

export interface Incoming {
  readonly added: readonly string[];
  readonly problems: readonly Failure[];
}

interface NewCase {
  /** What it would be called; another case may have that name. */
  readonly wish: string;
  readonly format: CaseRecord['format'];
  readonly volume: Volume;
  /** The file itself, where it can be kept as it is. */
  readonly kept?: Blob;
  readonly remarks: readonly Remark[];
  readonly drawn?: { readonly labels: Uint8Array; readonly transverse: readonly number[]; readonly coronal: readonly number[] };
  readonly reference?: DicomReference;
}

const bare = (path: string): string => path.split('/').at(-1)!;

/** A session is called like what it began with; not like a folder of DICOM, which is often called like the patient. */
export function sessionName(files: readonly PathFile[]): string {
  const json = files.find(({ path }) => path.endsWith('/dataset.json')),
    volume = files.find(({ path }) => volumeEnding(path) !== undefined);
  if (json) return json.path.split('/').at(-2)!;
  return volume ? bare(volume.path).slice(0, -volumeEnding(volume.path)!.length) : 'DICOM';
}

/** A name that no case of the session has and every system can store. */
function freeName(store: SessionStore, wish: string): string {
  const clean =
    wish
      .replace(/[\u0000-\u001f\u007f<>:"/\\|?*]/g, '_')
      .replace(/^\.+|[. ]+$/g, '')
      .slice(0, 60) || 'scan';
  const base = nameFault(clean) === undefined ? clean : `scan_${clean}`;
  const taken = new Set(store.record.cases.map(({ name }) => nameKey(name)));
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}_${n}`;
    if (!taken.has(nameKey(name))) return name;
  }
}

async function add(store: SessionStore, { wish, format, volume, kept, remarks, drawn, reference }: NewCase): Promise<string> {
  const name = freeName(store, wish),
    image = `imagesTr/${name}_0000.nii.gz`,
    way = `data/${image}`;
  try {
    if (kept) await store.files.copy(kept, way);
    else await store.files.copy(new Blob([(await volumeBytes(way, volume)) as Uint8Array<ArrayBuffer>]), way);
    // The grid is the file's, which holds fewer digits than some formats.
    const { data: _voxels, ...stored } = await readVolume(way, (await store.files.file(way))!, { tell: () => {} });
    const record: CaseRecord = {
      name,
      format,
      image,
      stored: stored as unknown as CaseRecord['stored'],
      remarks: remarks.map(({ message, remedy }) => `${message} ${remedy}`),
      transverse: [...(drawn?.transverse ?? [])],
      coronal: [...(drawn?.coronal ?? [])],
      dirty: true,
    };
    if (drawn) await store.files.patch(labelsFile(name), drawn.labels.length, [[0, drawn.labels]]);
    if (reference) await store.files.write(referenceFile(name), JSON.stringify(reference));
    await store.save(({ cases }) => ({ cases: [...cases, record], dirty: true }));
    return name;
  } catch (error) {
    for (const made of [way, labelsFile(name), referenceFile(name)]) await store.files.remove(made).catch(() => undefined);
    throw error;
  }
}

const FORMATS: Readonly<Record<string, CaseRecord['format']>> = {
  '.nii': 'nifti',
  '.nii.gz': 'nifti',
  '.nrrd': 'nrrd',
  '.nhdr': 'nrrd',
  '.mha': 'metaimage',
  '.mhd': 'metaimage',
};

async function addVolume(store: SessionStore, { path, file }: PathFile, all: ReadonlyMap<string, Blob>): Promise<string> {
  const remarks: Remark[] = [],
    ending = volumeEnding(path)!,
    folder = path.slice(0, path.lastIndexOf('/') + 1);
  const volume = await readVolume(path, file, {
    beside: (other) => all.get(folder + other),
    tell: (remark) => {
      remarks.push(remark);
    },
  });
  return add(store, {
    wish: bare(path).slice(0, -ending.length),
    format: FORMATS[ending],
    volume,
    ...(ending === '.nii.gz' && { kept: file }),
    remarks,
  });
}

/** The classes of a data set become the session's, which must have none of its own, or the same. */
async function takeClasses(store: SessionStore, { info }: Dataset): Promise<void> {
  const names = info.classes.map(({ name }) => name),
    own = store.record.classes.map(({ name }) => name);
  if (names.join('\n') === own.join('\n')) return;
  if (store.record.cases.length > 0)
    throw new DataError(
      `dataset.json: its classes are not the session's, got ${names.join(', ')}, expected ${own.join(', ')}.`,
      'Open the data set in a session of its own.',
    );
  await store.save({ classes: names.map((name, i) => ({ name, colour: colourOf(i) })) });
}

async function addCaseOf(store: SessionStore, dataset: Dataset, scan: Case, files: ReadonlyMap<string, Blob>): Promise<string> {
  const remarks: Remark[] = [],
    way = scan.images[0],
    ending = volumeEnding(way)!;
  const tell = (remark: Remark): void => {
    remarks.push(remark);
  };
  const { label, weight, image, unlabelled } = await loadCase(dataset, scan, tell);
  if (unlabelled.length > 0)
    throw new DataError(
      `annotations.json: unlabelled.${scan.name}: the studio knows no classes that were not drawn, got ${unlabelled.join(', ')}.`,
      'Train this data set with the command line (voxelgrad train).',
    );
  const kept = ending === '.nii.gz' ? files.get(way.slice(dataset.folder.length + 1)) : undefined;
  const slices = label && annotatedSlices(weight!, image.size);
  const drawn = slices && { labels: label, transverse: slices.transverse, coronal: slices.coronal };
  if (slices?.more) tell({ file: way, ...MORE, doubtful: false });
  if (scan.images.length > 1)
    tell({ file: way, message: `has ${scan.images.length} channels.`, remedy: 'The first one is used.', doubtful: false });
  return add(store, {
    wish: scan.name,
    format: FORMATS[ending],
    volume: await dataset.source.volume(way, () => {}),
    ...(kept && { kept }),
    remarks,
    ...(drawn && { drawn }),
  });
}

/** Everything among the files that can be used. `tell` counts files. */
export async function addFiles(
  store: SessionStore,
  files: readonly PathFile[],
  tell: (done: number, total: number) => void,
): Promise<Incoming> {
  const added: string[] = [],
    problems: Failure[] = [];
  const hear = (error: unknown): void => {
    problems.push(failureOf(error));
  };
  const attempt = async (work: () => Promise<string>): Promise<void> => {
    try {
      added.push(await work());
    } catch (error) {
      hear(error);
    }
  };
  const seen = files.filter(({ path }) => !path.split('/').some((part) => part.startsWith('.')));
  const json = seen.find(({ path }) => bare(path) === 'dataset.json');
  if (json) {
    const root = json.path.slice(0, -'dataset.json'.length);
    const own = new Map(seen.filter(({ path }) => path.startsWith(root)).map(({ path, file }) => [path.slice(root.length), file]));
    try {
      const dataset = await openDataset(root.replace(/\/$/, '').split('/').at(-1) || 'data set', own);
      await takeClasses(store, dataset);
      const cases = [...dataset.training, ...dataset.test];
      for (const [i, scan] of cases.entries()) {
        tell(i, cases.length);
        await attempt(() => addCaseOf(store, dataset, scan, own));
      }
    } catch (error) {
      hear(error);
    }
    return { added, problems };
  }
  const all = new Map(seen.map(({ path, file }) => [path, file]));
  const volumes = seen.filter(({ path }) => volumeEnding(path) !== undefined),
    others = seen.filter(({ path }) => volumeEnding(path) === undefined && !(/\.(raw|zraw)(\.gz)?$/i.test(path) && volumes.length > 0));
  for (const [i, each] of volumes.entries()) {
    tell(i, seen.length);
    await attempt(() => addVolume(store, each, all));
  }
  const series = await readSeries(others, hear, (done) => {
    tell(volumes.length + done, seen.length);
  });
  for (const { volume, remarks, reference } of series)
    // folders are often called like the patient
    await attempt(() => add(store, { wish: `series_${store.record.cases.length + 1}`, format: 'dicom', volume, remarks, reference }));
  if (added.length === 0 && problems.length === 0)
    hear(
      new VoxelgradError(
        'DATA',
        `${seen.length} files: no scan among them, expected NIfTI, NRRD, MetaImage, DICOM or an nnU-Net data set.`,
        'Drop the folder that holds the slices, or a file ending in .nii.gz, .nii, .nrrd, .mha, or .mhd with its data file.',
      ),
    );
  return { added, problems };
}

/** The sample, whose truth nobody sees: it is there to be annotated. */
export async function addSample(store: SessionStore): Promise<Incoming> {
  return { added: [await add(store, { wish: 'phantom', format: 'phantom', volume: makeSample().image, remarks: [] })], problems: [] };
}

/** Takes a case out with all that belongs to it. */
export async function removeCase(store: SessionStore, name: string): Promise<void> {
  const record = store.caseOf(name);
  await store.save(({ cases }) => ({ cases: cases.filter((each) => each.name !== name), dirty: true }));
  for (const file of [
    `data/${record.image}`,
    `data/labelsTr/${name}.nii.gz`,
    labelsFile(name),
    referenceFile(name),
    maskFile(name),
    maskFactsFile(name),
  ])
    await store.files.remove(file);
}
