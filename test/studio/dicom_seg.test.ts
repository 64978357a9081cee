// SPDX-License-Identifier: MIT
// A DICOM series as a page opens it, and its mask as a segmentation: read back bit by bit, on the place of every slice.
// (pydicom 3.0 read the same bytes to the same frames, and dciodvfy found no error in them, when this was written.)
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { voxelToWorld } from '../../src/data/geometry.ts';
import { makePhantom } from '../../src/data/phantom.ts';
import type { Volume } from '../../src/data/volume.ts';
import { readSeries } from '../../src/io/browser/dicom.ts';
import { parseDataSet, parseMeta } from '../../src/io/dicom/parse.ts';
import { dicomSegmentation } from '../../src/studio/session/dicom_seg.ts';
import { MEANINGS } from '../../src/studio/session/meanings.ts';
import { writeDicomSeries } from '../data/dicom_series.ts';

const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-seg-'));
afterAll(() => rmSync(folder, { recursive: true }));

const phantom = makePhantom({ size: [6, 9, 11], seed: 3, radii: [2, 3], classes: 2, spacing: [2.5, 0.7, 0.8] });
/** Voxels lie oblique, slices from above to below. */
const turned = (volume: Volume): Volume => ({ ...volume, origin: [-12.5, 40.25, 7], direction: [0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1] });
const scan = turned(phantom.image);
await writeDicomSeries(join(folder, 'series'), scan);
const files = readdirSync(join(folder, 'series')).map((name) => ({
  path: `dropped/${name}`,
  file: new Blob([readFileSync(join(folder, 'series', name))]),
}));
const classes = [
  { name: 'background', colour: '#000000' },
  { name: 'nodule', colour: '#e69f00', meaning: 'nodule' },
  { name: 'vessel é', colour: '#56b4e9' },
] as const;

describe('a dropped series', () => {
  it('becomes the volume that it was made of, with what a segmentation refers to', async () => {
    const heard: unknown[] = [];
    const [series, ...others] = await readSeries(files, (error) => heard.push(error));
    expect([heard, others]).toEqual([[], []]);
    expect(series.volume.size).toEqual(scan.size);
    expect([...series.volume.data]).toEqual([...scan.data]);
    expect(series.reference.slices.length).toBe(6);
    expect(new Set(series.reference.slices.map(({ instance }) => instance)).size).toBe(6);
    expect(series.reference.sopClass).toBe('1.2.840.10008.5.1.4.1.1.2');
  });

  it('is refused as a whole where one of its files is cut short', async () => {
    const heard: unknown[] = [];
    const cut = files.map((each, i) => (i === 2 ? { ...each, file: each.file.slice(0, 300) } : each));
    expect(await readSeries([...cut, { path: 'dropped/readme.txt', file: new Blob(['hello']) }], (error) => heard.push(error))).toEqual([]);
    expect(heard).toEqual([expect.objectContaining({ message: expect.stringContaining('truncated') })]);
  });

  it('of two in one folder each becomes a case', async () => {
    const other = makePhantom({ size: [4, 9, 11], seed: 4, radii: [2, 3] }).image;
    await writeDicomSeries(join(folder, 'other'), other);
    const text = (bytes: Uint8Array): Uint8Array =>
      Uint8Array.from(Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('.1000.2', '.1000.7'), 'latin1'));
    const second = readdirSync(join(folder, 'other')).map((name) => ({
      path: `dropped/second_${name}`,
      file: new Blob([text(readFileSync(join(folder, 'other', name))) as Uint8Array<ArrayBuffer>]),
    }));
    const found = await readSeries([...files, ...second], (error) => {
      throw error;
    });
    expect(found.map(({ volume }) => volume.size[0])).toEqual([6, 4]);
  });
});

describe('a DICOM segmentation', () => {
  it('holds every voxel of every class at the place of its slice', async () => {
    const [{ volume, reference }] = await readSeries(files, (error) => {
      throw error;
    });
    const mask = phantom.label.data as Uint8Array;
    const bytes = dicomSegmentation(mask, volume, classes, reference, '0.1.0');
    const { end } = parseMeta('seg.dcm', bytes, 132);
    const seg = parseDataSet('seg.dcm', bytes, end, { explicit: true, little: true });
    const frames = seg.items('PerFrameFunctionalGroupsSequence');
    expect([seg.integer('NumberOfFrames', 1, 99), seg.integer('Rows', 1, 99), seg.integer('Columns', 1, 99)]).toEqual([
      frames.length,
      9,
      11,
    ]);
    expect(seg.text('SOPClassUID')).toBe('1.2.840.10008.5.1.4.1.1.66.4');
    expect(seg.text('FrameOfReferenceUID')).toBe(reference.common.FrameOfReferenceUID ?? '');
    const pixels = seg.element('PixelData')!,
      found = new Uint8Array(mask.length);
    // Frames come class by class, and slices upwards: what class a frame is of follows from where slices start again.
    let segment = 1,
      last = -1;
    frames.forEach((frame, f) => {
      const [place] = frame.items('PlanePositionSequence'),
        position = place.numbers('ImagePositionPatient')!;
      const slice = Array.from({ length: 6 }, (_, d) => voxelToWorld(volume, [d, 0, 0])).findIndex((at) =>
        at.every((mm, i) => Math.abs(mm - position[i]) < 1e-6),
      );
      if (slice <= last) segment++;
      last = slice;
      for (let i = 0; i < 99; i++) {
        const bit = f * 99 + i;
        if ((bytes[pixels.start + (bit >> 3)] >> (bit & 7)) & 1) found[slice * 99 + i] = segment;
      }
    });
    expect([...found]).toEqual([...mask]);
    expect(pixels.length % 2).toBe(0);
  });

  it('says by codes what each class is, and tissue where nobody said', async () => {
    const [{ volume, reference }] = await readSeries(files, (error) => {
      throw error;
    });
    const bytes = dicomSegmentation(phantom.label.data as Uint8Array, volume, classes, reference, '0.1.0');
    const text = Buffer.from(bytes).toString('latin1');
    // Category, then type, of the first segment and of the second.
    const order = ['49755003', '27925004', '85756007', '85756007'];
    let at = 0;
    for (const value of order) {
      at = text.indexOf(value, at) + 1;
      expect(at).toBeGreaterThan(0);
    }
    expect(text).toContain('Morphologically Abnormal Structure');
  });

  // Values and meanings of pydicom 3.0.2's dictionary of SNOMED CT (pydicom.sr.codedict.codes.SCT).
  it('has the codes of SNOMED CT', () => {
    expect(Object.values(MEANINGS).map(({ type, text }) => `${type} ${text}`)).toEqual([
      '85756007 Tissue',
      '27925004 Nodule',
      '108369006 Neoplasm',
      '4147007 Mass',
      '52988006 Lesion',
      '367643001 Cyst',
      '39607008 Lung',
      '10200004 Liver',
      '64033007 Kidney',
      '78961009 Spleen',
      '15776009 Pancreas',
      '80891009 Heart',
      '15825003 Aorta',
      '59820001 Blood Vessel',
      '59441001 Lymph Node',
      '272673000 Bone',
    ]);
  });

  it('is refused for an empty mask', async () => {
    const [{ volume, reference }] = await readSeries(files, (error) => {
      throw error;
    });
    expect(() => dicomSegmentation(new Uint8Array(6 * 99), volume, classes, reference, '0')).toThrow(/the mask is empty/);
  });
});
