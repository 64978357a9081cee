// SPDX-License-Identifier: MIT
// Plans of version 1 knew SA-Net alone: what is its own lay at the top, and its networks' rates among the optimiser's fields.

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

const MOVED = ['network2d', 'sam', 'cross', 'loss'] as const;
/** Field of `optimiser` in version 1, where it went. */
const RATES: readonly (readonly [string, 'network2d' | 'sam', string])[] = [
  ['rate2d', 'network2d', 'rate'],
  ['decay2d', 'network2d', 'decay'],
  ['rateSam', 'sam', 'rate'],
  ['decaySam', 'sam', 'decay'],
  ['samDecoderFactor', 'sam', 'decoderFactor'],
];

/** A plan of version 1, or a part of one, as version 2 has it; anything else unchanged. */
export function upgradePlan(json: Json): Json {
  const isFirst = json.version === 1 || (json.version === undefined && json.method === undefined);
  if (!isFirst) return json;
  const { optimiser, version, ...rest } = json;
  const method: Json = { name: 'sanet' };
  for (const key of MOVED)
    if (Object.hasOwn(rest, key)) {
      method[key] = rest[key];
      delete rest[key];
    }
  const shared = isObject(optimiser) ? { ...optimiser } : optimiser;
  if (isObject(shared)) {
    for (const [from, group, to] of RATES) {
      if (!Object.hasOwn(shared, from)) continue;
      const own = method[group];
      if (own === undefined || isObject(own)) method[group] = { ...own, [to]: shared[from] };
      delete shared[from];
    }
  }
  return { ...(version !== undefined && { version: 2 }), ...rest, method, ...(optimiser !== undefined && { optimiser: shared }) };
}
