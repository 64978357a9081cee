// SPDX-License-Identifier: MIT
// A mask as a DICOM segmentation (PS3.3 A.51): binary, a frame for each class and slice where it is, on the grid of the series it refers
// to.
import dcmjs from 'dcmjs';
import { axisVector, voxelToWorld, type Geometry } from '../../data/geometry.ts';
import { DataError } from '../../errors.ts';
import type { DicomReference } from '../../io/browser/dicom.ts';
import type { ClassInfo } from '../protocol.ts';
import { CATEGORIES, MEANINGS } from './meanings.ts';

const SEGMENTATION = '1.2.840.10008.5.1.4.1.1.66.4';

/** A decimal string of at most 16 characters. */
function decimal(value: number): string {
  for (let digits = 12; digits > 0; digits--) {
    const text = String(Number(value.toPrecision(digits)));
    if (text.length <= 16) return text;
  }
  return value.toExponential(8);
}

/** 2.25 and a random number of 128 bits (PS3.5 B.2). */
const newUid = (): string => `2.25.${BigInt(`0x${crypto.randomUUID().replaceAll('-', '')}`)}`;

const code = (CodeValue: string, CodingSchemeDesignator: string, CodeMeaning: string): object => ({
  CodeValue,
  CodingSchemeDesignator,
  CodeMeaning,
});

/** CIELab of '#rrggbb' (D65 as D50 has it), as DICOM scales it to 16 bits. */
function labOf(colour: string): number[] {
  const linear = [1, 3, 5].map((at) => {
    const v = parseInt(colour.slice(at, at + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const rows = [
    [0.4360747, 0.3850649, 0.1430804],
    [0.2225045, 0.7168786, 0.0606169],
    [0.0139322, 0.0971045, 0.7141733],
  ];
  const white = [0.96422, 1, 0.82521];
  const [x, y, z] = rows.map((row, i) => {
    const t = row.reduce((sum, v, k) => sum + v * linear[k], 0) / white[i];
    return t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116;
  }) as [number, number, number];
  return [((116 * y - 16) * 65535) / 100, ((500 * (x - y) + 128) * 65535) / 255, ((200 * (y - z) + 128) * 65535) / 255].map((v) =>
    Math.round(Math.max(0, Math.min(65535, v))),
  );
}

/** What a segment is, in codes; tissue where nobody said. */
function propertyOf(meaning: ClassInfo['meaning'] = 'tissue'): object {
  const { type, text, category } = MEANINGS[meaning];
  const [value, name] = CATEGORIES[category];
  return {
    SegmentedPropertyCategoryCodeSequence: [code(value, 'SCT', name)],
    SegmentedPropertyTypeCodeSequence: [code(type, 'SCT', text)],
  };
}

/** Frames one after another with no gap, a bit a voxel, lowest bit first (PS3.5 8.1.1). */
function packed(
  mask: Uint8Array,
  voxels: number,
  frames: readonly { readonly segment: number; readonly slice: number }[],
): Uint8Array<ArrayBuffer> {
  const bytes = Math.ceil((frames.length * voxels) / 8),
    out = new Uint8Array(bytes + (bytes & 1));
  let bit = 0;
  for (const { segment, slice } of frames)
    for (let i = slice * voxels; i < (slice + 1) * voxels; i++, bit++) if (mask[i] === segment) out[bit >> 3] |= 1 << (bit & 7);
  return out;
}

/**
 * `mask` [D, H, W] lies on `grid`, that of the series. Segments are the classes above background. @throws DataError where nothing is
 * segmented
 */
export function dicomSegmentation(
  mask: Uint8Array,
  grid: Geometry,
  classes: readonly ClassInfo[],
  { common, series, sopClass, slices }: DicomReference,
  software: string,
): Uint8Array<ArrayBuffer> {
  const [D, H, W] = grid.size,
    voxels = H * W;
  const frames = classes
    .slice(1)
    .flatMap((_, k) =>
      Array.from({ length: D }, (_each, slice) => ({ segment: k + 1, slice })).filter(({ segment, slice }) =>
        mask.subarray(slice * voxels, (slice + 1) * voxels).includes(segment),
      ),
    );
  if (frames.length === 0)
    throw new DataError('DICOM SEG: the mask is empty, and a segmentation needs at least one frame.', 'Take the mask as NIfTI.');
  const present = [...new Set(frames.map(({ segment }) => segment))]; // segments are numbered from 1 without a gap
  const now = new Date().toISOString().replace(/[-:T]/g, ''),
    date = now.slice(0, 8),
    time = now.slice(8, 14),
    dimensions = newUid();
  const reference = (slice: number): object => ({
    ReferencedSOPClassUID: sopClass,
    ReferencedSOPInstanceUID: slices[slice].instance,
    ...(slices[slice].frame !== undefined && { ReferencedFrameNumber: slices[slice].frame }),
  });
  const dataSet = {
    _meta: {},
    _vrMap: { PixelData: 'OB' },
    SpecificCharacterSet: 'ISO_IR 192',
    ImageType: ['DERIVED', 'PRIMARY'],
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    SOPClassUID: SEGMENTATION,
    SOPInstanceUID: newUid(),
    StudyDate: '',
    StudyTime: '',
    AccessionNumber: '',
    ReferringPhysicianName: '',
    PatientName: '',
    PatientID: '',
    PatientBirthDate: '',
    PatientSex: '',
    StudyID: '',
    ...common,
    SeriesDate: date,
    SeriesTime: time,
    ContentDate: date,
    ContentTime: time,
    Modality: 'SEG',
    Manufacturer: 'voxelgrad',
    ManufacturerModelName: 'voxelgrad studio',
    DeviceSerialNumber: '1',
    SoftwareVersions: software,
    SeriesDescription: 'Segmentation, research only, not for clinical use',
    SeriesInstanceUID: newUid(),
    SeriesNumber: '9001',
    PositionReferenceIndicator: '',
    InstanceNumber: '1',
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    NumberOfFrames: String(frames.length),
    Rows: H,
    Columns: W,
    BitsAllocated: 1,
    BitsStored: 1,
    HighBit: 0,
    PixelRepresentation: 0,
    LossyImageCompression: '00',
    SegmentationType: 'BINARY',
    ContentLabel: 'SEGMENTATION',
    ContentDescription: 'Masks by networks trained on sparse annotation',
    ContentCreatorName: '',
    ReferencedSeriesSequence: [
      {
        SeriesInstanceUID: series,
        ReferencedInstanceSequence: [
          ...new Map(
            slices.map(({ instance }) => [instance, { ReferencedSOPClassUID: sopClass, ReferencedSOPInstanceUID: instance }]),
          ).values(),
        ],
      },
    ],
    SegmentSequence: present.map((segment, i) => ({
      SegmentNumber: i + 1,
      SegmentLabel: classes[segment].name.slice(0, 64),
      SegmentAlgorithmType: 'SEMIAUTOMATIC',
      SegmentAlgorithmName: 'voxelgrad',
      ...propertyOf(classes[segment].meaning),
      RecommendedDisplayCIELabValue: labOf(classes[segment].colour),
    })),
    DimensionOrganizationSequence: [{ DimensionOrganizationUID: dimensions }],
    DimensionIndexSequence: [
      // Segment, then place: tags of what they index and where it stands.
      { DimensionOrganizationUID: dimensions, DimensionIndexPointer: '0062000B', FunctionalGroupPointer: '0062000A' },
      { DimensionOrganizationUID: dimensions, DimensionIndexPointer: '00200032', FunctionalGroupPointer: '00209113' },
    ],
    SharedFunctionalGroupsSequence: [
      {
        PlaneOrientationSequence: [{ ImageOrientationPatient: [...axisVector(grid, 2), ...axisVector(grid, 1)].map(decimal) }],
        PixelMeasuresSequence: [
          {
            SliceThickness: decimal(grid.spacing[0]),
            SpacingBetweenSlices: decimal(grid.spacing[0]),
            PixelSpacing: [decimal(grid.spacing[1]), decimal(grid.spacing[2])],
          },
        ],
      },
    ],
    PerFrameFunctionalGroupsSequence: frames.map(({ segment, slice }) => ({
      DerivationImageSequence: [
        {
          DerivationCodeSequence: [code('113076', 'DCM', 'Segmentation')],
          SourceImageSequence: [
            { ...reference(slice), PurposeOfReferenceCodeSequence: [code('121322', 'DCM', 'Source image for image processing operation')] },
          ],
        },
      ],
      FrameContentSequence: [{ DimensionIndexValues: [present.indexOf(segment) + 1, slice + 1] }],
      PlanePositionSequence: [{ ImagePositionPatient: voxelToWorld(grid, [slice, 0, 0]).map(decimal) }],
      SegmentIdentificationSequence: [{ ReferencedSegmentNumber: present.indexOf(segment) + 1 }],
    })),
    PixelData: packed(mask, voxels, frames).buffer,
  };
  return new Uint8Array(dcmjs.data.datasetToDict(dataSet).write());
}
