// SPDX-License-Identifier: MIT
// What is written, byte by byte: nibabel 5.4 gave the quaternions and the affines (set_qform, image.affine).
import { gunzipSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Volume } from '../../src/data/volume.ts';
import { encodeVolume } from '../../src/io/encode.ts';
import { fflateCodec } from '../../src/io/fflate.ts';
import { affine, decode } from './files.ts';

const bytesOf = async (name: string, volume: Volume, compress = true): Promise<Record<string, Buffer>> =>
  Object.fromEntries((await encodeVolume(name, volume, compress, fflateCodec)).map((f) => [f.name, Buffer.concat(f.parts)]));
/** A grid from an affine to RAS. */
function volumeAt(rows: number[][], data: Volume['data'] = Int16Array.from({ length: 24 }, (_, i) => 5 * i - 60)): Volume {
  const spacing = [2, 1, 0].map((c) => Math.hypot(rows[0][c], rows[1][c], rows[2][c])) as [number, number, number];
  return {
    data,
    size: [2, 3, 4],
    spacing,
    origin: [-rows[0][3], -rows[1][3], rows[2][3]],
    direction: rows.flatMap((row, r) => [0, 1, 2].map((c) => ((r < 2 ? -1 : 1) * row[c]) / spacing[2 - c] + 0)),
  };
}
const RIGHT = [
  [0.3631578947368421, -0.33157894736842103, -1.0526315789473684, -12.5],
  [0.15789473684210528, 0.6710526315789473, -0.631578947368421, 33.25],
  [0.30526315789473685, 0.0473684210526316, 1.5789473684210527, -71.125],
];
/** Left-handed, with a slight shear. */
const LEFT = [
  [0.3631578947368421, -0.33125210526315785, 1.0526315789473684, -12.5],
  [0.15789473684210528, 0.6711947368421053, 0.631578947368421, 33.25],
  [0.30526315789473685, 0.047643157894736866, -1.5789473684210527, -71.125],
];

describe('NIfTI', () => {
  it.each([
    ['right-handed', RIGHT, 1, [0.10259783267974854, -0.3077934980392456, 0.20519566535949707]],
    ['left-handed and sheared by rounding', LEFT, -1, [0.10264400392770767, -0.30777812004089355, 0.20505715906620026]],
  ] as const)('%s', async (_, rows, qfac, quaternion) => {
    const volume = volumeAt(rows),
      { 'a.nii': bytes } = await bytesOf('a.nii', volume);
    const real = (at: number): number => bytes.readFloatLE(at);
    expect([
      bytes.readInt32LE(0),
      bytes.readInt16LE(40),
      bytes.readInt16LE(42),
      bytes.readInt16LE(44),
      bytes.readInt16LE(46),
      bytes.readInt16LE(70),
      bytes.readInt16LE(72),
      real(108),
      real(112),
      real(116),
      bytes[123],
    ]).toEqual([348, 3, 4, 3, 2, 4, 16, 352, 1, 0, 2]);
    expect(bytes.toString('latin1', 344, 348)).toBe('n+1\0');
    expect([bytes.readInt16LE(252), bytes.readInt16LE(254), real(76)]).toEqual([1, 1, qfac]); // both forms, of the scanner
    quaternion.forEach((q, i) => expect(real(256 + 4 * i)).toBeCloseTo(q, 6));
    expect([real(268), real(272), real(276)]).toEqual([-12.5, 33.25, -71.125]);
    rows.flat().forEach((s, i) => expect(real(280 + 4 * i)).toBeCloseTo(s, 6));
    expect([...new Int16Array(Uint8Array.from(bytes.subarray(352)).buffer)]).toEqual([...volume.data]);
    expect(gunzipSync((await bytesOf('a.nii.gz', volume))['a.nii.gz']).equals(bytes)).toBe(true);
  });

  it.each([
    [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    [
      [-1, 0, 0],
      [0, -1, 0],
      [0, 0, 1],
    ],
    [
      [0, 0, 1],
      [1, 0, 0],
      [0, 1, 0],
    ],
    [
      [0, -1, 0],
      [1, 0, 0],
      [0, 0, -1],
    ],
    [
      [1, 0, 0],
      [0, -1, 0],
      [0, 0, -1],
    ],
    [
      [-1, 0, 0],
      [0, 1, 0],
      [0, 0, -1],
    ],
  ])('the quaternion says what the matrix says: %j', async (...axes) => {
    const rows = [0, 1, 2].map((r) => [...axes.map((v, i) => v[r] * [0.5, 0.75, 2][i]), [7, -8, 9][r]]),
      { 'a.nii': bytes } = await bytesOf('a.nii', volumeAt(rows));
    bytes.writeInt16LE(0, 254); // the qform alone
    affine((await decode('a.nii', bytes)).volume).forEach((x, i) => expect(x).toBeCloseTo(rows.flat()[i], 6));
  });

  it.each([
    ['int8', Int8Array, 256],
    ['uint8', Uint8Array, 2],
    ['int16', Int16Array, 4],
    ['uint16', Uint16Array, 512],
    ['int32', Int32Array, 8],
    ['uint32', Uint32Array, 768],
    ['float32', Float32Array, 16],
    ['float64', Float64Array, 64],
  ] as const)('%s', async (_, Type, code) => {
    const data = new Type(24).map((_v, i) => 3 * i),
      names = ['a.nii', 'a.nii.gz', 'a.nrrd', 'a.nhdr', 'a.mha', 'a.mhd'];
    for (const name of names)
      for (const compress of [true, false]) {
        const files = await bytesOf(name, volumeAt(LEFT, data), compress),
          { volume, remarks } = await decode(name, files[name], files);
        expect(volume.data).toEqual(data);
        expect(remarks).toEqual([]);
        affine(volume).forEach((x, i) => expect(x).toBeCloseTo(LEFT.flat()[i], name.startsWith('a.nii') ? 5 : 12));
        if (name === 'a.nii') expect(files[name].readInt16LE(70)).toBe(code);
      }
  });

  it('states no orientation on a grid that has none, so that a mask lies where its image does', async () => {
    const base = {
        ...volumeAt([
          [-1.5, 0, 0, 2.25],
          [0, 1.5, 0, -1.5],
          [0, 0, 3, -1.5],
        ]),
        unoriented: true as const,
      },
      { 'm.nii': bytes } = await bytesOf('m.nii', base),
      { volume } = await decode('m.nii', bytes);
    expect([bytes.readInt16LE(252), bytes.readInt16LE(254)]).toEqual([0, 0]);
    expect([volume.origin, volume.spacing, volume.direction, volume.unoriented]).toEqual([base.origin, base.spacing, base.direction, true]);
  });
  it('refuses to write what it would not read', async () => {
    await expect(bytesOf('a.nii', volumeAt(RIGHT, new Float32Array(24).fill(NaN)))).rejects.toThrow(
      /a\.nii: values that are not finite, got 24/,
    );
    for (const wrong of [{ spacing: [1, 0, 1] }, { spacing: [1, NaN, 1] }, { origin: [0, Infinity, 0] }])
      await expect(bytesOf('a.mha', { ...volumeAt(RIGHT), ...wrong } as Volume)).rejects.toThrow(/a\.mha: not a grid/);
  });
  it('refuses what int16 dimensions cannot say', async () => {
    await expect(
      encodeVolume('a.nii', { ...volumeAt(RIGHT), size: [1, 1, 40000], data: new Uint8Array(40000) }, true, fflateCodec),
    ).rejects.toThrow(/a\.nii: too long for NIfTI, got 40000 x 1 x 1/);
  });
});

it('NRRD and MetaImage say all digits, and name their data files', async () => {
  const third = volumeAt([
    [1 / 3, 0, 0, 0.1],
    [0, 0.7, 0, -0.2],
    [0, 0, 2.5, 1e-7],
  ]);
  const nhdr = await bytesOf('c.nhdr', third),
    mhd = await bytesOf('c.mhd', third),
    mha = await bytesOf('c.mha', third, false);
  expect(Object.keys(nhdr)).toEqual(['c.raw.gz', 'c.nhdr']); // the data first: a header must never point at nothing
  expect(Object.keys(mhd)).toEqual(['c.zraw', 'c.mhd']);
  expect(nhdr['c.nhdr'].toString()).toBe(
    'NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 3 2\nspace directions: ' +
      '(-0.3333333333333333,0,0) (0,-0.7,0) (0,0,2.5)\nkinds: domain domain domain\nendian: little\nencoding: gzip\nspace origin: ' +
      '(-0.1,0.2,1e-7)\ndata file: c.raw.gz\n\n',
  );
  expect(mhd['c.mhd'].toString().replace(/(?<=CompressedDataSize = )\d+/, 'n')).toBe(
    'ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = True\nCompressedDataSize = n\n' +
      'TransformMatrix = -1 0 0 0 -1 0 0 0 1\nOffset = -0.1 0.2 1e-7\nCenterOfRotation = 0 0 0\n' +
      'ElementSpacing = 0.3333333333333333 0.7 2.5\nDimSize = 4 3 2\nElementType = MET_SHORT\nElementDataFile = c.zraw\n',
  );
  expect(mha['c.mha'].toString('latin1')).toMatch(/CompressedData = False\nTransformMatrix[^]*ElementDataFile = LOCAL\n/);
  expect(inflateSync(mhd['c.zraw']).equals(Buffer.from(third.data.buffer))).toBe(true);
});
