// SPDX-License-Identifier: MIT
// The few functions of MPI's C interface that a run needs, by koffi. Open MPI exports its handles as addresses, MPICH (and what shares its
// interface) as numbers; the bytes of a call that has not ended must stay where they are, so they are koffi's and never JavaScript's.
import { UsageError } from '../errors.ts';

/** Bytes outside of JavaScript's memory, which nobody moves. */
export interface Held {
  readonly place: unknown;
  readonly bytes: ArrayBuffer;
}

export interface Mpi {
  readonly rank: number;
  readonly ranks: number;
  hold(bytes: number): Held;
  release(held: Held): void;
  /** `bytes` from each process to each; resolves once they are there. */
  exchange(send: Held, receive: Held, bytes: number): Promise<void>;
  /** `bytes` of each process to all. */
  spread(send: Held, receive: Held, bytes: number): Promise<void>;
  /** Ends all processes of the run. */
  abort(code: number): void;
  finish(): void;
}

/** Of MPICH and its kin (mpi.h). */
const MPICH = { world: 0x44000000, byte: 0x4c00010d };
const FILES = {
  openmpi: ['libmpi.so.40', 'libmpi.so', 'libmpi.40.dylib', 'libmpi.dylib'],
  mpich: ['libmpich.so.12', 'libmpi.so.12', 'libmpi.12.dylib', 'libmpich.so'],
};

type Koffi = typeof import('koffi');
type Library = ReturnType<Koffi['load']>;

/** How many processes a launcher of MPI has started; undefined where none has, or it does not say. */
export function launched(env: NodeJS.ProcessEnv = process.env): { readonly ranks?: number; readonly files: readonly string[] } | undefined {
  const size = env.OMPI_COMM_WORLD_SIZE ?? env.PMI_SIZE;
  if (size === undefined && env.PMIX_RANK === undefined) return undefined;
  const own = env.VOXELGRAD_MPI;
  const kin = env.OMPI_COMM_WORLD_SIZE === undefined && env.PMI_SIZE !== undefined ? FILES.mpich : FILES.openmpi;
  return { ...(size !== undefined && { ranks: Number(size) }), files: own === undefined ? kin : [own] };
}

/** Which process of this machine it is, among those that a launcher has started here; undefined where none says. */
export function localRank(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const rank = env.OMPI_COMM_WORLD_LOCAL_RANK ?? env.MPI_LOCALRANKID ?? env.SLURM_LOCALID;
  return rank === undefined ? undefined : Number(rank);
}

function firstOf(koffi: Koffi, files: readonly string[]): Library {
  let why: unknown;
  for (const file of files) {
    try {
      return koffi.load(file);
    } catch (error) {
      why ??= error;
    }
  }
  throw new UsageError(
    `mpirun: none of its libraries can be loaded, got ${files.join(', ')} (${(why as Error).message}).`,
    'Name the file of your MPI library in the variable VOXELGRAD_MPI.',
  );
}

const bed = new Int32Array(new SharedArrayBuffer(4));

/** @throws UsageError where koffi or the library is missing */
export async function openMpi(files: readonly string[]): Promise<Mpi> {
  const koffi = await import('koffi').then(
    (module) => module.default as unknown as Koffi,
    () => {
      throw new UsageError('mpirun: koffi, by which MPI is called, is not installed.', 'Install it: npm install koffi');
    },
  );
  const library = firstOf(koffi, files);
  let address = false;
  let handles: { world: unknown; byte: unknown } = MPICH;
  try {
    handles = { world: library.symbol('ompi_mpi_comm_world'), byte: library.symbol('ompi_mpi_byte') };
    address = true;
  } catch {
    /* not Open MPI */
  }
  const { world, byte } = handles;
  const handle = address ? 'void *' : 'int';
  const call = (name: string, ...types: string[]): ((...values: unknown[]) => void) => {
    const f = library.func(
      name,
      'int',
      types.map((type) => (type === 'out' ? koffi.out('int *') : type)),
    ) as (...values: unknown[]) => number;
    return (...values) => {
      const code = f(...values);
      if (code !== 0) throw new Error(`${name} failed with code ${code}.`);
    };
  };
  call('MPI_Init', 'void *', 'void *')(null, null);
  const number = (name: string): number => {
    const out = [0];
    call(name, handle, 'out')(world, out);
    return out[0];
  };
  const collective = (name: string) => call(name, 'void *', 'int', handle, 'void *', 'int', handle, handle, 'void *');
  const [alltoall, allgather] = [collective('MPI_Ialltoall'), collective('MPI_Iallgather')];
  const test = call('MPI_Test', 'void *', 'out', 'void *');
  const launcher = process.ppid;
  const status = koffi.alloc('char', 256) as unknown;

  /** Most of the wait asleep: the device may compute on these cores, and timers and signals want their turn. */
  const ended = async (start: (request: unknown) => void): Promise<void> => {
    const request = koffi.alloc('char', 8) as unknown;
    start(request);
    const done = [0];
    for (let ms = 0.01; ; ms = Math.min(1.1 * ms, 1)) {
      test(request, done, status);
      if (done[0]) break;
      if (process.ppid !== launcher) throw new Error('mpirun has gone, and with it the other processes of the run.');
      await new Promise((turn) => {
        setImmediate(turn);
      });
      if (ms > 0.02) Atomics.wait(bed, 0, 0, ms);
    }
    koffi.free(request);
  };
  return {
    rank: number('MPI_Comm_rank'),
    ranks: number('MPI_Comm_size'),
    hold(bytes) {
      const place = koffi.alloc('char', bytes) as unknown;
      return { place, bytes: koffi.view(place, bytes) };
    },
    release: ({ place }) => {
      koffi.free(place);
    },
    exchange: (send, receive, bytes) =>
      ended((request) => {
        alltoall(send.place, bytes, byte, receive.place, bytes, byte, world, request);
      }),
    spread: (send, receive, bytes) =>
      ended((request) => {
        allgather(send.place, bytes, byte, receive.place, bytes, byte, world, request);
      }),
    abort: (code) => {
      call('MPI_Abort', handle, 'int')(world, code);
    },
    finish() {
      call('MPI_Finalize')();
      // What the library has left behind does not bear to be taken down with the rest.
      process.once('exit', (code) => {
        (process as unknown as { reallyExit(code: number): void }).reallyExit(code);
      });
    },
  };
}
