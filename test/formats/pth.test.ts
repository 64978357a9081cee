// SPDX-License-Identifier: MIT
import { existsSync, readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { crc32 } from '../../src/files/crc.ts';
import { parsePth } from '../../src/files/pth.ts';
import { unpickle } from '../../src/files/unpickle.ts';
import { needs } from '../needs.ts';
import { cpuSeconds } from '../probe.ts';

const folder = new URL('../golden/pth/', import.meta.url); // test/golden/pth/make.py wrote what is there
const read = (name: string): Uint8Array => readFileSync(new URL(name, folder));
const expected: Record<string, { shape: number[]; values: (number | boolean | string)[] }> = JSON.parse(
  readFileSync(new URL('expected.json', folder), 'utf8'),
);

describe.each(['zip.pth', 'legacy.pth', 'protocol4.pth', 'deflated.pth', 'zip64.pth'])('%s', (name) => {
  const tensors = parsePth(read(name), name);

  it('has the names, in order', () => expect([...tensors.keys()]).toEqual(Object.keys(expected)));

  it.each(Object.keys(expected))("%s has PyTorch's shape and values", (key) => {
    const { shape, data } = tensors.get(key)!;
    expect(shape).toEqual(expected[key].shape);
    expect(Array.from<number | bigint>(data as ArrayLike<number>).map(Number)).toEqual(expected[key].values.map(Number));
  });

  it('keeps 64-bit integers exact and types apart', () => {
    expect(tensors.get('bn.num_batches_tracked')!.data).toEqual(BigInt64Array.of(2n ** 40n + 1n));
    expect([...tensors.values()].map((t) => t.dtype).join(' ')).toBe('F32 F32 F32 F32 F32 F32 F32 F64 I64 I32 U8 BOOL F32');
  });
});

describe('checkpoints around a state dict', () => {
  it('finds model_state_dict beside plain data', () => {
    expect(parsePth(read('checkpoint.pth'))).toEqual(new Map([['weight', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }]]));
  });
  it('finds it beside what MultiStepLR and AdamW keep: Counter, defaultdict, bytearray', () => {
    expect(parsePth(read('scheduler.pth'))).toEqual(
      new Map([
        ['weight', { dtype: 'F32', shape: [1, 2], data: Float32Array.of(1, 2) }],
        ['bias', { dtype: 'F32', shape: [1], data: Float32Array.of(3) }],
      ]),
    );
  });
  it('says what it found when there are no tensors', () => expect(() => parsePth(read('no_tensors.pth'))).toThrow(/a dict of epoch/));
});

describe('refusals', () => {
  it.each([
    ['evil_system.pth', /"posix\.system"/],
    ['evil_legacy.pth', /"posix\.system"/],
    ['evil_eval.pth', /"__builtin__\.eval"/],
    ['evil_getattr.pth', /"__builtin__\.getattr"/],
    ['whole_module.pth', /"torch\.nn\.modules\.linear\.Linear"/],
  ])('%s by the name of what it asks for', (name, message) => {
    expect(() => parsePth(read(name), name)).toThrow(DataError);
    expect(() => parsePth(read(name), name)).toThrow(message);
    expect(existsSync('executed')).toBe(false);
  });

  const pickle = (text: string) => () =>
    unpickle(
      Uint8Array.from(text, (c) => c.charCodeAt(0)),
      0,
      'p',
      new Map([['collections.OrderedDict', { call: () => new Map() }]]),
      () => null,
    );

  it.each([
    ['GLOBAL', 'cos\nsystem\n(X\x01\x00\x00\x00xtR.', /"os\.system"/],
    ['STACK_GLOBAL', '\x8c\x02os\x8c\x06system\x93.', /"os\.system"/],
    ['INST', '(ios\nsystem\n.', /"os\.system"/],
    ['a property of every object', 'c__proto__\nconstructor\n.', /"__proto__\.constructor"/],
    ['a call of data', 'N)R.', /call of something that is no type/],
    ['EXT1', '\x82\x01.', /opcode 0x82/],
    ['a text opcode', "S'x'\n.", /opcode 0x53/],
    ['state for a list', ']}b.', /takes none/],
    ['an empty stack', '.', /nothing on the stack/],
    ['a mark as value', '(.', /nothing on the stack/],
    ['an unknown memo', 'h\x05.', /memo 5/],
    ['a length past the end', 'X\xff\xff\xff\x7f', /truncated, the pickle needs 2147483647 bytes/],
    ['protocol 9', '\x80\x09N.', /protocol 9/],
  ])('%s', (_, text, message) => expect(pickle(text)).toThrow(message));

  it('accepts what is plain', () => {
    expect(pickle('\x80\x02ccollections\nOrderedDict\n)RX\x01\x00\x00\x00aK\x01s.')().value).toEqual(new Map([['a', 1]]));
    expect(
      pickle('(J\xff\xff\xff\xff\x8a\x01\xfe\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01G?\xf0\x00\x00\x00\x00\x00\x00t.')().value,
    ).toEqual([-1, -2, 2n ** 64n, 1]);
  });

  it.each(['zip.pth', 'legacy.pth', 'deflated.pth', 'zip64.pth'])('%s cut anywhere is a DataError', (name) => {
    const bytes = read(name);
    for (let length = 0; length < bytes.length; length += 7)
      expect(() => parsePth(bytes.subarray(0, length), name), `${length} bytes`).toThrow(DataError);
  });

  it.each(['zip.pth', 'legacy.pth', 'zip64.pth', 'deflated.pth'])('%s with any byte changed is read or is a DataError', (name) => {
    const bytes = Uint8Array.from(read(name));
    let refused = 0;
    for (let at = 0; at < bytes.length; at += 3) {
      const before = bytes[at];
      bytes[at] = before ^ (1 << (at % 8));
      try {
        parsePth(bytes, name);
      } catch (error) {
        if (!(error instanceof DataError)) throw new Error(`byte ${at}: ${String(error)}`, { cause: error });
        refused++;
      }
      bytes[at] = before;
    }
    expect(refused).toBeGreaterThan(20);
  });

  it('a flipped value in a zip is caught by its checksum', () => {
    const bytes = Uint8Array.from(read('zip.pth'));
    const at = bytes.findIndex((_, i) => bytes[i] === 0x3f && bytes[i - 1] === 0x80 && bytes[i - 2] === 0 && bytes[i - 3] === 0);
    bytes[at] ^= 1;
    expect(() => parsePth(bytes)).toThrow(/wrong checksum/);
  });
});

/** A zip file of stored (or deflated) entries. */
function zip(
  entries: readonly [name: string, content: Uint8Array, deflate?: boolean][],
  tamper: (local: Buffer[], central: Buffer[]) => void = () => {},
): Buffer {
  const [local, central]: Buffer[][] = [[], []];
  let at = 0;
  for (const [name, content, deflate] of entries) {
    const packed = deflate ? deflateRawSync(content, { level: 9 }) : content;
    const header = Buffer.alloc(30 + name.length);
    header.writeUInt32LE(0x04034b50);
    header.writeUInt16LE(name.length, 26);
    header.write(name, 30);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50);
    entry.writeUInt16LE(deflate ? 8 : 0, 10);
    entry.writeUInt32LE(crc32(content), 16);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    entry.write(name, 46);
    local.push(header, Buffer.from(packed));
    central.push(entry);
    at += header.length + packed.length;
  }
  tamper(local, central);
  const end = Buffer.alloc(22),
    size = Buffer.concat(central).length;
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(central.length, 8);
  end.writeUInt16LE(central.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(Buffer.concat(local).length, 16);
  return Buffer.concat([...local, ...central, end]);
}

const latin = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const pth = (pickle: string, ...more: [string, Uint8Array, boolean?][]): Buffer =>
  zip([['a/data.pkl', latin(`\x80\x02${pickle}`)], ...more]);
const u32 = (n: number): string => String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24);
const str = (text: string): string => `X${u32(text.length)}${text}`;
/** A float tensor that is `count` elements of storage "0" from `offset`. */
const tensor = (count: number, all: number, offset = 0): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n((${str('storage')}ctorch\nFloatStorage\n${str('0')}` +
  `${str('cpu')}J${u32(all)}tQJ${u32(offset)}J${u32(count)}\x85K\x01\x85\x89}tR`;
/** 2^30 ones as nested tuples: (x, x) of the memo, thirty times. */
const nested = `K\x01${Array.from({ length: 30 }, (_, i) => `q${String.fromCharCode(i)}h${String.fromCharCode(i)}\x86`).join('')}`;

/** In a bounded time. */
function cheaply(run: () => void): void {
  const start = cpuSeconds();
  run();
  expect(cpuSeconds() - start).toBeLessThan(5);
}

describe('a file that asks for more than it holds', () => {
  it.each<[string, () => Buffer, RegExp]>([
    [
      'nested tuples as a name',
      () => pth(`}${nested}${tensor(1, 1)}s.`, ['a/data/0', new Uint8Array(4)]),
      /a tensor's name, got something that is no plain value/,
    ],
    [
      'nested tuples as names without a tensor',
      () => pth(`}${nested}K\x01s.`),
      /no state dict found, got a dict of something that is no plain value/,
    ],
    ['nested tuples as a device', () => pth(`ctorch\ndevice\n${nested}\x85R.`), /torch\.device: arguments are not texts/],
    ['nested tuples as a text', () => pth(`c_codecs\nencode\n${nested}\x85R.`), /_codecs\.encode: argument is no text/],
    ["nested tuples as a scalar's type", () => pth(`cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n${nested}\x85RU\x01at\x52.`), /scalar/],
    ['nested tuples as a storage', () => pth(`${nested}Q.`), /refers to something that is no plain storage/],
    [
      'a thousand tensors on one packed storage',
      () =>
        pth(`}(${Array.from({ length: 1000 }, (_, i) => `${str(`t${i}`)}${tensor(1_500_000 - i, 1_500_000)}`).join('')}u.`, [
          'a/data/0',
          new Uint8Array(6_000_000),
          true,
        ]),
      /its tensors take more than 115108864 bytes/,
    ],
    [
      'an entry that unpacks a thousandfold',
      () => pth('}.', ['a/data/0', new Uint8Array(80 * 2 ** 20), true]),
      /its entries unpack to 83886080 bytes, expected at most/,
    ],
    ['empty dicts without end', () => pth('('.padEnd(1_000_000, '}') + 't.'), /asks for more than its length accounts for/],
    ['a memo without end', () => pth('N'.padEnd(1_000_000, '\x94') + '.'), /asks for more than its length accounts for/],
    [
      'one list copied a thousand times',
      () => pth(`(${'K\x01K\x02\x86'.repeat(3000)}lq\x00${'ccollections\nOrderedDict\nh\x00\x85R'.repeat(1000)}.`),
      /asks for more than its length accounts for/,
    ],
    [
      'one text encoded a thousand times',
      () => pth(`${str('a'.repeat(1e6))}q\x000${'c_codecs\nencode\nh\x00\x85R'.repeat(4000)}.`),
      /asks for more than its length accounts for/,
    ],
    [
      'a tensor of a million dimensions',
      () =>
        pth(
          `}${str('w')}ctorch._utils\n_rebuild_tensor_v2\n((${str('storage')}ctorch\nFloatStorage\n${str('0')}` +
            `${str('cpu')}K\x01tQK\x00(${'K\x01'.repeat(1000)}t(${'K\x01'.repeat(1000)}t\x89}tRs.`,
        ),
      /tensor of 1000 dimensions, expected at most 64/,
    ],
  ])('%s is refused before it is given', (_, bytes, message) => {
    const file = bytes();
    cheaply(() => expect(() => parsePth(file, 'x.pth')).toThrow(message));
    expect(() => parsePth(file, 'x.pth')).toThrow(DataError);
  });

  it('entries that overlap are refused', () => {
    const overlapping = zip(
      [
        ['a/data.pkl', latin('\x80\x02}.')],
        ['b', latin('bb')],
      ],
      (_, central) => {
        central[1].writeUInt32LE(central[0].readUInt32LE(42), 42);
      },
    );
    expect(() => parsePth(overlapping, 'x.pth')).toThrow(/overlaps/);
  });

  it('but views that share a storage are read, and tied weights are there once', () => {
    const bytes = pth(`}(${str('whole')}${tensor(4, 4)}${str('tied')}${tensor(4, 4)}${str('part')}${tensor(2, 4, 2)}u.`, [
      'a/data/0',
      new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
    ]);
    const tensors = parsePth(bytes);
    expect(tensors.get('whole')!.data).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(tensors.get('tied')).toBe(tensors.get('whole'));
    expect(tensors.get('part')!.data).toEqual(Float32Array.of(3, 4));
  });
});

const real = new URL('../../../shared/data/torch-pth-fixture/obelisk_visceral_fold1.pth', import.meta.url);
needs(existsSync(real), '../shared/data/torch-pth-fixture').describe(
  'a file that PyTorch 1.0 wrote (../shared/data/torch-pth-fixture)',
  () => {
    it('is read as PyTorch reads it', () => {
      const tensors = parsePth(readFileSync(real), 'obelisk');
      expect(tensors.size).toBe(39);
      expect([...tensors.get('offset1')!.shape]).toEqual([1, 1024, 1, 2, 3]);
      const sums = ['offset1', 'LIN1.weight', 'BN1.running_var'].map((name) =>
        Array.from(tensors.get(name)!.data as Float32Array).reduce((a, b) => a + b, 0),
      );
      // torch.load(...)[name].double().sum()
      expect(sums[0]).toBeCloseTo(-5.8264657728786915, 6);
      expect(sums[1]).toBeCloseTo(21.38713692062234, 6);
      expect(sums[2]).toBeCloseTo(3134.0048674941063, 6);
    });
  },
);
