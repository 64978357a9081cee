// SPDX-License-Identifier: MIT
// A folder of images and a folder of masks with matching names, in any readable format; AbdomenCT-1K is the case where images
// end in _0000. Also scans without masks, and folders of DICOM series.
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { DataError } from '../../errors.ts';
import { unreadable } from '../../files/regular.ts';
import { readVolume } from '../volume.ts';
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

const IMAGE_SUFFIX = /([_-](0000|image|img|ct))+$/i;
const LABEL_SUFFIX = /([_-](label|labels|mask|seg|segmentation))+$/i;

/** Imports image and mask files of equal names (suffixes such as _0000, _image, _mask apart), or DICOM series, one folder a case. */
export async function importPairs(images: string, target: string, options: PairOptions = {}): Promise<ImportResult> {
  const scans = await findImages(images);
  const labels = options.labels === undefined ? undefined : await findLabels(options.labels);
  return withNewDataset(target, async (builder) => {
    const values = new Set<number>();
    for (const [i, scan] of scans.entries()) {
      const mask = labels?.get(scan.name.toLowerCase());
      labels?.delete(scan.name.toLowerCase());
      if (labels && !mask) builder.notes.push(`${scan.file}: no mask named like it in ${options.labels}; put into imagesTs.`);
      const label = mask === undefined ? undefined : await readVolume(mask);
      if (label) for (const v of label.data) values.add(v);
      await builder.add(scan.name, scan.series ? await readVolume(scan.file) : scan.file, mask, scan.file);
      options.onCase?.(i + 1, scans.length, scan.name);
    }
    if (labels) for (const file of labels.values()) builder.notes.push(`${file}: a mask without an image; left out.`);
    return { labels: { ...(options.classes ?? namesFor(values, options.labels)) } };
  });
}

async function findImages(folder: string): Promise<{ name: string; file: string; series: boolean }[]> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  const scans = entries.filter((e) => !e.name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((entry) => {
    const file = join(folder, entry.name), stem = volumeStem(entry.name);
    if (entry.isDirectory()) return [{ name: entry.name, file, series: true }];
    return stem === undefined || (LABEL_SUFFIX.test(stem) && !IMAGE_SUFFIX.test(stem)) ? [] : [{ name: stem.replace(IMAGE_SUFFIX, ''), file, series: false }];
  });
  // No volume and no sub-folder, but files: the folder itself may be one DICOM series.
  if (scans.length === 0 && entries.length > 0) return [{ name: basename(resolve(folder)), file: folder, series: true }];
  if (scans.length === 0) throw new DataError(`${folder}: no image, got an empty folder, expected .nii.gz, .nii, .nrrd, .mha, .mhd files or folders of DICOM slices.`, 'Check the folder.');
  return scans;
}

async function findLabels(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const file of await listFiles(folder)) {
    const stem = volumeStem(file);
    if (stem === undefined || IMAGE_SUFFIX.test(stem)) continue;
    const name = stem.replace(LABEL_SUFFIX, '').replace(IMAGE_SUFFIX, '').toLowerCase(), other = found.get(name);
    if (other !== undefined) throw new DataError(`${join(folder, file)}: two masks for one case, got ${other} too, expected one.`, 'Keep one of them.');
    found.set(name, join(folder, file));
  }
  if (found.size === 0) throw new DataError(`${folder}: no mask in it, expected volumes named like the images.`, 'Check the path of --masks.');
  return found;
}

/** Names for the values that occur; DataError if they are not 0..K-1. */
function namesFor(values: ReadonlySet<number>, folder = ''): Record<string, number> {
  const foreground = [...values].filter((v) => v !== 0).sort((a, b) => a - b);
  if (foreground.some((v, i) => v !== i + 1)) {
    throw new DataError(`${folder}: label values are not consecutive, got ${foreground.slice(0, 12).join(', ')}, expected 1, 2, ...`, 'Renumber the masks (background 0, then 1, 2, ...).');
  }
  return { background: 0, ...(foreground.length ? Object.fromEntries(foreground.map((v) => [`class_${v}`, v])) : { class_1: 1 }) };
}
