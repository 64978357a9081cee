// SPDX-License-Identifier: MIT
// One open GPU device: its abilities, its memory account, its pipelines, and the errors it has met.
import { callable, expectArguments, fields, flag, listOf, maybe, number, oneOf, shown, text, type Kind } from '../check.ts';
import { DeviceLostError, DisposedError, LimitError, VoxelgradError } from '../errors.ts';
import type { Caps, DeviceInfo, MatrixSizes, TunedTiles } from './caps.ts';
import { ASPECTS, DebugLog, type DebugAspect } from './debug.ts';
import { PipelineCache } from './pipelines.ts';
import { freeMemory, provideGPU, waitAsleep } from './provider.ts';
import { Readback } from './readback.ts';
import { SlotPool } from './slots.ts';
import { IndexWatch } from './watch.ts';

export interface DeviceOptions {
  /** Part of the name that the adapter must have; opening fails where the one that answers is another. */
  adapter?: string;
  /** A Dawn backend by name; `null` only together with `validateOnly`. */
  backend?: 'vulkan' | 'metal' | 'd3d12' | 'null';
  validateOnly?: boolean;
  /** Bytes of GPU memory this device may hold at once. Default: 80 % of free memory on software adapters, else no bound. */
  memoryBudget?: number;
  /**
   * To find a fault; slow. `indices` out of range are looked for on the device too: the next `data()` or `sync()` throws an
   * IndexError that names the op. `calls` writes a line a dispatch to the console: op, kernel, workgroups, bytes that it binds, time.
   * `memory` names tensors that were lost without `dispose()`, and what is still held when the device closes. True: all of these.
   */
  debug?: boolean | readonly DebugAspect[];
  /** A device of the caller's. It is never destroyed by us. */
  gpuDevice?: GPUDevice;
  /** Tiles that `tune` found for the adapter that answers. Default: the built-in table alone. */
  tiles?: (info: DeviceInfo) => TunedTiles;
}

export interface MemoryUse {
  /** Bytes in buffers that are in use. */
  readonly live: number;
  /** Bytes in buffers kept for reuse. */
  readonly pooled: number;
  /** Largest `live + pooled` so far. */
  readonly peak: number;
  readonly buffers: number;
}

const OPTIONAL_FEATURES = ['shader-f16', 'subgroups', 'timestamp-query', 'chromium-experimental-subgroup-matrix'] as const;
const STORAGE = 0x80 | 0x8 | 0x4; // STORAGE | COPY_DST | COPY_SRC
/** Open devices, the last one current; a trace puts its own before them. */
const open: Device[] = [];
let chosen: Device | null = null;

export class Device implements Disposable {
  readonly gpu: GPUDevice;
  readonly info: DeviceInfo;
  readonly caps: Caps;
  readonly pipelines: PipelineCache;
  readonly borrowed: boolean;
  readonly slotPool: SlotPool;
  /** Null unless opened with `debug`. */
  readonly watch: IndexWatch | null;
  /** Null unless opened with `debug`. */
  readonly debug: DebugLog | null;
  private readonly budget: number;
  private readonly errors: VoxelgradError[] = [];
  private readonly spare = new Map<number, GPUBuffer[]>();
  private lostReason: string | null = null;
  private closed = false;
  private live = 0;
  private pooled = 0;
  private peak = 0;
  /** Every buffer that alloc() made and that is not destroyed. */
  private readonly own = new Set<GPUBuffer>();
  private readonly onError: (event: Event) => void;

  constructor(gpu: GPUDevice, info: DeviceInfo, caps: Caps, borrowed: boolean, budget: number, debug: DeviceOptions['debug'] = false) {
    this.gpu = gpu;
    this.info = info;
    this.caps = caps;
    this.borrowed = borrowed;
    this.budget = budget;
    this.pipelines = new PipelineCache(gpu);
    this.slotPool = new SlotPool(this);
    const aspects = debug === true ? ASPECTS : debug || [];
    this.watch = aspects.includes('indices') ? new IndexWatch(gpu) : null;
    this.debug = aspects.length > 0 ? new DebugLog(this, aspects) : null;
    this.onError = (event) => {
      event.preventDefault(); // it is thrown at the next check, so Dawn need not print it
      const { error } = event as GPUUncapturedErrorEvent;
      this.pipelines.forgetUnproved();
      const name = error.constructor.name;
      this.errors.push(
        name === 'GPUOutOfMemoryError'
          ? new LimitError(`device: out of GPU memory. ${error.message}`, 'Use a smaller batch, patch or preset.')
          : new VoxelgradError('GPU', error.message),
      );
    };
    gpu.addEventListener('uncapturederror', this.onError);
    void gpu.lost.then((lost) => {
      if (!this.closed) this.lostReason = lost.message || lost.reason || 'unknown reason';
    });
  }

  /** Buffers that programs share for activations, largest first (engine/plan.ts). */
  get slots(): readonly GPUBuffer[] {
    return this.slotPool.buffers;
  }

  get isLost(): boolean {
    return this.lostReason !== null;
  }

  /** Throws what has gone wrong since the last check: a lost device first, then the oldest GPU error. */
  check(): void {
    if (this.closed) throw new DisposedError('device: used after close().');
    if (this.lostReason !== null) {
      throw new DeviceLostError(
        `device: the GPU device was lost (${this.lostReason}).`,
        'Open a new device and restore from the last checkpoint.',
      );
    }
    const met = this.errors.splice(0);
    const [first] = met;
    if (!first) return;
    if (first.code !== 'GPU') throw first;
    // The oldest error is the cause; one of its consequences may name the op.
    const op = met.map((e) => /CommandEncoder "([^"]+)"/.exec(e.message)?.[1]).find((label) => label !== undefined);
    throw new VoxelgradError('GPU', `${op ?? 'device'}: ${first.message}`);
  }

  /** @throws LimitError where no buffer may be so large */
  expectRoom(bytes: number, label: string): void {
    const { maxBufferSize } = this.caps.limits;
    if (bytes > maxBufferSize)
      throw new LimitError(
        `${label}: needs one buffer of ${bytes} bytes, got limit maxBufferSize ${maxBufferSize}.`,
        'Use a smaller batch or patch.',
      );
  }

  /** A storage buffer of at least `bytes`. Throws LimitError before the driver is asked when it cannot fit. */
  alloc(bytes: number, label: string, usage: number = STORAGE): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    this.expectRoom(size, label);
    if (usage === STORAGE) {
      const again = this.spare.get(size)?.pop();
      if (again) {
        this.pooled -= size;
        this.live += size;
        this.debug?.take(again, label);
        return again;
      }
    }
    if (this.live + this.pooled + size > this.budget) this.trim();
    if (this.live + this.pooled + size > this.budget) {
      throw new LimitError(
        `${label}: ${size} bytes more than the memory budget allows, got ${this.live} bytes in use, expected at most ${this.budget}.`,
        'Use a smaller batch, patch or preset, or raise memoryBudget.',
      );
    }
    const buffer = this.gpu.createBuffer({ size, usage, label });
    this.live += size;
    this.own.add(buffer);
    this.debug?.take(buffer, label);
    this.peak = Math.max(this.peak, this.live + this.pooled);
    return buffer;
  }

  /** Gives a buffer back; storage buffers are kept for reuse. */
  free(buffer: GPUBuffer): void {
    if (this.closed) return;
    this.debug?.giveBack(buffer);
    this.live -= buffer.size;
    if (buffer.usage === STORAGE) {
      const list = this.spare.get(buffer.size);
      if (list) list.push(buffer);
      else this.spare.set(buffer.size, [buffer]);
      this.pooled += buffer.size;
    } else {
      this.destroy(buffer);
    }
  }

  /** Destroys the buffers kept for reuse. */
  trim(): void {
    for (const list of this.spare.values()) for (const buffer of list) this.destroy(buffer);
    this.spare.clear();
    this.pooled = 0;
  }

  private destroy(buffer: GPUBuffer): void {
    this.own.delete(buffer);
    buffer.destroy();
  }

  /** A promise of the driver's. On a software adapter the kernels run on this machine's cores: waiting must not take one. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return this.caps.software ? waitAsleep(promise) : promise;
  }

  /** Copies `bytes` of a buffer back to the host. */
  async read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    if (this.watch && buffer !== this.watch.buffer) this.watch.expectNone(await this.read(this.watch.buffer, 0, 12));
    using readback = new Readback(this, [{ buffer, offset, bytes }]);
    return (await readback.views())[0].slice().buffer;
  }

  /** Waits until everything submitted is done, then throws what went wrong. */
  async sync(): Promise<void> {
    await this.wait(this.gpu.queue.onSubmittedWorkDone()).catch(() => undefined);
    this.check();
    await this.debug?.settled();
    if (this.watch) this.watch.expectNone(await this.read(this.watch.buffer, 0, 12));
  }

  /**
   * Bytes that may still be taken: of the budget, else half as many again as one binding may have. WebGPU does not say how large a GPU is,
   * so that is a guess, with which both micro-batches of `base` fit where a binding may have 2 GiB.
   */
  get room(): number {
    return this.budget < Infinity ? this.budget - this.live : 1.5 * this.caps.limits.maxStorageBufferBindingSize;
  }

  /** Bytes and buffers that are held now. */
  memory(): MemoryUse {
    return { live: this.live, pooled: this.pooled, peak: this.peak, buffers: this.own.size };
  }

  /** Destroys a device that we created; of a borrowed one the buffers that we made on it. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.debug?.close();
    open.splice(open.indexOf(this), 1);
    this.gpu.removeEventListener('uncapturederror', this.onError);
    this.watch?.buffer.destroy();
    if (this.borrowed) for (const buffer of this.own) this.destroy(buffer);
    else this.gpu.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The device that tensors are made on: the one opened last and not closed. */
export function currentDevice(): Device {
  const current = chosen ?? open.at(-1);
  if (!current) throw new DisposedError('device: none is open.', 'Call `await openDevice()` first.');
  return current;
}

/** Runs `f` with `device` as the current one. */
export function onDevice<T>(device: Device, f: () => T): T {
  const before = chosen;
  chosen = device;
  try {
    return f();
  } finally {
    chosen = before;
  }
}

function opened(device: Device): Device {
  open.push(device);
  return device;
}

/**
 * Opens a device and makes it current. A real GPU is taken before a software adapter, never Dawn's null adapter
 * (unless `validateOnly`), with the adapter's own limits and every feature that the kernels can use.
 * @throws DeviceLostError when no adapter answers, LimitError when it has no subgroups.
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  expectArguments('openDevice', { options: OPTIONS }, [options]);
  if (options.gpuDevice) {
    const { gpuDevice, tiles, memoryBudget = Infinity } = options;
    const info = infoOf(gpuDevice.adapterInfo);
    expectSubgroups(gpuDevice.features, info, "Ask for it: requestDevice({ requiredFeatures: ['subgroups'] }).");
    return opened(new Device(gpuDevice, info, capsOf(gpuDevice, gpuDevice.adapterInfo, tiles?.(info)), true, memoryBudget, options.debug));
  }
  if (options.backend === 'null' && !options.validateOnly) {
    throw new DeviceLostError('openDevice: backend "null" computes nothing.', 'Pass validateOnly: true to compile kernels only.');
  }
  const gpu = await provideGPU(options.backend);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter || (adapter.info.device === 'null-backend' && !options.validateOnly)) {
    throw new DeviceLostError('openDevice: no WebGPU adapter answers.', 'Run `npx voxelgrad doctor` to see what is missing.');
  }
  const info = infoOf(adapter.info);
  if (options.adapter && !info.name.toLowerCase().includes(options.adapter.toLowerCase())) {
    throw new DeviceLostError(
      `openDevice: no adapter named like "${options.adapter}", got "${info.name}".`,
      'Leave `adapter` out to take it.',
    );
  }
  if (!options.validateOnly)
    expectSubgroups(adapter.features, info, 'Install a newer graphics driver, or Mesa Lavapipe 25 (`npm run setup` says how).');
  const device = await adapter.requestDevice({
    label: 'voxelgrad',
    requiredFeatures: OPTIONAL_FEATURES.filter((f) => adapter.features.has(f)) as GPUFeatureName[],
    requiredLimits: limitsOf(adapter.limits),
  });
  const caps = capsOf(device, adapter.info, options.tiles?.(info));
  const free = freeMemory();
  const budget = options.memoryBudget ?? (caps.software && free !== undefined ? Math.floor(free * 0.8) : Infinity);
  return opened(new Device(device, info, caps, false, budget, options.debug));
}

const aDevice: Kind = (where, what, v) => {
  if (!(v as GPUDevice | null)?.features || !(v as GPUDevice).limits)
    throw new VoxelgradError('USAGE', `${where}: got ${what} ${shown(v)}, expected a GPUDevice.`);
};
const aDebug: Kind = (where, what, v) => {
  (Array.isArray(v) ? listOf(oneOf(...ASPECTS)) : flag)(where, what, v);
};
const OPTIONS = fields({
  adapter: maybe(text),
  backend: maybe(oneOf('vulkan', 'metal', 'd3d12', 'null')),
  validateOnly: maybe(flag),
  memoryBudget: maybe(number(0)),
  gpuDevice: maybe(aDevice),
  tiles: maybe(callable),
  debug: maybe(aDebug),
});

/** Products, convolutions, norms, softmax and reductions have no other form. */
function expectSubgroups(features: GPUSupportedFeatures, { name }: DeviceInfo, hint: string): void {
  if (features.has('subgroups')) return;
  throw new LimitError(
    `openDevice: got "${name}" without the WebGPU feature \`subgroups\`, expected it, for the kernels are written with it.`,
    hint,
  );
}

function infoOf(info: GPUAdapterInfo): DeviceInfo {
  return {
    vendor: info.vendor,
    name: info.device || info.description || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unknown adapter',
    driver: info.description,
  };
}

/** Those that kernels are chosen by, and that a device of ours is asked for. */
const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBuffersPerShaderStage',
] as const;
const limitsOf = (limits: GPUSupportedLimits) =>
  Object.fromEntries(LIMITS.map((key) => [key, limits[key]])) as Record<(typeof LIMITS)[number], number>;

function capsOf(device: GPUDevice, info: GPUAdapterInfo, tiles: TunedTiles = {}): Caps {
  const { limits, features } = device;
  const name = `${info.vendor} ${info.device} ${info.description} ${info.architecture}`.toLowerCase();
  return {
    f16: features.has('shader-f16'),
    subgroups: features.has('subgroups'),
    timestamps: features.has('timestamp-query'),
    subgroupMatrix: features.has('chromium-experimental-subgroup-matrix') ? matrixSizes(info) : null,
    software: /llvmpipe|lavapipe|swiftshader|software|null/.test(name),
    subgroupSize: info.subgroupMinSize || 4,
    subgroupSizeMax: info.subgroupMaxSize || 128,
    driver: info.description,
    tiles,
    limits: limitsOf(limits),
  };
}

/** Of the sizes that the adapter lists for f16 added in f32, the largest that kernels/lib/matrices.wgsl can take. */
function matrixSizes(info: GPUAdapterInfo): MatrixSizes | null {
  const { subgroupMatrixConfigs: all = [] } = info as {
    subgroupMatrixConfigs?: Iterable<MatrixSizes & { componentType: string; resultComponentType: string }>;
  };
  const fit = [...all].filter(
    ({ M, N, K, componentType, resultComponentType }) =>
      componentType === 'f16' && resultComponentType === 'f32' && [M, N, K].every((size) => size === 8 || size === 16),
  );
  return fit.map(({ M, N, K }) => ({ M, N, K })).sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K)[0] ?? null;
}
