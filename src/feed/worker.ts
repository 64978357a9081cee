// SPDX-License-Identifier: MIT
// Samples made in workers: of Node (`worker_threads`) or of a page. Each holds the source itself; indices go in, samples come out.
import { DataError, VoxelgradError } from '../errors.ts';
import type { Sample, SampleSource } from './loader.ts';

/** A Worker of a page, or of Node's worker_threads. */
export type SampleWorker =
  | { postMessage(message: unknown): void; addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void }
  | { postMessage(message: unknown): void; on(type: 'message', listener: (message: unknown) => void): unknown };
/** Where a worker hears: `self` in a page's, `parentPort` of worker_threads in Node's. */
export type SamplePort = SampleWorker;

interface Asked {
  readonly sample: number;
  readonly index: number;
}
interface Answer {
  readonly sample: number;
  readonly value?: Sample;
  readonly error?: string;
}

function listen(port: SampleWorker, hear: (message: unknown) => void): void {
  if ('on' in port) port.on('message', hear);
  else
    port.addEventListener('message', ({ data }) => {
      hear(data);
    });
}

/** In a worker: answers a DataLoader's questions. `serveSamples(source, parentPort)`, or `serveSamples(source, self)` in a page's. */
export function serveSamples(source: SampleSource<Sample>, port: SamplePort): void {
  listen(port, (message) => {
    const { sample, index } = message as Asked;
    if (typeof sample !== 'number') return; // somebody else's
    void Promise.resolve()
      .then(async () => source.get(index))
      .then(
        (value) => {
          port.postMessage({ sample, value } satisfies Answer);
        },
        (e: unknown) => {
          port.postMessage({ sample, error: e instanceof Error ? e.message : String(e) } satisfies Answer);
        },
      );
  });
}

/** Workers that share the questions. */
export class Pool<S extends Sample> {
  private readonly workers: readonly SampleWorker[];
  private readonly waiting = new Map<number, { resolve: (value: S) => void; reject: (e: Error) => void; index: number }>();
  private asked = 0;

  constructor(workers: readonly SampleWorker[]) {
    for (const worker of workers) {
      if (typeof (worker as SampleWorker | null)?.postMessage !== 'function')
        throw new VoxelgradError(
          'USAGE',
          'DataLoader: got a worker without postMessage(), expected Workers of a page or of worker_threads.',
        );
      listen(worker, (message) => {
        this.answer(message as Answer);
      });
      const failed = (e: unknown): void => {
        for (const { reject } of this.waiting.values())
          reject(
            new DataError(
              `DataLoader: a worker has failed. ${e instanceof Error ? e.message : ((e as { message?: string }).message ?? '')}`,
            ),
          );
        this.waiting.clear();
      };
      type Failing = Record<'on' | 'addEventListener', ((type: 'error', f: (e: unknown) => void) => void) | undefined>;
      const way = 'on' in worker ? 'on' : 'addEventListener';
      (worker as unknown as Failing)[way]?.('error', failed);
    }
    this.workers = workers;
  }

  get(index: number): Promise<S> {
    const sample = this.asked++;
    return new Promise((resolve, reject) => {
      this.waiting.set(sample, { resolve, reject, index });
      this.workers[sample % this.workers.length].postMessage({ sample, index } satisfies Asked);
    });
  }

  private answer({ sample, value, error }: Answer): void {
    const one = this.waiting.get(sample);
    this.waiting.delete(sample);
    if (value) one?.resolve(value as S);
    else one?.reject(new DataError(`DataLoader: sample ${one.index}: ${error}`));
  }
}
