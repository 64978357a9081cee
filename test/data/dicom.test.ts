// SPDX-License-Identifier: MIT
// DICOM series and enhanced images: right voxels in the right place, or a refusal that names the file and the element.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Volume } from '../../src/data/volume.ts';
import { readDicomSeries } from '../../src/io/node/dicom.ts';
import { readVolume } from '../../src/io/node/volume.ts';
import { cells, ctSlice, CT, type Elements, enhancedCt, frameGroup, part10, ROOT, storedSlice, SYNTAX } from './dicom_writer.ts';
import { dataError, scratch, sharedData } from './helpers.ts';

const root = scratch();
type Files = Readonly<Record<string, Uint8Array>>;

async function read(files: Files): Promise<{ volume: Volume; notes: string[]; folder: string }> {
  const folder = mkdtempSync(join(root, 'series-')),
    notes: string[] = [];
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return { volume: await readDicomSeries(folder, (remark) => notes.push(remark.message)), notes, folder };
}
const refusal = async (files: Files): Promise<string> => (await dataError(() => read(files))).message;

/** Five slices, each with changes of its own. */
const series = (change: (k: number) => Elements = () => ({}), count = 5): Files =>
  Object.fromEntries(Array.from({ length: count }, (_, k) => [`im${k}.dcm`, part10(ctSlice(k, change(k)))]));
const only =
  (at: number, elements: Elements) =>
  (k: number): Elements =>
    k === at ? elements : {};
const enhanced = (order: readonly number[], groups?: readonly Elements[], more?: Elements): Files => ({
  'e.dcm': part10(enhancedCt(order, groups, more)),
});

/** Values of slices 0.., and where they lie. */
function expectSlices(
  volume: Volume,
  slices: readonly number[],
  values = (k: number): number[] => storedSlice(k).map((v) => v - 1024),
): void {
  expect([...volume.data]).toEqual(slices.flatMap(values));
  expect(volume.size).toEqual([slices.length, 4, 6]);
  expect(volume.spacing.map((mm) => Number(mm.toFixed(6)))).toEqual([2, 0.6, 0.5]);
  expect(volume.origin).toEqual([-5, -7, 10 + 2 * slices[0]]);
  expect(volume.direction).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
}

describe('a series of slices', () => {
  it('is ordered by place, in int16', async () => {
    const { volume, notes } = await read(Object.fromEntries(Object.values(series()).map((bytes, k) => [`${(k * 3) % 5}`, bytes])));
    expectSlices(volume, [0, 1, 2, 3, 4]);
    expect(volume.data).toBeInstanceOf(Int16Array);
    expect(notes).toEqual([]);
  });

  it('lies where its orientation says, whatever the sign of SpacingBetweenSlices', async () => {
    const { volume } = await read(
      series((k) => ({ '00180088': ['DS', '-2'], '00200037': ['DS', [0, 1, 0, 0, 0, -1]], '00200032': ['DS', [10 + 2 * k, 1, 2]] })),
    );
    // The normal is (0, 1, 0) x (0, 0, -1) = (-1, 0, 0): the last slice comes first.
    expect([volume.origin, volume.direction]).toEqual([
      [18, 1, 2],
      [0, 0, -1, 1, 0, 0, 0, -1, 0],
    ]);
    expect(volume.data[0]).toBe(376);
  });

  it('is as thick as its slices are apart on the average, not as the median of rounded places', async () => {
    const { volume } = await read(series((k) => ({ '00200032': ['DS', [-5, -7, [0, 0.703, 1.4, 2.1, 2.803][k]]] })));
    expect(volume.spacing[0]).toBeCloseTo(0.70075, 10);
  });

  it.each<[string, Elements, (k: number) => number[], new (n: number) => unknown]>([
    ['whole slopes', { '00281053': ['DS', '2'] }, (k) => storedSlice(k).map((v) => 2 * v - 1024), Int16Array],
    ['values beyond int16', { '00281053': ['DS', '100'] }, (k) => storedSlice(k).map((v) => 100 * v - 1024), Int32Array],
    ['fractions', { '00281053': ['DS', '.5'], '00281052': ['DS', '0.25'] }, (k) => storedSlice(k).map((v) => v / 2 + 0.25), Float32Array],
    [
      'exponents and padding',
      { '00281053': ['DS', ' 1E0 '], '00281052': ['DS', '-1.024e3'] },
      (k) => storedSlice(k).map((v) => v - 1024),
      Int16Array,
    ],
    [
      'signed pixels',
      { '00280103': ['US', 1], '7fe00010': ['OW', cells([-3, -2, -1, ...new Array<number>(21).fill(7)])] },
      () => [-1027, -1026, -1025, ...new Array<number>(21).fill(-1017)],
      Int16Array,
    ],
    [
      'signed pixels of 12 bits beside overlay bits',
      {
        '00280101': ['US', 12],
        '00280102': ['US', 11],
        '00280103': ['US', 1],
        '7fe00010': ['OW', cells([0xffff, 0xf800, 0x17ff, ...new Array<number>(21).fill(0x8000)])],
      },
      () => [-1025, -3072, 1023, ...new Array<number>(21).fill(-1024)],
      Int16Array,
    ],
    [
      'unsigned pixels of 12 bits beside overlay bits',
      { '00280101': ['US', 12], '00280102': ['US', 11], '7fe00010': ['OW', cells([0xffff, ...new Array<number>(23).fill(0x1001)])] },
      () => [3071, ...new Array<number>(23).fill(-1023)],
      Int16Array,
    ],
    [
      'pixels of 8 bits',
      {
        '00280100': ['US', 8],
        '00280101': ['US', 8],
        '00280102': ['US', 7],
        '7fe00010': [
          'OB',
          cells(
            Array.from({ length: 24 }, (_, i) => 10 * i),
            8,
          ),
        ],
      },
      () => Array.from({ length: 24 }, (_, i) => 10 * i - 1024),
      Int16Array,
    ],
    [
      'pixels of 32 bits',
      {
        '00280100': ['US', 32],
        '00280101': ['US', 32],
        '00280102': ['US', 31],
        '00280103': ['US', 1],
        '7fe00010': [
          'OW',
          cells(
            Array.from({ length: 24 }, (_, i) => -100000 * i),
            32,
          ),
        ],
      },
      () => Array.from({ length: 24 }, (_, i) => -100000 * i - 1024),
      Int32Array,
    ],
    [
      'unsigned pixels of 32 bits',
      {
        '00280100': ['US', 32],
        '00280101': ['US', 32],
        '00280102': ['US', 31],
        '7fe00010': ['OW', cells(new Array<number>(24).fill(4e9), 32)],
      },
      () => new Array<number>(24).fill(4e9 - 1024),
      Float64Array,
    ],
  ])('is rescaled: %s', async (_what, elements, values, type) => {
    const { volume } = await read(series(() => elements));
    expectSlices(volume, [0, 1, 2, 3, 4], values);
    expect(volume.data).toBeInstanceOf(type);
  });

  it('is rescaled slice by slice', async () => {
    const slopes = [1, 2, 1, 3, 1];
    expectSlices((await read(series((k) => ({ '00281053': ['DS', slopes[k]] })))).volume, [0, 1, 2, 3, 4], (k) =>
      storedSlice(k).map((v) => slopes[k] * v - 1024),
    );
  });

  it('of one slice is as thick as SliceThickness says, and is refused without it', async () => {
    expectSlices((await read(series(undefined, 1))).volume, [0]);
    for (const thickness of [undefined, ['DS', ''], ['DS', '0']] as const)
      expect(await refusal(series(() => ({ '00180050': thickness }), 1))).toMatch(
        /im0\.dcm: a single slice whose third spacing is not known, got SliceThickness .*expected a positive number\. Add its neighbours/,
      );
  });
});

describe('what is said', () => {
  it.each<[string, Elements, RegExp]>([
    ['MONOCHROME1', { '00280004': ['CS', 'MONOCHROME1'] }, /MONOCHROME1, which is shown inverted: the values are kept as they are stored/],
    ['units that are not HU', { '00281054': ['LO', 'US'] }, /CT whose values are not Hounsfield units, got RescaleType "US", expected HU/],
  ])('%s: the values are those of MONOCHROME2 in HU', async (_what, elements, note) => {
    const { volume, notes } = await read(series(() => elements));
    expectSlices(volume, [0, 1, 2, 3, 4]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(note);
  });

  it('CT without rescaling: stored values', async () => {
    const { volume, notes, folder } = await read(series(() => ({ '00281052': undefined, '00281053': undefined, '00281054': undefined })));
    expectSlices(volume, [0, 1, 2, 3, 4], storedSlice);
    expect(notes.join()).toMatch(/CT without RescaleSlope and RescaleIntercept/);
    // Where nobody hears it, it is an error.
    expect((await dataError(() => readDicomSeries(folder))).message).toMatch(
      /CT without RescaleSlope and RescaleIntercept.*Export the series with them/,
    );
  });

  it('objects without slices are passed over by name, whole or not', async () => {
    const other = (sopClass: string): Buffer => part10({ '00080016': ['UI', sopClass] }, SYNTAX.explicit, {}, sopClass);
    const { volume, notes } = await read({
      ...series(),
      rs: other('1.2.840.10008.5.1.4.1.1.481.3'),
      sr: other('1.2.840.10008.5.1.4.1.1.88.33'),
      ps: other('1.2.840.10008.5.1.4.1.1.11.1'),
      seg: other('1.2.840.10008.5.1.4.1.1.66.4').subarray(0, 300),
      csa: other('1.3.12.2.1107.5.9.1'),
      'readme.txt': Buffer.from('five slices'),
      '.DS_Store': Buffer.alloc(3),
      DICOMDIR: other('1.2.840.10008.1.3.10'),
    });
    expectSlices(volume, [0, 1, 2, 3, 4]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/passed over what is no slice, .*1 x RT structure set/);
    for (const name of ['structured report', 'presentation state', 'segmentation', 'object of class 1.3.12.2.1107.5.9.1'])
      expect(notes[0]).toContain(`1 x ${name}`);
    expect(await refusal({ rs: other('1.2.840.10008.5.1.4.1.1.481.3') })).toMatch(
      /no DICOM image, got 1 files \(1 x RT structure set\), expected the slices of one series/,
    );
  });
});

describe('a slice that cannot be read is named, at either end', () => {
  const cases: [string, (whole: Buffer) => Uint8Array, RegExp][] = [
    ['empty', () => Buffer.alloc(0), /an empty file, got 0 bytes/],
    ['zeros', (whole) => Buffer.alloc(whole.length), /not a DICOM file.*bytes of zeros/],
    ['zeros after the preamble', (whole) => Buffer.concat([whole.subarray(0, 132), Buffer.alloc(whole.length - 132)]), /not a DICOM file/],
    [
      'zeros after the first 512 bytes',
      (whole) => Buffer.concat([whole.subarray(0, 512), Buffer.alloc(whole.length - 512)]),
      /damaged|truncated/,
    ],
    ['an error page', () => Buffer.from('<html>404 Not Found</html>'.repeat(20)), /not a DICOM file/],
    ['a few bytes', (whole) => whole.subarray(0, 100), /truncated DICOM image: got only 100 bytes/],
    ['the preamble alone', (whole) => whole.subarray(0, 132), /truncated DICOM image/],
    [
      'a pixel short',
      (whole) => whole.subarray(0, whole.length - 2),
      /truncated DICOM image: it stops inside PixelData \(7FE0,0010\), got 46 bytes, expected 48/,
    ],
    ['cut before the pixels', (whole) => whole.subarray(0, whole.length - 60), /truncated DICOM image: it ends before the pixels/],
    ['gzip', () => Buffer.from([0x1f, 0x8b, 8, 0, ...new Array<number>(200).fill(7)]), /not a DICOM file/],
  ];
  it.each(cases)('%s', async (_what, damage, message) => {
    for (const name of ['im0.dcm', 'im4', 'im4.dcm.gz']) {
      const files = { ...series(), [name]: damage(part10(ctSlice(name === 'im0.dcm' ? 0 : 4))) };
      if (name !== 'im0.dcm') delete (files as Record<string, Uint8Array>)['im4.dcm'];
      const said = await refusal(files);
      expect(said).toContain(`${name}: `);
      expect(said).toMatch(message);
    }
  });

  it('a link is followed, and one that leads nowhere is named', async () => {
    const { folder } = await read(series()),
      linked = mkdtempSync(join(root, 'links-'));
    for (const name of readdirSync(folder)) symlinkSync(join(folder, name), join(linked, name));
    expectSlices(await readDicomSeries(linked), [0, 1, 2, 3, 4]);
    mkdirSync(join(linked, 'more'));
    const heard: string[] = [];
    expectSlices(await readDicomSeries(linked, (remark) => heard.push(remark.message)), [0, 1, 2, 3, 4]);
    expect(heard).toEqual(['passed over what is no slice, 1 x folder.']);
    symlinkSync(join(folder, 'gone.dcm'), join(linked, 'im5.dcm'));
    expect((await dataError(() => readDicomSeries(linked))).message).toMatch(/im5\.dcm: cannot be read/);
  });
});

describe('coding', () => {
  const slices = (encode: (k: number) => Uint8Array): Files => Object.fromEntries([0, 1, 2, 3, 4].map((k) => [`im${k}`, encode(k)]));
  const nested: Elements = { '00081140': ['SQ', [{ '00081150': ['UI', CT], '00400260': ['SQ', [{ '00280010': ['US', 9] }, {}]] }, {}]] };
  it.each<[string, (k: number) => Uint8Array]>([
    ['implicit', (k) => part10(ctSlice(k, nested), SYNTAX.implicit)],
    ['explicit, sequences with delimiters', (k) => part10(ctSlice(k, nested), SYNTAX.explicit, { undefinedLength: true })],
    ['implicit, sequences with delimiters', (k) => part10(ctSlice(k, nested), SYNTAX.implicit, { undefinedLength: true })],
    ['big endian', (k) => part10(ctSlice(k, { ...nested, '7fe00010': ['OW', cells(storedSlice(k), 16, false)] }), SYNTAX.bigEndian)],
    ['deflated', (k) => part10(ctSlice(k, nested), SYNTAX.deflated)],
    [
      'encapsulated but not compressed',
      (k) => part10(ctSlice(k, { '7fe00010': ['OB', { offsets: [], fragments: [cells(storedSlice(k))] }] }), SYNTAX.encapsulated),
    ],
    ['no preamble', (k) => part10(ctSlice(k)).subarray(132)],
    ['neither preamble nor meta information, explicit', (k) => part10(ctSlice(k)).subarray(132 + 12 + metaLength(part10(ctSlice(k))))],
    [
      'neither preamble nor meta information, implicit',
      (k) => part10(ctSlice(k), SYNTAX.implicit).subarray(132 + 12 + metaLength(part10(ctSlice(k), SYNTAX.implicit))),
    ],
    ['meta information that says explicit where it is not', (k) => part10(ctSlice(k), SYNTAX.explicit, { explicit: false })],
  ])('%s', async (_what, encode) => expectSlices((await read(slices(encode))).volume, [0, 1, 2, 3, 4]));

  it('8 bits in words, big endian: two pixels change places', async () => {
    const pixels = Array.from({ length: 24 }, (_, i) => i),
      swapped = Buffer.from(pixels.map((_, i) => i ^ 1));
    const { volume } = await read(
      slices((k) =>
        part10(
          ctSlice(k, { '00280100': ['US', 8], '00280101': ['US', 8], '00280102': ['US', 7], '7fe00010': ['OW', swapped] }),
          SYNTAX.bigEndian,
        ),
      ),
    );
    expectSlices(volume, [0, 1, 2, 3, 4], () => pixels.map((v) => v - 1024));
  });

  it.each([
    ['1.2.840.10008.1.2.4.100', 'MPEG video'],
    ['1.2.840.10008.1.2.4.53', 'a retired JPEG process'],
    ['1.2.840.10008.1.2.4.110', 'JPEG XL'],
    ['1.2.840.10008.1.2.4.94', 'JPIP'],
    ['1.2.840.113619.5.2', 'GE private'],
    ['1.2.3', 'unknown'],
    ['toString', 'unknown'],
  ])('a transfer syntax that is not read is refused by UID and name: %s', async (uid, name) =>
    expect(await refusal(series(undefined, 1) && { 'im0.dcm': part10(ctSlice(0), uid) })).toMatch(
      new RegExp(`im0\\.dcm: a transfer syntax that is not read, got "${uid}" \\(${name}`),
    ),
  );

  const metaLength = (file: Buffer): number => file.readUInt32LE(140);
});

describe('elements that are missing or wrong in one slice are named', () => {
  it.each<[string, Elements, RegExp]>([
    ['empty intercept', { '00281052': ['DS', ''] }, /RescaleIntercept \(0028,1052\) is not usable, got no value, expected one number/],
    ['no intercept', { '00281052': undefined }, /half a rescaling, got RescaleSlope alone/],
    ['no slope', { '00281053': undefined }, /half a rescaling, got RescaleIntercept alone/],
    ['slope 0', { '00281053': ['DS', '0'] }, /RescaleSlope \(0028,1053\) is not usable, got 0/],
    ['two slopes', { '00281053': ['DS', '1\\2'] }, /RescaleSlope \(0028,1053\) is not usable, got 2 values/],
    ['decimal comma', { '00281052': ['DS', '-1024,0'] }, /RescaleIntercept \(0028,1052\) is not usable, got "-1024,0", expected a number/],
    ['slope NaN', { '00281053': ['DS', 'nan'] }, /RescaleSlope/],
    ['slope beyond numbers', { '00281053': ['DS', '1e999'] }, /RescaleSlope/],
    ['hexadecimal', { '00281053': ['DS', '0x1'] }, /RescaleSlope/],
    ['a table', { '00283000': ['SQ', [{ '00283002': ['US', [4, 0, 16]] }]] }, /ModalityLUTSequence \(0028,3000\) is not usable/],
    ['no PixelSpacing', { '00280030': undefined }, /PixelSpacing \(0028,0030\) is missing, got nothing, expected 2 numbers/],
    [
      "the detector's spacing alone",
      { '00280030': undefined, '00181164': ['DS', [0.6, 0.5]] },
      /PixelSpacing \(0028,0030\) is missing.*ImagerPixelSpacing is that of the detector/,
    ],
    ['empty PixelSpacing', { '00280030': ['DS', ''] }, /PixelSpacing \(0028,0030\) is not usable, got no value/],
    ['one PixelSpacing', { '00280030': ['DS', '0.6'] }, /PixelSpacing.*got 1 numbers/],
    ['PixelSpacing 0', { '00280030': ['DS', '0\\0.5'] }, /PixelSpacing is not usable, got 0 x 0\.5 mm/],
    ['negative PixelSpacing', { '00280030': ['DS', '-0.6\\0.5'] }, /PixelSpacing is not usable/],
    ['no position', { '00200032': undefined }, /ImagePositionPatient \(0020,0032\) is missing/],
    ['position of two', { '00200032': ['DS', '1\\2'] }, /ImagePositionPatient \(0020,0032\) is not usable, got 2 numbers/],
    ['position with a hole', { '00200032': ['DS', '-5\\-7\\'] }, /ImagePositionPatient/],
    ['no orientation', { '00200037': undefined }, /ImageOrientationPatient \(0020,0037\) is missing/],
    [
      'orientation of zeros',
      { '00200037': ['DS', [0, 0, 0, 0, 1, 0]] },
      /ImageOrientationPatient is not usable, got a vector \(0, 0, 0\) of length 0/,
    ],
    ['orientation too long', { '00200037': ['DS', [2, 0, 0, 0, 1, 0]] }, /of length 2\.000/],
    ['sheared orientation', { '00200037': ['DS', [1, 0, 0, 0.6, 0.8, 0]] }, /not perpendicular/],
    [
      'too few pixels',
      { '7fe00010': ['OW', cells(storedSlice(2).slice(1))] },
      /PixelData \(7FE0,0010\) is not usable, got 46 bytes, expected 4 rows x 6 columns x 16 bits = 48 bytes/,
    ],
    ['too many pixels', { '7fe00010': ['OW', cells([...storedSlice(2), 1])] }, /PixelData .* got 50 bytes, expected .* = 48 bytes/],
    [
      'pixels of another depth',
      { '00280100': ['US', 8], '00280101': ['US', 8], '00280102': ['US', 7] },
      /PixelData .* got 48 bytes, expected .* = 24 bytes/,
    ],
    ['no Rows', { '00280010': undefined }, /Rows \(0028,0010\) is not usable, got nothing/],
    ['Rows 0', { '00280010': ['US', 0] }, /Rows \(0028,0010\) is not usable, got 0/],
    [
      'more rows',
      { '00280010': ['US', 5], '7fe00010': ['OW', cells([...storedSlice(2), 1, 2, 3, 4, 5, 6])] },
      /does not fit the series.*got 5 x 6 pixels/,
    ],
    [
      'colour',
      { '00280002': ['US', 3], '00280004': ['CS', 'RGB'] },
      /PhotometricInterpretation \(0028,0004\) is not usable, got RGB of 3 values a pixel/,
    ],
    ['a palette', { '00280004': ['CS', 'PALETTE COLOR'] }, /got PALETTE COLOR of 1 value/],
    ['BitsStored beyond BitsAllocated', { '00280101': ['US', 17] }, /BitsStored \(0028,0101\) is not usable, got 17/],
    ['HighBit elsewhere', { '00280101': ['US', 12] }, /HighBit \(0028,0102\) is not usable, got 15, expected a whole number from 11 to 11/],
    ['BitsAllocated 12', { '00280100': ['US', 12] }, /BitsAllocated \(0028,0100\) is not usable, got 12/],
    ['PixelRepresentation 2', { '00280103': ['US', 2] }, /PixelRepresentation/],
    ['no PixelRepresentation', { '00280103': undefined }, /PixelRepresentation/],
    ['999,999,999 frames', { '00280008': ['IS', '999999999'] }, /PixelData .* got 48 bytes, expected 999999999 frames/],
    [
      'two frames without places',
      { '00280008': ['IS', '2'], '7fe00010': ['OW', cells([...storedSlice(2), ...storedSlice(3)])] },
      /several frames without a position of their own/,
    ],
    [
      'pixels of floating point',
      { '7fe00010': undefined, '7fe00008': ['OF', Buffer.alloc(96)] },
      /FloatPixelData \(7FE0,0008\) is not usable/,
    ],
  ])('%s', async (_what, elements, message) => {
    const said = await refusal(series(only(2, elements)));
    expect(said).toMatch(message);
    expect(said).toContain('im2.dcm');
  });
});

describe('slices that are no volume are refused by name', () => {
  it.each<[string, (k: number) => Elements, RegExp]>([
    [
      'a gap',
      (k) => ({ '00200032': ['DS', [-5, -7, k < 2 ? 10 + 2 * k : 12 + 2 * k]] }),
      /slices missing or unevenly spaced, got 4\.000 mm between .*im1\.dcm and .*im2\.dcm, expected 2\.000 mm/,
    ],
    [
      'a double',
      (k) => ({ '00200032': ['DS', [-5, -7, 10 + 2 * Math.min(k, 3)]] }),
      /two slices at one position, got 0\.000 mm between .*im3\.dcm and .*im4\.dcm \(InstanceNumber 4 and 5\), expected 2\.000 mm/,
    ],
    ['one place', () => ({ '00200032': ['DS', [-5, -7, 10]] }), /two slices at one position.*expected different positions/],
    [
      'two acquisitions of one place',
      (k) => ({ '00200012': ['IS', String(k % 2)], '00200032': ['DS', [-5, -7, 10 + 2 * (k >> 1)]] }),
      /two slices at one position.*AcquisitionNumber 0 and 1/,
    ],
    [
      'two acquisitions between one another',
      (k) => ({ '00200012': ['IS', String(k % 2)] }),
      /several acquisitions between one another, got 2 \(AcquisitionNumber 0, 1\)/,
    ],
    [
      'two phases',
      (k) => ({ '00200100': ['IS', String(1 + (k % 2))] }),
      /several temporal phases in one series, got 2 \("1", "2"\), expected 1/,
    ],
    ['two echoes', (k) => ({ '00180086': ['IS', String(1 + (k % 2))] }), /several echoes/],
    ['two patients', only(4, { '00100020': ['LO', 'someone'] }), /several patients in one series, got 2 \("nobody", "someone"\)/],
    ['two frames of reference', only(0, { '00200052': ['UI', '1.2.3'] }), /several frames of reference/],
    ['two units', only(0, { '00281054': ['LO', 'US'] }), /several units/],
    ['two series', only(0, { '0020000e': ['UI', `${ROOT}.7`] }), /several series, got 2 .*: 1 slices.*: 4 slices/],
    [
      'a tilted gantry',
      (k) => ({ '00200032': ['DS', [-5, -7 + 0.1 * k, 10 + 2 * k]] }),
      /shifted sideways \(tilted gantry\), got 0\.10 mm from .*im0\.dcm to .*im1\.dcm/,
    ],
    ['one slice out of line', only(2, { '00200032': ['DS', [-4, -7, 14]] }), /shifted sideways.*got 1\.00 mm/],
    ['another orientation', only(4, { '00200037': ['DS', [0, 1, 0, 0, 0, -1]] }), /im4\.dcm: does not fit the series/],
    ['another spacing', only(4, { '00280030': ['DS', [0.6, 0.51]] }), /im4\.dcm: does not fit the series.*at 0\.6 x 0\.51 mm/],
  ])('%s', async (_what, change, message) => expect(await refusal(series(change))).toMatch(message));

  it('acquisitions that follow one another are one scan', async () =>
    expectSlices((await read(series((k) => ({ '00200012': ['IS', String(k < 3 ? 1 : 2)] })))).volume, [0, 1, 2, 3, 4]));
});

describe('enhanced images', () => {
  it.each<[string, number[]]>([
    ['in order', [0, 1, 2, 3, 4]],
    ['from the top down', [4, 3, 2, 1, 0]],
    ['shuffled', [2, 0, 4, 1, 3]],
  ])('frames %s lie where their groups say', async (_what, order) => {
    const { volume, notes } = await read(enhanced(order));
    expectSlices(volume, [0, 1, 2, 3, 4]);
    expect(notes).toEqual([]);
    expectSlices((await read({ e: part10(enhancedCt(order), SYNTAX.implicit, { undefinedLength: true }) })).volume, [0, 1, 2, 3, 4]);
  });

  it('each frame is rescaled by its own', async () => {
    const slopes = [1, 2, 1, 0.5, 1],
      intercepts = [-1024, -1000, -1024, 0, -1024],
      order = [3, 1, 0, 2, 4];
    const groups = order.map((k) =>
      frameGroup(k, { '00289145': ['SQ', [{ '00281052': ['DS', intercepts[k]], '00281053': ['DS', slopes[k]] }]] }),
    );
    expectSlices((await read(enhanced(order, groups))).volume, [0, 1, 2, 3, 4], (k) =>
      storedSlice(k).map((v) => slopes[k] * v + intercepts[k]),
    );
  });

  it('parts of one image are put together', async () => {
    expectSlices((await read({ a: part10(enhancedCt([3, 4])), b: part10(enhancedCt([0, 1, 2])) })).volume, [0, 1, 2, 3, 4]);
  });

  const at = (z: number): Elements => ({ '00209113': ['SQ', [{ '00200032': ['DS', [-5, -7, z]] }]] });
  it.each<[string, Files, RegExp]>([
    ['a gap', enhanced([0, 1, 3, 4]), /slices missing or unevenly spaced, got 4\.000 mm between .*e\.dcm frame 2 and .*e\.dcm frame 3/],
    ['a double', enhanced([0, 1, 2], [frameGroup(0), frameGroup(1), frameGroup(1)]), /two slices at one position.*frame 2 and .*frame 3/],
    [
      'two stacks',
      enhanced(
        [0, 1, 2],
        [0, 1, 2].map((k) => frameGroup(k, { '00209111': ['SQ', [{ '00209056': ['SH', k < 2 ? 'A' : 'B'] }]] })),
      ),
      /several stacks in one series, got 2 \("A", "B"\)/,
    ],
    [
      'two phases',
      enhanced(
        [0, 1, 2],
        [0, 1, 2].map((k) => frameGroup(k, { '00209111': ['SQ', [{ '00209128': ['UL', 32 * (1 + (k % 2))] }]] })),
      ),
      /several temporal phases in one series, got 2 \("32", "64"\)/,
    ],
    [
      'a tilted gantry',
      enhanced(
        [0, 1, 2],
        [0, 1, 2].map((k) => frameGroup(k, { '00209113': ['SQ', [{ '00200032': ['DS', [-5, -7 + 0.3 * k, 10 + 2 * k]] }]] })),
      ),
      /tilted gantry/,
    ],
    [
      'fewer groups than frames',
      enhanced([0, 1, 2], [frameGroup(0), frameGroup(1)]),
      /PerFrameFunctionalGroupsSequence \(5200,9230\) is not usable, got 2 items, expected 3/,
    ],
    [
      'a frame without a place',
      enhanced([0, 1], [frameGroup(0), frameGroup(1, { '00209113': undefined })]),
      /e\.dcm frame 2: ImagePositionPatient \(0020,0032\) is missing/,
    ],
    ['an empty place', enhanced([0, 1], [frameGroup(0), frameGroup(1, { '00209113': ['SQ', []] })]), /frame 2: ImagePositionPatient/],
    [
      'a frame with an empty intercept',
      enhanced([0, 1], [frameGroup(0), frameGroup(1, { '00289145': ['SQ', [{ '00281052': ['DS', ''], '00281053': ['DS', 1] }]] })]),
      /RescaleIntercept \(0028,1052\) is not usable, got no value/,
    ],
    [
      'no spacing',
      enhanced([0, 1], undefined, { '52009229': ['SQ', [{ '00209116': ['SQ', [{ '00200037': ['DS', [1, 0, 0, 0, 1, 0]] }]] }]] }),
      /frame 1: PixelSpacing \(0028,0030\) is missing/,
    ],
    [
      'frames without groups',
      enhanced([0, 1], undefined, {
        '52009229': undefined,
        '52009230': undefined,
        '00180088': ['DS', '-2'],
        '00200032': ['DS', [0, 0, 0]],
      }),
      /several frames without a position of their own, got 2 frames/,
    ],
    ['fewer pixels than frames', enhanced([0, 1], undefined, { '00280008': ['IS', '3'] }), /PixelData .* got 96 bytes, expected 3 frames/],
    ['nine places for one frame', enhanced([0], [at(1), at(2)]), /got 2 items, expected 1/],
  ])('%s', async (_what, files, message) => expect(await refusal(files)).toMatch(message));
});

describe('hostile files end in a typed error, soon', () => {
  const deep = (levels: number): Elements => {
    let e: Elements = {};
    for (let i = 0; i < levels; i++) e = { '00081140': ['SQ', [e]] };
    return e;
  };
  it.each<[string, () => Uint8Array, RegExp]>([
    [
      'sequences nested without end',
      () => part10(ctSlice(0, deep(100)), SYNTAX.explicit, { undefinedLength: true }),
      /sequences nest more than 64 deep/,
    ],
    [
      'an element twice',
      () =>
        Buffer.concat([
          part10(ctSlice(0, { '7fe00010': undefined })),
          part10(ctSlice(0)).subarray(132 + 12 + part10(ctSlice(0)).readUInt32LE(140)),
        ]),
      /stands there twice/,
    ],
    [
      'a sequence without end',
      () => {
        const whole = part10({ '00080016': ['UI', CT], '00081140': ['SQ', [{}]] }, SYNTAX.explicit, { undefinedLength: true });
        return whole.subarray(0, whole.length - 8);
      },
      /truncated DICOM image: it stops inside a sequence/,
    ],
    [
      'a length of 4 GB',
      () => {
        const whole = part10(ctSlice(0));
        whole.writeUInt32LE(0xfffffffe, whole.length - 52);
        return whole;
      },
      /it stops inside PixelData \(7FE0,0010\), got 48 bytes, expected 4294967294 bytes/,
    ],
    [
      'a deflated stream cut off',
      () => part10(ctSlice(0), SYNTAX.deflated).subarray(0, 480),
      /the deflated data set is cut off or corrupt|truncated/,
    ],
    [
      'a deflated stream of 120 MB of zeros',
      () => {
        const zeros = deflateRawSync(Buffer.alloc(4e6), { finishFlush: constants.Z_SYNC_FLUSH });
        return Buffer.concat([
          part10({}, SYNTAX.deflated).subarray(0, -2),
          ...new Array<Buffer>(30).fill(zeros),
          deflateRawSync(Buffer.alloc(0)),
        ]);
      },
      /a deflated data set that is too large, got more than \d+ bytes of \d+/,
    ],
    [
      '65535 x 65535 pixels in 48 bytes',
      () =>
        part10(
          ctSlice(0, {
            '00280010': ['US', 65535],
            '00280011': ['US', 65535],
            '7fe00010': ['OB', { offsets: [], fragments: [Buffer.alloc(48)] }],
          }),
          SYNTAX.rle,
        ),
      /promise 4\.29e\+9 voxels|cannot hold/,
    ],
    [
      'millions of fragments promised',
      () =>
        part10(
          ctSlice(0, { '00280008': ['IS', '999999999'], '7fe00010': ['OB', { offsets: [], fragments: [Buffer.alloc(48)] }] }),
          SYNTAX.rle,
        ),
      /got 1 fragments, expected 999999999 frames/,
    ],
  ])('%s', async (_what, file, message) => {
    const began = performance.now();
    expect(await refusal({ 'im0.dcm': file() })).toMatch(message);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

it('a real series with a structure set among it is read; with a truncated slice it is refused by name', async () => {
  const images = sharedData('ibsi-lung-tumour/dicom/image'),
    structures = sharedData('ibsi-lung-tumour/dicom/mask');
  if (!images || !structures) return;
  const place = join(scratch(), 'series'),
    slices = readdirSync(images).sort().slice(0, 3);
  mkdirSync(place);
  for (const name of slices) copyFileSync(join(images, name), join(place, name));
  for (const name of readdirSync(structures)) copyFileSync(join(structures, name), join(place, `rt_${name}`));
  expect((await readVolume(place)).size[0]).toBe(3);
  const whole = readFileSync(join(images, slices[0]));
  for (const length of [whole.length - 1, 40000, 3000, 500, 100]) {
    writeFileSync(join(place, 'cut.dcm'), whole.subarray(0, length));
    expect((await dataError(() => readVolume(place))).message).toMatch(/cut\.dcm: .*truncated DICOM image/);
  }
});
