// SPDX-License-Identifier: MIT
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { parsePth } from '../../src/files/pth.ts';
import { unpickle } from '../../src/files/unpickle.ts';

const folder = new URL('../golden/pth/', import.meta.url); // test/golden/pth/make.py wrote what is there
const read = (name: string): Uint8Array => readFileSync(new URL(name, folder));
const expected: Record<string, { shape: number[]; values: (number | boolean | string)[] }> = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8'));

describe.each(['zip.pth', 'legacy.pth', 'protocol4.pth', 'deflated.pth', 'zip64.pth'])('%s', (name) => {
  const tensors = parsePth(read(name), name);

  it('has the names, in order', () => expect([...tensors.keys()]).toEqual(Object.keys(expected)));

  it.each(Object.keys(expected))('%s has PyTorch\'s shape and values', (key) => {
    const { shape, data } = tensors.get(key)!;
    expect(shape).toEqual(expected[key]!.shape);
    expect(Array.from<number | bigint>(data as ArrayLike<number>).map(Number)).toEqual(expected[key]!.values.map(Number));
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

  const pickle = (text: string) => () => unpickle(Uint8Array.from(text, (c) => c.charCodeAt(0)), 0, 'p', new Map([['collections.OrderedDict', { call: () => new Map() }]]), () => null);

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
    expect(pickle('(J\xff\xff\xff\xff\x8a\x01\xfe\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01G?\xf0\x00\x00\x00\x00\x00\x00t.')().value).toEqual([-1, -2, 2n ** 64n, 1]);
  });

  it.each(['zip.pth', 'legacy.pth', 'deflated.pth', 'zip64.pth'])('%s cut anywhere is a DataError', (name) => {
    const bytes = read(name);
    for (let length = 0; length < bytes.length; length += 7) expect(() => parsePth(bytes.subarray(0, length), name), `${length} bytes`).toThrow(DataError);
  });

  it.each(['zip.pth', 'legacy.pth', 'zip64.pth', 'deflated.pth'])('%s with any byte changed is read or is a DataError', (name) => {
    const bytes = Uint8Array.from(read(name));
    let refused = 0;
    for (let at = 0; at < bytes.length; at += 3) {
      const before = bytes[at]!;
      bytes[at] = before ^ (1 << (at % 8));
      try { parsePth(bytes, name); } catch (error) {
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

const real = new URL('../../../shared/data/torch-pth-fixture/obelisk_visceral_fold1.pth', import.meta.url);
describe.skipIf(!existsSync(real))('a file that PyTorch 1.0 wrote (../shared/data/torch-pth-fixture)', () => {
  it('is read as PyTorch reads it', () => {
    const tensors = parsePth(readFileSync(real), 'obelisk');
    expect(tensors.size).toBe(39);
    expect([...tensors.get('offset1')!.shape]).toEqual([1, 1024, 1, 2, 3]);
    const sums = ['offset1', 'LIN1.weight', 'BN1.running_var'].map((name) => Array.from(tensors.get(name)!.data as Float32Array).reduce((a, b) => a + b, 0));
    // torch.load(...)[name].double().sum()
    expect(sums[0]).toBeCloseTo(-5.8264657728786915, 6);
    expect(sums[1]).toBeCloseTo(21.38713692062234, 6);
    expect(sums[2]).toBeCloseTo(3134.0048674941063, 6);
  });
});
