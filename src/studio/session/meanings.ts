// SPDX-License-Identifier: MIT
// What a class may stand for in a DICOM segmentation: a property type and its category, as SNOMED CT codes them (PS3.16 CID 7150 and the
// groups below it; the codes are those of pydicom's dictionary, which test/studio/dicom_seg.test.ts has).

export interface Meaning {
  readonly type: string;
  readonly text: string;
  readonly category: keyof typeof CATEGORIES;
}

export const CATEGORIES = {
  tissue: ['85756007', 'Tissue'],
  structure: ['91723000', 'Anatomical Structure'],
  abnormal: ['49755003', 'Morphologically Abnormal Structure'],
} as const;

/** By the name that a session keeps. */
export const MEANINGS = {
  tissue: { type: '85756007', text: 'Tissue', category: 'tissue' },
  nodule: { type: '27925004', text: 'Nodule', category: 'abnormal' },
  neoplasm: { type: '108369006', text: 'Neoplasm', category: 'abnormal' },
  mass: { type: '4147007', text: 'Mass', category: 'abnormal' },
  lesion: { type: '52988006', text: 'Lesion', category: 'abnormal' },
  cyst: { type: '367643001', text: 'Cyst', category: 'abnormal' },
  lung: { type: '39607008', text: 'Lung', category: 'structure' },
  liver: { type: '10200004', text: 'Liver', category: 'structure' },
  kidney: { type: '64033007', text: 'Kidney', category: 'structure' },
  spleen: { type: '78961009', text: 'Spleen', category: 'structure' },
  pancreas: { type: '15776009', text: 'Pancreas', category: 'structure' },
  heart: { type: '80891009', text: 'Heart', category: 'structure' },
  aorta: { type: '15825003', text: 'Aorta', category: 'structure' },
  vessel: { type: '59820001', text: 'Blood Vessel', category: 'structure' },
  node: { type: '59441001', text: 'Lymph Node', category: 'structure' },
  bone: { type: '272673000', text: 'Bone', category: 'structure' },
} as const satisfies Readonly<Record<string, Meaning>>;

export type MeaningName = keyof typeof MEANINGS;
export const MEANING_NAMES = Object.keys(MEANINGS) as [MeaningName, ...MeaningName[]];
