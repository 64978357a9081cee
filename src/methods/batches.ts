// SPDX-License-Identifier: MIT
// Trained networks over many items of one shape (regions, slices): as many in a run as memory allows, results read back together.
import { spec, numel } from '../engine/dtype.ts';
import { compile, type Program } from '../engine/program.ts';
import type { Tensor } from '../engine/tensor.ts';
import { currentDevice, type Device } from '../gpu/device.ts';
import { Gathering } from '../gpu/readback.ts';
import type { Module } from '../nn/module.ts';
import { BatchStatisticsNorm } from '../nn/norms.ts';

/** Share of the memory that is left, for the activations of a run. */
export const ACTIVATIONS = 1 / 2;

/** Values of one item, or their tensors over all items of a run [n, ...], by name. */
type Values = Readonly<Record<string, Float32Array>>;
type Tensors = Readonly<Record<string, Tensor>>;
type Shapes = Readonly<Record<string, readonly number[]>>;

interface Forward {
  /** Networks that take part; they are in evaluation while `run` is traced. */
  readonly nets: readonly Module[];
  /** Of one item. */
  readonly shapes: Shapes;
  /** Inputs [n, ...] -> results [n, ...] f32. */
  run(inputs: Tensors, n: number): Tensors;
}

interface Job {
  readonly batches: Batches;
  readonly count: number;
  item(i: number): Values;
}

export class Batches {
  private readonly device: Device;
  private readonly forward: Forward;
  private readonly programs = new Map<number, Program<Tensors>>();
  /** Items a run may have, most first: least times powers of four. Those that nobody needs are never compiled. */
  private readonly sizes: number[];
  /** Of one item's results. */
  private itemBytes = 0;

  private constructor(device: Device, forward: Forward, least: number) {
    this.device = device;
    this.forward = forward;
    this.sizes = [least];
  }

  /**
   * `least` items a run at least; if they may be `joined`, at most `most` and what fits into half of the memory that is left. A processor
   * is full without, and sums of other sizes are rounded otherwise: there the bits stay. Networks that normalise by the batch would see one
   * item in another.
   */
  static async create(forward: Forward, least: number, most: number, joined = !currentDevice().caps.software): Promise<Batches> {
    const device = currentDevice();
    const grows = joined && !forward.nets.some((net) => [...net.modules()].some((m) => m instanceof BatchStatisticsNorm));
    const batches = new Batches(device, forward, least);
    const { slotBytes, largestSlot } = (await batches.program(least)).report();
    const fits = (times: number): boolean =>
      slotBytes * times <= device.room * ACTIVATIONS && largestSlot * times <= device.caps.limits.maxStorageBufferBindingSize;
    for (let times = 4; grows && least * times <= most && fits(times); times *= 4) batches.sizes.unshift(least * times);
    return batches;
  }

  /** Results of every item of every job, the way to the host taken once. A job has as many items as its runs have at least. */
  static async run(jobs: readonly Job[]): Promise<Record<string, Float32Array>[][]> {
    const { device } = jobs[0].batches;
    const parts = jobs.flatMap(({ batches, count }, job) => batches.parts(count).map((part) => ({ ...part, job })));
    const programs: Program<Tensors>[] = [];
    for (const { job, size } of parts) programs.push(await jobs[job].batches.program(size));
    using gathering = new Gathering(
      device,
      parts.reduce((n, { job, size }) => n + size * jobs[job].batches.itemBytes, 0),
    );
    const names = parts.map(({ job, first, size }, p) => {
      const { batches, item } = jobs[job];
      const results = Object.entries(programs[p].run(batches.joined(size, (i) => item(first + i))));
      for (const [
        ,
        {
          storage: { buffer, offset },
          size: values,
        },
      ] of results)
        gathering.add({ buffer, offset, bytes: 4 * values });
      return results.map(([name]) => name);
    });
    if (device.watch) await device.sync(); // indices that it found wrong
    const views = await gathering.views();
    const out = jobs.map(({ count }) => Array.from({ length: count }, (): Record<string, Float32Array> => ({})));
    let view = 0;
    parts.forEach(({ job, first, size }, p) => {
      for (const name of names[p]) {
        const { buffer, byteOffset, byteLength } = views[view++];
        const values = new Float32Array(buffer, byteOffset, byteLength / 4);
        const each = values.length / size;
        for (let i = 0; i < size; i++) out[job][first + i][name] = values.slice(i * each, (i + 1) * each);
      }
    });
    return out;
  }

  /** Runs that cover `count` items, large ones first; the last one overlaps the one before where it would not be full. */
  private parts(count: number): { first: number; size: number }[] {
    const parts: { first: number; size: number }[] = [];
    for (let done = 0; done < count;) {
      const size = this.sizes.find((s) => s <= count - done) ?? this.sizes.at(-1)!;
      const first = Math.min(done, count - size);
      parts.push({ first, size });
      done = first + size;
    }
    return parts;
  }

  private async program(size: number): Promise<Program<Tensors>> {
    const {
      programs,
      forward: { nets, shapes, run },
    } = this;
    const known = programs.get(size);
    if (known) return known;
    for (const net of nets) net.eval();
    const example = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, spec([size, ...shape])]));
    const compiling = compile(
      (inputs: Tensors) => {
        const results = run(inputs, size);
        this.itemBytes = Object.values(results).reduce((n, t) => n + 4 * t.size, 0) / size;
        return results;
      },
      example,
      { device: this.device },
    );
    for (const net of nets) net.train(); // it has been traced, training may go on
    const program = await compiling;
    programs.set(size, program);
    return program;
  }

  private joined(size: number, item: (i: number) => Values): Values {
    if (size === 1) return item(0);
    const inputs = Object.fromEntries(
      Object.entries(this.forward.shapes).map(([name, shape]) => [name, new Float32Array(size * numel(shape))]),
    );
    for (let i = 0; i < size; i++) for (const [name, values] of Object.entries(item(i))) inputs[name].set(values, i * values.length);
    return inputs;
  }

  dispose(): void {
    for (const program of this.programs.values()) program.dispose();
  }
}
