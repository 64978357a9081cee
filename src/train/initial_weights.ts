// SPDX-License-Identifier: MIT
// Weights to start from: a checkpoint of ours, or a state dict as PyTorch code saves it (.safetensors, .pth), such as the official
// weights of SAM-Med3D.
import { StateDictError } from '../errors.ts';
import { parsePth } from '../files/pth.ts';
import { parseSafetensors, parseSafetensorsHeader, type HostTensor } from '../files/safetensors.ts';
import { assertSealed } from '../files/sealed.ts';
import { sha256 } from '../files/sha256.ts';
import type { Module, StateEntry } from '../nn/module.ts';
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
  /** Networks whose values all come from the file, and encoders (`transverse.encoder`) of others. */
  readonly loaded: readonly string[];
  /** Networks, and parts of them, that keep the values drawn from the seed. */
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

const WHOLE = /^module\./; // as torch's DataParallel saves

/** Shapes of the tensors that name no network of the method, by their plain names. */
function bareShapes(plan: Plan, tensors: ReadonlyMap<string, HostTensor>): Map<string, readonly number[]> {
  const { outputs } = methodOf(plan);
  const plain = [...tensors].map(([key, { shape }]) => [key.replace(WHOLE, ''), shape] as const);
  return new Map(plain.filter(([key]) => !outputs.some((name) => key.startsWith(`${name}.`))));
}

/**
 * The plan for a run that begins with these weights, changed in place where they come from code that computes otherwise; says what was
 * changed.
 */
export function suitPlan(plan: Plan, bytes: Uint8Array, file: string): string | undefined {
  const { tensors, own } = tensorsOf(bytes, file);
  const line = own ? undefined : methodOf(plan).foreign?.suit(plan, bareShapes(plan, tensors));
  return line && `${file}: ${line}`;
}

/** The file's tensors by network, under the names that it has there, and those that no network has. */
function sorted(plan: Plan, nets: Networks, tensors: ReadonlyMap<string, HostTensor>, file: string) {
  const { outputs, bare, foreign } = methodOf(plan);
  const known = new Map(networkList(nets).map(({ name, net }) => [name, new Set([...net.namedParameters()].map(([key]) => key))]));
  const dicts = new Map<string, Map<string, StateEntry>>();
  const unused: string[] = [];
  for (const [key, tensor] of tensors) {
    const name = key.replace(WHOLE, '');
    const entry = { shape: tensor.shape, data: floats(tensor, `${file}: tensor ${JSON.stringify(key)}`) };
    const ours = outputs.some((network) => name.startsWith(`${network}.`));
    const places = ours ? [[name, entry] as const] : (foreign?.place(name, entry) ?? [[`${bare}.${name}`, entry] as const]);
    let used = false;
    for (const [full, value] of places) {
      const dot = full.indexOf('.');
      const [network, rest] = [full.slice(0, dot), full.slice(dot + 1)];
      if (!known.get(network)?.has(rest)) continue;
      used = true;
      dicts.set(network, (dicts.get(network) ?? new Map<string, StateEntry>()).set(rest, value));
    }
    if (!used && !name.endsWith('num_batches_tracked')) unused.push(key);
  }
  return { dicts, unused };
}

/**
 * Fills a network; `encoder` is the part that may come alone. Returns the parts that keep what was drawn, by the names of their modules.
 */
function fill(net: Module, dict: ReadonlyMap<string, StateEntry>, encoder: string | undefined): string[] {
  const partOf = (key: string): string => key.slice(0, key.indexOf('.'));
  const alone = encoder !== undefined && [...dict.keys()].every((key) => partOf(key) === encoder);
  if (!alone) {
    net.loadStateDict(dict);
    return [];
  }
  const own = [...net.namedParameters()].map(([key]) => key);
  const missing = own.filter((key) => partOf(key) === encoder && !dict.has(key));
  if (missing.length > 0) throw new StateDictError(`loadStateDict: ${missing.map((key) => `${key} is missing`).join('; ')}.`);
  net.loadStateDict(dict, { strict: false });
  return [...new Set(own.map(partOf))].filter((part) => part !== encoder);
}

/**
 * Puts the weights of a file into the networks. Names start with the network (`transverse.`); those that do not are of the network that the
 * method says, SAM in SA-Net, or of an encoder (`Method.foreign`).
 * @throws DataError for a file that is damaged, StateDictError for one that lacks tensors of a network, has them in other shapes, or was
 * trained with code that computes otherwise than the plan says
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
  const { foreign, encoders = {} } = methodOf(plan);
  const misfit = foreign?.unsuited(plan, bareShapes(plan, tensors));
  if (misfit)
    throw new StateDictError(
      `${file}: its weights do not fit the plan: ${misfit}.`,
      'Change the plan, or train without --plan: then the plan is fitted to weights of the official SAM-Med3D code.',
    );
  const { dicts, unused } = sorted(plan, nets, tensors, file);
  const loaded: string[] = [];
  const drawn: string[] = [];
  const problems: string[] = [];
  for (const { name, net } of named) {
    const dict = dicts.get(name);
    if (!dict) {
      drawn.push(name);
      continue;
    }
    try {
      const rest = fill(net, dict, encoders[name]);
      loaded.push(rest.length > 0 ? `${name}.${encoders[name]}` : name);
      drawn.push(...rest.map((part) => `${name}.${part}`));
    } catch (error) {
      if (!(error instanceof StateDictError)) throw error;
      const message = error.hint ? error.message.slice(0, -error.hint.length).trim() : error.message;
      problems.push(`${name}: ${message.replace(/^loadStateDict: /, '')}`);
    }
  }
  if (dicts.size === 0)
    problems.push(
      `it has none of the tensors of ${named.map(({ name }) => name).join(', ')}, got ` +
        (tensors.size === 0 ? 'no tensor' : [...tensors.keys()].slice(0, 3).join(', ')),
    );
  if (problems.length > 0)
    throw new StateDictError(
      `${file}: its weights do not fit the plan's networks. ${problems.join(' ')}`,
      "Names and shapes are those of the official code; SAM's size is set by sam.size, width, depth, heads and window in the plan, " +
        "an encoder's by network2d.stem, blocks and norm.",
    );
  return { file, sha256: sum, loaded, drawn, unused };
}
