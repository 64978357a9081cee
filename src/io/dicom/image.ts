// SPDX-License-Identifier: MIT
// One DICOM image as frames, each with its own place and rescaling: those of the data set, or of the functional groups of an
// enhanced image (PS3.3 C.7.6.16). What is missing is asked for; nothing is assumed.
import type { Triple } from '../../axes.ts';
import { DataError } from '../../errors.ts';
import { assertOrthogonal } from '../../data/geometry.ts';
import type { Remark } from '../source.ts';
import type { DataSet } from './data_set.ts';
import type { DicomFile } from './open.ts';
import { framesOf, type PixelFormat, storedValues } from './pixels.ts';
import { type Keyword, TAGS, tagName } from './tags.ts';

export interface Frame {
  /** The file, and the number of the frame where there are several. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Centre of the first pixel [x, y, z], LPS mm. */
  readonly position: Triple;
  /** Unit vectors along a row (W axis) and down a column (H axis). */
  readonly across: Triple;
  readonly down: Triple;
  /** Millimetres between rows and between columns. */
  readonly spacing: readonly [number, number];
  readonly thickness: number | undefined;
  readonly slope: number;
  readonly intercept: number;
  /** What tells frames at one position apart, by keyword. */
  readonly labels: Readonly<Partial<Record<Keyword, string>>>;
  /** Stored values, before slope and intercept. */
  stored(): Promise<Int32Array | Float64Array>;
}

export interface DicomImage {
  readonly file: string;
  readonly series: string;
  readonly frames: readonly Frame[];
  /** What a user of the values should know. */
  readonly remarks: readonly Remark[];
}

const LABELS = [
  'FrameOfReferenceUID',
  'StackID',
  'TemporalPositionIndex',
  'TemporalPositionIdentifier',
  'EchoNumbers',
  'AcquisitionNumber',
  'FrameAcquisitionNumber',
  'TriggerTime',
  'DiffusionBValue',
  'EchoTime',
  'KVP',
  'ConvolutionKernel',
  'ImageType',
  'InstanceNumber',
  'PatientID',
  'RescaleType',
] as const satisfies readonly Keyword[];
/** A unit vector in a file is rounded to a few digits. */
const UNIT_TOLERANCE = 0.01;

/** The frames of an opened file. DataError: not one grey value a pixel, a size that is not kept, geometry or rescaling incomplete. */
export function readImage(file: string, opened: DicomFile): DicomImage {
  const { dataSet } = opened,
    format = readFormat(dataSet),
    photometric = dataSet.text('PhotometricInterpretation'),
    isCt = dataSet.text('Modality') === 'CT',
    remarks: Remark[] = [];
  const remark = (message: string, remedy: string, doubtful: boolean): void => {
    remarks.push({ file, message, remedy, doubtful });
  };
  if (photometric === 'MONOCHROME1')
    remark(
      'MONOCHROME1, which is shown inverted: the values are kept as they are stored.',
      'If the values themselves are inverted, export the series as MONOCHROME2.',
      false,
    );
  const data = framesOf(opened, format),
    groups = functionalGroups(dataSet, format.frames);
  const frames = data.map((bytes, i): Frame => {
    const name = format.frames === 1 ? file : `${file} frame ${i + 1}`,
      group = groups?.[i] ?? [dataSet],
      find = finder(group, dataSet);
    const { slope, intercept, isGiven } = rescale(name, find(['RescaleSlope', 'RescaleIntercept'], 'PixelValueTransformationSequence'));
    const labels = Object.fromEntries(
      LABELS.flatMap((keyword) => {
        const text =
          find([keyword], 'FrameContentSequence').text(keyword) || find([keyword], 'PixelValueTransformationSequence').text(keyword);
        return text ? [[keyword, text]] : [];
      }),
    ) as Frame['labels'];
    if (isCt && !isGiven && i === 0)
      remark(
        'CT without RescaleSlope and RescaleIntercept: the stored values are taken for Hounsfield units.',
        'Export the series with them.',
        true,
      );
    if (isCt && labels.RescaleType && labels.RescaleType !== 'HU' && i === 0)
      remark(
        `CT whose values are not Hounsfield units, got RescaleType ${JSON.stringify(labels.RescaleType)}, expected HU.`,
        'Export the series in Hounsfield units.',
        true,
      );
    return {
      name,
      rows: format.rows,
      columns: format.columns,
      ...geometry(name, find),
      slope,
      intercept,
      labels,
      stored: () => storedValues(name, opened, bytes, format),
    };
  });
  return { file, series: dataSet.text('SeriesInstanceUID'), frames, remarks };
}

function readFormat(dataSet: DataSet): PixelFormat {
  const samples = dataSet.integer('SamplesPerPixel', 1, 4),
    photometric = dataSet.text('PhotometricInterpretation');
  if (samples !== 1 || !/^MONOCHROME[12]$/.test(photometric)) {
    throw dataSet.wrong(
      'PhotometricInterpretation',
      `${photometric || 'nothing'} of ${samples} value${samples === 1 ? '' : 's'} a pixel`,
      'MONOCHROME2 or MONOCHROME1 of 1',
      'Colour images are no scan: remove them from the folder.',
    );
  }
  const rows = dataSet.integer('Rows', 1, 65535),
    columns = dataSet.integer('Columns', 1, 65535);
  const allocated = dataSet.integer('BitsAllocated', 1, 64);
  if (![8, 16, 32].includes(allocated)) throw dataSet.wrong('BitsAllocated', String(allocated), '8, 16 or 32');
  const stored = dataSet.integer('BitsStored', 1, allocated),
    signed = dataSet.integer('PixelRepresentation', 0, 1) === 1;
  // PS3.3 C.7.6.3.1: one less than BitsStored.
  if (dataSet.element('HighBit')) dataSet.integer('HighBit', stored - 1, stored - 1);
  const frames = dataSet.numbers('NumberOfFrames')?.length ? dataSet.integer('NumberOfFrames', 1, 2 ** 31 - 1) : 1;
  if (dataSet.items('ModalityLUTSequence').length > 0)
    throw dataSet.wrong(
      'ModalityLUTSequence',
      'a table',
      'RescaleSlope and RescaleIntercept',
      'Convert the series to NIfTI with another tool.',
    );
  return { rows, columns, allocated, stored, signed, frames };
}

/** Where each frame's macros are, its own before the shared ones; undefined for an image that is none of the enhanced. */
function functionalGroups(dataSet: DataSet, frames: number): DataSet[][] | undefined {
  const own = dataSet.items('PerFrameFunctionalGroupsSequence'),
    shared = dataSet.items('SharedFunctionalGroupsSequence');
  if (own.length === 0 && shared.length === 0) {
    if (frames === 1) return undefined;
    throw new DataError(
      `${dataSet.file}: several frames without a position of their own, got ${frames} frames and no ` +
        `${tagName(TAGS.PerFrameFunctionalGroupsSequence[0])}, expected one item a frame: where they lie and their spacing are not ` +
        'known.',
      'Export the series as single slices or as an enhanced image.',
    );
  }
  if (own.length !== frames) throw dataSet.wrong('PerFrameFunctionalGroupsSequence', `${own.length} items`, `${frames}, one a frame`);
  return own.map((item) => [item, ...shared]);
}

type Find = (keywords: readonly Keyword[], macro: Keyword) => DataSet;

/** Finds the data set that holds one of `keywords`: `macro` of the frame, of all frames, or the image itself. */
const finder =
  (groups: readonly DataSet[], dataSet: DataSet): Find =>
  (keywords, macro) =>
    groups.flatMap((group) => group.items(macro)).find((set) => keywords.some((keyword) => set.element(keyword))) ?? dataSet;

function rescale(name: string, set: DataSet): { slope: number; intercept: number; isGiven: boolean } {
  const slope = set.number('RescaleSlope'),
    intercept = set.number('RescaleIntercept');
  if ((slope === undefined) !== (intercept === undefined)) {
    throw new DataError(
      `${name}: half a rescaling, got ${slope === undefined ? 'RescaleIntercept' : 'RescaleSlope'} alone, expected RescaleSlope ` +
        'and RescaleIntercept.',
      'Export the series again.',
    );
  }
  if (slope === 0) throw set.wrong('RescaleSlope', '0', 'another number');
  return { slope: slope ?? 1, intercept: intercept ?? 0, isGiven: slope !== undefined };
}

function geometry(name: string, find: Find): Pick<Frame, 'position' | 'across' | 'down' | 'spacing' | 'thickness'> {
  const vector = (keyword: Keyword, macro: Keyword, length: number): number[] => {
    const set = find([keyword], macro),
      values = set.numbers(keyword);
    if (values === undefined || values.length !== length) {
      const detector =
        keyword === 'PixelSpacing' && set.element('ImagerPixelSpacing')
          ? ' (ImagerPixelSpacing is that of the detector, not of the patient)'
          : '';
      throw new DataError(
        `${name}: ${tagName(TAGS[keyword][0])} is ${values === undefined ? 'missing' : 'not usable'}, got ` +
          `${values === undefined ? 'nothing' : values.length === 0 ? 'no value' : `${values.length} numbers`}, expected ${length} ` +
          `numbers${detector}.`,
        keyword === 'PixelSpacing'
          ? 'The size of a voxel cannot be guessed: export the series with it.'
          : 'Remove localisers, screen captures and reports from the folder, or export the series again.',
      );
    }
    return values;
  };
  const spacing = vector('PixelSpacing', 'PixelMeasuresSequence', 2),
    position = vector('ImagePositionPatient', 'PlanePositionSequence', 3),
    axes = vector('ImageOrientationPatient', 'PlaneOrientationSequence', 6);
  if (spacing.some((mm) => mm <= 0))
    throw new DataError(
      `${name}: PixelSpacing is not usable, got ${spacing.join(' x ')} mm, expected positive numbers.`,
      'Export the series again.',
    );
  const across = unit(name, axes.slice(0, 3)),
    down = unit(name, axes.slice(3));
  assertOrthogonal(name, [across, down, cross(across, down)]);
  const measures = find(['SliceThickness'], 'PixelMeasuresSequence'),
    thickness = measures.numbers('SliceThickness')?.length ? measures.number('SliceThickness') : undefined;
  return { position: position as Triple, across, down, spacing: spacing as [number, number], thickness };
}

function unit(name: string, v: number[]): Triple {
  const length = Math.hypot(...v);
  if (!(Math.abs(length - 1) <= UNIT_TOLERANCE))
    throw new DataError(
      `${name}: ImageOrientationPatient is not usable, got a vector (${v.join(', ')}) of length ${length.toFixed(3)}, expected 1.`,
      'Export the series again.',
    );
  return v.map((x) => x / length) as Triple;
}

/** Vector product. */
export const cross = (a: Triple, b: Triple): Triple => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
