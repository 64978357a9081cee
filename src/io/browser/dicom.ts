// SPDX-License-Identifier: MIT
// DICOM files that a person dropped, as one volume a series, and what a segmentation of it has to refer to.
import type { Triple } from '../../axes.ts';
import type { Geometry } from '../../data/geometry.ts';
import { worldToVoxel } from '../../data/geometry.ts';
import type { Volume } from '../../data/volume.ts';
import { DataError } from '../../errors.ts';
import type { DataSet } from '../dicom/data_set.ts';
import { readImage, type DicomImage } from '../dicom/image.ts';
import { openDicom } from '../dicom/open.ts';
import { stackImages } from '../dicom/stack.ts';
import { NO_SLICE } from '../dicom/no_slice.ts';
import type { Keyword } from '../dicom/tags.ts';
import type { Remark } from '../source.ts';

/** Elements of the patient and the study that a derived object repeats. */
const COMMON = [
  'StudyDate',
  'StudyTime',
  'AccessionNumber',
  'ReferringPhysicianName',
  'PatientName',
  'PatientID',
  'PatientBirthDate',
  'PatientSex',
  'StudyInstanceUID',
  'StudyID',
  'FrameOfReferenceUID',
] as const satisfies readonly Keyword[];

/**
 * What a segmentation of a series refers to. `slices`: the instances along the volume's D axis, and the frame of each where it has several.
 */
export interface DicomReference {
  readonly common: Readonly<Partial<Record<(typeof COMMON)[number], string>>>;
  readonly series: string;
  readonly sopClass: string;
  readonly slices: readonly { readonly instance: string; readonly frame?: number }[];
}

export interface PageSeries {
  /** The folder that its files were dropped in. */
  readonly folder: string;
  readonly volume: Volume;
  readonly remarks: readonly Remark[];
  readonly reference: DicomReference;
}

/** Character sets of DICOM (PS3.3 C.12.1.1.2) as a page knows them. */
const ENCODINGS: Readonly<Record<string, string>> = {
  'ISO_IR 100': 'latin1',
  'ISO_IR 101': 'iso-8859-2',
  'ISO_IR 109': 'iso-8859-3',
  'ISO_IR 110': 'iso-8859-4',
  'ISO_IR 144': 'iso-8859-5',
  'ISO_IR 127': 'iso-8859-6',
  'ISO_IR 126': 'iso-8859-7',
  'ISO_IR 138': 'iso-8859-8',
  'ISO_IR 148': 'windows-1254',
  'ISO_IR 166': 'windows-874',
  'ISO_IR 192': 'utf-8',
  'ISO_IR 13': 'shift_jis',
  GB18030: 'gb18030',
  GBK: 'gbk',
};

function commonOf(dataSet: DataSet): DicomReference['common'] {
  const decoder = new TextDecoder(ENCODINGS[dataSet.texts('SpecificCharacterSet')?.[0] ?? ''] ?? 'latin1');
  const decode = (text: string): string => decoder.decode(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  return Object.fromEntries(
    COMMON.flatMap((keyword) => {
      const text = dataSet.texts(keyword)?.join('\\');
      return text ? [[keyword, decode(text)]] : [];
    }),
  );
}

interface Slice {
  readonly image: DicomImage;
  readonly dataSet: DataSet;
  readonly bytes: number;
}

function referenceOf(slices: readonly Slice[], grid: Geometry): DicomReference {
  const along: { instance: string; frame?: number }[] = [];
  for (const { image, dataSet } of slices) {
    const instance = dataSet.text('SOPInstanceUID');
    image.frames.forEach(({ position }, i) => {
      along[Math.round(worldToVoxel(grid, [...position] as Triple)[0])] = { instance, ...(image.frames.length > 1 && { frame: i + 1 }) };
    });
  }
  const { dataSet } = slices[0];
  return { common: commonOf(dataSet), series: slices[0].image.series, sopClass: dataSet.text('SOPClassUID'), slices: along };
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/**
 * Every series among `files`, by their ways within what was dropped. A series whose folder holds a file that cannot be read is refused: the
 * file may be one of its slices. Files that are no slices are passed over. Problems go to `hear`, one for each series.
 */
export async function readSeries(
  files: readonly { readonly path: string; readonly file: Blob }[],
  hear: (error: unknown) => void,
  onFile?: (done: number, total: number) => void,
): Promise<PageSeries[]> {
  const series = new Map<string, Slice[]>(),
    damaged = new Map<string, unknown>();
  for (const [i, { path, file }] of files.entries()) {
    onFile?.(i, files.length);
    if (NO_SLICE.test(path.split('/').at(-1)!)) continue;
    const folder = folderOf(path);
    try {
      const bytes = new Uint8Array(await file.arrayBuffer()),
        opened = openDicom(path, bytes);
      if (typeof opened === 'string') continue; // a structure set, a report
      const image = readImage(path, opened);
      const key = `${folder}\n${image.series}`;
      series.set(key, [...(series.get(key) ?? []), { image, dataSet: opened.dataSet, bytes: bytes.length }]);
    } catch (error) {
      if (!damaged.has(folder)) damaged.set(folder, error);
    }
  }
  const found: PageSeries[] = [];
  for (const [key, slices] of series) {
    const folder = key.split('\n')[0] || 'the files';
    try {
      if (damaged.has(key.split('\n')[0])) continue; // told below, once for the folder
      const volume = await stackImages(
        folder,
        slices.map(({ image }) => image),
        slices.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      const { data: _voxels, ...grid } = volume;
      const remarks = slices.flatMap(({ image }) => image.remarks);
      found.push({
        folder,
        volume,
        remarks: [...new Map(remarks.map((remark) => [remark.message, remark])).values()],
        reference: referenceOf(slices, grid),
      });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      hear(error);
    }
  }
  for (const error of damaged.values()) hear(error);
  return found;
}
