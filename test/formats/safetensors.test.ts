// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { encodeSafetensors, parseSafetensors, type HostTensor } from '../../src/files/safetensors.ts';

/** A file with the given header, written as it is, and data. */
function file(header: unknown, data = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  return out;
}
const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({ dtype: 'F32', shape, data_offsets: [begin, end] });

describe('safetensors', () => {
  it('reads the reference layout', () => {
    // As the Rust library writes it: { "b": [2] F32 } with values 1 and -2.
    const bytes = file({ b: f32(0, 8), __metadata__: { format: 'pt' } }, 8);
    bytes.set([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], bytes.length - 8);
    const { tensors, metadata } = parseSafetensors(bytes);
    expect(tensors.get('b')).toEqual({ dtype: 'F32', shape: [2], data: Float32Array.of(1, -2) });
    expect(metadata).toEqual({ format: 'pt' });
  });

  it('widens half types to f32', () => {
    const halves = new Map<string, HostTensor>([
      ['h', { dtype: 'F16', shape: [4], data: Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001) }],
      ['b', { dtype: 'BF16', shape: [2], data: Uint16Array.of(0x3f80, 0xc049) }],
    ]);
    const { tensors } = parseSafetensors(encodeSafetensors(halves));
    expect(tensors.get('h')).toEqual({ dtype: 'F32', shape: [4], data: Float32Array.of(1, -2, 65504, 2 ** -24) });
    expect(tensors.get('b')!.data).toEqual(Float32Array.of(1, -3.140625));
  });

  it('returns what was written, any names, types and bytes', () => {
    const entry = fc.oneof(
      fc.float32Array().map((data): HostTensor => ({ dtype: 'F32', shape: [data.length], data })),
      fc.float64Array().map((data): HostTensor => ({ dtype: 'F64', shape: [1, data.length], data })),
      fc.uint8Array().map((data): HostTensor => ({ dtype: 'U8', shape: [data.length, 1], data })),
      fc.int32Array().map((data): HostTensor => ({ dtype: 'I32', shape: [data.length], data })),
      fc.bigInt64Array().map((data): HostTensor => ({ dtype: 'I64', shape: [data.length], data })),
      fc.int16Array().map((data): HostTensor => ({ dtype: 'I16', shape: [data.length], data })),
    );
    const name = fc
      .oneof(fc.string(), fc.constantFrom('__proto__', '7', 'a"b\\', 'layer1.0.conv1.weight', 'ü'))
      .filter((n) => n !== '__metadata__');
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, entry), { selector: ([n]) => n, maxLength: 6 }),
        fc.integer({ min: 0, max: 7 }),
        (entries, shift) => {
          const bytes = encodeSafetensors(new Map(entries));
          const shifted = new Uint8Array(bytes.length + shift); // a file in the middle of a larger buffer
          shifted.set(bytes, shift);
          const { tensors } = parseSafetensors(shifted.subarray(shift));
          expect(new Map(tensors)).toEqual(new Map(entries));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('aligns every tensor to its element size', () => {
    const bytes = encodeSafetensors(
      new Map<string, HostTensor>([
        ['a', { dtype: 'U8', shape: [3], data: new Uint8Array(3) }],
        ['b', { dtype: 'F64', shape: [1], data: new Float64Array(1) }],
        ['c', { dtype: 'F32', shape: [1], data: new Float32Array(1) }],
      ]),
    );
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(length % 8).toBe(0);
    expect([header.b, header.c, header.a].map((e) => e.data_offsets)).toEqual([
      [0, 8],
      [8, 12],
      [12, 15],
    ]);
  });

  it('refuses to write values that do not fill their shape', () => {
    expect(() => encodeSafetensors(new Map([['w', { dtype: 'F32', shape: [2, 2], data: new Float32Array(3) }]]))).toThrow(
      /"w" \[2,2\] F32 needs 16 bytes.*got 12/,
    );
    expect(() => encodeSafetensors(new Map([['w', { dtype: 'F32', shape: [1], data: new Int32Array(1) }]]))).toThrow(/Float32Array/);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['no length', new Uint8Array(5), /got 5 bytes/],
    ['a header past the end', file({}).subarray(0, 9), /header of 2 bytes, got a file of 9/],
    ['an absurd header', Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127, 0x7b), /expected at most 33554432/],
    ['broken JSON', file('{"a": '), /header: not JSON/],
    ['invalid UTF-8', Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0xfe, 0x7d), /not a text in UTF-8/],
    ['no object', file('[]'), /does not start with/],
    ['an unknown type', file({ a: { dtype: 'F8', shape: [1], data_offsets: [0, 1] } }, 1), /"a": dtype, got "F8"/],
    ['an inherited name as type', file({ a: { dtype: 'toString', shape: [1], data_offsets: [0, 1] } }, 1), /dtype, got "toString"/],
    ['a negative size', file({ a: { dtype: 'U8', shape: [-1], data_offsets: [0, 1] } }, 1), /shape, got \[-1\]/],
    ['offsets past the end', file({ a: f32(0, 16) }, 8), /\[0, 16\], got 8 bytes/],
    ['offsets in the wrong order', file({ a: { dtype: 'U8', shape: [1], data_offsets: [4, 3] } }, 8), /\[4, 3\]/],
    ['a size that overflows', file({ a: { dtype: 'F32', shape: [2 ** 30, 2 ** 30], data_offsets: [0, 8] } }, 8), /needs .* bytes, got 8/],
    ['a shape of another size', file({ a: f32(0, 8, [3]) }, 8), /\[3\] F32 needs 12 bytes, got 8/],
    ['an overlap', file({ a: f32(0, 8), b: f32(4, 12) }, 12), /"b" starts at byte 4, expected 8 \(overlap\)/],
    ['a hole', file({ a: f32(0, 4), b: f32(8, 12) }, 12), /"b" starts at byte 8, expected 4 \(hole\)/],
    ['data nobody claims', file({ a: f32(0, 4) }, 12), /8 bytes after the last tensor/],
    [
      'a name given twice',
      file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8),
      /"a" is there twice/,
    ],
    ['a header nested without end', file(`{"a":${'['.repeat(2e5)}${']'.repeat(2e5)}}`), /nested more than 64 levels deep/],
    ['metadata nested without end', file(`{"__metadata__":${'{"a":'.repeat(2e5)}1${'}'.repeat(2e5)}}`), /nested more than 64 levels deep/],
    ['a name of megabytes, cut', file({ ['a'.repeat(2e6)]: { dtype: 'F8' } }), /^.{0,5000}$/s],
    ['metadata of numbers', file({ __metadata__: { step: 3 } }), /__metadata__/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'x.safetensors')).toThrow(DataError);
    expect(() => parseSafetensors(bytes, 'x.safetensors')).toThrow(message);
  });

  it('refuses a valid file cut anywhere', () => {
    const bytes = encodeSafetensors(
      new Map([
        ['w', { dtype: 'F32', shape: [3], data: Float32Array.of(1, 2, 3) }],
        ['m', { dtype: 'U8', shape: [1], data: Uint8Array.of(1) }],
      ]),
      { a: 'b' },
    );
    expect(parseSafetensors(bytes).tensors.size).toBe(2);
    for (let length = 0; length < bytes.length; length++)
      expect(() => parseSafetensors(bytes.subarray(0, length)), `${length} bytes`).toThrow(DataError);
  });
});
