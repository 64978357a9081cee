// SPDX-License-Identifier: MIT
import type { Triple } from '../../src/axes.ts';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { assertSameGeometry, sameGeometry, voxelToWorld, worldToVoxel } from '../../src/data/geometry.ts';
import { fromRas, toRas } from '../../src/data/orientation.ts';
import type { Volume, VoxelArray } from '../../src/data/volume.ts';
import { readVolume, writeVolume } from '../../src/io/node/volume.ts';
import { dataError, niftiBytes, scratch, sharedData, volumeOf } from './helpers.ts';
import { needs } from '../needs.ts';

const folder = scratch();
const put = (name: string, bytes: Buffer | string): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};
const RAMP = Array.from({ length: 12 }, (_, i) => 10 * i - 30); // dims 3, 2, 2

describe('reading NIfTI (specification E.14)', () => {
  it.each([
    [true, 4],
    [false, 4],
    [true, 512],
    [false, 8],
    [true, 16],
    [false, 16],
    [false, 64],
    [true, 2],
    [true, 256],
  ])('little endian %s, data type %i', async (little, datatype) => {
    const values = datatype === 2 || datatype === 512 ? RAMP.map((x) => x + 30) : RAMP;
    const v = await readVolume(put(`e-${little}-${datatype}.nii`, niftiBytes(values, { little, datatype })));
    expect(v.size).toEqual([2, 2, 3]);
    expect([...v.data]).toEqual(values);
  });

  it.each([true, false])('applies scl_slope and scl_inter (little endian %s)', async (little) => {
    const v = await readVolume(put(`slope-${little}.nii.gz`, gzipSync(niftiBytes(RAMP, { little, slope: 0.5, inter: -1024 }))));
    expect([...v.data]).toEqual(RAMP.map((x) => 0.5 * x - 1024));
  });

  it('keeps stored values where scl_slope is 0, whatever scl_inter says', async () => {
    expect([...(await readVolume(put('slope0.nii', niftiBytes(RAMP, { slope: 0, inter: 7 })))).data]).toEqual(RAMP);
  });

  it('turns the RAS affine with negative directions into LPS, from sform and from qform', async () => {
    // RAS: x = 40 - 2i, y = -7 + 3j, z = 5 - 4k.
    const sform = [
      [-2, 0, 0, 40],
      [0, 3, 0, -7],
      [0, 0, -4, 5],
    ];
    // A rotation by 180 degrees about y is diag(-1, 1, -1): quaternion (a, b, c, d) = (0, 0, 1, 0).
    const qform = { b: 0, c: 1, d: 0, offset: [40, -7, 5] as Triple, qfac: 1 };
    for (const [name, options] of [
      ['sform', { sform }],
      ['qform', { sform: null, qform }],
    ] as const) {
      const v = await readVolume(put(`neg-${name}.nii`, niftiBytes(RAMP, { ...options, pixdim: [2, 3, 4] })));
      expect(v.spacing).toEqual([4, 3, 2]);
      expect(v.origin).toEqual([-40, 7, 5]);
      v.direction.forEach((x, i) => expect(x).toBeCloseTo([1, 0, 0, 0, -1, 0, 0, 0, -1][i], 6));
      const world = voxelToWorld(v, [1, 1, 2]);
      [-(40 - 4), -(-7 + 3), 5 - 4].forEach((x, i) => expect(world[i]).toBeCloseTo(x, 5));
      worldToVoxel(v, world).forEach((x, i) => expect(x).toBeCloseTo([1, 1, 2][i], 6));
    }
  });

  it('brings a flipped, permuted file to RAS: index order is Superior, Anterior, Right', async () => {
    // i grows to Inferior, j to Right, k to Posterior; dims i 3, j 2, k 2.
    const v = toRas(
      await readVolume(
        put(
          'perm.nii',
          niftiBytes(RAMP, {
            sform: [
              [0, 1, 0, 0],
              [0, 0, -1, 0],
              [-1, 0, 0, 0],
            ],
          }),
        ),
      ),
    );
    expect(v.size).toEqual([3, 2, 2]);
    for (let d = 0; d < 3; d++)
      for (let h = 0; h < 2; h++)
        for (let w = 0; w < 2; w++) {
          expect(v.data[(d * 2 + h) * 2 + w]).toBe(RAMP[2 - d + 3 * w + 6 * (1 - h)]);
        }
    expect(v.direction).toEqual([-1, 0, 0, 0, -1, 0, 0, 0, 1]);
  });
});

describe('reading MetaImage and NRRD', () => {
  const raw = Buffer.from(Int16Array.from(RAMP).buffer);
  const meta = (more: string, file: string): string =>
    `ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n${more}Offset = 1 2 3\nElementSpacing = 0.5 ` +
    `0.75 2\nDimSize = 3 2 2\nElementType = MET_SHORT\nElementDataFile = ${file}\n`;
  const turned = 'TransformMatrix = -1 0 0 0 -1 0 0 0 1\n';

  it("reads LUNA16's pair, uncompressed and zlib, with a turned matrix", async () => {
    put('a.raw', raw);
    put('b.zraw', deflateSync(raw));
    for (const file of [
      put('a.mhd', meta(`CompressedData = False\n${turned}`, 'a.raw')),
      put('b.mhd', meta(`CompressedData = True\n${turned}`, 'b.zraw')),
    ]) {
      const v = await readVolume(file);
      expect([...v.data]).toEqual(RAMP);
      expect(v.direction).toEqual([-1, 0, 0, 0, -1, 0, 0, 0, 1]);
      expect(v.origin).toEqual([1, 2, 3]);
      expect(v.spacing).toEqual([2, 0.75, 0.5]);
      expect(worldToVoxel(v, [1 - 0.5 * 2, 2 - 0.75, 5])).toEqual([1, 1, 2]);
    }
  });

  it.each([
    ['no', ''],
    ['too small a', 'CompressedDataSize = 5\n'],
    ['too large a', 'CompressedDataSize = 500000\n'],
    ['the right', null],
  ])('reads all of compressed LOCAL data with %s CompressedDataSize, either endian', async (_, size) => {
    const values = Int16Array.from({ length: 4096 }, (_v, i) => ((i * 7919) % 3000) - 1024);
    for (const big of [false, true]) {
      const bytes = Buffer.from(values.slice().buffer);
      const packed = deflateSync(big ? bytes.swap16() : bytes);
      const head = meta(`CompressedData = True\n${size ?? `CompressedDataSize = ${packed.length}\n`}`, 'LOCAL')
        .replace('3 2 2', '16 16 16')
        .replace('MSB = False', `MSB = ${big ? 'True' : 'False'}`);
      const v = await readVolume(put(`z${big}.mha`, Buffer.concat([Buffer.from(head), packed])));
      expect(Buffer.from(v.data.buffer, v.data.byteOffset, v.data.byteLength).equals(Buffer.from(values.buffer))).toBe(true);
      expect(v.spacing).toEqual([2, 0.75, 0.5]);
    }
  });

  it('reads LOCAL data and big endian', async () => {
    const swapped = Buffer.from(raw).swap16();
    const v = await readVolume(put('c.mha', Buffer.concat([Buffer.from(meta('', 'LOCAL').replace('MSB = False', 'MSB = True')), swapped])));
    expect([...v.data]).toEqual(RAMP);
  });

  it('reads NRRD in LPS and in RAS space, raw and gzip', async () => {
    const head = (space: string, encoding: string): Buffer =>
      Buffer.from(
        `NRRD0004\ntype: short\ndimension: 3\nspace: ${space}\nsizes: 3 2 2\nspace directions: (0.5,0,0) (0,0.75,0) ` +
          `(0,0,2)\nendian: little\nencoding: ${encoding}\nspace origin: (1,2,3)\n\n`,
      );
    const lps = await readVolume(put('l.nrrd', Buffer.concat([head('left-posterior-superior', 'raw'), raw])));
    const ras = await readVolume(put('r.nrrd', Buffer.concat([head('right-anterior-superior', 'gzip'), gzipSync(raw)])));
    expect([...lps.data]).toEqual(RAMP);
    expect([...ras.data]).toEqual(RAMP);
    expect(lps.origin).toEqual([1, 2, 3]);
    expect(ras.origin).toEqual([-1, -2, 3]);
    expect(ras.direction).toEqual([-1, 0, 0, 0, -1, 0, 0, 0, 1]);
  });
});

describe('writing', () => {
  const c = Math.cos(0.3),
    s = Math.sin(0.3);
  const grids: [string, number[]][] = [
    ['plain', [1, 0, 0, 0, 1, 0, 0, 0, 1]],
    ['left-handed', [-1, 0, 0, 0, 1, 0, 0, 0, 1]],
    ['permuted', [0, 1, 0, 0, 0, -1, 1, 0, 0]],
    ['oblique', [c, -s, 0, s, c, 0, 0, 0, 1]],
  ];
  it.each(grids)("puts a result on the input's exact grid: %s", async (name, direction) => {
    for (const ending of name === 'oblique' ? ['.nii.gz', '.nii', '.nrrd', '.nhdr', '.mha', '.mhd'] : ['.nii.gz']) {
      const made = volumeOf(
        [3, 4, 5],
        Int16Array.from({ length: 60 }, (_, i) => i - 9),
        { direction },
      );
      const file = join(folder, `grid-${name}${ending}`);
      await writeVolume(file, made);
      const input = await readVolume(file);
      expect([...input.data]).toEqual([...made.data]);
      const ras = toRas(input);
      const result = fromRas({ ...ras, data: Uint8Array.from(ras.data, (x) => (x > 10 ? 1 : 0)) }, input);
      const out = join(folder, `out-${name}${ending}`);
      await writeVolume(out, result);
      const back = await readVolume(out);
      expect(back.data).toBeInstanceOf(Uint8Array);
      expect([...back.data]).toEqual([...made.data].map((x) => (x > 10 ? 1 : 0)));
      expect(back.spacing).toEqual(input.spacing);
      expect(back.origin).toEqual(input.origin);
      back.direction.forEach((x, i) =>
        expect(Math.abs(x - input.direction[i])).toBeLessThan(ending.startsWith('.nii') && name === 'oblique' ? 2e-7 : 1e-15),
      );
    }
  });

  it('sets both qform and sform in NIfTI', async () => {
    const file = join(folder, 'codes.nii');
    await writeVolume(file, volumeOf([1, 2, 3], new Uint8Array(6)), false);
    const bytes = readFileSync(file);
    expect(bytes.readInt16LE(252)).toBeGreaterThan(0);
    expect(bytes.readInt16LE(254)).toBeGreaterThan(0);
  });

  it('leaves nothing but the files asked for, and refuses what it cannot keep', async () => {
    const place = join(folder, 'clean');
    await writeVolume(join(place, 'a.mhd'), volumeOf([1, 2, 3], new Uint8Array(6)));
    expect(readdirSync(place).sort()).toEqual(['a.mhd', 'a.zraw']);
    expect((await dataError(() => writeVolume(join(place, 'a.xyz'), volumeOf([1, 2, 3], new Uint8Array(6))))).message).toMatch(
      /a\.xyz: unknown kind/,
    );
    expect((await dataError(() => writeVolume(join(place, 'b.nii'), volumeOf([2, 2, 3], new Uint8Array(6))))).message).toMatch(
      /b\.nii: wrong number of voxels, got 6/,
    );
    expect(readdirSync(place).sort()).toEqual(['a.mhd', 'a.zraw']);
  });

  needs(process.getuid?.() !== 0, 'a user whom folders can refuse (not root)').it('says that a folder is read-only', async () => {
    const place = join(folder, 'locked');
    mkdirSync(place);
    chmodSync(place, 0o500);
    expect((await dataError(() => writeVolume(join(place, 'a.nii'), volumeOf([1, 2, 3], new Uint8Array(6))))).message).toMatch(
      /no permission to write/,
    );
  });

  it('says that the output folder is a file', async () => {
    put('afile', 'x');
    expect((await dataError(() => writeVolume(join(folder, 'afile', 'a.nii'), volumeOf([1, 2, 3], new Uint8Array(6))))).message).toMatch(
      /a\.nii: cannot be written/,
    );
  });
});

describe('bad files are refused by name', () => {
  const big = gzipSync(
    niftiBytes(
      Array.from({ length: 4096 }, (_, i) => (i * 7919) % 1000),
      { dims: [16, 16, 16] },
    ),
  );
  const flipped = Buffer.from(big);
  flipped[flipped.length >> 1] ^= 0x55;
  const shear = [
    [1, 0.2, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
  ];
  it.each<[string, string, Buffer | string, RegExp]>([
    ['truncated gzip', 't.nii.gz', big.subarray(0, big.length - 200), /t\.nii\.gz: the compressed data stop early/],
    ['corrupt gzip', 'k.nii.gz', flipped, /k\.nii\.gz: .*(corrupt|fewer voxels)/],
    ['not gzip at all', 'n.nii.gz', 'hello, this is text', /n\.nii\.gz: the compressed data are corrupt/],
    ['an empty file', 'z.nii', '', /z\.nii: too short for a NIfTI header, got 0 bytes/],
    ['another kind of file', 'p.nii', 'x'.repeat(400), /p\.nii: not a NIfTI file/],
    [
      '10^12 voxels',
      'h.nii.gz',
      gzipSync(niftiBytes(RAMP, { dims: [10000, 10000, 10000] })),
      /h\.nii\.gz: the header promises 1\.00e\+12 voxels/,
    ],
    [
      'too few voxels',
      'f.nii',
      niftiBytes(RAMP, { dims: [3, 2, 3] }),
      /f\.nii: holds fewer voxels than its header promises, got 376 bytes, expected 388/,
    ],
    ['too few voxels in good gzip', 'g.nii.gz', gzipSync(niftiBytes(RAMP, { dims: [3, 2, 3] })), /g\.nii\.gz: holds fewer voxels/],
    [
      'four dimensions',
      'd4.nii',
      niftiBytes([...RAMP, ...RAMP], { dims: [3, 2, 2, 2] }),
      /d4\.nii: not a 3D volume, got 4 dimensions \(3 x 2 x 2 x 2\)/,
    ],
    ['two dimensions', 'd2.nii', niftiBytes(RAMP, { dims: [4, 3] }), /d2\.nii: not a 3D volume, got 2/],
    ['negative dimensions', 'dn.nii', niftiBytes(RAMP, { dims: [3, -2, 2] }), /dn\.nii: impossible dimensions/],
    [
      'a sheared affine',
      's.nii',
      niftiBytes(RAMP, { sform: shear }),
      /s\.nii: voxel axes x and y are not perpendicular, got a cosine of 0\.19/,
    ],
    [
      'a NaN',
      'nan.nii',
      niftiBytes(
        RAMP.map((x, i) => (i === 7 ? NaN : x)),
        { datatype: 16 },
      ),
      /nan\.nii: values that are not finite, got 1 NaN or infinite voxels \(the first at x 1, y 0, z 1\)/,
    ],
    [
      'a NaN in compressed big endian',
      'nan.nii.gz',
      gzipSync(
        niftiBytes(
          RAMP.map((x, i) => (i === 5 ? NaN : x)),
          { datatype: 16, little: false },
        ),
      ),
      /nan\.nii\.gz: .*x 2, y 1, z 0/,
    ],
    [
      'a NaN in NRRD',
      'nan.nrrd',
      Buffer.concat([
        Buffer.from('NRRD0004\ntype: float\ndimension: 3\nsizes: 3 2 2\nendian: little\nencoding: raw\n\n'),
        Buffer.from(Float32Array.from(RAMP, (x, i) => (i === 5 ? NaN : x)).buffer),
      ]),
      /nan\.nrrd: .*x 2, y 1, z 0/,
    ],
    [
      'an infinity',
      'inf.nii',
      niftiBytes(
        RAMP.map((x, i) => (i === 0 ? Infinity : x)),
        { datatype: 64 },
      ),
      /inf\.nii: values that are not finite/,
    ],
    ['an unknown ending', 'a.jpg', 'x', /a\.jpg: unknown kind of volume/],
    [
      'a header without its data',
      'lost.mhd',
      'NDims = 3\nDimSize = 3 2 2\nElementType = MET_SHORT\nElementDataFile = gone.raw\n',
      /lost\.mhd: names a data file that cannot be read, got ".*gone\.raw"/,
    ],
    [
      'an absurd MetaImage',
      'w.mha',
      'NDims = 3\nDimSize = 10000 10000 10000\nElementType = MET_SHORT\nElementDataFile = LOCAL\n',
      /w\.mha: the header promises 1\.00e\+12/,
    ],
    [
      'a sheared MetaImage',
      'sh.mha',
      'NDims = 3\nTransformMatrix = 1 0 0 0.3 1 0 0 0 1\nDimSize = 3 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n............',
      /sh\.mha: voxel axes/,
    ],
    [
      'a truncated NRRD',
      'r.nrrd',
      'NRRD0004\ntype: short\ndimension: 3\nsizes: 3 2 2\nencoding: raw\n\nabc',
      /r\.nrrd: holds fewer voxels than its header promises, got 3 bytes, expected 24/,
    ],
    [
      'a MetaImage without type',
      'ty.mha',
      'NDims = 3\nDimSize = 3 2 2\nElementDataFile = LOCAL\n',
      /ty\.mha: header field ElementType, got nothing/,
    ],
    [
      'an NRRD without encoding',
      'en.nrrd',
      `NRRD0004\ntype: short\ndimension: 3\nsizes: 3 2 2\n\n${'x'.repeat(24)}`,
      /en\.nrrd: header field encoding, got nothing, expected raw, gzip/,
    ],
    [
      'a MetaImage of data elsewhere',
      'away.mhd',
      'NDims = 3\nDimSize = 3 2 2\nElementType = MET_SHORT\nElementDataFile = ../secret.raw\n',
      /away\.mhd: names a data file out of its folder, got "\.\.\/secret\.raw"[^]*Put both into one folder/,
    ],
    [
      'an NRRD of data elsewhere',
      'away.nhdr',
      'NRRD0004\ntype: short\ndimension: 3\nsizes: 3 2 2\nencoding: raw\ndata file: /etc/hosts\n\n',
      /away\.nhdr: names a data file out of its folder, got "\/etc\/hosts"/,
    ],
    [
      'a corrupt compressed MetaImage',
      'bad.mha',
      Buffer.concat([
        Buffer.from('NDims = 3\nDimSize = 3 2 2\nElementType = MET_SHORT\nCompressedData = True\nElementDataFile = LOCAL\n'),
        deflateSync(Buffer.alloc(24)).subarray(0, 9),
      ]),
      /bad\.mha: the compressed data stop early/,
    ],
    ['a plain NIfTI named .nii.gz', 'plain.nii.gz', niftiBytes(RAMP), /plain\.nii\.gz: not compressed[^]*Rename it to plain\.nii,/],
    [
      'a spacing of its own in the sform',
      'two.nii',
      niftiBytes(RAMP, { pixdim: [1, 1, 2] }),
      /two\.nii: two voxel spacings, got pixdim 1 x 1 x 2 mm and sform columns of 1 x 1 x 1 mm[^]*correct the other/,
    ],
    [
      'a NaN spacing beside an sform',
      'nansp.nii',
      niftiBytes(RAMP, { pixdim: [1, NaN, 1] }),
      /nansp\.nii: two voxel spacings, got pixdim 1 x NaN x 1/,
    ],
    [
      'no spacing at all',
      'none.nii',
      niftiBytes(RAMP, { pixdim: [1, 1, 0], sform: null }),
      /none\.nii: no voxel spacing, got pixdim 1 x 1 x 0 and no sform[^]*Set pixdim/,
    ],
  ])('%s', async (_what, name, bytes, message) => {
    expect((await dataError(() => readVolume(put(name, bytes)))).message).toMatch(message);
  });

  it('an ending in capitals, which the decoder does not know', async () => {
    expect((await dataError(() => readVolume(put('CAPS.NII', niftiBytes(RAMP))))).message).toMatch(/CAPS\.NII: unknown kind of volume/);
  });

  it('a missing file and an empty folder', async () => {
    expect((await dataError(() => readVolume(join(folder, 'nowhere.nii')))).message).toMatch(
      /nowhere\.nii: cannot be read, got no such file/,
    );
    mkdirSync(join(folder, 'empty'));
    expect((await dataError(() => readVolume(join(folder, 'empty')))).message).toMatch(/empty: no DICOM image/);
  });

  it('accepts spacings that differ by rounding', async () => {
    expect((await readVolume(put('near.nii', niftiBytes(RAMP, { pixdim: [1, 1.0005, 1] })))).size).toEqual([2, 2, 3]);
  });

  it('accepts a fourth dimension of one time point', async () => {
    const v = await readVolume(put('d41.nii', niftiBytes(RAMP, { dims: [3, 2, 2, 1] })));
    expect(v.size).toEqual([2, 2, 3]);
    expect(v.direction).toEqual([-1, 0, 0, 0, -1, 0, 0, 0, 1]);
  });
});

describe('comparing grids', () => {
  const image = volumeOf([4, 5, 6], new Uint8Array(120));
  it('tolerates less than a thousandth of a voxel and prints both grids beyond', async () => {
    const moved = (by: number): Volume => ({ ...image, origin: [10 + by, -20, 30] });
    expect(sameGeometry(image, moved(0.0004))).toBe(true); // 0.0008 voxels of 0.5 mm
    expect(sameGeometry(image, moved(0.0006))).toBe(false);
    const error = await dataError(() => assertSameGeometry(image, 'im.nii', moved(0.5), 'lb.nii'));
    expect(error.message).toContain('lb.nii: lies on another grid than im.nii, got a difference of 1.00 voxels');
    expect(error.message).toMatch(/voxels[^]*im\.nii\n.*size[^]*origin \[x,y,z\]  10, -20, 30[^]*lb\.nii\n[^]*10\.5, -20, 30/);
  });
  it('measures at the far corner: spacing and direction errors grow with size', () => {
    expect(sameGeometry(image, { ...image, spacing: [2.5, 0.75, 0.50005] })).toBe(true); // 5 * 1e-4 = 5e-4 voxels
    expect(sameGeometry(image, { ...image, spacing: [2.5, 0.75, 0.5002] })).toBe(false); // 2e-3 voxels
    expect(sameGeometry(image, { ...image, size: [4, 5, 7] })).toBe(false);
  });
  it('refuses to put voxels on a foreign grid', async () => {
    expect((await dataError(() => fromRas(toRas(image), { ...image, size: [4, 5, 7] }))).message).toMatch(/another grid/);
  });
});

describe('real scans', () => {
  it('reads DICOM slices, shuffled, to the same voxels and place as their NIfTI twin, and misses a missing one', async () => {
    const dicom = sharedData('ibsi-lung-tumour/dicom/image'),
      nifti = sharedData('ibsi-lung-tumour/nifti/image.nii.gz');
    if (!dicom || !nifti) return;
    // Six neighbouring slices under names that sort the wrong way.
    const place = join(folder, 'series'),
      slices = readdirSync(dicom).sort().slice(20, 26);
    mkdirSync(place);
    slices.forEach((name, i) => copyFileSync(join(dicom, name), join(place, `${(i * 5) % 6}.dcm`)));
    const a = toRas(await readVolume(place)),
      b = toRas(await readVolume(nifti));
    expect(a.size).toEqual([6, b.size[1], b.size[2]]);
    const first = worldToVoxel(b, voxelToWorld(a, [0, 0, 0]));
    const d = Math.round(first[0]),
      plane = b.size[1] * b.size[2];
    [d, 0, 0].forEach((x, axis) => expect(Math.abs(first[axis] - x)).toBeLessThan(1e-3));
    expect(
      Buffer.from(Float32Array.from(a.data).buffer).equals(
        Buffer.from(Float32Array.from(b.data.subarray(d * plane, (d + 6) * plane)).buffer),
      ),
    ).toBe(true);
    copyFileSync(join(place, '0.dcm'), join(place, 'again.dcm'));
    expect((await dataError(() => readVolume(place))).message).toMatch(/two slices at one position/);
    rmSync(join(place, 'again.dcm'));
    rmSync(join(place, '5.dcm')); // not the first or last position
    expect((await dataError(() => readVolume(place))).message).toMatch(
      /series: slices missing or unevenly spaced, got 6\.000 mm between .*dcm, expected 3\.000 mm/,
    );
  });

  it('reads NRRD and MetaImage with the values their index lists', async () => {
    const range = (data: VoxelArray): [number, number] => {
      let low = Infinity,
        high = -Infinity;
      for (const x of data) {
        if (x < low) low = x;
        if (x > high) high = x;
      }
      return [low, high];
    };
    const nrrd = sharedData('cip-lung-nrrd/ct-64.nrrd'),
      mha = sharedData('elastix-lung-mha/CT_3D_lung_small.mha');
    if (nrrd) expect(range((await readVolume(nrrd)).data)).toEqual([-1007, 1095]);
    if (mha) expect(range((await readVolume(mha)).data)).toEqual([-1130, 1379]);
  });
});
