// SPDX-License-Identifier: MIT
// A folder of images and a folder of masks with matching names, in any readable format; AbdomenCT-1K is the case where images
// end in the channel number _0000 and masks do not. Also scans without masks, and folders of DICOM series.
import { readdir, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { DataError } from '../../../../errors.ts';
import { unreadable } from '../../../../files/regular.ts';
import { notRead } from '../../../endings.ts';
import { readVolume } from '../../volume.ts';
import { caseNames, channelNumbered, nameKey } from '../../../../data/names.ts';
import { listFiles, volumeStem, withNewDataset, type ImportResult } from './new_dataset.ts';

/** AbdomenCT-1K's classes. */
export const ABDOMEN_1K_LABELS: Readonly<Record<string, number>> = { background: 0, liver: 1, kidney: 2, spleen: 3, pancreas: 4 };

/** How files are matched and named. */
export interface PairOptions {
  /** Folder of masks: `<case>` or `<case>_label`, `_mask`, `_seg`, `-label` ... Without it all cases go to imagesTs. */
  readonly labels?: string;
  /** name -> value; by default the values that occur in the masks, named class_1, class_2, ... */
  readonly classes?: Readonly<Record<string, number>>;
  readonly onCase?: (done: number, total: number, name: string) => void;
}

const IMAGE_SUFFIX = /([_-](image|img|ct))+$/i;
const LABEL_SUFFIX = /([_-](label|labels|mask|seg|segmentation))+$/i;

/**
 * Imports image and mask files of equal names (a channel number and suffixes such as _image, _mask apart), or DICOM series, one folder a
 * case.
 */
export async function importPairs(images: string, target: string, options: PairOptions = {}): Promise<ImportResult> {
  const labels = options.labels === undefined ? undefined : await findLabels(options.labels);
  const scans = await findImages(images, labels);
  const strange = notRead(await listFiles(images));
  return withNewDataset(target, async (builder) => {
    for (const file of strange) builder.notes.push(`${join(images, file)}: a volume of a kind that is not read; left out.`);
    const values = new Set<number>();
    for (const [i, scan] of scans.entries()) {
      const mask = labels?.get(nameKey(scan.name));
      labels?.delete(nameKey(scan.name));
      if (labels && !mask) builder.notes.push(`${scan.file}: no mask named like it in ${options.labels}; put into imagesTs.`);
      if (mask !== undefined && (await realpath(mask)) === (await realpath(scan.file)))
        throw new DataError(
          `${scan.file}: image and mask of the case "${scan.name}", got one file for both, expected two.`,
          'Name with --masks the folder of the masks, or end their names in _mask.',
        );
      const label = mask === undefined ? undefined : await readVolume(mask);
      if (label) for (const v of label.data) values.add(v);
      await builder.add(scan.name, scan.series ? await readVolume(scan.file) : scan.file, mask, scan.file);
      options.onCase?.(i + 1, scans.length, scan.name);
    }
    if (labels) for (const file of labels.values()) builder.notes.push(`${file}: a mask without an image; left out.`);
    return { labels: { ...(options.classes ?? namesFor(values, options.labels)) } };
  });
}

async function findImages(
  folder: string,
  labels: ReadonlyMap<string, string> | undefined,
): Promise<{ name: string; file: string; series: boolean }[]> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  const scans = entries
    .filter((e) => !e.name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const file = join(folder, entry.name),
        stem = volumeStem(entry.name);
      if (entry.isDirectory()) return [{ name: entry.name, file, series: true }];
      return stem === undefined || (LABEL_SUFFIX.test(stem) && !IMAGE_SUFFIX.test(stem))
        ? []
        : [{ name: stem.replace(IMAGE_SUFFIX, ''), file, series: false }];
    });
  // No volume and no sub-folder, but files: the folder itself may be one DICOM series.
  if (scans.length === 0 && entries.length > 0) return [{ name: basename(resolve(folder)), file: folder, series: true }];
  if (scans.length === 0)
    throw new DataError(
      `${folder}: no image, got an empty folder, expected .nii.gz, .nii, .nrrd, .mha, .mhd files or folders of DICOM slices.`,
      'Check the folder.',
    );
  const names = namesOf(
    scans.filter((s) => !s.series),
    basename(resolve(folder)),
    labels,
  );
  return scans.map((scan) => (scan.series ? scan : { ...scan, name: names.get(scan.name)! }));
}

/** Case names by file names without suffixes: the masks' names say whether _0000 is a channel or the number of a case. */
function namesOf(
  images: readonly { name: string; file: string }[],
  folder: string,
  labels: ReadonlyMap<string, string> | undefined,
): Map<string, string> {
  const stems = images.map(({ name }) => name),
    numbered = stems.filter((stem) => stem.endsWith('_0000'));
  const masked = (stem: string): boolean => labels?.has(nameKey(stem)) ?? false;
  const bare = (stem: string): string => stem.slice(0, -'_0000'.length);
  const channels = !numbered.some(masked) && (numbered.some((stem) => masked(bare(stem))) || channelNumbered(stems, folder));
  const second = channels
    ? images.find(
        ({ name }) => /_\d{4}$/.test(name) && !name.endsWith('_0000') && !masked(name) && stems.includes(name.replace(/\d{4}$/, '0000')),
      )
    : undefined;
  if (second)
    throw new DataError(
      `${second.file}: another channel of the case "${second.name.slice(0, -5)}", got a second image, expected one a case.`,
      'Import the CT alone: leave the other channels out of the folder.',
    );
  const names = caseNames(stems, channels);
  return new Map(
    stems.map((stem) => {
      const name = masked(stem) ? stem : names.get(stem)!.replace(IMAGE_SUFFIX, '');
      return [stem, name === '' ? stem : name];
    }),
  );
}

async function findLabels(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const file of await listFiles(folder)) {
    const stem = volumeStem(file);
    if (stem === undefined || IMAGE_SUFFIX.test(stem)) continue;
    const name = nameKey(stem.replace(LABEL_SUFFIX, '').replace(IMAGE_SUFFIX, '')),
      other = found.get(name);
    if (other !== undefined)
      throw new DataError(`${join(folder, file)}: two masks for one case, got ${other} too, expected one.`, 'Keep one of them.');
    found.set(name, join(folder, file));
  }
  if (found.size === 0)
    throw new DataError(`${folder}: no mask in it, expected volumes named like the images.`, 'Check the path of --masks.');
  return found;
}

/** Names for the values that occur; DataError if they are not 0..K-1. */
function namesFor(values: ReadonlySet<number>, folder = ''): Record<string, number> {
  const foreground = [...values].filter((v) => v !== 0).sort((a, b) => a - b);
  if (foreground.some((v, i) => v !== i + 1)) {
    throw new DataError(
      `${folder}: label values are not consecutive, got ${foreground.slice(0, 12).join(', ')}, expected 1, 2, ...`,
      'Renumber the masks (background 0, then 1, 2, ...).',
    );
  }
  return { background: 0, ...(foreground.length ? Object.fromEntries(foreground.map((v) => [`class_${v}`, v])) : { class_1: 1 }) };
}
