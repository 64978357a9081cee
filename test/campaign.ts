// SPDX-License-Identifier: MIT
// Counted campaigns of hostile input: the same seed gives the same inputs, so that what fell can be repeated by its number.

export interface Random {
  /** A whole number below n. */
  below(n: number): number;
  of<T>(list: readonly T[]): T;
  chance(p: number): boolean;
}

/** mulberry32. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { below: (n) => Math.floor(next() * n), of: (list) => list[Math.floor(next() * list.length)], chance: (p) => next() < p };
}

/** Numbers that lengths, counts and offsets break on. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** A file with something wrong: bits, bytes, fields, pieces left out, doubled or put elsewhere, an early end, something after the end. */
export function mutateBytes(source: Uint8Array, r: Random): Buffer {
  let bytes = Buffer.from(source);
  for (let left = 1 + r.below(4); left > 0; left--) {
    const at = r.below(Math.max(1, bytes.length)),
      length = Math.min(bytes.length - at, 1 + r.below(64));
    const piece = bytes.subarray(at, at + length);
    switch (r.below(8)) {
      case 0:
        bytes[at] = bytes[at] ^ (1 << r.below(8));
        break;
      case 1:
        bytes[at] = r.below(256);
        break;
      case 2:
        if (at + 2 <= bytes.length) bytes.writeUInt16LE(r.of(EDGES) & 0xffff, at);
        break;
      case 3:
        if (at + 4 <= bytes.length) bytes.writeUInt32LE(r.of(EDGES), at);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
        break;
      case 6:
        bytes = Buffer.from(bytes.subarray(0, at));
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(r.below(Math.max(1, bytes.length)))]);
    }
  }
  return bytes;
}

/** JSON texts of values that stand where others are expected. */
const deep = (n: number): string => `${'{"a":['.repeat(n)}1${']}'.repeat(n)}`;
const STRANGERS: readonly (() => string)[] = [
  () => 'null',
  () => 'true',
  () => '0',
  () => '-1',
  () => '1.5',
  () => '1e308',
  () => '1e999',
  () => '9007199254740993',
  () => '""',
  () => '"7"',
  () => '[]',
  () => '{}',
  () => '[[]]',
  () => '[null]',
  () => '{"": null}',
  () => '{"__proto__": {"a": 1}}',
  () => '{"constructor": 1, "toString": 2}',
  () => '"../../../outside"',
  () => '"/etc/passwd"',
  () => '"a\\u0000b"',
  () => '"\\u001b[2Jx\\nerror: forged"',
  () => '"\\ud800"',
  () => '"=1+1"',
  () => deep(40),
  () => deep(50_000),
  () => `"${'a'.repeat(200_000)}"`,
  () => `[${'0,'.repeat(50_000)}0]`,
  () => `{"${'k'.repeat(200_000)}": 1}`,
];

type Place = { readonly holder: Record<string, unknown> | unknown[]; readonly key: string };
function places(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, inner] of Object.entries(value)) {
    found.push({ holder: value as Record<string, unknown>, key });
    places(inner, found);
  }
  return found;
}

const MARK = '"\\u0001stranger"';

/** The text of a JSON document with something wrong in it: a value of another kind, a field missing, renamed or twice, or damaged text. */
export function mutateJson(source: unknown, r: Random): string {
  if (r.chance(0.2)) return mutateBytes(Buffer.from(JSON.stringify(source)), r).toString('latin1');
  const value = structuredClone(source);
  const all = places(value);
  if (all.length === 0 || r.chance(0.05)) return r.of(STRANGERS)();
  const { holder, key } = r.of(all);
  const fields = holder as Record<string, unknown>;
  switch (r.below(Array.isArray(holder) ? 2 : 5)) {
    case 1:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete fields[key];
      return JSON.stringify(value);
    case 2:
      fields[r.of(['__proto__x', 'constructor', 'toString', key.toUpperCase(), '', `${key}\u001b[0m`, '..'])] = fields[key];
      return JSON.stringify(value);
    case 3: {
      // the same field twice
      const before = fields[key];
      fields[key] = '\u0001stranger';
      return JSON.stringify(value).replace(MARK, () => `${JSON.stringify(before)},${JSON.stringify(key)}:${r.of(STRANGERS)()}`);
    }
    default:
      fields[key] = '\u0001stranger';
      return JSON.stringify(value).replace(MARK, r.of(STRANGERS));
  }
}
