// SPDX-License-Identifier: MIT
// Runs on several processes of this machine, by the MPI that is installed here.
import { execFileSync } from 'node:child_process';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import type { Plan } from '../../src/methods/plan.ts';
import { inferPlan } from '../../src/train/presets.ts';
import type { CheckpointName } from '../../src/train/run_store.ts';
import { needs } from '../needs.ts';
import { run, type Running } from './processes.ts';

function versionOf(launcher: string): string {
  try {
    return execFileSync(launcher, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

const find = (names: readonly string[], sign: RegExp): string | undefined => names.find((name) => sign.test(versionOf(name)));
export const openMpi = find(['mpirun.openmpi', 'mpirun'], /Open MPI|OpenRTE/);
export const mpich = find(['mpiexec.hydra', 'mpiexec.mpich', 'mpirun'], /HYDRA/);

export const withOpenMpi = needs(openMpi, 'Open MPI (apt-get install openmpi-bin)');
export const withMpich = needs(mpich, 'MPICH (apt-get install mpich)');

/** Starts `ranks` processes of the command line; `each` gives one of them another environment. */
export function mpirun(
  launcher: string,
  ranks: number,
  argv: readonly string[],
  each: Readonly<Record<number, Readonly<Record<string, string>>>> = {},
): Running {
  const isOpen = launcher === openMpi;
  const parts = Array.from({ length: ranks }, (_, rank) => [
    ...(rank > 0 ? [':'] : []),
    '-n',
    '1',
    'env',
    ...Object.entries(each[rank] ?? {}).map(([key, value]) => `${key}=${value}`),
    process.execPath,
    ...argv,
  ]).flat();
  return run(launcher, [...(isOpen ? ['--allow-run-as-root', '--oversubscribe'] : []), ...parts]);
}

/** Every value of a checkpoint by name. */
export async function valuesOf(run: string, which: CheckpointName = 'final'): Promise<Map<string, unknown>> {
  const { tensors } = await readCheckpoint(checkpointPath(run, which));
  return new Map([...tensors].map(([name, { data }]) => [name, data]));
}

/** A plan of a small network, unless said otherwise without batch statistics, for `tinyDataset`. */
export function densePlan(batch: number, iterations: number, method = 'unet3d'): Plan {
  const plan: Plan = inferPlan(
    { name: 'tiny', classes: ['background', 'nodule'], medianSpacing: [1, 1, 1], medianSize: [8, 32, 32] },
    'demo',
    method,
  );
  plan.data.roi = [8, 32, 32];
  plan.data.jitter = [1, 2, 2];
  Object.assign(plan.training, { iterations, batch, selections: 1, checkpointEvery: 2 });
  return plan;
}
