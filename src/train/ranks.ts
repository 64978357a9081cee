// SPDX-License-Identifier: MIT
// The processes that train one run: what they must agree on before the first iteration, and a store that lets only one of them write.
import { DataError } from '../errors.ts';
import { sha256 } from '../files/sha256.ts';
import { networkList, type Networks } from '../methods/method.ts';
import type { Reducer } from '../methods/reducer.ts';
import { BatchNorm } from '../nn/layers.ts';
import { BatchStatisticsNorm } from '../nn/norms.ts';
import type { RunState } from './checkpoint.ts';
import type { RunStore } from './run_store.ts';

export interface Ranks extends Reducer {
  /** What every process says, in the order of ranks. Numbers that are none come as null. */
  gather<T>(said: T): Promise<T[]>;
}

/** A run's folder as a process sees it that is not the first: it reads, and what it writes is written already. */
export const readingStore = (store: RunStore): RunStore => ({
  ...store,
  write: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  log: () => Promise.resolve({ write: () => undefined, [Symbol.dispose]: () => undefined } as Awaited<ReturnType<RunStore['log']>>),
});

/** @throws DataError naming the first process that began with something else than process 0, and with what */
export async function assertAgreement(ranks: Ranks, nets: Networks, state: RunState): Promise<void> {
  const weights = sha256();
  for (const { net } of networkList(nets))
    for (const [, p] of net.namedParameters()) weights.update(new Uint8Array((await p.torchValues()).slice().buffer));
  const own: Record<string, string> = {
    plan: state.plan,
    'files of the data set': sha256().update(JSON.stringify(state.data)).digest('hex').slice(0, 16),
    'iterations done': String(state.iteration),
    weights: weights.digest('hex').slice(0, 16),
    adapter: state.adapter,
    tiles: JSON.stringify(state.tiles ?? {}),
  };
  const all = await ranks.gather(own);
  all.forEach((said, rank) => {
    for (const [what, expected] of Object.entries(all[0]))
      if (said[what] !== expected)
        throw new DataError(
          `rank ${rank}: begins with another value of "${what}" than rank 0, got ${said[what]}, expected ${expected}.`,
          'All processes of a run need the same data, run folder, version and kind of adapter.',
        );
  });
}

/** Networks whose norms take statistics over all volumes of a pass, and so over those of their own process alone. */
export const normsApart = (nets: Networks): string[] =>
  networkList(nets)
    .filter(({ net }) => [...net.modules()].some((m) => m instanceof BatchStatisticsNorm || (m instanceof BatchNorm && m.spansBatch)))
    .map(({ name }) => name);

/** The count of processes by the iteration that they began at; none where one has trained all of it. */
export type RankHistory = readonly { readonly iteration: number; readonly ranks: number }[];

/** @throws DataError where the run was trained by another number of processes, unless that is meant */
export function continuedBy(
  ranks: number,
  { ranks: history = [], iteration }: Pick<RunState, 'ranks' | 'iteration'>,
  where: string,
  changed: boolean,
): RankHistory {
  const before = history.at(-1)?.ranks ?? 1;
  if (before === ranks) return history;
  if (!changed)
    throw new DataError(
      `${where}: trained by ${before} ${before === 1 ? 'process' : 'processes'} so far, got ${ranks}, expected as many: sums would ` +
        'be made in another order, of another number of volumes an iteration.',
      `Start it with ${before === 1 ? 'no mpirun' : `mpirun -n ${before}`}, or add --ranks-changed to go on so.`,
    );
  return [...history, { iteration, ranks }];
}
