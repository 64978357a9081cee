// SPDX-License-Identifier: MIT
// MetaImage by its definition (the documentation of MetaIO).
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { affine, decode, meta, RAMP, refusal, stored } from './files.ts';

const LPS = [-0.5, 0, 0, -10, 0, -0.6, 0, -20, 0, 0, 2, 30];
const close = (got: number[], want: number[]): void => want.forEach((x, i) => expect(got[i], `entry ${i} of ${got}`).toBeCloseTo(x, 9));
const TYPES: [string, string][] = [
  ['MET_CHAR', 'int8'],
  ['MET_UCHAR', 'uint8'],
  ['MET_SHORT', 'int16'],
  ['MET_USHORT', 'uint16'],
  ['MET_INT', 'int32'],
  ['MET_UINT', 'uint32'],
  ['MET_LONG', 'int32'],
  ['MET_ULONG', 'uint32'],
  ['MET_LONG_LONG', 'int64'],
  ['MET_ULONG_LONG', 'uint64'],
  ['MET_FLOAT', 'float32'],
  ['MET_DOUBLE', 'float64'],
];

describe('voxels', () => {
  it.each(TYPES)('%s', async (ElementType, type) => {
    const values = RAMP.map((x) => Math.trunc(type === 'int8' ? x / 4 : type.startsWith('u') ? (x + 100) % 250 : x) + 0);
    for (const little of [true, false]) {
      const raw = stored(values, type, little),
        fields = { ElementType, BinaryDataByteOrderMSB: little ? 'False' : 'True' };
      for (const bytes of [
        meta(fields, raw),
        meta({ ...fields, CompressedData: 'True' }, deflateSync(raw)),
        meta({ ...fields, CompressedData: 'True' }, gzipSync(raw)),
        meta({ ElementType, BinaryData: 'False' }, values.join(' ')),
        meta({ ElementType, BinaryDataByteOrderMSB: null, ElementByteOrderMSB: fields.BinaryDataByteOrderMSB }, raw),
      ]) {
        expect([...(await decode('a.mha', bytes)).volume.data]).toEqual(values);
      }
    }
  });
  it('a data file, behind a header of its own or at its end', async () => {
    const raw = stored(RAMP),
      files = { 'a.raw': Buffer.concat([Buffer.alloc(7, 1), raw]), 'sub/a.zraw': deflateSync(raw) };
    for (const fields of [
      { HeaderSize: '7', ElementDataFile: 'a.raw' },
      { HeaderSize: '-1', ElementDataFile: 'a.raw' },
      { CompressedData: 'True', ElementDataFile: 'sub/a.zraw' },
    ] as Record<string, string>[])
      expect([...(await decode('a.mhd', meta(fields, ''), files)).volume.data]).toEqual(RAMP);
    expect([...(await decode('a.mha', meta({ HeaderSize: '-1' }))).volume.data]).toEqual(RAMP);
  });
});

describe('place', () => {
  it.each<[string, Record<string, string | null>, number[]]>([
    ['as LUNA16', { CenterOfRotation: '0 0 0', AnatomicalOrientation: 'RAI' }, LPS],
    [
      'a turned matrix, by rows',
      { TransformMatrix: '0 1 0 0 0 -1 1 0 0', AnatomicalOrientation: 'ASR' },
      [0, 0, -2, -10, -0.5, 0, 0, -20, 0, -0.6, 0, 30],
    ],
    ['letters of where axes go', { AnatomicalOrientation: 'LPS' }, LPS],
    ['no letters', { AnatomicalOrientation: '???' }, LPS],
    ['Position and Orientation', { Offset: null, Position: '10 20 30', TransformMatrix: null, Orientation: '1 0 0 0 1 0 0 0 1' }, LPS],
    ['Origin and Rotation', { Offset: null, Origin: '10 20 30', TransformMatrix: null, Rotation: '1 0 0 0 1 0 0 0 1' }, LPS],
    ['one place under two names', { Position: '10 20 30' }, LPS],
    ['micrometres', { DistanceUnits: 'um', ElementSpacing: '500 600 2000', Offset: '10000 20000 30000' }, LPS],
    ['centimetres', { DistanceUnits: 'cm', ElementSpacing: '0.05 0.06 0.2', Offset: '1 2 3' }, LPS],
    ['an unknown unit', { DistanceUnits: '?' }, LPS],
    ['ElementSize where there is no spacing', { ElementSpacing: null, ElementSize: '0.5 0.6 2' }, LPS],
    ['ElementSpacing where there are both', { ElementSize: '9 9 9' }, LPS],
    [
      'one point in time',
      {
        NDims: '4',
        DimSize: '4 3 5 1',
        ElementSpacing: '0.5 0.6 2 1',
        Offset: '10 20 30 0',
        TransformMatrix: '1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1',
      },
      LPS,
    ],
    ['a neutral scale', { ElementToIntensityFunctionSlope: '1', ElementToIntensityFunctionOffset: '0' }, LPS],
    ['keys of others', { Comment: 'made by = someone', Modality: 'MET_MOD_CT', ElementMin: '-100' }, LPS],
  ])('%s', async (_, fields, want) => {
    const { volume, remarks } = await decode('a.mha', meta(fields));
    close(affine(volume), want);
    expect([...volume.data]).toEqual(RAMP);
    expect(remarks).toEqual([]);
  });
  it('says what it takes where the file says nothing, or two things', async () => {
    expect((await decode('a.mha', meta({ ElementSpacing: null }))).remarks).toMatchObject([
      { doubtful: true, message: 'states no voxel spacing (no field ElementSpacing), 1 mm is assumed.' },
    ]);
    expect((await decode('a.mha', meta({ AnatomicalOrientation: 'RPI' }))).remarks).toMatchObject([
      { doubtful: false, message: expect.stringMatching(/AnatomicalOrientation RPI and TransformMatrix \(RAI\) contradict/) },
    ]);
    expect((await decode('a.mha', meta({ TransformMatrix: null, AnatomicalOrientation: 'LPI' }))).remarks).toMatchObject([
      { doubtful: false },
      { doubtful: true, message: expect.stringMatching(/the missing TransformMatrix/) },
    ]);
    const placeless = await decode('a.mha', meta({ Offset: null }));
    close(
      affine(placeless.volume),
      LPS.map((v, i) => (i % 4 === 3 ? 0 : v)),
    );
    expect(placeless.remarks).toMatchObject([
      { doubtful: false, message: 'states no place (no field Offset): its first voxel is taken to lie at 0, 0, 0.' },
    ]);
    const plain = await decode('a.mha', meta({ TransformMatrix: null }));
    close(affine(plain.volume), LPS);
    expect(plain.remarks).toMatchObject([
      { doubtful: false, message: expect.stringMatching(/states no orientation \(no field TransformMatrix\)/) },
    ]);
  });
});

describe('what is damaged or contradictory is refused by name', () => {
  it.each<[string, Record<string, string | null>, RegExp]>([
    ['a mesh', { ObjectType: 'Mesh' }, /ObjectType, got "Mesh"/],
    ['sizes of another rank', { NDims: '2' }, /DimSize, got "4 3 5", expected 2 integers/],
    ['a word for a size', { DimSize: '4 3 x' }, /impossible dimensions/],
    ['a fraction', { DimSize: '4 3 5.5' }, /impossible dimensions/],
    ['a zero', { DimSize: '0 3 5' }, /impossible dimensions/],
    ['a negative', { DimSize: '4 -3 5' }, /impossible dimensions/],
    ['no size', { DimSize: null }, /DimSize, got nothing/],
    ['time', { NDims: '4', DimSize: '4 3 5 2', ElementSpacing: null, Offset: null, TransformMatrix: null }, /not a 3D volume/],
    ['channels', { ElementNumberOfChannels: '3' }, /not a scalar image, got 3/],
    ['no channels', { ElementNumberOfChannels: '0' }, /ElementNumberOfChannels/],
    ['arrays', { ElementType: 'MET_SHORT_ARRAY' }, /ElementType, got "MET_SHORT_ARRAY"/],
    ['a spacing of NaN', { ElementSpacing: '0.5 nan 2' }, /ElementSpacing/],
    ['a negative one', { ElementSpacing: '0.5 -0.6 2' }, /ElementSpacing, .*numbers above 0/],
    ['a zero one', { ElementSpacing: '0 1 1' }, /ElementSpacing/],
    ['too few', { ElementSpacing: '0.5 2' }, /ElementSpacing/],
    ['an offset in words', { Offset: 'here' }, /Offset, got "here"/],
    ['two offsets', { Position: '0 0 0' }, /Position, got "0 0 0", expected "10 20 30" as said before/],
    ['a matrix of eight', { TransformMatrix: '1 0 0 0 1 0 0 0' }, /TransformMatrix/],
    ['of NaN', { TransformMatrix: 'nan 0 0 0 1 0 0 0 1' }, /TransformMatrix/],
    ['of zeros', { TransformMatrix: '0 0 0 0 0 0 0 0 0' }, /has no direction/],
    ['a shear', { TransformMatrix: '1 0.1 0 0 1 0 0 0 1' }, /not perpendicular/],
    ['with a spacing in it', { TransformMatrix: '2 0 0 0 2 0 0 0 2' }, /TransformMatrix, .*rows of length 1/],
    ['feet', { DistanceUnits: 'ft' }, /DistanceUnits, got "ft"/],
    ['letters that are none', { AnatomicalOrientation: 'XYZ' }, /AnatomicalOrientation/],
    ['a scale', { ElementToIntensityFunctionSlope: '2' }, /ElementToIntensityFunctionSlope, got "2"/],
    ['an intercept', { ElementToIntensityFunctionOffset: '-1024' }, /ElementToIntensityFunctionOffset/],
    ['neither true nor false', { CompressedData: 'maybe' }, /CompressedData, got "maybe"/],
    ['two byte orders', { ElementByteOrderMSB: 'True' }, /ElementByteOrderMSB, got "True", expected "False"/],
    ['a header size into the header', { HeaderSize: '7' }, /HeaderSize, got "7"/],
    ['of -2', { HeaderSize: '-2' }, /HeaderSize/],
    ['from the end of zlib', { HeaderSize: '-1', CompressedData: 'True' }, /HeaderSize/],
    ['several data files', { ElementDataFile: 'LIST' }, /several files/],
    ['a pattern', { ElementDataFile: 'a%02d.raw 1 5 1' }, /several files/],
    ['a data file elsewhere', { ElementDataFile: '../a.raw' }, /out of its folder/],
    ['none', { ElementDataFile: '' }, /ElementDataFile/],
    ['itself', { ElementDataFile: './a.mha' }, /names itself as its data file/],
    ...['Ofset', 'offset', 'TransformMatrlx', 'ElementSpacings', 'Compresseddata', 'DistanceUnit'].map(
      (key): [string, Record<string, string>, RegExp] => [
        `a slip of the pen: ${key}`,
        { [key]: '1' },
        new RegExp(`header field ${key}, got "1", expected the key`),
      ],
    ),
  ])('%s', async (_, fields, message) =>
    expect(await refusal('a.mha', meta(fields))).toMatchObject({ name: 'DataError', message: expect.stringMatching(message) }),
  );
  it.each<[string, Buffer, RegExp]>([
    ['a line that is none', Buffer.from(meta().toString('latin1').replace('NDims = 3', 'NDims 3'), 'latin1'), /header field NDims 3/],
    ['no data line', Buffer.from('NDims = 3\n'), /ElementDataFile, got nothing/],
    [
      'longs of 8 bytes',
      meta({ ElementType: 'MET_LONG' }, Buffer.alloc(480)),
      /holds more than its header promises, got 480 bytes, expected 240/,
    ],
    ['more than promised', meta({}, Buffer.concat([stored(RAMP), Buffer.from('x')])), /more than its header promises/],
    [
      'more than promised, compressed',
      meta({ CompressedData: 'True' }, deflateSync(stored([...RAMP, 1]))),
      /more than its header promises/,
    ],
    ['something behind zlib', meta({ CompressedData: 'True' }, Buffer.concat([deflateSync(stored(RAMP)), Buffer.from('tail')])), /corrupt/],
  ])('%s', async (_, bytes, message) =>
    expect(await refusal('a.mha', bytes)).toMatchObject({ name: 'DataError', message: expect.stringMatching(message) }),
  );
});
