// SPDX-License-Identifier: MIT
// How a process finds the others of its run: a launcher of MPI has started it beside them, or it is alone and nothing of MPI is loaded.
import { UsageError } from '../errors.ts';
import { launched, openMpi, type Mpi } from './library.ts';

/** Null where this process is the only one. @throws UsageError where there are others that cannot be reached */
export async function joinMpi(): Promise<Mpi | null> {
  const found = launched();
  if (!found || found.ranks === 1) return null;
  const mpi = await openMpi(found.files);
  if (found.ranks !== undefined && mpi.ranks !== found.ranks)
    throw new UsageError(
      `mpirun: started ${found.ranks} processes, but the MPI library sees ${mpi.ranks}: it is of another kind than the launcher.`,
      "Name the launcher's own library in the variable VOXELGRAD_MPI. MPICH loses sight of processes that npx starts: give it node " +
        'and the file bin/voxelgrad.mjs.',
    );
  if (mpi.ranks > 1) return mpi;
  mpi.finish();
  return null;
}
