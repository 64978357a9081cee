// SPDX-License-Identifier: MIT
// Batches of samples in an order that a seed decides, made while the last ones are trained on: PyTorch's DataLoader. No GPU, no Node.
import { callable, expectArguments, fields, flag, integer, listOf, maybe, shown } from '../check.ts';
import { DataError, ShapeError, VoxelgradError } from '../errors.ts';
import { Philox } from '../random/philox.ts';
import type { SampleWorker } from './worker.ts';
import { Pool } from './worker.ts';

/** What a batch is made of: typed arrays of one length in every sample, and numbers, which become a Float32Array. */
export type Sample = Readonly<Record<string, number | Float32Array | Uint16Array | Int32Array | Uint32Array>>;
/** Samples by index; `get` may be asynchronous. */
export interface SampleSource<S extends Sample> {
  readonly length: number;
  get(index: number): S | Promise<S>;
}
/** Fields of all samples of a batch, one after another: what `run` of a program takes. */
export type Batch<S extends Sample> = { [K in keyof S]: S[K] extends number ? Float32Array : S[K] };

export interface LoaderOptions {
  batch: number;
  /** Another order every epoch; default false. */
  shuffle?: boolean;
  /** Of the order; default 0. */
  seed?: number;
  /** Leaves out a last batch that is not full: a program has one batch size. Default false. */
  dropLast?: boolean;
  /** Batches that are made ahead; default 2. */
  ahead?: number;
  /** Workers that hold the source themselves (`serveSamples`) and make the samples in its place. */
  workers?: readonly SampleWorker[];
}

/**
 * `for await (const batch of loader) step.run(batch)`. Each walk over it is the next epoch, whose order follows from the seed and its
 * number alone: set `epoch` to go on where a training stopped.
 */
export class DataLoader<S extends Sample> implements AsyncIterable<Batch<S>> {
  /** Of the next walk. */
  epoch = 0;
  private readonly source: SampleSource<S>;
  private readonly options: Required<Omit<LoaderOptions, 'workers'>>;
  private readonly pool: Pool<S> | null;

  constructor(source: SampleSource<S>, options: LoaderOptions) {
    const kinds = {
      batch: integer(1),
      shuffle: maybe(flag),
      seed: maybe(integer(0, 2 ** 32 - 1)),
      dropLast: maybe(flag),
      ahead: maybe(integer(1)),
      workers: maybe(listOf(() => undefined)),
    };
    expectArguments('DataLoader', { source: fields({ length: integer(0), get: callable }, true), options: fields(kinds) }, [
      source,
      options,
    ]);
    this.source = source;
    const { batch, shuffle = false, seed = 0, dropLast = false, ahead = 2, workers = [] } = options;
    this.options = { batch, shuffle, seed, dropLast, ahead };
    this.pool = workers.length > 0 ? new Pool<S>(workers) : null;
  }

  /** Batches of one epoch. */
  get length(): number {
    const { batch, dropLast } = this.options;
    return dropLast ? Math.floor(this.source.length / batch) : Math.ceil(this.source.length / batch);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch<S>> {
    const { batch, shuffle, seed, ahead } = this.options;
    const n = this.source.length;
    const epoch = this.epoch++;
    const order = shuffle ? new Philox(seed, 'order').permutation(epoch, 0, n) : Uint32Array.from({ length: n }, (_, i) => i);
    const make = async (i: number): Promise<Batch<S>> => {
      const indices = [...order.subarray(i * batch, (i + 1) * batch)];
      return collate(await Promise.all(indices.map(async (index) => this.sample(index))), indices);
    };
    const under: Promise<Batch<S>>[] = [];
    const total = this.length;
    for (let i = 0, next = 0; i < total; i++) {
      for (; next < total && next <= i + ahead; next++) {
        const made = make(next);
        made.catch(() => undefined); // it is thrown when its turn comes
        under.push(made);
      }
      yield await under.shift()!;
    }
  }

  private sample(index: number): S | Promise<S> {
    return this.pool ? this.pool.get(index) : this.source.get(index);
  }
}

function collate<S extends Sample>(samples: readonly S[], indices: readonly number[]): Batch<S> {
  const [first] = samples as [S];
  if (typeof first !== 'object')
    throw new DataError(`DataLoader: sample ${indices[0]} is ${shown(first)}, expected an object of arrays and numbers.`);
  const out: Record<string, unknown> = {};
  for (const [key, like] of Object.entries(first)) {
    if (typeof like === 'number') {
      out[key] = Float32Array.from(samples, (s) => s[key] as number);
      continue;
    }
    if (!ArrayBuffer.isView(like))
      throw new VoxelgradError(
        'USAGE',
        `DataLoader: ${key} of sample ${indices[0]} is ${shown(like)}, expected a typed array or a number.`,
      );
    const whole = new (like.constructor as new (n: number) => Float32Array)(like.length * samples.length);
    samples.forEach((s, i) => {
      const part = s[key] as Float32Array | undefined;
      if (part?.length !== like.length || part.constructor !== like.constructor)
        throw new ShapeError(
          `DataLoader: ${key} of sample ${indices[i]} is ${part ? `${part.length} in ${shown(part)}` : 'missing'}, expected ` +
            `${like.length} in ${shown(like)}, as sample ${indices[0]} has it.`,
        );
      whole.set(part, i * like.length);
    });
    out[key] = whole;
  }
  return out as Batch<S>;
}
