// SPDX-License-Identifier: MIT
// NIfTI against nibabel 5.4: the affines below are what `nibabel.load(file).affine` (or get_best_affine) gives for the same fields.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { affine, COUNT, decode, IDENTITY, nifti, RAMP, refusal, type NiftiFields } from './files.ts';

const close = (got: number[], want: number[], digits = 5): void =>
  want.forEach((x, i) => expect(got[i], `entry ${i} of ${got}`).toBeCloseTo(x, digits));
const BASE = { pixdim: [0.5, 0.75, 2] },
  OFFSET = [10, -20, 30];

describe('voxels', () => {
  const types: [string, number][] = [
    ['uint8', 2],
    ['int16', 4],
    ['int32', 8],
    ['float32', 16],
    ['float64', 64],
    ['int8', 256],
    ['uint16', 512],
    ['uint32', 768],
    ['int64', 1024],
    ['uint64', 1280],
  ];
  const forms = [
    [false, true],
    [false, false],
    [true, true],
    [true, false],
  ] as const;
  it.each(types.flatMap(([type, datatype]) => forms.map(([v2, little]) => [type, datatype, v2, little] as const)))(
    '%s (%i), NIfTI-2 %s, little endian %s',
    async (type, datatype, v2, little) => {
      const values = RAMP.map((x) => (type.startsWith('u') ? x + 100 : type === 'int8' ? Math.max(-128, Math.trunc(x / 4) + 0) : x)).map(
        (x) => (type === 'uint8' ? x % 256 : x),
      );
      for (const file of ['a.nii', 'a.nii.gz']) {
        const bytes = nifti({ v2, little, datatype, offset: v2 ? 560 : 400 }, values, type);
        const { volume } = await decode(file, file.endsWith('gz') ? gzipSync(bytes) : bytes);
        expect([...volume.data]).toEqual(values);
        expect(volume.data.constructor.name.toLowerCase()).toBe(`${/int64/.test(type) ? 'float64' : type}array`);
      }
    },
  );
  it.each<[string, NiftiFields, (x: number) => number]>([
    ['slope and intercept', { slope: 0.5, inter: -1024 }, (x) => 0.5 * x - 1024],
    ['slope 0', { slope: 0, inter: 7 }, (x) => x],
    ['slope NaN', { slope: NaN, inter: NaN }, (x) => x],
    ['slope infinite', { slope: Infinity, inter: 3 }, (x) => x],
    ['negative slope', { slope: -2, inter: 1 }, (x) => 1 - 2 * x],
    ['identity', {}, (x) => x],
  ])('scales as nibabel does: %s', async (_, fields, value) => {
    const { volume } = await decode('a.nii', nifti(fields));
    expect([...volume.data]).toEqual(RAMP.map(value));
    expect(volume.data instanceof Int16Array).toBe(value(5) === 5);
  });
  it('keeps 32-bit integers exact under a whole scale', async () => {
    const values = RAMP.map((x) => 2 ** 30 + x);
    expect([...(await decode('a.nii', nifti({ datatype: 8, slope: 2, inter: 1 }, values, 'int32'))).volume.data]).toEqual(
      values.map((x) => 2 * x + 1),
    );
  });
});

describe('place', () => {
  it.each<[string, NiftiFields, number[]]>([
    [
      'qform',
      { ...BASE, qform: { quat: [0.1, 0.2, 0.3], offset: OFFSET } },
      [0.37, -0.387313, 0.861889, 10, 0.298209, 0.6, -0.130945, -20, -0.155472, 0.229104, 1.8, 30],
    ],
    [
      'qform, qfac -1',
      { ...BASE, qfac: -1, qform: { quat: [0.1, 0.2, 0.3], offset: OFFSET } },
      [0.37, -0.387313, -0.861889, 10, 0.298209, 0.6, 0.130945, -20, -0.155472, 0.229104, -1.8, 30],
    ],
    [
      'qform, qfac 0 is 1',
      { ...BASE, qfac: 0, qform: { quat: [0.1, 0.2, 0.3], offset: OFFSET } },
      [0.37, -0.387313, 0.861889, 10, 0.298209, 0.6, -0.130945, -20, -0.155472, 0.229104, 1.8, 30],
    ],
    [
      'a half turn, rounded',
      { ...BASE, qform: { code: 2, quat: [Math.SQRT1_2, Math.SQRT1_2, 0], offset: OFFSET } },
      [0, 0.75, 0, 10, 0.5, 0, 0, -20, 0, 0, -2, 30],
    ],
    [
      'sform alone',
      {
        ...BASE,
        sform: {
          code: 4,
          rows: [
            [0, 0.75, 0, 1],
            [0.5, 0, 0, 2],
            [0, 0, -2, 3],
          ],
        },
      },
      [0, 0.75, 0, 1, 0.5, 0, 0, 2, 0, 0, -2, 3],
    ],
    [
      'both, alike',
      {
        ...BASE,
        qform: { offset: OFFSET },
        sform: {
          code: 2,
          rows: [
            [0.5, 0, 0, 10],
            [0, 0.75, 0, -20],
            [0, 0, 2, 30],
          ],
        },
      },
      [0.5, 0, 0, 10, 0, 0.75, 0, -20, 0, 0, 2, 30],
    ],
    [
      'metres',
      {
        pixdim: [0.0005, 0.00075, 0.002],
        units: 1,
        sform: {
          rows: [
            [0.0005, 0, 0, 0.01],
            [0, 0.00075, 0, -0.02],
            [0, 0, 0.002, 0.03],
          ],
        },
      },
      [0.5, 0, 0, 10, 0, 0.75, 0, -20, 0, 0, 2, 30],
    ],
    [
      'micrometres and seconds',
      { pixdim: [500, 750, 2000], units: 3 | 8, qform: { offset: OFFSET.map((o) => 1000 * o) } },
      [0.5, 0, 0, 10, 0, 0.75, 0, -20, 0, 0, 2, 30],
    ],
    ['no unit', { ...BASE, units: 0, qform: { offset: OFFSET } }, [0.5, 0, 0, 10, 0, 0.75, 0, -20, 0, 0, 2, 30]],
  ])('%s', async (_, fields, want) => {
    for (const v2 of [false, true])
      for (const little of [true, false]) {
        const { volume, remarks } = await decode('a.nii', nifti({ ...fields, v2, little }));
        close(affine(volume), want);
        expect(remarks).toEqual([]);
      }
  });

  it('takes a shear within the tolerance as it is: voxels lie where nibabel puts them', async () => {
    const rows = [
      [0.5, 0.0006, 0, 10],
      [0, 0.75, 0, -20],
      [0, 0, 2, 30],
    ];
    const { volume, remarks } = await decode('a.nii', nifti({ ...BASE, qform: { offset: OFFSET }, sform: { code: 3, rows } }));
    close(affine(volume), rows.flat(), 7);
    expect(remarks).toEqual([]);
  });

  it('two contradicting orientations: the sform where all readers take it, with both printed', async () => {
    const { volume, remarks } = await decode(
      'a.nii',
      nifti({
        qform: { quat: [0, 0, 1], offset: [10, 20, 30] },
        sform: {
          rows: [
            [-1, 0, 0, 90],
            [0, 1, 0, -126],
            [0, 0, 1, -72],
          ],
        },
      }),
    );
    close(affine(volume), [-1, 0, 0, 90, 0, 1, 0, -126, 0, 0, 1, -72]);
    expect(remarks).toMatchObject([
      {
        doubtful: false,
        message: expect.stringMatching(
          /two orientations .*the sform \(code 1\).*LPS -90, 126, -72 .*the qform \(code 1\).*LPS -10, -20, 30 .*the sform is taken/,
        ),
      },
    ]);
  });
  it('a little apart: said, wherever the sform comes from', async () => {
    const { volume, remarks } = await decode(
      'a.nii',
      nifti({
        qform: {},
        sform: {
          code: 2,
          rows: [
            [1, 0, 0, 0.3],
            [0, 1, 0, 0],
            [0, 0, 1, 0],
          ],
        },
      }),
    );
    close(affine(volume), [1, 0, 0, 0.3, 0, 1, 0, 0, 0, 0, 1, 0]);
    expect(remarks).toMatchObject([{ doubtful: false, message: expect.stringMatching(/two orientations 0\.3 voxels apart/) }]);
  });
  it.each([2, 3, 4, 5])('and a refusal where they do not (sform code %i)', async (code) => {
    for (const rows of [
      [
        [-1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
      ],
      [
        [1, 0, 0, 2],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
      ],
      [
        [1, 0, 0, 0],
        [0, 0.9, -0.43589, 0],
        [0, 0.43589, 0.9, 0],
      ],
    ]) {
      expect(await refusal('a.nii', nifti({ qform: {}, sform: { code, rows } }))).toMatchObject({
        name: 'DataError',
        message: expect.stringMatching(/two orientations .*sform.*qform.*set_qform/),
      });
    }
  });

  it("no orientation: nibabel's, said, and refused where nobody hears it", async () => {
    const bytes = nifti({ pixdim: [1.5, 1.5, 3], sform: { code: 0, rows: IDENTITY } }),
      { volume, remarks } = await decode('a.nii', bytes);
    close(affine(volume), [-1.5, 0, 0, 2.25, 0, 1.5, 0, -1.5, 0, 0, 3, -6]);
    expect(volume.unoriented).toBe(true);
    expect(remarks).toMatchObject([
      { file: 'a.nii', doubtful: true, message: expect.stringMatching(/states no orientation \(qform and sform code 0\)/) },
    ]);
  });
});

describe('what is damaged or contradicts itself is refused by name', () => {
  const q = (quat: number[], more: NiftiFields = {}): NiftiFields => ({ qform: { quat }, ...more });
  it.each<[string, NiftiFields, RegExp]>([
    ['vox_offset NaN', { offset: NaN }, /vox_offset, got NaN, expected a whole number/],
    ['vox_offset in the header', { offset: 100 }, /vox_offset, got 100, expected a whole number of at least 352/],
    ['vox_offset 0', { offset: 0 }, /vox_offset, got 0/],
    ['vox_offset negative', { offset: -352 }, /vox_offset, got -352/],
    ['vox_offset fractional', { offset: 352.5 }, /vox_offset, got 352\.5/],
    ['vox_offset beyond the file', { offset: 1e9 }, /fewer voxels/],
    ['quaternion NaN', q([NaN, 0, 0]), /the qform is no orientation, got quaternion \(NaN/],
    ['quaternion too long', q([1, 1, 0]), /the qform is no orientation/],
    ['offset infinite', { qform: { offset: [Infinity, 0, 0] } }, /the qform is no orientation.*offset \(Infinity/],
    ['qfac NaN', q([0, 0, 0], { qfac: NaN }), /qfac NaN/],
    ['qfac -3, which readers take for 1 and for -1', q([0, 0, 0], { qfac: -3 }), /qfac -3/],
    ['a damaged qform beside a sform', { qform: { quat: [NaN, 0, 0] }, sform: { rows: IDENTITY } }, /the qform is no orientation/],
    [
      'sform of zeros',
      {
        sform: {
          rows: [
            [0, 0, 0, 0],
            [0, 0, 0, 0],
            [0, 0, 0, 0],
          ],
        },
      },
      /has no direction/,
    ],
    [
      'sform NaN',
      {
        sform: {
          rows: [
            [NaN, 0, 0, 0],
            [0, 1, 0, 0],
            [0, 0, 1, 0],
          ],
        },
      },
      /has no direction/,
    ],
    [
      'sform offset NaN',
      {
        sform: {
          rows: [
            [1, 0, 0, NaN],
            [0, 1, 0, 0],
            [0, 0, 1, 0],
          ],
        },
      },
      /origin is not usable/,
    ],
    [
      'two axes alike',
      {
        sform: {
          rows: [
            [1, 1, 0, 0],
            [0, 0, 0, 0],
            [0, 0, 1, 0],
          ],
        },
      },
      /not perpendicular/,
    ],
    ['pixdim NaN', q([0, 0, 0], { pixdim: [1, NaN, 1] }), /no voxel spacing/],
    ['pixdim negative', q([0, 0, 0], { pixdim: [1, -1, 1] }), /no voxel spacing/],
    ['pixdim 0', q([0, 0, 0], { pixdim: [0, 1, 1] }), /no voxel spacing/],
    ['pixdim infinite', { pixdim: [1, 1, Infinity] }, /two voxel spacings/],
    ['bitpix of another type', { bitpix: 8 }, /bitpix, got 8, expected 16 as datatype 4 has/],
    ['form codes of no form', { sform: { code: 77, rows: IDENTITY } }, /sform_code, got 77/],
    ['a negative form code', { qform: { code: -1 } }, /qform_code, got -1/],
    ['units of time for lengths', { units: 5 }, /xyzt_units, got 5/],
    ['slope without an intercept', { slope: 2, inter: NaN }, /scl_inter, got NaN/],
    ['no dimension', { dims: [] }, /impossible number of dimensions/],
    ['a dimension of 0', { dims: [4, 0, 5] }, /impossible dimensions/],
    ['a negative one', { dims: [4, -3, 5] }, /impossible dimensions/],
    ['time', { dims: [4, 3, 1, 5] }, /not a 3D volume/],
    ['RGB', { datatype: 128 }, /not a scalar image, got 3/],
    ['complex', { datatype: 32 }, /not a scalar image, got 2/],
    ['single bits', { datatype: 1 }, /unknown NIfTI data type, got code 1 \(single bits\)/],
    ['128-bit floats', { datatype: 1536 }, /got code 1536 \(128-bit floats\)/],
    ['half a pair', { magic: 'ni1\0' }, /a NIfTI header without its voxels/],
    ['Analyze 7.5', { magic: '\0\0\0\0' }, /Analyze 7\.5/],
    ['another magic', { magic: 'n+3\0' }, /got magic "n\+3/],
    ['NIfTI-2 copied as text', { v2: true, magic: 'n+2\0\n\x1a\n\0' }, /got magic/],
    ['a length in NIfTI-2 past any memory', { v2: true, dims: [2 ** 40, 1, 1] }, /promises 1\.10e\+12 voxels/],
    ['one past exactness', { v2: true, dims: [2 ** 60, 1, 1] }, /impossible dimensions/],
  ])('%s', async (_, fields, message) => {
    for (const file of ['a.nii', 'a.nii.gz']) {
      const bytes = nifti(fields);
      expect(await refusal(file, file.endsWith('gz') ? gzipSync(bytes) : bytes)).toMatchObject({
        name: 'DataError',
        message: expect.stringMatching(message),
      });
    }
  });
  it.each<[string, Buffer, RegExp]>([
    [
      'more voxels than promised',
      Buffer.concat([nifti(), Buffer.from([1])]),
      /holds more than its header promises, got 473 bytes, expected 472/,
    ],
    ['twice as much, of zeros', Buffer.concat([nifti(), Buffer.alloc(2 * COUNT)]), /holds more than its header promises/],
    ['too much padding', Buffer.concat([nifti(), Buffer.alloc(70000)]), /holds more than its header promises/],
    ['one byte too few', nifti().subarray(0, 471), /holds fewer voxels than its header promises, got 471 bytes, expected 472/],
    [
      'an integer past 2^53',
      nifti(
        { datatype: 1024 },
        RAMP.map((x) => (x === -100 ? 2 ** 60 : x)),
        'int64',
      ),
      /an integer too large to be kept exactly, got about 1\.153e\+18/,
    ],
    ['gzip under the name of none', gzipSync(nifti()), /compressed, got gzip, expected a NIfTI header[^]*Rename it to a\.nii\.gz/],
    ["a pair's header under its own name", nifti(), /unknown kind of volume, got "a\.hdr"[^]*Convert the pair/],
  ])('%s', async (what, bytes, message) => {
    const name = what.startsWith('a pair') ? 'a.hdr' : 'a.nii';
    expect(await refusal(name, bytes)).toMatchObject({ message: expect.stringMatching(message) });
    if (name === 'a.nii' && !what.startsWith('gzip')) expect(await refusal('a.nii.gz', gzipSync(bytes))).toBeInstanceOf(DataError);
  });
  it('but padding by zeros or a newline is none', async () => {
    for (const tail of [Buffer.alloc(512), Buffer.from('\n'), Buffer.from('\r\n\0')])
      expect((await decode('a.nii', Buffer.concat([nifti(), tail]))).volume.data.length).toBe(COUNT);
  });
});
