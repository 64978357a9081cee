// SPDX-License-Identifier: MIT
// Reads what a conformance case holds of ONNX's protobuf files: models and tensors. Field numbers are those of onnx.proto.
import { fromF16 } from '../../src/engine/dtype.ts';

/** Values as float64 whatever the type; integers past 2^53 lose digits. Types without a number a value (strings, ...) stay empty. */
export interface TensorData {
  readonly shape: readonly number[];
  readonly type: number;
  readonly values: Float64Array;
}
export type Attribute = number | string | readonly number[] | TensorData;
export interface GraphNode {
  readonly op: string;
  readonly domain: string;
  /** Names of values; empty where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}
/** `type` is the element type of a tensor, 0 of anything else (sequence, map, optional). */
export interface Port {
  readonly name: string;
  readonly type: number;
}
export interface Model {
  readonly opset: number;
  readonly nodes: readonly GraphNode[];
  readonly constants: ReadonlyMap<string, TensorData>;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** One message: for every field number its values, varints as bigint, all else as bytes. */
class Message {
  private readonly fields = new Map<number, (bigint | Uint8Array)[]>();

  constructor(bytes: Uint8Array) {
    let at = 0;
    const varint = (): bigint => {
      const [value, next] = readVarint(bytes, at);
      at = next;
      return value;
    };
    while (at < bytes.length) {
      const key = Number(varint());
      const wire = key & 7;
      if (wire !== 0 && wire !== 1 && wire !== 2 && wire !== 5) throw new Error(`not a protobuf message: wire type ${wire} at byte ${at}`);
      const length = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? Number(varint()) : 0;
      if (at + length > bytes.length) throw new Error(`not a protobuf message: ${length} bytes at ${at} of ${bytes.length}`);
      const value = wire === 0 ? varint() : bytes.subarray(at, at + length);
      at += length;
      const list = this.fields.get(key >>> 3);
      if (list) list.push(value);
      else this.fields.set(key >>> 3, [value]);
    }
  }

  bytes(field: number): Uint8Array[] {
    return (this.fields.get(field) ?? []).filter((v) => typeof v !== 'bigint');
  }
  messages(field: number): Message[] {
    return this.bytes(field).map((b) => new Message(b));
  }
  texts(field: number): string[] {
    return this.bytes(field).map((b) => new TextDecoder().decode(b));
  }
  text(field: number): string {
    return this.texts(field)[0] ?? '';
  }
  has(field: number): boolean {
    return this.fields.has(field);
  }

  /** Packed or one by one, signed. */
  ints(field: number): number[] {
    return (this.fields.get(field) ?? []).flatMap((v) => {
      if (typeof v === 'bigint') return [signed(v)];
      const out: number[] = [];
      for (let at = 0; at < v.length;) {
        const [value, next] = readVarint(v, at);
        out.push(signed(value));
        at = next;
      }
      return out;
    });
  }
  int(field: number, otherwise = 0): number {
    return this.ints(field).at(-1) ?? otherwise;
  }
  floats(field: number): number[] {
    return this.bytes(field).flatMap((b) => [...decode(1, b)]);
  }
  doubles(field: number): number[] {
    return this.bytes(field).flatMap((b) => [...decode(11, b)]);
  }
}

const signed = (v: bigint): number => Number(BigInt.asIntN(64, v));

function readVarint(bytes: Uint8Array, from: number): [value: bigint, next: number] {
  let value = 0n;
  for (let at = from, shift = 0n; ; at++, shift += 7n) {
    if (at >= bytes.length) throw new Error('not a protobuf message: a number runs over the end');
    value |= BigInt(bytes[at] & 0x7f) << shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

/** Little-endian values of an element type. */
function decode(type: number, bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows: Record<number, [size: number, read: (at: number) => number]> = {
    1: [4, (at) => view.getFloat32(at, true)],
    2: [1, (at) => view.getUint8(at)],
    3: [1, (at) => view.getInt8(at)],
    4: [2, (at) => view.getUint16(at, true)],
    5: [2, (at) => view.getInt16(at, true)],
    6: [4, (at) => view.getInt32(at, true)],
    7: [8, (at) => Number(view.getBigInt64(at, true))],
    9: [1, (at) => view.getUint8(at)],
    10: [2, (at) => fromF16(view.getUint16(at, true))],
    11: [8, (at) => view.getFloat64(at, true)],
    12: [4, (at) => view.getUint32(at, true)],
    13: [8, (at) => Number(view.getBigUint64(at, true))],
  };
  const row = rows[type];
  return row ? Float64Array.from({ length: bytes.length / row[0] }, (_, i) => row[1](i * row[0])) : new Float64Array();
}

function tensorOf(m: Message): TensorData {
  const type = m.int(2);
  const [raw] = m.bytes(9);
  if (raw) return { shape: m.ints(1), type, values: decode(type, raw) };
  const small = m.ints(5); // of every type up to 32 bits, f16 as bits
  const lists = [m.floats(4), type === 10 ? small.map(fromF16) : small, m.ints(7), m.doubles(10), m.ints(11)];
  return { shape: m.ints(1), type, values: Float64Array.from(lists.find((l) => l.length > 0) ?? []) };
}

function attributeOf(m: Message): Attribute {
  const [t] = m.messages(5);
  if (t) return tensorOf(t);
  if (m.has(4)) return m.text(4);
  if (m.has(2)) return m.floats(2)[0];
  if (m.has(3)) return m.int(3);
  return m.has(7) ? m.floats(7) : m.ints(8);
}

const portOf = (m: Message): Port => ({ name: m.text(1), type: m.messages(2)[0]?.messages(1)[0]?.int(1) ?? 0 });

export const readTensor = (bytes: Uint8Array): TensorData => tensorOf(new Message(bytes));

export function readModel(bytes: Uint8Array): Model {
  const model = new Message(bytes);
  const [graph] = model.messages(7);
  if (!graph) throw new Error('not an ONNX model: it holds no graph');
  const constants = new Map(graph.messages(5).map((t) => [t.text(8), tensorOf(t)]));
  return {
    opset: Math.max(
      0,
      ...model
        .messages(8)
        .filter((o) => ['', 'ai.onnx'].includes(o.text(1)))
        .map((o) => o.int(2)),
    ),
    nodes: graph
      .messages(1)
      .map((n) => ({
        op: n.text(4),
        domain: n.text(7),
        inputs: n.texts(1),
        outputs: n.texts(2),
        attributes: new Map(n.messages(5).map((a) => [a.text(1), attributeOf(a)])),
      })),
    constants,
    inputs: graph
      .messages(11)
      .map(portOf)
      .filter(({ name }) => !constants.has(name)),
    outputs: graph.messages(12).map(portOf),
  };
}
