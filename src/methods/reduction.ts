// SPDX-License-Identifier: MIT
// What an iteration leaves in each process of a run, made one: gathered gradients and means become their sums, running statistics what they
// would be had one process seen all volumes. Gradients of a network set out as soon as they are whole, while the next network computes.
import { currentDevice } from '../gpu/device.ts';
import { Readback, type DeviceRange } from '../gpu/readback.ts';
import type { Tensor } from '../engine/tensor.ts';
import { BatchNorm } from '../nn/layers.ts';
import { networkList, type Networks, type Optimisers } from './method.ts';
import type { Reducer } from './reducer.ts';

/** Running values of a network, and how often a process updates them in an iteration. */
interface Running {
  readonly network: string;
  readonly tensors: readonly Tensor[];
  /** Of each tensor: how far one pass moves it. */
  readonly momenta: readonly number[];
}

const rangeOf = ({ storage: { buffer, offset }, size }: Tensor): DeviceRange => ({ buffer, offset, bytes: 4 * size });
const floats = ({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  new Float32Array(buffer, byteOffset, byteLength / 4);

export class Reduction {
  /** How often a process updates a network's running statistics in an iteration. */
  passes: (network: string) => number = () => 1;
  private readonly reducer: Reducer;
  private readonly optimisers: Optimisers;
  private readonly means: ReadonlyMap<string, Tensor>;
  private readonly running: readonly Running[];
  /** Running statistics as all processes had them before this iteration, network after network. */
  private before: Float32Array[] = [];
  private readonly sent = new Set<string>();
  private underWay: Promise<void> = Promise.resolve();

  constructor(reducer: Reducer, nets: Networks, optimisers: Optimisers, means: ReadonlyMap<string, Tensor>) {
    this.reducer = reducer;
    this.optimisers = optimisers;
    this.means = means;
    this.running = networkList(nets).map(({ name, net }) => {
      const norms = [...net.modules()].filter((m) => m instanceof BatchNorm);
      return {
        network: name,
        tensors: norms.flatMap((m) => [m.running_mean, m.running_var]),
        momenta: norms.flatMap((m) => [m.momentum, m.momentum]),
      };
    });
  }

  get ranks(): number {
    return this.reducer.ranks;
  }

  /** Remembers the running statistics that the run begins with. */
  async begin(): Promise<void> {
    this.before = [];
    for (const { tensors } of this.running) this.before.push(...(await read(tensors)));
  }

  /** The gradients of a network are whole: they are copied aside as they are now, and set out when those before them have arrived. */
  network(name: string): void {
    const optimiser = this.optimisers.get(name);
    if (!optimiser || this.sent.has(name)) return;
    this.sent.add(name);
    const device = currentDevice(),
      places = optimiser.gradients();
    const readback = new Readback(device, places);
    this.underWay = this.underWay.then(async () => {
      using held = readback;
      for (const [i, view] of (await held.views()).entries()) {
        const { buffer, offset } = places[i];
        device.gpu.queue.writeBuffer(buffer, offset, (await this.reducer.sum(floats(view), 'gradient')) as Float32Array<ArrayBuffer>);
      }
    });
    this.underWay.catch(() => undefined); // `whole` says it
  }

  /** Everything that is left, and waits for all of it. */
  async whole(): Promise<void> {
    for (const name of this.optimisers.keys()) this.network(name);
    const tensors = [...this.means.values(), ...this.running.flatMap((each) => each.tensors)];
    const own = read(tensors); // as they are now
    own.catch(() => undefined);
    await this.underWay;
    this.sent.clear();
    const values = await own;
    const rest = this.factors();
    // Of a running value r, one pass makes a r + its share; of the passes of all processes, those of later ranks come after ours.
    const parts = values.map((v, i) => {
      const k = i - this.means.size;
      return k < 0 ? v : v.map((x, j) => (x - rest[k].own * this.before[k][j]) * rest[k].after);
    });
    const sums = split(await this.reducer.sum(joined(parts), 'measure'), parts);
    sums.forEach((sum, i) => {
      const k = i - this.means.size;
      const now = k < 0 ? sum : sum.map((x, j) => rest[k].all * this.before[k][j] + x);
      tensors[i].write(now);
      if (k >= 0) this.before[k] = now;
    });
  }

  /** What is left of a running value after this process's passes, those of later ranks, and those of all. */
  private factors(): { own: number; after: number; all: number }[] {
    const { rank, ranks } = this.reducer;
    return this.running.flatMap(({ network, momenta }) =>
      momenta.map((momentum) => {
        const own = (1 - momentum) ** this.passes(network);
        return { own, after: own ** (ranks - 1 - rank), all: own ** ranks };
      }),
    );
  }
}

async function read(tensors: readonly Tensor[]): Promise<Float32Array[]> {
  using readback = new Readback(currentDevice(), tensors.map(rangeOf));
  return (await readback.views()).map((view) => floats(view).slice());
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function split(all: Float32Array, like: readonly Float32Array[]): Float32Array[] {
  let at = 0;
  return like.map(({ length }) => all.slice(at, (at += length)));
}
