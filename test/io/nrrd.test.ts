// SPDX-License-Identifier: MIT
// NRRD by its definition (teem.sourceforge.net/nrrd/format.html).
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { affine, decode, nrrd, RAMP, refusal, stored } from './files.ts';

const LPS = [-0.5, 0, 0, -10, 0, -0.6, 0, -20, 0, 0, 2, 30];
const close = (got: number[], want: number[]): void => want.forEach((x, i) => expect(got[i], `entry ${i} of ${got}`).toBeCloseTo(x, 9));
const TYPES: Record<string, string[]> = {
  int8: ['signed char', 'int8', 'int8_t'],
  uint8: ['uchar', 'unsigned char', 'uint8', 'uint8_t'],
  int16: ['short', 'short int', 'signed short', 'signed short int', 'int16', 'int16_t'],
  uint16: ['ushort', 'unsigned short', 'unsigned short int', 'uint16', 'uint16_t'],
  int32: ['int', 'signed int', 'int32', 'int32_t'],
  uint32: ['uint', 'unsigned int', 'uint32', 'uint32_t'],
  int64: ['longlong', 'long long', 'long long int', 'signed long long', 'signed long long int', 'int64', 'int64_t'],
  uint64: ['ulonglong', 'unsigned long long', 'unsigned long long int', 'uint64', 'uint64_t'],
  float32: ['float'],
  float64: ['double'],
};

describe('voxels', () => {
  it.each(Object.entries(TYPES).flatMap(([type, names]) => names.map((name) => [name, type] as const)))('type: %s', async (name, type) => {
    const values = RAMP.map((x) => Math.trunc(type === 'int8' ? x / 4 : type.startsWith('u') ? (x + 100) % 250 : x) + 0);
    for (const little of [true, false])
      for (const encoding of ['raw', 'gzip', 'gz', 'hex', 'ascii', 'text', 'txt']) {
        const raw = stored(values, type, little),
          data = encoding.startsWith('g')
            ? gzipSync(raw)
            : encoding === 'hex'
              ? raw.toString('hex').replace(/.{40}/g, '$&\n')
              : encoding === 'raw'
                ? raw
                : `${values.join(' ')}\n`;
        expect([
          ...(await decode('a.nrrd', nrrd({ type: name, encoding, endian: little ? 'little' : 'big' }, data as Buffer))).volume.data,
        ]).toEqual(values);
      }
  });
  it('needs no endian for bytes and for text', async () => {
    expect([...(await decode('a.nrrd', nrrd({ type: 'uchar', endian: null }, Buffer.alloc(60, 7)))).volume.data]).toEqual(
      Array(60).fill(7),
    );
    expect([...(await decode('a.nrrd', nrrd({ encoding: 'ascii', endian: null }, RAMP.join('\n')))).volume.data]).toEqual(RAMP);
  });
  it('passes over lines and bytes, before decoding and after', async () => {
    const raw = stored(RAMP),
      skipped = Buffer.concat([Buffer.from('one\ntwo\n'), Buffer.alloc(5), raw]);
    for (const bytes of [
      nrrd({ 'line skip': '2', 'byte skip': '5' }, skipped),
      nrrd({ lineskip: '2', byteskip: '5' }, skipped),
      nrrd({ 'byte skip': '-1' }, skipped),
      nrrd({ 'byte skip': '3', encoding: 'gzip' }, gzipSync(Buffer.concat([Buffer.from('abc'), raw]))),
    ]) {
      expect([...(await decode('a.nrrd', bytes)).volume.data]).toEqual(RAMP);
    }
  });
  it('reads a header and its data file, under either name of the field', async () => {
    for (const field of ['data file', 'datafile']) {
      for (const [name, encoding, data] of [
        ['a.raw', 'raw', stored(RAMP)],
        ['b.raw.gz', 'gzip', gzipSync(stored(RAMP))],
        ['deep/c.txt', 'ascii', Buffer.from(RAMP.join(' '))],
      ] as const) {
        expect([...(await decode('a.nhdr', nrrd({ encoding, [field]: name }, ''), { [name]: data })).volume.data]).toEqual(RAMP);
      }
    }
    const unended = nrrd({ 'data file': 'a.raw' }, '');
    expect([...(await decode('a.nhdr', unended.subarray(0, unended.length - 1), { 'a.raw': stored(RAMP) })).volume.data]).toEqual(RAMP);
  });
});

describe('place', () => {
  it.each<[string, Record<string, string | null>, number[]]>([
    ...['left-posterior-superior', 'LPS', 'lps', 'Left-Posterior-Superior', 'left posterior superior', 'leftposteriorsuperior'].map(
      (space): [string, Record<string, string>, number[]] => [space, { space }, LPS],
    ),
    ...['right-anterior-superior', 'RAS'].map((space): [string, Record<string, string>, number[]] => [
      space,
      { space },
      [0.5, 0, 0, 10, 0, 0.6, 0, 20, 0, 0, 2, 30],
    ]),
    ...['left-anterior-superior', 'LAS'].map((space): [string, Record<string, string>, number[]] => [
      space,
      { space },
      [-0.5, 0, 0, -10, 0, 0.6, 0, 20, 0, 0, 2, 30],
    ]),
    [
      'permuted and flipped directions',
      { 'space directions': '(0,0,-2) (0.5,0,0) (0,0.6,0)' },
      [0, -0.5, 0, -10, 0, 0, -0.6, -20, -2, 0, 0, 30],
    ],
    [
      'a space and spacings',
      { space: 'RAS', 'space directions': null, spacings: '0.5 0.6 2' },
      [0.5, 0, 0, 10, 0, 0.6, 0, 20, 0, 0, 2, 30],
    ],
    [
      'micrometres',
      {
        'space directions': '(500,0,0) (0,600,0) (0,0,2000)',
        'space origin': '(10000,20000,30000)',
        'space units': '"microns" "um" "\u00b5m"',
      },
      LPS,
    ],
    [
      'micrometres in UTF-8',
      {
        'space directions': '(500,0,0) (0,600,0) (0,0,2000)',
        'space origin': '(10000,20000,30000)',
        'space units': '"\u00c2\u00b5m" "\u00ce\u00bcm" "micrometers"',
      },
      LPS,
    ],
    [
      'centimetres, each its own',
      { 'space directions': '(0.05,0,0) (0,0.6,0) (0,0,0.002)', 'space origin': '(1,20,0.03)', 'space units': '"cm" "mm" "m"' },
      LPS,
    ],
    ['units of spacings', { space: 'LPS', 'space directions': null, spacings: '500 600 2000', units: '"um" "um" "um"' }, LPS],
    ['directions and spacings alike', { spacings: '0.5 0.6 2' }, LPS],
    [
      'an axis of one channel',
      { dimension: '4', sizes: '1 4 3 5', 'space directions': 'none (0.5,0,0) (0,0.6,0) (0,0,2)', kinds: 'list domain domain domain' },
      LPS,
    ],
    [
      'one point in time',
      { dimension: '4', sizes: '4 3 5 1', 'space directions': '(0.5,0,0) (0,0.6,0) (0,0,2) none', kinds: 'domain domain domain time' },
      LPS,
    ],
    [
      'keys, comments, fields of no effect',
      {
        '# a comment': 'x',
        content: 'a: b',
        'sample units': '"HU"',
        centers: 'cell cell cell',
        kinds: 'space space space',
        'measurement frame': '(1,0,0) (0,1,0) (0,0,1)',
        number: '60',
      },
      LPS,
    ],
    ['keys with colons', { content: 'x\nITK:key:=a: b\nSegment0_Color:=1 0 0\nk:=' }, LPS],
    ['lines ended as on Windows', { content: 'crlf' }, LPS],
  ])('%s', async (what, fields, want) => {
    let bytes = nrrd(fields);
    if (what.endsWith('Windows'))
      bytes = Buffer.concat([Buffer.from(bytes.subarray(0, -120).toString('latin1').replaceAll('\n', '\r\n'), 'latin1'), stored(RAMP)]);
    const { volume, remarks } = await decode('a.nrrd', bytes);
    close(affine(volume), want);
    expect([...volume.data]).toEqual(RAMP);
    expect(remarks).toEqual([]);
  });
  it('says what it takes where the file says nothing', async () => {
    const plain = await decode('a.nrrd', nrrd({ space: null, 'space directions': null, 'space origin': null, spacings: '0.5 0.6 2' }));
    close(affine(plain.volume), [-0.5, 0, 0, 0, 0, -0.6, 0, 0, 0, 0, 2, 0]);
    expect(plain.remarks).toMatchObject([
      { doubtful: false, message: expect.stringMatching(/states no space/) },
      { doubtful: false, message: 'states no place (no field space origin): its first voxel is taken to lie at 0, 0, 0.' },
    ]);
    expect((await decode('a.nrrd', nrrd({ 'space directions': null }))).remarks).toMatchObject([
      { doubtful: true, message: 'states no voxel spacing (no field space directions), 1 mm is assumed.' },
    ]);
    expect((await decode('a.nrrd', nrrd({ space: null, 'space dimension': '3' }))).remarks).toMatchObject([
      { doubtful: false, message: expect.stringMatching(/directions but no space/) },
    ]);
  });
});

describe('what is damaged, contradictory or no place in a patient is refused by name', () => {
  it.each<[string, Record<string, string | null>, RegExp]>([
    ...['scanner-xyz', '3D-right-handed', '3D-left-handed', '3DRH'].map((space): [string, Record<string, string>, RegExp] => [
      space,
      { space },
      /header field space, .*patient's sides/,
    ]),
    ...['right-anterior-superior-time', 'RAST', 'scanner-xyz-time', 'right-inferior-posterior', 'nowhere'].map(
      (space): [string, Record<string, string>, RegExp] => [space, { space }, /header field space, got/],
    ),
    ['units of another kind', { 'space units': '"in" "in" "in"' }, /header field space units, got .*expected units of length/],
    ['two units', { 'space units': '"mm" "mm"' }, /header field space units, .*3 quoted units/],
    ['an unknown spacing', { 'space directions': null, spacings: '0.5 0.6 nan' }, /header field spacings/],
    ['a negative one', { 'space directions': null, spacings: '0.5 -0.6 2' }, /header field spacings/],
    ['a zero', { 'space directions': null, spacings: '0 0.6 2' }, /header field spacings/],
    ['a word', { 'space directions': null, spacings: '0.5 x 2' }, /header field spacings/],
    ['too few', { 'space directions': null, spacings: '0.5 2' }, /header field spacings/],
    ['two spacings', { spacings: '1 1 1' }, /header field spacings, .*lengths of the space directions/],
    ['a direction of NaN', { 'space directions': '(nan,0,0) (0,1,0) (0,0,1)' }, /header field space directions/],
    ['of two numbers', { 'space directions': '(1,0) (0,1) (0,0)' }, /three numbers in brackets/],
    ['of length 0', { 'space directions': '(0,0,0) (0,1,0) (0,0,1)' }, /has no direction/],
    ['two vectors', { 'space directions': '(1,0,0) (0,1,0)' }, /3 vectors/],
    ['a shear', { 'space directions': '(1,0.1,0) (0,1,0) (0,0,1)' }, /not perpendicular/],
    ['an origin of NaN', { 'space origin': '(nan,0,0)' }, /header field space origin/],
    ['in words', { 'space origin': 'here' }, /header field space origin/],
    ['bounds in place of a spacing', { 'axis mins': '0 0 0' }, /header field axis mins/],
    ['a slip in a name', { 'space orgin': '(1,2,3)' }, /a line that is no field of NRRD, got "space orgin/],
    ['a field twice', { datafile: 'a', 'data file': 'b' }, /header field data file, .*expected it once/],
    ['sizes that are no numbers', { sizes: '4 3 five' }, /impossible dimensions/],
    ['a fraction', { sizes: '4 3 5.5' }, /impossible dimensions/],
    ['a negative', { sizes: '4 -3 5' }, /impossible dimensions/],
    ['a zero size', { sizes: '4 0 5' }, /impossible dimensions/],
    ['fewer sizes', { sizes: '4 15' }, /header field sizes/],
    ['no dimension', { dimension: null }, /header field dimension/],
    ['two dimensions', { dimension: '2', sizes: '12 5', 'space directions': '(1,0,0) (0,1,0)' }, /not a 3D volume/],
    ['another count', { number: '61' }, /header field number/],
    [
      'colours',
      { dimension: '4', sizes: '3 4 3 5', 'space directions': 'none (1,0,0) (0,1,0) (0,0,1)', kinds: 'RGB-color domain domain domain' },
      /not a 3D scalar volume, got 3 samples along axis 0 of kind rgb-color/,
    ],
    [
      'a flat picture in colours',
      { sizes: '4 3 5', kinds: 'vector domain domain', 'space directions': null, spacings: '1 1 1' },
      /not a 3D scalar volume/,
    ],
    [
      'points in time',
      { dimension: '4', sizes: '4 3 5 2', 'space directions': '(1,0,0) (0,1,0) (0,0,1) none' },
      /not a 3D scalar volume, got 2 samples along axis 3/,
    ],
    ['time along z', { kinds: 'domain domain time' }, /not a 3D scalar volume/],
    ['a block', { type: 'block' }, /header field type/],
    ['no type', { type: null }, /header field type/],
    ['bzip2', { encoding: 'bzip2' }, /header field encoding, got "bzip2".*bzip2 is not read/],
    ['another encoding', { encoding: 'zrl' }, /header field encoding/],
    ['no endian', { endian: null }, /header field endian, got nothing, expected little or big/],
    ['another', { endian: 'middle' }, /header field endian/],
    ['a skip into nothing', { 'byte skip': '-2' }, /header field byte skip/],
    ['from the end of gzip', { encoding: 'gzip', 'byte skip': '-1' }, /header field byte skip/],
    ['lines that are not there', { 'line skip': '900' }, /header field line skip/],
    ['several data files', { 'data file': 'LIST' }, /several files/],
    ['a pattern', { 'data file': 'a%03d.raw 1 5 1' }, /several files/],
    ['a data file elsewhere', { 'data file': 'x/../../a.raw' }, /out of its folder/],
    ['on another drive', { 'data file': 'C:\\a.raw' }, /out of its folder/],
    ['in the net', { 'data file': 'http://example.org/a.raw' }, /out of its folder/],
  ])('%s', async (_, fields, message) => {
    expect(await refusal('a.nrrd', nrrd(fields))).toMatchObject({ name: 'DataError', message: expect.stringMatching(message) });
  });
  it.each<[string, Buffer, RegExp]>([
    [
      'too few numbers in text',
      nrrd({ encoding: 'ascii' }, RAMP.slice(1).join(' ')),
      /fewer voxels than its header promises, got 59 numbers/,
    ],
    ['too many', nrrd({ encoding: 'ascii' }, [...RAMP, 1].join(' ')), /more voxels than its header promises, got 61/],
    ['a word among them', nrrd({ encoding: 'ascii' }, RAMP.join(' ').replace('5', 'x')), /voxel 5 in text, got "-6x"/],
    ['a number past the type', nrrd({ encoding: 'ascii' }, RAMP.join(' ').replace('313', '70000')), /voxel 59 in text, got "70000"/],
    ['a fraction among integers', nrrd({ encoding: 'ascii' }, RAMP.join(' ').replace('313', '3.5')), /voxel 59 in text, got "3\.5"/],
    ['no hexadecimal digit', nrrd({ encoding: 'hex' }, 'zz'), /hexadecimal digits/],
    ['too few', nrrd({ encoding: 'hex' }, '00ff'), /fewer voxels/],
    ['more than promised', nrrd({}, Buffer.concat([stored(RAMP), Buffer.from('tail')])), /holds more than its header promises/],
    ['a zlib stream for gzip', nrrd({ encoding: 'gzip' }, deflateSync(stored(RAMP))), /no gzip header/],
    ['of another magic', Buffer.from(nrrd().toString('latin1').replace('NRRD0004', 'NRRD0009'), 'latin1'), /header field magic/],
    [
      'NaN',
      nrrd(
        { type: 'double' },
        stored(
          RAMP.map((x) => (x === -100 ? NaN : x)),
          'float64',
        ),
      ),
      /not finite, got 1 NaN.*x 0, y 0, z 0/,
    ],
  ])('%s', async (_, bytes, message) =>
    expect(await refusal('a.nrrd', bytes)).toMatchObject({ name: 'DataError', message: expect.stringMatching(message) }),
  );
});
