// SPDX-License-Identifier: MIT
// gzip and zlib streams through both decoders: what is padding, what goes on, what is damage.
import { constants, deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fflateCodec } from '../../src/io/fflate.ts';
import { zlibCodec } from '../../src/io/node/zlib.ts';
import { Inflated, type Codec, type Coding } from '../../src/io/packed.ts';
import { decode, nifti, RAMP, refusal, sourceOf } from './files.ts';
import { decodeVolume } from '../../src/io/decode.ts';

const text = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => ((i * 7919) % 251) ^ (i >> 9)));
const zeros = Buffer.alloc(200_000);
const codecs: [string, Codec][] = [
  ['fflate', fflateCodec],
  ['node:zlib', zlibCodec],
];
const unpack = (codec: Codec, bytes: Uint8Array, coding: Coding): Promise<Uint8Array> =>
  new Inflated(codec.unpack('a.gz', bytes, coding)).take(2 ** 21);
const same = (a: Uint8Array, b: Uint8Array): void => expect(Buffer.compare(a, b)).toBe(0);
const withHeader = (flags: number, ...more: Buffer[]): Buffer => {
  const z = gzipSync(text),
    head = Buffer.from(z.subarray(0, 10));
  head[3] = flags;
  return Buffer.concat([head, ...more, z.subarray(10)]);
};

describe.each(codecs)('%s', (_, codec) => {
  it.each<[string, Buffer, Buffer]>([
    ['a member', gzipSync(text), text],
    ['stored blocks', gzipSync(text, { level: 0 }), text],
    ['fixed codes', gzipSync(text, { strategy: constants.Z_FIXED }), text],
    ['codes alone', gzipSync(text, { strategy: constants.Z_HUFFMAN_ONLY }), text],
    ['nothing', gzipSync(Buffer.alloc(0)), Buffer.alloc(0)],
    ['runs of zeros', gzipSync(zeros), zeros],
    ['two members', Buffer.concat([gzipSync(text), gzipSync(zeros)]), Buffer.concat([text, zeros])],
    ['an empty member between', Buffer.concat([gzipSync(text), gzipSync(Buffer.alloc(0)), gzipSync(zeros)]), Buffer.concat([text, zeros])],
    ['members of a byte each', Buffer.concat([...text.subarray(0, 40)].map((b) => gzipSync(Buffer.from([b])))), text.subarray(0, 40)],
    ['zeros behind', Buffer.concat([gzipSync(text), Buffer.alloc(512)]), text],
    ['more zeros than are read at once', Buffer.concat([gzipSync(zeros), Buffer.alloc(200_000)]), zeros],
    ['a newline behind', Buffer.concat([gzipSync(text), Buffer.from('\r\n')]), text],
    ['one zero behind two members', Buffer.concat([gzipSync(zeros), gzipSync(text), Buffer.alloc(1)]), Buffer.concat([zeros, text])],
    ['a name in the header', withHeader(8, Buffer.from('scan.nii\0')), text],
    ['a field and a comment', withHeader(4 | 16, Buffer.from([3, 0, 1, 2, 3]), Buffer.from('why\0')), text],
  ])('reads %s', async (_what, bytes, want) => same(await unpack(codec, bytes, 'gzip'), want));

  it('reads zlib streams, padded or not', async () => {
    for (const [raw, tail] of [
      [text, ''],
      [zeros, '\0\0\0\0\0'],
      [text, '\n'],
      [Buffer.alloc(0), ''],
    ] as const)
      same(await unpack(codec, Buffer.concat([deflateSync(raw), Buffer.from(tail)]), 'zlib'), raw);
  });

  const z = gzipSync(text),
    flipped = (at: number): Buffer => {
      const b = Buffer.from(z);
      b[at] ^= 0x10;
      return b;
    };
  it.each<[string, Buffer, Coding, RegExp]>([
    ['words behind', Buffer.concat([z, Buffer.from('the end')]), 'gzip', /corrupt/],
    ['words behind padding', Buffer.concat([z, Buffer.alloc(100), Buffer.from('x')]), 'gzip', /corrupt/],
    ['a byte behind', Buffer.concat([z, Buffer.from([7])]), 'gzip', /corrupt/],
    ['a member behind padding', Buffer.concat([z, Buffer.alloc(10), z]), 'gzip', /corrupt/],
    ['a second member cut', Buffer.concat([z, z.subarray(0, 5000)]), 'gzip', /stop early/],
    ["a second member's head", Buffer.concat([z, z.subarray(0, 5)]), 'gzip', /corrupt|stop early/],
    ['a wrong CRC', flipped(z.length - 8), 'gzip', /corrupt/],
    ['a wrong length', flipped(z.length - 1), 'gzip', /corrupt/],
    ['a wrong CRC of the first of two', Buffer.concat([flipped(z.length - 6), z]), 'gzip', /corrupt/],
    ['a flipped bit', flipped(z.length >> 1), 'gzip', /corrupt|stop early/],
    ['a cut', z.subarray(0, z.length - 500), 'gzip', /stop early/],
    ['a cut check sum', z.subarray(0, z.length - 3), 'gzip', /stop early/],
    ['no check sum', z.subarray(0, z.length - 8), 'gzip', /corrupt|stop early/],
    ['a head alone', z.subarray(0, 10), 'gzip', /corrupt|stop early/],
    ['nothing', Buffer.alloc(0), 'gzip', /no gzip header/],
    ['zlib', deflateSync(text), 'gzip', /no gzip header/],
    ['gzip', z, 'zlib', /no zlib header/],
    ['words behind zlib', Buffer.concat([deflateSync(text), Buffer.from('end')]), 'zlib', /corrupt/],
    ['zlib cut', deflateSync(text).subarray(0, 900), 'zlib', /stop early/],
    [
      'a wrong Adler',
      (() => {
        const b = Buffer.from(deflateSync(text));
        b[b.length - 2] ^= 1;
        return b;
      })(),
      'zlib',
      /corrupt/,
    ],
  ])('refuses %s', async (_what, bytes, coding, message) => {
    await expect(unpack(codec, bytes, coding)).rejects.toMatchObject({ name: 'DataError', message: expect.stringMatching(message) });
  });

  it('packs what zlib unpacks, the same each time', async () => {
    for (const coding of ['gzip', 'zlib'] as const) {
      const packed = Buffer.concat(await codec.pack([text.subarray(0, 352), text.subarray(352), zeros], coding));
      same((coding === 'gzip' ? gunzipSync : inflateSync)(packed), Buffer.concat([text, zeros]));
      same(packed, Buffer.concat(await codec.pack([text.subarray(0, 352), text.subarray(352), zeros], coding)));
    }
  });

  it('unpacks no more than is asked for', async () => {
    const bomb = Buffer.concat([gzipSync(Buffer.alloc(2 ** 26)), Buffer.from('x')]),
      stream = new Inflated(codec.unpack('a', bomb, 'gzip'));
    expect((await stream.take(1000)).length).toBe(1000); // not to the end, where it is damaged
    const source = sourceOf(gzipSync(Buffer.concat([nifti(), Buffer.alloc(2 ** 24)])));
    await expect(decodeVolume({ file: 'a.nii.gz', source, codec, beside: async () => source, tell: () => {} })).rejects.toThrow(
      /holds more than its header promises/,
    );
  });
});

describe('budget', () => {
  it('refuses voxels that so few bytes cannot hold, and those that only a trap holds', async () => {
    const packed = gzipSync(Buffer.alloc(2 ** 24)); // 16 KiB
    expect(await refusal('a.nii.gz', Buffer.concat([gzipSync(nifti({ dims: [1024, 1024, 1024] })), packed]))).toMatchObject({
      message: expect.stringMatching(/holds fewer voxels than its header promises/),
    });
    const trap = Buffer.alloc(2 ** 21);
    gzipSync(nifti({ dims: [1024, 1024, 1024] }, RAMP)).copy(trap);
    expect(await refusal('a.nii.gz', trap)).toMatchObject({
      message: expect.stringMatching(
        /promises 2147483648 bytes of voxels \(1024 x 1024 x 1024\) in 2097152 compressed ones, expected at most 536870912/,
      ),
    });
  });
  it('but reads an empty mask of an ordinary scan', async () => {
    const mask = gzipSync(nifti({ dims: [256, 256, 64], datatype: 2 }, new Uint8Array(2 ** 22), 'uint8'));
    expect(mask.length).toBeLessThan(2 ** 22 / 200);
    expect((await decode('a.nii.gz', mask)).volume.data.length).toBe(2 ** 22);
  });
});
