// SPDX-License-Identifier: MIT
// safetensors: u64 header length, JSON header, raw little-endian values. Nothing in the file is trusted before it is checked.
import { fromF16 } from '../engine/dtype.ts';
import { DataError } from '../errors.ts';
import { parseJson } from './json.ts';

export type HostValues =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor on the host, row-major in PyTorch's layout. Half types are read as F32; to write them, give their bits in a Uint16Array. */
export interface HostTensor {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly data: HostValues;
}

/** What can be stored: a tensor, or f32 values without a word on their type, as state dicts hold them. */
export type StoredTensor = HostTensor | { readonly dtype?: undefined; readonly shape: readonly number[]; readonly data: Float32Array };

const TYPES = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;
export type StoredType = keyof typeof TYPES;

/** Some 300,000 tensors; parsed, it takes ten times the room. A longer header is an attack or not a safetensors file. */
export const MAX_HEADER = 32 * 2 ** 20;

export interface SafetensorsFile {
  readonly tensors: Map<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor of raw little-endian bytes; the two half types become F32. */
export function decodeTensor(dtype: StoredType, shape: readonly number[], bytes: Uint8Array): HostTensor {
  const values = new TYPES[dtype](new Uint8Array(bytes).buffer); // a copy: aligned, and independent of the file
  if (dtype === 'F16') return { dtype: 'F32', shape, data: Float32Array.from(values as Uint16Array, fromF16) };
  if (dtype === 'BF16')
    return { dtype: 'F32', shape, data: new Float32Array(Uint32Array.from(values as Uint16Array, (v) => v << 16).buffer) };
  return { dtype, shape, data: values };
}

export const bytesPerElement = (dtype: StoredType): number => TYPES[dtype].BYTES_PER_ELEMENT;

export const isStoredType = (name: unknown): name is StoredType => typeof name === 'string' && Object.hasOwn(TYPES, name);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

interface Header {
  readonly entries: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly start: number;
}

/** Entries, metadata and where the data begins, from as much of a file as holds its header. @throws DataError */
export function parseSafetensorsHeader(bytes: Uint8Array, where: string): Header {
  const fail = (what: string) => new DataError(`${where}: ${what}.`, 'The file is truncated or not safetensors: copy it again.');
  if (bytes.length < 8) throw fail(`got ${bytes.length} bytes, expected at least 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER)) throw fail(`header of ${length} bytes, expected at most ${MAX_HEADER}`);
  const start = 8 + Number(length);
  if (start > bytes.length) throw fail(`header of ${length} bytes, got a file of ${bytes.length}`);
  if (bytes[8] !== 0x7b) throw fail('header does not start with "{"');
  const header = parseJson(bytes.subarray(8, start), `${where}: header`, 'The file is truncated or not safetensors: copy it again.');
  if (!isObject(header)) throw fail('header is not a JSON object');
  const { __metadata__: metadata = {}, ...entries } = header;
  if (!isObject(metadata) || !Object.values(metadata).every((v) => typeof v === 'string')) {
    throw new DataError(`${where}: __metadata__ must map strings to strings.`);
  }
  return { entries, metadata: metadata as Record<string, string>, start };
}

/** Reads a safetensors file. `where` names it in messages. @throws DataError on anything that is not exactly the format. */
export function parseSafetensors(bytes: Uint8Array, where = 'safetensors'): SafetensorsFile {
  const { entries, metadata, start } = parseSafetensorsHeader(bytes, where);
  const room = bytes.length - start;
  const ranges: { name: string; dtype: StoredType; shape: number[]; begin: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const at = `${where}: tensor ${JSON.stringify(name)}`;
    if (!isObject(entry)) throw new DataError(`${at}: entry is not an object.`);
    const { dtype, shape, data_offsets: offsets } = entry;
    if (!isStoredType(dtype))
      throw new DataError(`${at}: dtype, got ${JSON.stringify(dtype)}, expected one of ${Object.keys(TYPES).join(', ')}.`);
    if (!Array.isArray(shape) || !shape.every(isCount))
      throw new DataError(`${at}: shape, got ${JSON.stringify(shape)}, expected non-negative integers.`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
      throw new DataError(`${at}: data_offsets, got ${JSON.stringify(offsets)}, expected [begin, end].`);
    }
    const [begin, end] = offsets as [number, number];
    if (begin > end || end > room)
      throw new DataError(
        `${at}: data_offsets [${begin}, ${end}], got ${room} bytes of data.`,
        'The file is truncated or damaged: copy it again.',
      );
    const size = shape.reduce((n: number, d: number) => n * d, bytesPerElement(dtype));
    if (size !== end - begin) throw new DataError(`${at}: [${shape}] ${dtype} needs ${size} bytes, got ${end - begin}.`);
    ranges.push({ name, dtype, shape, begin, end });
  }
  // The format allows neither holes nor overlaps: the ranges, in order, tile the data exactly.
  let covered = 0;
  for (const { name, begin, end } of [...ranges].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered)
      throw new DataError(
        `${where}: tensor ${JSON.stringify(name)} starts at byte ${begin}, expected ${covered} (${begin < covered ? 'overlap' : 'hole'}).`,
      );
    covered = end;
  }
  if (covered !== room) throw new DataError(`${where}: ${room - covered} bytes after the last tensor, expected 0.`);
  const tensors = new Map(
    ranges.map(({ name, dtype, shape, begin, end }) => [name, decodeTensor(dtype, shape, bytes.subarray(start + begin, start + end))]),
  );
  return { tensors, metadata };
}

/** What a file begins with: the length of its header, the header, spaces up to where the data of `tensors` follows, in that order. */
export function safetensorsHeader(
  tensors: readonly { readonly name: string; readonly dtype: StoredType; readonly shape: readonly number[] }[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: [string, unknown][] = Object.keys(metadata).length ? [['__metadata__', metadata]] : [];
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    if (name === '__metadata__') throw new DataError('safetensors: a tensor cannot be named "__metadata__".');
    const size = shape.reduce((n, d) => n * d, bytesPerElement(dtype));
    header.push([name, { dtype, shape, data_offsets: [offset, (offset += size)] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(start).fill(0x20, 8);
  new DataView(out.buffer).setBigUint64(0, BigInt(start - 8), true);
  out.set(json, 8);
  return out;
}

/** Bytes of a safetensors file, of a state dict for one. Same content in the same order, same bytes. */
export function encodeSafetensors(tensors: ReadonlyMap<string, StoredTensor>, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  // Widest elements first, so that every tensor starts at a multiple of its element size.
  const ordered = [...tensors]
    .map(([name, { dtype = 'F32', ...tensor }]) => ({ name, dtype, ...tensor }))
    .sort((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype));
  const header = safetensorsHeader(ordered, metadata);
  let at = header.length;
  const out = new Uint8Array(ordered.reduce((n, { data }) => n + data.byteLength, at));
  out.set(header);
  for (const { name, dtype, shape, data } of ordered) {
    const size = shape.reduce((n, d) => n * d, bytesPerElement(dtype));
    if (!(data instanceof TYPES[dtype]) || data.byteLength !== size) {
      throw new DataError(
        `safetensors: tensor ${JSON.stringify(name)} [${shape}] ${dtype} needs ${size} bytes in a ${TYPES[dtype].name}, got ` +
          `${data.byteLength} in a ${data.constructor.name}.`,
      );
    }
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += size;
  }
  return out;
}
