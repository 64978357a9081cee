// SPDX-License-Identifier: MIT
// A tensor is a shape, a dtype and either memory on the device or a place in a trace.
import { DisposedError, DTypeError, ShapeError, VoxelgradError } from '../errors.ts';
import {
  dtype as aDType,
  expectArguments,
  fields,
  flag,
  instance,
  integer,
  maybe,
  scalar,
  shape as aShape,
  shown,
  text,
  values as aList,
  type Kinds,
} from '../check.ts';
import { currentDevice, Device } from '../gpu/device.ts';
import { Readback } from '../gpu/readback.ts';
import { byteSize, expectHost, fromF16, hostArray, isHostOf, numel, toHost, type DType, type HostArray, type Spec } from './dtype.ts';
import { valuesText, WHOLE } from './show.ts';
import type { Recorded } from './tape.ts';
import type { Node } from './trace.ts';

/** A range of a GPU buffer. Several tensors may share one (views); the last to go frees what we own. */
export class Storage {
  readonly device: Device;
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
  /** Least and largest of the integers that the host wrote here last; null where it wrote none, or the device may have changed them. */
  holds: { readonly low: number; readonly high: number } | null = null;
  /** The values, where the host knows them and they are few: for the console. */
  known: HostArray | null = null;
  /** Counts what may have changed the values on the device. */
  changes = 0;
  /** Its tensor has other memory now: what was bound here reads old values. */
  left = false;
  /** Its buffer was handed out. */
  lent = false;
  private readonly owned: boolean;
  private readonly whole: Storage | null;
  private users = 1;

  constructor(device: Device, buffer: GPUBuffer, offset: number, bytes: number, owned: boolean, whole: Storage | null = null) {
    this.device = device;
    this.buffer = buffer;
    this.offset = offset;
    this.bytes = bytes;
    this.owned = owned;
    this.whole = whole?.retain() ?? null;
    if (owned) device.debug?.expect(this, buffer);
  }

  static alloc(device: Device, bytes: number, label: string): Storage {
    return new Storage(device, device.alloc(bytes, label), 0, bytes, true);
  }

  /** The device, or somebody else, may have written here. */
  changed(): void {
    this.holds = this.known = null;
    this.changes++;
    this.whole?.changed();
  }

  /** Counts changes here and by any other part of the same memory. */
  get version(): number {
    return this.changes + (this.whole?.version ?? 0);
  }

  /** Notes values that lie here, unless others than this storage may write them. */
  note(values: HostArray): void {
    if (this.owned && !this.lent && values.length <= WHOLE) this.known = values.slice();
  }

  overlaps(other: Storage): boolean {
    return this.buffer === other.buffer && this.offset < other.offset + other.bytes && other.offset < this.offset + this.bytes;
  }

  /** A range of this one, which keeps all of it. */
  part(offset: number, bytes: number): Storage {
    return new Storage(this.device, this.buffer, this.offset + offset, bytes, false, this);
  }

  retain(): this {
    this.users++;
    return this;
  }
  release(): void {
    if (--this.users !== 0) return;
    if (this.owned) this.device.free(this.buffer);
    this.whole?.release();
  }
}

/** What is told of every tensor made with memory, so that a caller can collect and dispose them. */
let onCreate: ((t: Tensor) => void) | null = null;
export function setCreationHook(hook: ((t: Tensor) => void) | null): ((t: Tensor) => void) | null {
  const before = onCreate;
  onCreate = hook;
  return before;
}

/** Numbers of one dtype in a shape, row-major, on the device, or in a trace the promise of them. Immutable but for `write()`. */
export class Tensor implements Spec, Disposable {
  readonly shape: readonly number[];
  readonly dtype: DType;
  name: string | undefined;
  /** The op call that makes this tensor inside a trace; null for memory. */
  readonly node: Node | null;
  /** What `backward()` has added up for it, outside of a traced step. It goes with `zeroGrad()`. */
  grad: Tensor | null = null;
  private memory: Storage | null;
  private disposed = false;
  private wantsGrad = false;
  private maker: Recorded | null = null;

  /** Use `tensor()`, `zeros()` or an op; the constructor is the engine's. */
  constructor(spec: Spec, storage: Storage | null, node: Node | null = null, name?: string) {
    this.shape = spec.shape;
    this.dtype = spec.dtype;
    this.memory = storage;
    this.node = node;
    this.name = name;
    if (storage) onCreate?.(this);
  }

  /** Shares the caller's buffer range; it is never freed by us. */
  static fromBuffer(buffer: GPUBuffer, spec: Spec, options: { offset?: number; device?: Device } = {}): Tensor {
    expectArguments('Tensor.fromBuffer', FROM_BUFFER, [buffer, spec, options]);
    const { offset = 0, device = currentDevice() } = options;
    const bytes = byteSize(spec);
    if (offset % 4 !== 0)
      throw new ShapeError(`Tensor.fromBuffer: got offset ${offset}, expected a multiple of 4.`, 'A kernel binds it at a multiple of 256.');
    if (offset + bytes > buffer.size) {
      throw new ShapeError(
        `Tensor.fromBuffer: [${spec.shape}] ${spec.dtype} needs ${bytes} bytes from offset ${offset}, got a buffer of ${buffer.size}.`,
      );
    }
    return new Tensor(spec, new Storage(device, buffer, offset, bytes, false));
  }

  get size(): number {
    return numel(this.shape);
  }
  get isSymbolic(): boolean {
    return this.memory === null && !this.disposed && this.node !== null;
  }

  protected get isDisposed(): boolean {
    return this.disposed;
  }

  /**
   * Whether eager `backward()` fills `grad`, or goes through it: true of trainable parameters, of tensors where it was set, and of what ops
   * make of them outside of `noGrad`. In a traced step it says nothing: there `backward(loss, params)` names them.
   */
  get requiresGrad(): boolean {
    return this.wantsGrad || this.maker !== null;
  }
  set requiresGrad(on: boolean) {
    const what = `requiresGrad of ${this.name ?? 'a tensor'} [${this.shape}]`;
    if (on && this.dtype !== 'f32' && this.dtype !== 'f16')
      throw new DTypeError(`${what}: got dtype ${this.dtype}, expected f32 or f16.`, 'Integers and truth values have no gradient.');
    if (this.maker || this.node)
      throw new VoxelgradError(
        'ORDER',
        `${what}: set on a result of ${(this.maker ?? this.node)!.label}, expected a tensor that no op made.`,
        'Set it on what goes in; detach() cuts a result off.',
      );
    this.wantsGrad = on;
  }
  /** The eager call that made it, where a gradient may go back through that. */
  get history(): Recorded | null {
    return this.maker;
  }
  /** Notes the call that made it, which is kept as long as the tensor. */
  madeBy(call: Recorded): void {
    this.maker = call;
  }

  /** Disposes the gradient: the next `backward()` starts from none. */
  zeroGrad(): void {
    this.grad?.dispose();
    this.grad = null;
  }

  /** The memory behind a tensor. Inside a trace there is none. */
  get storage(): Storage {
    if (this.disposed) throw new DisposedError(`tensor${this.name ? ` ${this.name}` : ''} [${this.shape}]: used after dispose().`);
    this.memory ??= this.materialise();
    if (!this.memory)
      throw new VoxelgradError(
        'TRACE',
        `tensor [${this.shape}]: has no values while a step is being traced.`,
        'Return it from the step and read it after run().',
      );
    return this.memory;
  }

  /** Subclasses that keep host values until first use (Parameter) move them to the device here. */
  protected materialise(): Storage | null {
    return null;
  }

  /** Moves a persistent tensor's values into another range, for example of an optimiser's arena. */
  protected moveTo(storage: Storage): void {
    if (this.memory) this.memory.left = true;
    this.memory?.release();
    this.memory = storage;
  }
  protected get hasMemory(): boolean {
    return this.memory !== null;
  }

  /** The range of a GPU buffer that holds this tensor's values, for use outside the engine. */
  get buffer(): { buffer: GPUBuffer; offset: number; size: number } {
    const { buffer, offset, bytes } = this.storage;
    this.storage.changed();
    this.storage.lent = true; // others may write it at any time
    return { buffer, offset, size: bytes };
  }

  /** Reads the values back (f16 as bits). With `readTogether` the way from the device to the host. */
  async data(): Promise<HostArray> {
    const { storage } = this;
    const { device, buffer, offset, changes } = storage;
    const values = hostArray(this.dtype, await device.read(buffer, offset, byteSize(this)), this.size);
    if (storage.changes === changes) storage.note(values);
    return values;
  }

  /** The only value of a one-element tensor. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: tensor has ${this.size} elements, expected 1. [${this.shape}]`);
    return (await this.data())[0];
  }

  /** Overwrites the values from the host. */
  write(values: HostArray): void {
    const where = `write${this.name ? ` ${this.name}` : ''}`;
    expectHost(where, this.dtype, values);
    if (values.length !== this.size)
      throw new ShapeError(`${where}: got ${values.length} values, expected ${this.size} for [${this.shape}].`);
    const { device, buffer, offset } = this.storage;
    writeBuffer(device, buffer, offset, values);
    this.storage.changed();
    this.storage.note(values);
    this.storage.holds = this.dtype === 'u32' || this.dtype === 'i32' ? rangeOf(values) : null;
  }

  /** Shape, dtype, and the values where the host knows them: those that it wrote, or read with `data()` since they were computed. */
  toString(): string {
    const head = `${this.constructor.name}${this.name ? ` ${this.name}` : ''} [${this.shape.join(', ')}] ${this.dtype}`;
    if (this.disposed) return `${head}, disposed`;
    if (this.isSymbolic) return `${head}, ${this.node!.label}: a place in a step, print() shows its values`;
    const known = this.memory?.known;
    if (!known) return `${head}, on the device: await data() or print() for its values`;
    return `${head} ${valuesText(this.dtype === 'f16' ? Float32Array.from(known, fromF16) : known, this.shape)}`;
  }
  /** What Node's console shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** Gives its memory back. Later use is a DisposedError; a second time does nothing. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.memory?.release();
    this.memory = null;
    this.wantsGrad = false;
    this.maker?.release();
    this.zeroGrad();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function rangeOf(values: HostArray): { low: number; high: number } | null {
  if (values.length === 0) return null;
  let low = values[0];
  let high = low;
  for (let i = 1; i < values.length; i++) {
    const v = values[i];
    if (v < low) low = v;
    else if (v > high) high = v;
  }
  return { low, high };
}

/** Values of many tensors, brought back together: one wait whatever their number. */
export async function readTogether(tensors: readonly Tensor[]): Promise<HostArray[]> {
  if (tensors.length === 0) return [];
  using readback = new Readback(
    tensors[0].storage.device,
    tensors.map((t) => ({ buffer: t.storage.buffer, offset: t.storage.offset, bytes: byteSize(t) })),
  );
  return (await readback.views()).map((bytes, i) => hostArray(tensors[i].dtype, bytes.slice().buffer, tensors[i].size));
}

/** queue.writeBuffer for any host array; odd f16 counts are padded to 4 bytes. */
export function writeBuffer(device: Device, buffer: GPUBuffer, offset: number, values: HostArray): void {
  if (values.byteLength % 4 === 0) {
    device.gpu.queue.writeBuffer(buffer, offset, values.buffer, values.byteOffset, values.byteLength);
    return;
  }
  const padded = new Uint8Array(Math.ceil(values.byteLength / 4) * 4);
  padded.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  device.gpu.queue.writeBuffer(buffer, offset, padded);
}

interface Made {
  dtype?: DType;
  name?: string;
  /** Eager `backward()` fills its `grad`. */
  requiresGrad?: boolean;
}
const MADE = { dtype: maybe(aDType), name: maybe(text), requiresGrad: maybe(flag) };
const FROM_BUFFER: Kinds = {
  buffer: (where, what, v) => {
    if (typeof (v as GPUBuffer | null)?.size !== 'number')
      throw new VoxelgradError('USAGE', `${where}: got ${what} ${shown(v)}, expected a GPUBuffer.`);
  },
  spec: fields({ shape: aShape, dtype: aDType }),
  options: fields({ offset: maybe(integer(0)), device: maybe(instance('a device', Device)) }),
};

/** Numbers in lists of lists, as deep as there are axes. */
export type Nested = number | readonly Nested[];

/** The shape of nested lists, and their numbers in order. @throws ShapeError where they are ragged */
function flattened(nested: readonly Nested[]): { shape: number[]; values: number[] } {
  const shape: number[] = [];
  for (let at: Nested | undefined = nested; Array.isArray(at); at = (at as readonly Nested[])[0]) shape.push(at.length);
  const values: number[] = [];
  const walk = (list: Nested, axis: number, path: string): void => {
    if (axis === shape.length && typeof list === 'number') values.push(list);
    else if (!Array.isArray(list) || list.length !== shape[axis])
      throw new ShapeError(
        `tensor: got ${shown(list)} at ${path || 'the top'}, expected ` +
          `${axis === shape.length ? 'a number' : `a list of ${shape[axis]}`}, as in the lists before it.`,
      );
    else
      list.forEach((item: Nested, i) => {
        walk(item, axis + 1, `${path}[${i}]`);
      });
  };
  walk(nested, 0, '');
  return { shape, values };
}

/**
 * A tensor from host numbers: a list, or an array of the dtype's kind, of the shape given or else one axis; nested lists, whose shape is
 * their nesting; or one number, of shape []. @throws ShapeError if their count does not fit the shape, DTypeError for numbers that the
 * dtype has not
 */
export function tensor(
  given: number | ArrayLike<number> | HostArray | readonly Nested[],
  options: Made & { shape?: readonly number[] } = {},
): Tensor {
  const nested = typeof given === 'number' || (Array.isArray(given) && given.some(Array.isArray));
  const { shape: own, values } = nested
    ? typeof given === 'number'
      ? { shape: [] as number[], values: [given] as ArrayLike<number> | HostArray }
      : flattened(given as readonly Nested[])
    : { shape: undefined, values: given as ArrayLike<number> | HostArray };
  expectArguments('tensor', { values: aList, options: fields({ ...MADE, shape: maybe(aShape) }) }, [values, options]);
  const { dtype = 'f32', shape = own ?? [values.length], name } = options;
  if (numel(shape) !== values.length)
    throw new ShapeError(`tensor: got ${values.length} values, expected ${numel(shape)} for shape [${shape}].`);
  const device = currentDevice();
  const host = isHostOf(dtype, values) ? values : toHost(dtype, values);
  const made = new Tensor({ shape: [...shape], dtype }, Storage.alloc(device, byteSize({ shape, dtype }), name ?? 'tensor'), null, name);
  made.write(host);
  if (options.requiresGrad) made.requiresGrad = true;
  return made;
}

/** Zeros [...shape], f32 unless `dtype` is given. @throws ShapeError for a bad shape, LimitError where they do not fit the device */
export function zeros(shape: readonly number[], options: Made = {}): Tensor {
  return filled('zeros', shape, 0, options);
}

/** `value` everywhere in [...shape], f32 unless given. @throws ShapeError, LimitError, DTypeError for what the dtype has not */
export function full(shape: readonly number[], value: number, options: Made = {}): Tensor {
  return filled('full', shape, value, options);
}

function filled(where: string, shape: readonly number[], value: number, options: Made): Tensor {
  expectArguments(where, { shape: aShape, value: scalar, options: fields(MADE) }, [shape, value, options]);
  const { dtype = 'f32' } = options;
  currentDevice().expectRoom(byteSize({ shape, dtype }), where); // before as much is asked of the host
  const host = toHost(dtype, [value]);
  const all = new (host.constructor as new (n: number) => HostArray)(numel(shape)).fill(host[0]);
  return tensor(all, { ...options, shape, dtype });
}
