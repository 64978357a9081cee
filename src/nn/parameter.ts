// SPDX-License-Identifier: MIT
// A tensor that lives across steps: a weight or a running statistic. Values wait on the host until first use, in PyTorch's
// layout; on the device they are channels-last (O(D)HWI, I(D)HWO).
import { callable, expectArguments, fields, flag, maybe, oneOf, shape as aShape } from '../check.ts';
import { ShapeError, VoxelgradError } from '../errors.ts';
import { currentDevice } from '../gpu/device.ts';
import { byteSize, expectHost, numel } from '../engine/dtype.ts';
import { Storage, Tensor } from '../engine/tensor.ts';
import type { Initialiser } from './init.ts';

/** How PyTorch stores the weight: `plain` is the same here and there; the others swap channels to the end. */
export type WeightLayout = 'plain' | 'conv';

export interface ParameterOptions {
  layout?: WeightLayout;
  /** False for running statistics and constants. */
  trainable?: boolean;
  /** Whether weight decay applies: not to norms, biases, temperatures and position tables. */
  decay?: boolean;
}

const KINDS = {
  torchShape: aShape,
  init: callable,
  options: fields({ layout: maybe(oneOf('plain', 'conv')), trainable: maybe(flag), decay: maybe(flag) }),
};

/** What blank parameters read; never written. */
let shared = new Float32Array(0);

/**
 * A weight or a running statistic: `shape` is the one here, `torchShape` and the values of a state dict are in PyTorch's layout.
 * Fields of a Module that hold one are in its state dict.
 */
export class Parameter extends Tensor {
  readonly torchShape: readonly number[];
  readonly layout: WeightLayout;
  readonly trainable: boolean;
  readonly decay: boolean;
  private readonly init: Initialiser;
  private host: Float32Array | null = null;
  private placed = false;

  /** `torchShape` is PyTorch's shape, e.g. [O, I, kh, kw]; the tensor's own shape is the engine's. */
  constructor(torchShape: readonly number[], init: Initialiser, options: ParameterOptions = {}) {
    expectArguments('Parameter', KINDS, [torchShape, init, options]);
    const layout = options.layout ?? 'plain';
    super({ shape: layout === 'conv' ? engineShape(torchShape) : torchShape, dtype: 'f32' }, null);
    this.torchShape = torchShape;
    this.layout = layout;
    this.trainable = options.trainable ?? true;
    this.requiresGrad = this.trainable;
    this.decay = options.decay ?? torchShape.length > 1;
    this.init = init;
  }

  /** Draws the initial values: op id `id` of the init stream. */
  draw(seed: number, id: number): void {
    this.setTorchValues(this.init(this.torchShape, seed, id));
  }

  /** Zeros that share one piece of memory: enough to trace and to plan, whatever the size. */
  blank(): void {
    if (shared.length < this.size) shared = new Float32Array(this.size);
    this.host = shared.subarray(0, this.size);
  }

  /** Values in PyTorch's layout. */
  setTorchValues(values: Float32Array): void {
    expectHost(`parameter ${this.name ?? ''}`, 'f32', values);
    if (values.length !== this.size)
      throw new ShapeError(`parameter ${this.name ?? ''}: got ${values.length} values, expected ${this.size} for [${this.torchShape}].`);
    const own = this.fromTorch(values);
    if (this.hasMemory) this.write(own);
    else this.host = Float32Array.from(own);
  }

  async torchValues(): Promise<Float32Array> {
    const own = this.hasMemory ? ((await this.data()) as Float32Array) : this.hostValues();
    return this.toTorch(own);
  }

  /** Values of this parameter's shape from the engine's layout to PyTorch's. */
  toTorch(values: Float32Array): Float32Array {
    return this.layout === 'conv' ? permuteConv(values, this.torchShape, false) : Float32Array.from(values);
  }
  /** And back. */
  fromTorch(values: Float32Array): Float32Array {
    return this.layout === 'conv' ? permuteConv(values, this.torchShape, true) : values;
  }

  /**
   * Puts the parameter into a range of an optimiser's arena until `free`. A program that has bound it where it was refuses to run from then
   * on.
   */
  place(storage: Storage): void {
    this.expectFree();
    this.placed = true;
    if (this.hasMemory) {
      const { device, buffer, offset, bytes } = this.storage;
      const encoder = device.gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, storage.buffer, storage.offset, bytes);
      device.gpu.queue.submit([encoder.finish()]);
      this.moveTo(storage);
      return;
    }
    const values = this.hostValues();
    this.moveTo(storage);
    this.write(values);
    this.host = null;
  }

  /** Has the values that lie there from now on, whoever changes them. */
  readFrom({ storage }: Tensor): void {
    this.expectUnplaced();
    this.moveTo(storage.retain());
    this.host = null;
  }

  /** Another optimiser may take it now. It stays where it is. */
  free(): void {
    this.placed = false;
  }

  /** @throws VoxelgradError ORDER unless no optimiser holds it and it has values, DEVICE where another device holds those. */
  expectFree(): void {
    const where = this.expectUnplaced();
    if (!this.hasMemory) this.hostValues();
    else if (this.storage.device !== currentDevice())
      throw new VoxelgradError('DEVICE', `${where}: got memory of another device than the optimiser's.`, 'Make both on one device.');
  }

  private expectUnplaced(): string {
    const where = `parameter ${this.name ?? `[${this.torchShape}]`}`;
    if (!this.placed) return where;
    throw new VoxelgradError(
      'ORDER',
      `${where}: got a second optimiser, expected one, which keeps its values.`,
      'Dispose the first one before the second is made.',
    );
  }

  protected override materialise(): Storage {
    const values = this.hostValues();
    const device = currentDevice();
    const storage = Storage.alloc(device, byteSize(this), this.name ?? 'parameter');
    device.gpu.queue.writeBuffer(storage.buffer, storage.offset, values as Float32Array<ArrayBuffer>);
    this.host = null;
    return storage;
  }

  private hostValues(): Float32Array {
    if (!this.host)
      throw new VoxelgradError(
        'ORDER',
        `parameter ${this.name ?? `[${this.torchShape}]`}: has no values.`,
        'Call initialise(seed) or loadStateDict() on the model first.',
      );
    return this.host;
  }
}

/** [O, I, ...k] -> [O, ...k, I] */
function engineShape([o, i, ...kernel]: readonly number[]): number[] {
  return [o, ...kernel, i];
}

/** Between PyTorch's [O, I, k] and the engine's [O, k, I]. */
function permuteConv(values: Float32Array, [o, i, ...kernel]: readonly number[], toEngine: boolean): Float32Array {
  const k = numel(kernel);
  const out = new Float32Array(values.length);
  for (let a = 0; a < o; a++) {
    for (let b = 0; b < i; b++) {
      for (let c = 0; c < k; c++) {
        const torch = (a * i + b) * k + c;
        const engine = (a * k + c) * i + b;
        if (toEngine) out[engine] = values[torch]!;
        else out[torch] = values[engine]!;
      }
    }
  }
  return out;
}
