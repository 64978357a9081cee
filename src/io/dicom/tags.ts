// SPDX-License-Identifier: MIT
// The elements of a DICOM data set that are read, by the keywords of PS3.6: everything else is walked past.

/** keyword -> tag (group in the upper 16 bits), and the value representation where the file does not say it. */
export const TAGS = {
  MediaStorageSOPClassUID: [0x00020002, 'UI'],
  TransferSyntaxUID: [0x00020010, 'UI'],
  ImageType: [0x00080008, 'CS'],
  SpecificCharacterSet: [0x00080005, 'CS'],
  SOPClassUID: [0x00080016, 'UI'],
  SOPInstanceUID: [0x00080018, 'UI'],
  StudyDate: [0x00080020, 'DA'],
  StudyTime: [0x00080030, 'TM'],
  AccessionNumber: [0x00080050, 'SH'],
  Modality: [0x00080060, 'CS'],
  ReferringPhysicianName: [0x00080090, 'PN'],
  PatientName: [0x00100010, 'PN'],
  PatientID: [0x00100020, 'LO'],
  PatientBirthDate: [0x00100030, 'DA'],
  PatientSex: [0x00100040, 'CS'],
  SliceThickness: [0x00180050, 'DS'],
  KVP: [0x00180060, 'DS'],
  EchoTime: [0x00180081, 'DS'],
  EchoNumbers: [0x00180086, 'IS'],
  TriggerTime: [0x00181060, 'DS'],
  ImagerPixelSpacing: [0x00181164, 'DS'],
  ConvolutionKernel: [0x00181210, 'SH'],
  DiffusionBValue: [0x00189087, 'FD'],
  StudyInstanceUID: [0x0020000d, 'UI'],
  SeriesInstanceUID: [0x0020000e, 'UI'],
  StudyID: [0x00200010, 'SH'],
  AcquisitionNumber: [0x00200012, 'IS'],
  InstanceNumber: [0x00200013, 'IS'],
  ImagePositionPatient: [0x00200032, 'DS'],
  ImageOrientationPatient: [0x00200037, 'DS'],
  FrameOfReferenceUID: [0x00200052, 'UI'],
  TemporalPositionIdentifier: [0x00200100, 'IS'],
  StackID: [0x00209056, 'SH'],
  FrameAcquisitionNumber: [0x00209156, 'US'],
  FrameContentSequence: [0x00209111, 'SQ'],
  PlanePositionSequence: [0x00209113, 'SQ'],
  PlaneOrientationSequence: [0x00209116, 'SQ'],
  TemporalPositionIndex: [0x00209128, 'UL'],
  SamplesPerPixel: [0x00280002, 'US'],
  PhotometricInterpretation: [0x00280004, 'CS'],
  NumberOfFrames: [0x00280008, 'IS'],
  Rows: [0x00280010, 'US'],
  Columns: [0x00280011, 'US'],
  PixelSpacing: [0x00280030, 'DS'],
  BitsAllocated: [0x00280100, 'US'],
  BitsStored: [0x00280101, 'US'],
  HighBit: [0x00280102, 'US'],
  PixelRepresentation: [0x00280103, 'US'],
  RescaleIntercept: [0x00281052, 'DS'],
  RescaleSlope: [0x00281053, 'DS'],
  RescaleType: [0x00281054, 'LO'],
  ModalityLUTSequence: [0x00283000, 'SQ'],
  PixelMeasuresSequence: [0x00289110, 'SQ'],
  PixelValueTransformationSequence: [0x00289145, 'SQ'],
  SharedFunctionalGroupsSequence: [0x52009229, 'SQ'],
  PerFrameFunctionalGroupsSequence: [0x52009230, 'SQ'],
  FloatPixelData: [0x7fe00008, 'OF'],
  DoubleFloatPixelData: [0x7fe00009, 'OD'],
  PixelData: [0x7fe00010, 'OW'],
} as const satisfies Record<string, readonly [number, string]>;

export type Keyword = keyof typeof TAGS;

const BY_TAG: ReadonlyMap<number, Keyword> = new Map(Object.entries(TAGS).map(([keyword, [tag]]) => [tag, keyword as Keyword]));

/** The keyword of a tag that is read. */
export const keywordOf = (tag: number): Keyword | undefined => BY_TAG.get(tag);

/** "Rows (0028,0010)", or the numbers alone. */
export function tagName(tag: number): string {
  const hex = tag.toString(16).padStart(8, '0').toUpperCase(),
    numbers = `(${hex.slice(0, 4)},${hex.slice(4)})`,
    keyword = keywordOf(tag);
  return keyword ? `${keyword} ${numbers}` : numbers;
}
