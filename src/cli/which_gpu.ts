// SPDX-License-Identifier: MIT
// Which of several GPUs this process takes. Dawn for Node chooses by name alone, the first that has it, and of GPUs of one name shows only
// what the driver shows: a layer of Mesa's, for all drivers, leaves the one at a PCI address (DRI_PRIME=pci-...!). Whether it did is seen
// by what is left.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { adapterNames, takeAdapter } from '../gpu/provider.ts';
import { localRank } from '../mpi/library.ts';
import { integer } from './numbers.ts';

/** The option of the verbs that compute much. */
export const DEVICE = ['--device <i>', 'which GPU, from 0, where there are several', integer(0, 1023)] as const;

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software/i;
const HINT =
  'Let the launcher show every process its own: --gpus-per-task=1 with ConstrainDevices in Slurm, a container with one GPU, or the ' +
  'layer VK_LAYER_MESA_device_select (Debian: mesa-vulkan-drivers).';

export interface Machine {
  /** Names of the adapters, in Dawn's order. */
  names(): Promise<readonly string[]>;
  /** Where GPUs are on the bus: `0000:3b:00.0`. */
  addresses(): readonly string[];
  take(name: string): void;
  readonly env: NodeJS.ProcessEnv;
}

const PCI = '/sys/bus/pci/devices';

/** Devices of the class of displays (0x03), in the order of their addresses. */
function addressesHere(): readonly string[] {
  try {
    return readdirSync(PCI)
      .sort()
      .filter((name) => readFileSync(join(PCI, name, 'class'), 'latin1').startsWith('0x03'));
  } catch {
    return []; // another system than Linux
  }
}
const here: Machine = { names: adapterNames, addresses: addressesHere, take: takeAdapter, env: process.env };

/** The places of those that count: GPUs, or software where there is nothing else. */
function counted(names: readonly string[]): number[] {
  const all = names.map((_, at) => at),
    gpus = all.filter((at) => !SOFTWARE.test(names[at]));
  return gpus.length > 0 ? gpus : all;
}

/** @throws UsageError where there is no such device, or it cannot be told from others of its name */
async function takeAt(at: number, names: readonly string[], { names: see, addresses, take, env }: Machine): Promise<void> {
  const name = names[at];
  if (names.length === 1) return;
  if (names.findIndex((other) => other.includes(name)) === at) {
    take(name);
    return;
  }
  let left = names.slice(0, at).filter((other) => other === name).length;
  const before = env.DRI_PRIME;
  for (const address of addresses()) {
    env.DRI_PRIME = `pci-${address.replace(/[:.]/g, '_')}!`;
    const now = await see();
    if (now.length === 1 && now[0] === name && left-- === 0) return;
  }
  if (before === undefined) delete env.DRI_PRIME;
  else env.DRI_PRIME = before;
  throw new UsageError(`device ${counted(names).indexOf(at)}: got others of its name, "${name}", which Dawn cannot tell from it.`, HINT);
}

/** Every later device of this process is on GPU `index`. @throws UsageError */
export async function takeDevice(index: number, machine = here): Promise<void> {
  const names = await machine.names(),
    places = counted(names);
  if (index >= places.length)
    throw new UsageError(
      `--device: got ${index}, expected one of ${places.map((at, i) => `${i} (${names[at]})`).join(', ') || 'no adapter at all'}.`,
      'Leave it out to take what answers first.',
    );
  await takeAt(places[index], names, machine);
}

/** Of several processes on a machine with several GPUs of one name, each takes its own where that can be done; else it says so. */
export async function shareDevices(note: (line: string) => void, machine = here): Promise<void> {
  const rank = localRank(machine.env);
  if (rank === undefined) return;
  const names = await machine.names();
  const twins = [...new Set(names)]
    .filter((name) => !SOFTWARE.test(name))
    .map((name) => names.flatMap((other, at) => (other === name ? [at] : [])));
  const [most = []] = twins.sort((a, b) => b.length - a.length);
  if (most.length < 2) return;
  try {
    await takeAt(most[rank % most.length], names, machine);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    note(`${most.length} GPUs are called "${names[most[0]]}", and Dawn cannot tell them apart: all processes may share the first. ${HINT}`);
  }
}
