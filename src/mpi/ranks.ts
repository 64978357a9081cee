// SPDX-License-Identifier: MIT
// The processes of one run by MPI. A sum is made in pieces: each process gets its part of everybody's values, adds them in the order of
// their ranks, and gives the result to all. So every value crosses twice however many there are, and all hold the same bits.
import type { Ranks } from '../train/ranks.ts';
import { halves, toHalves } from './half.ts';
import type { Held, Mpi } from './library.ts';

/** Values that travel at once. */
const PIECE = 2 ** 26;
/** Below the largest half, with room for rounding. */
const LARGEST = 60_000;

export class MpiRanks implements Ranks {
  readonly rank: number;
  readonly ranks: number;
  private readonly mpi: Mpi;
  private readonly half: boolean;
  private held: { send: Held; receive: Held } | undefined;
  /** Collective calls come one after another, in the same order everywhere. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(mpi: Mpi, half: boolean) {
    this.mpi = mpi;
    this.rank = mpi.rank;
    this.ranks = mpi.ranks;
    this.half = half;
  }

  sum(values: Float32Array, kind: 'gradient' | 'measure'): Promise<Float32Array> {
    return this.inTurn(async () => {
      const half = this.half && kind === 'gradient';
      const scale = half ? await this.scaleOf(values) : 1;
      const out = new Float32Array(values.length);
      for (let at = 0; at < values.length; at += PIECE) {
        const piece = values.subarray(at, at + PIECE);
        await this.sumPiece(piece, out.subarray(at, at + PIECE), half, scale);
      }
      return out;
    });
  }

  gather<T>(said: T): Promise<T[]> {
    return this.inTurn(() => this.gatherNow(said));
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  /** A power of two by which the gradients of all processes, and their sum, fit a half as well as they can. */
  private async scaleOf(values: Float32Array): Promise<number> {
    const largest = Math.max(...(await this.gatherNow(largestOf(values))).map((v) => v ?? Infinity));
    return largest > 0 && largest < Infinity ? 2 ** Math.floor(Math.log2(LARGEST / (largest * this.ranks))) : 1;
  }

  private async sumPiece(values: Float32Array, out: Float32Array, half: boolean, scale: number): Promise<void> {
    const { mpi, ranks } = this,
      each = Math.ceil(values.length / ranks),
      bytes = each * (half ? 2 : 4);
    const { send, receive } = this.room(ranks * bytes);
    const view = ({ bytes: buffer }: Held) => (half ? new Uint16Array(buffer, 0, ranks * each) : new Float32Array(buffer, 0, ranks * each));
    const [outgoing, incoming] = [view(send), view(receive)];
    const put = (from: Float32Array, times: number): void => {
      if (outgoing instanceof Uint16Array) toHalves(from, outgoing, times);
      else outgoing.set(from);
    };
    put(values, scale);
    outgoing.fill(0, values.length);
    await mpi.exchange(send, receive, bytes);
    const own = new Float32Array(each);
    for (let rank = 0; rank < ranks; rank++) addTo(own, incoming.subarray(rank * each, (rank + 1) * each));
    put(own, 1);
    await mpi.spread(send, receive, bytes);
    if (half) {
      const value = halves();
      for (let i = 0; i < out.length; i++) out[i] = value[incoming[i]] / scale;
    } else out.set(incoming.subarray(0, out.length));
  }

  private async gatherNow<T>(said: T): Promise<T[]> {
    const { mpi, ranks } = this;
    const text = new TextEncoder().encode(JSON.stringify(said));
    const lengths = this.room(4 * ranks);
    new Int32Array(lengths.send.bytes)[0] = text.length;
    await mpi.spread(lengths.send, lengths.receive, 4);
    const sizes = [...new Int32Array(lengths.receive.bytes, 0, ranks)],
      most = Math.ceil(Math.max(...sizes) / 8) * 8;
    const { send, receive } = this.room(ranks * most);
    new Uint8Array(send.bytes).set(text);
    await mpi.spread(send, receive, most);
    return sizes.map((size, rank) => JSON.parse(new TextDecoder().decode(new Uint8Array(receive.bytes, rank * most, size))) as T);
  }

  private room(bytes: number): { send: Held; receive: Held } {
    const { mpi, held } = this;
    if (held && held.send.bytes.byteLength >= bytes) return held;
    if (held) for (const each of [held.send, held.receive]) mpi.release(each);
    const size = Math.max(65_536, Math.ceil(bytes / 4096) * 4096);
    return (this.held = { send: mpi.hold(size), receive: mpi.hold(size) });
  }
}

/** NaN where one of them is. */
function largestOf(values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest;
}

/** Two loops: each sees arrays of one kind. */
function addTo(sums: Float32Array, values: Float32Array | Uint16Array): void {
  if (values instanceof Uint16Array) {
    const value = halves();
    for (let i = 0; i < sums.length; i++) sums[i] += value[values[i]];
  } else for (let i = 0; i < sums.length; i++) sums[i] += values[i];
}
