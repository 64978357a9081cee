// SPDX-License-Identifier: MIT
// PyTorch's .pth files, zip (1.6 and later) and legacy container, through the restricted unpickler. The result is a state dict
// of plain tensors; nothing in the file is executed.
import { DataError } from '../errors.ts';
import { bytesPerElement, decodeTensor, type HostTensor, type StoredType } from './safetensors.ts';
import { GlobalRef, PlainObject, unpickle, type PickleGlobal } from './unpickle.ts';
import { ZipFile } from './zip.ts';

const STORAGES: Readonly<Record<string, StoredType>> = {
  FloatStorage: 'F32',
  DoubleStorage: 'F64',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};
const DTYPES = ['float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool'];
/** Where checkpoints keep the state dict when they hold more than it (SAM-Med3D: model_state_dict). */
const NESTS = ['state_dict', 'model_state_dict', 'model', 'net', 'network', 'module', 'params', 'weights'];

/** PyTorch's own bound. */
const MAX_RANK = 64;
/** What the tensors of a file may take together: every storage a few times over, for views of it (weights that are tied count once). */
const ROOM = 64 * 2 ** 20,
  TIMES = 8;

/** Values of one storage; the legacy container brings them after the pickle. */
class PthStorage {
  bytes: Uint8Array | null = null;
  readonly key: string;
  readonly dtype: StoredType;
  readonly count: number;
  constructor(key: string, dtype: StoredType, count: number) {
    this.key = key;
    this.dtype = dtype;
    this.count = count;
  }
}

class PthTensor {
  readonly storage: PthStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(storage: PthStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

const isCount = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;
const areCounts = (v: unknown): v is number[] => Array.isArray(v) && v.every(isCount);

function rebuildTensor(args: readonly unknown[]): PthTensor {
  const [storage, offset, shape, strides] = args;
  if (Array.isArray(shape) && shape.length > MAX_RANK)
    throw new Error(`tensor of ${shape.length} dimensions, expected at most ${MAX_RANK}`);
  if (!(storage instanceof PthStorage) || !isCount(offset) || !areCounts(shape) || !areCounts(strides) || shape.length !== strides.length) {
    throw new Error('arguments are not (storage, offset, size, stride)');
  }
  const size = shape.reduce((n, d) => n * d, 1);
  const last = shape.reduce((at, d, i) => at + (d - 1) * strides[i], offset);
  if (size > 0 && last >= storage.count) throw new Error(`tensor [${shape}] reads element ${last} of a storage of ${storage.count}`);
  if (size > storage.count) throw new Error(`tensor [${shape}] repeats a storage of ${storage.count}: save it with .contiguous()`);
  return new PthTensor(storage, offset, shape, strides);
}

/** numpy scalars stand in the metric lists of training checkpoints. */
function numpyScalar([type, raw]: readonly unknown[]): unknown {
  const kind = type instanceof PlainObject ? type.attributes.get('kind') : undefined;
  if (!(raw instanceof Uint8Array)) throw new Error('scalar without bytes');
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  switch (kind) {
    case 'f8':
      return view.getFloat64(0, true);
    case 'f4':
      return view.getFloat32(0, true);
    case 'i8':
      return Number(view.getBigInt64(0, true));
    case 'i4':
      return view.getInt32(0, true);
    case 'b1':
      return view.getUint8(0) !== 0;
    default:
      throw new Error(`scalar of type ${textOf(kind)}`);
  }
}

/** A plain value in words. Never `String()` of a list: 400 bytes of nested tuples would be gigabytes of text. */
const textOf = (value: unknown): string =>
  typeof value === 'object' || typeof value === 'function'
    ? 'something that is no plain value' // oxlint-disable-next-line typescript/no-base-to-string -- no object is left
    : String(value);

function texts(values: readonly unknown[]): string[] {
  if (values.some((v) => typeof v !== 'string' && typeof v !== 'number')) throw new Error('arguments are not texts or numbers');
  return values.map(String);
}

function encoded([text]: readonly unknown[]): Uint8Array {
  if (typeof text !== 'string' || /[^\0-\xff]/.test(text)) throw new Error('argument is no text in Latin-1');
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function dict([items]: readonly unknown[]): Map<unknown, unknown> {
  if (items === undefined || items instanceof Map) return items ?? new Map();
  if (!Array.isArray(items) || !items.every((pair) => Array.isArray(pair) && pair.length === 2)) throw new Error('argument is no dict');
  return new Map(items as [unknown, unknown][]);
}

function sequence([items]: readonly unknown[]): unknown {
  if (items !== undefined && !Array.isArray(items)) throw new Error('argument is no list');
  return items ?? [];
}

const plain = (attributes: Record<string, unknown> = {}): PlainObject => {
  const object = new PlainObject();
  for (const [key, value] of Object.entries(attributes)) object.attributes.set(key, value);
  return object;
};

/** The closed list. Each entry builds data; none calls anything that the file names. */
const GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map<string, PickleGlobal>([
  ['collections.OrderedDict', { call: dict }],
  ['collections.Counter', { call: dict }],
  // Its first argument makes missing values; there is nobody here to ask for one.
  ['collections.defaultdict', { call: ([, ...items]) => dict(items) }],
  ...['int', 'float', 'str', 'bool', 'list', 'dict', 'tuple'].flatMap((name): [string, PickleGlobal][] => [
    [`builtins.${name}`, {}],
    [`__builtin__.${name}`, {}],
  ]),
  ['torch._utils._rebuild_tensor_v2', { call: rebuildTensor }],
  ['torch._utils._rebuild_tensor', { call: rebuildTensor }],
  ['torch._utils._rebuild_parameter', { call: ([data]) => data }],
  ['torch.Size', { call: ([dims]) => dims }],
  ['torch.device', { call: (parts) => texts(parts).join(':') }],
  ['argparse.Namespace', { call: () => plain() }],
  ['_codecs.encode', { call: encoded }],
  ['numpy.dtype', { call: ([kind]) => plain({ kind }) }],
  ['numpy.core.multiarray.scalar', { call: numpyScalar }],
  ['numpy._core.multiarray.scalar', { call: numpyScalar }],
  ...['builtins', '__builtin__'].flatMap((module): [string, PickleGlobal][] => [
    [`${module}.set`, { call: sequence }],
    [`${module}.bytearray`, { call: ([raw]) => (raw === undefined ? new Uint8Array() : raw instanceof Uint8Array ? raw : encoded([raw])) }],
    [`${module}.complex`, { call: texts }],
  ]),
  ...Object.keys(STORAGES).map((name): [string, PickleGlobal] => [`torch.${name}`, {}]),
  ...DTYPES.map((name): [string, PickleGlobal] => [`torch.${name}`, {}]),
]);

/** Resolves ('storage', torch.FloatStorage, key, location, count[, view]); one key is one storage. */
function storageLoader(where: string, storages: Map<string, PthStorage>): (id: unknown) => PthStorage {
  return (id) => {
    const [tag, type, key, , count, view] = Array.isArray(id) ? id : [];
    const dtype = type instanceof GlobalRef ? STORAGES[type.name.slice('torch.'.length)] : undefined;
    if (tag !== 'storage' || !dtype || typeof key !== 'string' || !isCount(count) || (view ?? null) !== null) {
      throw new DataError(`${where}: the pickle refers to something that is no plain storage.`);
    }
    const known = storages.get(key);
    if (known && (known.dtype !== dtype || known.count !== count))
      throw new DataError(`${where}: storage "${key}" is declared in two ways.`);
    const storage = known ?? new PthStorage(key, dtype, count);
    storages.set(key, storage);
    return storage;
  };
}

function attach(storage: PthStorage, bytes: Uint8Array, where: string): void {
  const expected = storage.count * bytesPerElement(storage.dtype);
  if (bytes.length !== expected)
    throw new DataError(
      `${where}: storage "${storage.key}" has ${bytes.length} bytes, expected ${expected}.`,
      'The file is truncated or damaged: copy it again.',
    );
  storage.bytes = bytes;
}

function readZip(bytes: Uint8Array, where: string): unknown {
  const zip = new ZipFile(bytes, where);
  const pickle = zip.names.find((name) => name.endsWith('/data.pkl'));
  if (!pickle)
    throw new DataError(
      `${where}: a zip file without data.pkl, expected one written by torch.save.`,
      'TorchScript and plain zip files are not read.',
    );
  const folder = pickle.slice(0, -'data.pkl'.length);
  const order = zip.has(`${folder}byteorder`) ? new TextDecoder().decode(zip.read(`${folder}byteorder`)) : 'little';
  if (order !== 'little') throw new DataError(`${where}: byte order "${order}", expected "little".`);
  const storages = new Map<string, PthStorage>();
  const { value } = unpickle(zip.read(pickle), 0, where, GLOBALS, storageLoader(where, storages));
  for (const storage of storages.values()) attach(storage, zip.read(`${folder}data/${storage.key}`), where);
  return value;
}

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;

function readLegacy(bytes: Uint8Array, where: string): unknown {
  const storages = new Map<string, PthStorage>();
  let at = 0;
  const next = (): unknown => {
    const { value, end } = unpickle(bytes, at, where, GLOBALS, storageLoader(where, storages));
    at = end;
    return value;
  };
  if (next() !== LEGACY_MAGIC) throw new DataError(`${where}: not a .pth file (a pickle without PyTorch's magic number).`);
  const [version, system] = [next(), next()];
  if (version !== 1001) throw new DataError(`${where}: legacy format version ${textOf(version)}, expected 1001.`);
  if (!(system instanceof Map) || system.get('little_endian') !== true)
    throw new DataError(`${where}: written on a big-endian machine, expected little-endian.`);
  const root = next();
  const keys = next();
  if (!Array.isArray(keys)) throw new DataError(`${where}: no list of storages after the pickle.`);
  for (const key of keys) {
    const storage = storages.get(key as string);
    if (!storage) throw new DataError(`${where}: storage "${textOf(key)}" belongs to no tensor.`);
    const length = storage.count * bytesPerElement(storage.dtype);
    if (at + 8 + length > bytes.length)
      throw new DataError(
        `${where}: truncated in storage "${storage.key}": ${8 + length} bytes at ${at}, got ${bytes.length - at}.`,
        'Copy the file again.',
      );
    const count = new DataView(bytes.buffer, bytes.byteOffset + at, 8).getBigUint64(0, true);
    if (count !== BigInt(storage.count))
      throw new DataError(`${where}: storage "${storage.key}" has ${count} elements, expected ${storage.count}.`);
    attach(storage, bytes.subarray(at + 8, at + 8 + length), where);
    at += 8 + length;
  }
  return root;
}

/** Row-major values of a strided window into a storage. */
function materialise({ storage, offset, shape, strides }: PthTensor, where: string): HostTensor {
  if (!storage.bytes)
    throw new DataError(`${where}: storage "${storage.key}" is missing.`, 'The file is truncated or damaged: copy it again.');
  const width = bytesPerElement(storage.dtype);
  const size = shape.reduce((n, d) => n * d, 1);
  let expected = 1;
  const contiguous = shape.every((_, i) => {
    const axis = shape.length - 1 - i;
    const fits = shape[axis] === 1 || strides[axis] === expected;
    expected *= shape[axis];
    return fits;
  });
  if (contiguous) return decodeTensor(storage.dtype, shape, storage.bytes.subarray(offset * width, (offset + size) * width));
  const rows = new Uint8Array(size * width);
  const index = shape.map(() => 0);
  for (let i = 0, from = offset; i < size; i++) {
    rows.set(storage.bytes.subarray(from * width, (from + 1) * width), i * width);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return decodeTensor(storage.dtype, shape, rows);
}

function findStateDict(root: unknown, where: string): Map<unknown, unknown> {
  const hasTensors = (v: unknown): v is Map<unknown, unknown> => v instanceof Map && [...v.values()].some((t) => t instanceof PthTensor);
  if (hasTensors(root)) return root;
  const nested = root instanceof Map ? NESTS.map((name) => root.get(name)).find(hasTensors) : undefined;
  if (nested) return nested;
  const found =
    root instanceof Map
      ? `a dict of ${[...root.keys()].slice(0, 8).map(textOf).join(', ')}`
      : root instanceof PthTensor
        ? 'one tensor'
        : typeof root;
  throw new DataError(`${where}: no state dict found, got ${found}, expected tensors by name or one of ${NESTS.join(', ')}.`);
}

/**
 * The state dict of a .pth file: the object itself, or what it keeps under a usual name (`model_state_dict`, ...).
 * Entries that are no tensors are left out.
 * @throws DataError naming what is truncated, damaged, or not plain data.
 */
export function parsePth(bytes: Uint8Array, where = 'pth'): Map<string, HostTensor> {
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  if (!isZip && bytes[0] !== 0x80)
    throw new DataError(`${where}: not a .pth file, got bytes ${[...bytes.subarray(0, 4)].join(' ')}, expected a zip file or a pickle.`);
  const state = findStateDict(isZip ? readZip(bytes, where) : readLegacy(bytes, where), where);
  return materialised(state, where);
}

function materialised(state: ReadonlyMap<unknown, unknown>, where: string): Map<string, HostTensor> {
  const storages = new Set<PthStorage>(),
    known = new Map<string, HostTensor>(),
    tensors = new Map<string, HostTensor>();
  for (const value of state.values()) if (value instanceof PthTensor) storages.add(value.storage);
  const most = ROOM + TIMES * [...storages].reduce((n, { bytes }) => n + (bytes?.length ?? 0), 0);
  let taken = 0;
  for (const [name, value] of state) {
    if (!(value instanceof PthTensor)) continue;
    if (typeof name !== 'string' && typeof name !== 'number')
      throw new DataError(`${where}: a tensor's name, got ${textOf(name)}, expected a text.`);
    const { storage, offset, shape, strides } = value;
    const view = JSON.stringify([storage.key, offset, shape, strides]);
    let tensor = known.get(view);
    if (!tensor) {
      taken += shape.reduce((n, d) => n * d, bytesPerElement(storage.dtype));
      if (taken > most)
        throw new DataError(
          `${where}: its tensors take more than ${most} bytes, got ${taken} by "${textOf(name)}", expected views that share little ` +
            'of their storages.',
          'Save copies instead of views: {k: v.clone() for k, v in state.items()}.',
        );
      known.set(view, (tensor = materialise(value, where)));
    }
    tensors.set(String(name), tensor);
  }
  return tensors;
}
