// SPDX-License-Identifier: MIT
// Weights to start from: a checkpoint of ours, or a state dict as PyTorch code saves it (.safetensors, .pth), such as the official
// weights of SAM-Med3D.
import { StateDictError } from '../errors.ts';
import { parsePth } from '../files/pth.ts';
import { parseSafetensors, parseSafetensorsHeader, type HostTensor } from '../files/safetensors.ts';
import { assertSealed } from '../files/sealed.ts';
import { sha256 } from '../files/sha256.ts';
import type { StateEntry } from '../nn/module.ts';
import { expectFinite, restoreNetworks } from './checkpoint.ts';
import { networkList, type Networks } from '../methods/method.ts';
import { methodOf } from '../methods/methods.ts';
import type { Plan } from '../methods/plan.ts';

/** A file of weights: its name for messages, its place for the record. */
export interface FirstWeights {
  readonly file: string;
  readonly place: string;
  read(): Promise<Uint8Array>;
}

export interface Initialised {
  readonly file: string;
  readonly sha256: string;
  /** Networks whose values all come from the file. */
  readonly loaded: readonly string[];
  /** Networks that keep the values drawn from the seed. */
  readonly drawn: readonly string[];
  /** Tensors of the file that no network has. */
  readonly unused: readonly string[];
}

function tensorsOf(bytes: Uint8Array, file: string): { tensors: ReadonlyMap<string, HostTensor>; own: boolean } {
  // A length below 4 GiB, then JSON. Nothing else begins like that, though the length may read like the mark of a zip file or a pickle.
  const isSafetensors = bytes[8] === 0x7b && bytes.subarray(4, 8).every((b) => b === 0);
  if (!isSafetensors && (bytes[0] === 0x80 || (bytes[0] === 0x50 && bytes[1] === 0x4b)))
    return { tensors: parsePth(bytes, file), own: false };
  assertSealed(bytes, parseSafetensorsHeader(bytes, file).metadata, file);
  const { tensors, metadata } = parseSafetensors(bytes, file);
  return { tensors, own: metadata.format === 'voxelgrad' };
}

const floats = ({ data }: HostTensor, where: string): Float32Array =>
  expectFinite(
    data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>, Number),
    where,
    'Weights that are no numbers teach nothing: name another file.',
  );

/**
 * Puts the weights of a file into the networks. Names start with the network (`transverse.`); those that do not are of the network that the method says, SAM in SA-Net.
 * @throws DataError for a file that is damaged, StateDictError for one that lacks tensors of a network or has them in other shapes
 */
export function initialise(plan: Plan, nets: Networks, bytes: Uint8Array, file: string): Initialised {
  const sum = sha256().update(bytes).digest('hex');
  const { tensors, own } = tensorsOf(bytes, file);
  const named = networkList(nets);
  if (own) {
    for (const [key, tensor] of tensors) floats(tensor, `${file}: tensor ${JSON.stringify(key)}`);
    restoreNetworks(nets, tensors, file);
    return { file, sha256: sum, loaded: named.map(({ name }) => name), drawn: [], unused: [] };
  }
  const { outputs, bare } = methodOf(plan);
  const dicts = new Map<string, Map<string, StateEntry>>();
  const unused: string[] = [];
  const known = new Map(named.map(({ name, net }) => [name, new Set([...net.namedParameters()].map(([key]) => key))]));
  for (const [key, tensor] of tensors) {
    const plain = key.replace(/^module\./, ''); // as torch's DataParallel saves
    const prefix = outputs.find((name) => plain.startsWith(`${name}.`));
    const [name, rest] = prefix ? [prefix, plain.slice(prefix.length + 1)] : [bare, plain];
    if (!known.get(name)?.has(rest)) {
      unused.push(key);
      continue;
    }
    const dict = dicts.get(name) ?? new Map<string, StateEntry>();
    dicts.set(name, dict.set(rest, { shape: tensor.shape, data: floats(tensor, `${file}: tensor ${JSON.stringify(key)}`) }));
  }
  const problems: string[] = [];
  for (const { name, net } of named) {
    const dict = dicts.get(name);
    if (!dict) continue;
    try {
      net.loadStateDict(dict);
    } catch (error) {
      if (!(error instanceof StateDictError)) throw error;
      const message = error.hint ? error.message.slice(0, -error.hint.length).trim() : error.message;
      problems.push(`${name}: ${message.replace(/^loadStateDict: /, '')}`);
    }
  }
  if (dicts.size === 0)
    problems.push(
      `it has none of the tensors of ${named.map(({ name }) => name).join(', ')}, got ${tensors.size === 0 ? 'no tensor' : [...tensors.keys()].slice(0, 3).join(', ')}`,
    );
  if (problems.length > 0)
    throw new StateDictError(
      `${file}: its weights do not fit the plan's networks. ${problems.join(' ')}`,
      "Names and shapes are those of the official code; SAM's size is set by sam.size, width, depth, heads and window in the plan.",
    );
  return { file, sha256: sum, loaded: [...dicts.keys()], drawn: named.map(({ name }) => name).filter((name) => !dicts.has(name)), unused };
}
