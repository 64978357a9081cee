// SPDX-License-Identifier: MIT
// JSON that others wrote. The text is looked through before it is parsed: nesting beyond any use would overflow the stack of whoever
// walks the value, a field given twice would silently lose one, and bytes that are no UTF-8 would become other names.
import { DataError, printable } from '../errors.ts';

/** Levels of lists and objects; nothing that is written or read here has more than ten. */
const MAX_DEPTH = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The first field that an object of the text has twice; @throws Error where it is nested too deeply. One pass, on text that need not be
 * JSON.
 */
function inspect(text: string): string | undefined {
  const keys: (Set<string> | null)[] = []; // of each open object; null for a list
  let twice: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x7b || c === 0x5b) {
      // { [
      if (keys.push(c === 0x7b ? new Set() : null) > MAX_DEPTH) throw new Error(`nested more than ${MAX_DEPTH} levels deep`);
    } else if (c === 0x7d || c === 0x5d)
      keys.pop(); // } ]
    else if (c === 0x22) {
      // a string
      const start = at;
      let escaped = false;
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++)
        if (text.charCodeAt(at) === 0x5c) {
          escaped = true;
          at++;
        }
      const known = keys[keys.length - 1];
      if (!known || !isKey(text, at + 1)) continue;
      const raw = text.slice(start, at + 1),
        key = escaped ? unescaped(raw) : raw.slice(1, -1);
      if (known.has(key)) twice ??= key;
      known.add(key);
    }
  }
  return twice;
}

function isKey(text: string, at: number): boolean {
  for (; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return c === 0x3a;
  }
  return false;
}

const unescaped = (raw: string): string => {
  try {
    return String(JSON.parse(raw));
  } catch {
    return raw;
  }
};

/**
 * The value of a JSON text; `where` names it. A byte order mark is passed over.
 * @throws DataError for what is no UTF-8, no JSON, nested too deeply, or has a field twice
 */
export function parseJson(source: Uint8Array | string, where: string, hint = 'Look for a missing comma, quote or bracket.'): unknown {
  let text: string;
  try {
    text = typeof source === 'string' ? source : utf8.decode(source);
  } catch (cause) {
    throw new DataError(`${where}: not a text in UTF-8.`, 'Save it as UTF-8.', { cause });
  }
  if (text.startsWith('\ufeff')) text = text.slice(1);
  let value: unknown, twice: string | undefined;
  try {
    twice = inspect(text);
    value = JSON.parse(text);
  } catch (cause) {
    throw new DataError(`${where}: not JSON: ${printable((cause as Error).message, 200)}.`, hint, { cause });
  }
  if (twice !== undefined)
    throw new DataError(`${where}: ${printable(JSON.stringify(twice), 200)} is there twice in one object.`, 'Keep one of them.');
  return value;
}
