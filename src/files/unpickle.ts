// SPDX-License-Identifier: MIT
// A pickle reader that executes nothing. It knows the opcodes that torch.save uses, and a closed list of globals, each of them
// plain data built here; any other global is refused by its name before anything is done with it.
import { DataError } from '../errors.ts';

/** What a global of the allow-list stands for: `call` builds the value of REDUCE and NEWOBJ from data alone. */
export interface PickleGlobal {
  readonly call?: (args: readonly unknown[]) => unknown;
}

/** An instance of an allowed class whose attributes are kept as data (argparse.Namespace, numpy.dtype). */
export class PlainObject {
  readonly attributes = new Map<unknown, unknown>();
}

/** A global as it lies on the stack before anything calls it. */
export class GlobalRef {
  readonly name: string;
  readonly spec: PickleGlobal;
  constructor(name: string, spec: PickleGlobal) {
    this.name = name;
    this.spec = spec;
  }
}

export interface Unpickled {
  readonly value: unknown;
  /** Offset of the first byte after STOP. */
  readonly end: number;
}

/**
 * Lists, dicts, objects and memo entries that a pickle may ask for: so many, and one more for every few of its bytes. One byte can ask
 * for 200 of memory; torch.save spends 20 or so on each.
 */
const FREE = 100_000,
  BYTES_EACH = 4;

const MARK = Symbol('mark');
const utf8 = new TextDecoder('utf-8', { fatal: true });
const latin1 = (bytes: Uint8Array): string => {
  let s = '';
  for (const b of bytes) s += String.fromCharCode(b);
  return s;
};

/** Little-endian two's complement of any length: a number where it is exact, else a bigint. */
function longFrom(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
  if (bytes.length && bytes[bytes.length - 1] & 0x80) value -= 1n << BigInt(8 * bytes.length);
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/**
 * Reads one pickle at `start`. dict and OrderedDict become Map, tuple, list and set become arrays, bytes become Uint8Array.
 * `persistentLoad` resolves torch's references to storages.
 * @throws DataError naming the refused global or opcode and its offset, or where the data ends.
 */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  where: string,
  globals: ReadonlyMap<string, PickleGlobal>,
  persistentLoad: (id: unknown) => unknown,
): Unpickled {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const memo = new Map<number, unknown>();
  const stack: unknown[] = [];
  let at = start;

  const fail = (what: string): DataError => new DataError(`${where}: pickle at byte ${at}: ${what}.`);
  let asked = 0;
  const charge = (n: number): void => {
    asked += n;
    const most = FREE + Math.floor((at - start) / BYTES_EACH);
    if (asked > most)
      throw fail(`asks for more than its length accounts for, got ${asked} values in ${at - start} bytes, expected at most ${most}`);
  };
  const counted = <T>(value: T): T => {
    charge(1);
    return value;
  };
  const remember = (index: number): void => {
    charge(1);
    memo.set(index, top());
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at)
      throw new DataError(
        `${where}: truncated, the pickle needs ${length} bytes at ${at}, got ${bytes.length - at}.`,
        'Copy the file again.',
      );
    at += length;
    return bytes.subarray(at - length, at);
  };
  const u8 = () => take(1)[0];
  const u16 = () => {
    take(2);
    return view.getUint16(at - 2, true);
  };
  const u32 = () => {
    take(4);
    return view.getUint32(at - 4, true);
  };
  const u64 = () => {
    take(8);
    const n = view.getBigUint64(at - 8, true);
    if (n > 2n ** 53n) throw fail(`length ${n}`);
    return Number(n);
  };
  const text = (length: number) => {
    try {
      return utf8.decode(take(length));
    } catch (e) {
      throw e instanceof DataError ? e : fail('text is not UTF-8');
    }
  };
  const line = () => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw fail('line without end');
    const s = latin1(bytes.subarray(at, end));
    at = end + 1;
    return s;
  };
  const pop = (): unknown => {
    if (stack.length === 0 || stack[stack.length - 1] === MARK) throw fail('nothing on the stack');
    return stack.pop();
  };
  const top = (): unknown => {
    const value = stack[stack.length - 1];
    if (stack.length === 0 || value === MARK) throw fail('nothing on the stack');
    return value;
  };
  const popMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) throw fail('no mark on the stack');
    const items = stack.splice(mark + 1);
    stack.pop();
    return items;
  };
  const recall = (index: number): unknown => {
    if (!memo.has(index)) throw fail(`memo ${index} was never stored`);
    return memo.get(index);
  };
  const list = (value: unknown): unknown[] => {
    if (!Array.isArray(value)) throw fail('items for something that is no list');
    return value;
  };
  const setItems = (target: unknown, items: unknown[]): void => {
    if (!(target instanceof Map) || items.length % 2) throw fail('key and value for something that is no dict');
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
  };
  const global = (module: string, name: string): GlobalRef => {
    const full = `${module}.${name}`;
    const spec = globals.get(full);
    if (!spec) {
      throw new DataError(
        `${where}: the pickle asks for "${full}", which is not among the plain data types allowed here; nothing was executed.`,
        'If you trust the file, save its tensors alone: torch.save(model.state_dict(), ...) or safetensors.',
      );
    }
    return new GlobalRef(full, spec);
  };
  const call = (callee: unknown, args: unknown): unknown => {
    if (!(callee instanceof GlobalRef) || !callee.spec.call)
      throw fail(`call of ${callee instanceof GlobalRef ? callee.name : 'something that is no type'}`);
    // What is called may copy its arguments, which may be shared with a thousand other calls.
    charge(
      list(args).reduce<number>(
        (n, arg) => n + (Array.isArray(arg) ? arg.length : arg instanceof Map ? arg.size : typeof arg === 'string' ? arg.length >> 4 : 0),
        1,
      ),
    );
    try {
      return callee.spec.call(list(args));
    } catch (e) {
      throw e instanceof DataError ? e : fail(`${callee.name}: ${(e as Error).message}`);
    }
  };
  const build = (target: unknown, state: unknown): void => {
    if (target instanceof PlainObject && state instanceof Map) for (const [k, v] of state) target.attributes.set(k, v);
    // An OrderedDict's attributes (`_metadata` of a state dict) and a numpy dtype's tuple are not needed.
    else if (!(target instanceof Map || target instanceof PlainObject)) throw fail('state for something that takes none');
  };

  for (;;) {
    const op = u8();
    switch (op) {
      case 0x80: {
        const version = u8();
        if (version > 5) throw fail(`protocol ${version}, expected at most 5`);
        break;
      }
      case 0x95:
        u64();
        break; // FRAME: a size hint
      case 0x2e: {
        // STOP
        const value = pop();
        if (stack.length) throw fail('values left on the stack');
        return { value, end: at };
      }
      case 0x28:
        stack.push(MARK);
        break;
      case 0x30:
        stack.pop();
        break; // POP, of a mark too
      case 0x31:
        popMark();
        break;
      case 0x32:
        stack.push(top());
        break; // DUP
      case 0x4e:
        stack.push(null);
        break;
      case 0x88:
        stack.push(true);
        break;
      case 0x89:
        stack.push(false);
        break;
      case 0x4b:
        stack.push(u8());
        break; // BININT1
      case 0x4d:
        stack.push(u16());
        break; // BININT2
      case 0x4a:
        stack.push(u32() | 0);
        break; // BININT
      case 0x8a:
        stack.push(longFrom(take(u8())));
        break; // LONG1
      case 0x47:
        take(8);
        stack.push(view.getFloat64(at - 8, false));
        break; // BINFLOAT
      case 0x58:
        stack.push(text(u32()));
        break; // BINUNICODE
      case 0x8c:
        stack.push(text(u8()));
        break; // SHORT_BINUNICODE
      case 0x8d:
        stack.push(text(u64()));
        break; // BINUNICODE8
      case 0x54:
        stack.push(latin1(take(u32())));
        break; // BINSTRING
      case 0x55:
        stack.push(latin1(take(u8())));
        break; // SHORT_BINSTRING
      case 0x42:
        stack.push(take(u32()).slice());
        break; // BINBYTES
      case 0x43:
        stack.push(take(u8()).slice());
        break; // SHORT_BINBYTES
      case 0x29:
      case 0x5d:
      case 0x8f:
        stack.push(counted([]));
        break; // EMPTY_TUPLE, EMPTY_LIST, EMPTY_SET
      case 0x7d:
        stack.push(counted(new Map()));
        break; // EMPTY_DICT
      case 0x74:
      case 0x6c:
        stack.push(counted(popMark()));
        break; // TUPLE, LIST
      case 0x85:
        stack.push(counted([pop()]));
        break;
      case 0x86: {
        const b = pop();
        stack.push(counted([pop(), b]));
        break;
      }
      case 0x87: {
        const c = pop();
        const b = pop();
        stack.push(counted([pop(), b, c]));
        break;
      }
      case 0x64: {
        const items = popMark();
        const dict = counted(new Map());
        setItems(dict, items);
        stack.push(dict);
        break;
      } // DICT
      case 0x61: {
        const item = pop();
        list(top()).push(item);
        break;
      } // APPEND
      case 0x65:
      case 0x90: {
        const items = popMark();
        const target = list(top());
        for (const item of items) target.push(item);
        break;
      } // APPENDS, ADDITEMS
      case 0x73: {
        const value = pop();
        const key = pop();
        setItems(top(), [key, value]);
        break;
      } // SETITEM
      case 0x75: {
        const items = popMark();
        setItems(top(), items);
        break;
      } // SETITEMS
      case 0x71:
        remember(u8());
        break; // BINPUT
      case 0x72:
        remember(u32());
        break; // LONG_BINPUT
      case 0x94:
        remember(memo.size);
        break; // MEMOIZE
      case 0x68:
        stack.push(recall(u8()));
        break; // BINGET
      case 0x6a:
        stack.push(recall(u32()));
        break; // LONG_BINGET
      case 0x63: {
        const module = line();
        stack.push(global(module, line()));
        break;
      } // GLOBAL
      case 0x69: {
        const module = line();
        global(module, line());
        throw fail('opcode INST');
      }
      case 0x93: {
        // STACK_GLOBAL
        const name = pop();
        const module = pop();
        if (typeof name !== 'string' || typeof module !== 'string') throw fail('global without a name');
        stack.push(global(module, name));
        break;
      }
      case 0x52:
      case 0x81: {
        const args = pop();
        stack.push(call(pop(), args));
        break;
      } // REDUCE, NEWOBJ
      case 0x62: {
        const state = pop();
        build(top(), state);
        break;
      } // BUILD
      case 0x51:
        stack.push(persistentLoad(pop()));
        break; // BINPERSID
      default:
        throw fail(`opcode 0x${op.toString(16).padStart(2, '0')} is not one that torch.save writes`);
    }
  }
}
