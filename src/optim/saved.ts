// SPDX-License-Identifier: MIT
// A network and its optimiser as the bytes of one safetensors file, and back: weights under the names of their state dict, so that PyTorch
// reads them too, what the optimiser keeps under `optimiser.`.
import { expectArguments, instance, maybe } from '../check.ts';
import { StateDictError } from '../errors.ts';
import { encodeSafetensors, parseSafetensors, type StoredTensor } from '../files/safetensors.ts';
import { Module } from '../nn/module.ts';
import { Optimiser } from './optimiser.ts';

const PREFIX = 'optimiser.';
const SCALE = `${PREFIX}loss_scale`;
const TAKES = { net: instance('a module', Module), optimiser: maybe(instance('an optimiser', Optimiser)) };

/**
 * The bytes of a safetensors file with the weights, running statistics, and where an optimiser is given its moments, steps, rate and loss
 * scale.
 */
export async function save(net: Module, optimiser?: Optimiser): Promise<Uint8Array> {
  expectArguments('save', TAKES, [net, optimiser]);
  const tensors = new Map<string, StoredTensor>(await net.stateDict());
  if (!optimiser) return encodeSafetensors(tensors, {});
  for (const [name, entry] of await optimiser.stateDict()) tensors.set(PREFIX + name, entry);
  if (optimiser.lossScale) tensors.set(SCALE, { shape: [4], data: await optimiser.lossScale.values() });
  return encodeSafetensors(tensors, { steps: String(optimiser.steps), lr: String(optimiser.lr) });
}

/**
 * Puts what `save` made back into a network, and into an optimiser that was made of its parameters: training goes on as if it had not
 * stopped. Without an optimiser its part of the file is left out.
 * @throws DataError for other bytes, StateDictError for those of another network, or without an optimiser where one is asked for; nothing
 * is loaded then
 */
export function load(bytes: Uint8Array, net: Module, optimiser?: Optimiser): void {
  expectArguments('load', { bytes: instance('the bytes of a file', Uint8Array), ...TAKES }, [bytes, net, optimiser]);
  const { tensors, metadata } = parseSafetensors(bytes, 'load');
  const own = new Map([...tensors].filter(([name]) => !name.startsWith(PREFIX)));
  const kept = new Map<string, { data: Float32Array }>();
  for (const [name, { data }] of tensors)
    if (name.startsWith(PREFIX) && data instanceof Float32Array) kept.set(name.slice(PREFIX.length), { data });
  if (!optimiser) {
    net.loadStateDict(own);
    return;
  }
  const [steps, lr] = [Number(metadata.steps), Number(metadata.lr)];
  if (metadata.steps === undefined || !Number.isSafeInteger(steps) || !(lr >= 0))
    throw new StateDictError(
      'load: the file holds no optimiser, got one to fill.',
      'Save it with save(net, optimiser), or leave it out here.',
    );
  optimiser.expectStateDict(kept); // before anything changes
  net.loadStateDict(own);
  optimiser.loadStateDict(kept, steps);
  optimiser.lossScale?.restore(kept.get('loss_scale')?.data);
  optimiser.lr = lr;
}
