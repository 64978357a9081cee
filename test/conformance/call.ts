// SPDX-License-Identifier: MIT
// What an adapter sees of a node: its inputs as engine tensors or as host numbers, and its attributes.
import type { DType } from '../../src/engine/dtype.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { fromF16 } from '../../src/engine/dtype.ts';
import type { GraphNode, TensorData } from './onnx.ts';

/** A case that asks for what the engine does not mean to have. Never thrown for a wrong result. */
export class Skip extends Error {}

const TYPES = [
  'of a sequence, a map or an optional',
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'uint4',
  'int4',
  'float4e2m1',
  'float8e8m0',
  'uint2',
  'int2',
];
/** Element types that the engine computes with. Booleans are u32 masks. */
const ENGINE: Readonly<Record<number, DType>> = { 1: 'f32', 6: 'i32', 9: 'u32', 10: 'f16', 12: 'u32' };
const INT64 = 7; // stays on the host: shapes, axes, indices
export const FLOAT = 1;
const BOOL = 9;

/** @throws Skip unless values of this type can be computed with or read on the host. */
export function expectType(type: number): void {
  if (!(type in ENGINE) && type !== INT64) throw new Skip(`type ${TYPES[type] ?? `${type}`}`);
}

/** What travels along an edge of the graph. */
export type Value = TensorData | Tensor;
const isData = (v: Value): v is TensorData => 'type' in v;

/** @throws Skip */
export function toTensor(v: Value): Tensor {
  if (!isData(v)) return v;
  const dtype = ENGINE[v.type];
  if (!dtype) throw new Skip(`type ${TYPES[v.type] ?? v.type}`);
  return tensor(v.values, { shape: v.shape, dtype });
}

export async function toNumbers(v: Value): Promise<number[]> {
  if (isData(v)) return [...v.values];
  const host = await v.data();
  return v.dtype === 'f16' ? Array.from(host, fromF16) : [...host];
}

/** Results by position: a missing one was not asked for. Host data is for shapes. */
export type Results = Value | readonly (Value | undefined)[];
export type Adapter = (c: Call) => Results | Promise<Results>;
export type Adapters = Readonly<Record<string, Adapter>>;

export class Call {
  readonly node: GraphNode;
  readonly opset: number;
  private readonly values: readonly (Value | undefined)[];

  constructor(node: GraphNode, opset: number, values: readonly (Value | undefined)[]) {
    this.node = node;
    this.opset = opset;
    this.values = values;
  }

  get inputs(): Tensor[] {
    return this.values.map((_, i) => this.x(i));
  }
  get outputs(): readonly string[] {
    return this.node.outputs;
  }
  has(i: number): boolean {
    return this.values[i] !== undefined;
  }
  value(i: number): Value {
    const v = this.values[i];
    if (v === undefined) throw new Error(`input ${i} is missing`);
    return v;
  }
  shape(i: number): readonly number[] {
    return this.value(i).shape;
  }
  /** The engine's masks are u32, so a computed u32 counts as bool. */
  isBool(i: number): boolean {
    const v = this.value(i);
    return isData(v) ? v.type === BOOL : v.dtype === 'u32';
  }

  /** Input i on the device. @throws Skip for types that the engine does not have. */
  x(i: number): Tensor {
    return toTensor(this.value(i));
  }
  optional(i: number): Tensor | null {
    return this.has(i) ? this.x(i) : null;
  }
  /** Input i read on the host; undefined where it is left out. */
  async numbers(i: number): Promise<number[] | undefined> {
    return this.has(i) ? toNumbers(this.value(i)) : undefined;
  }

  /** Input i as indices into an axis of `size`: negative ones count from its end. */
  async indices(i: number, size: number): Promise<Tensor> {
    const list = (await toNumbers(this.value(i))).map((v) => (v < 0 ? v + size : v));
    return tensor(list, { shape: this.shape(i), dtype: 'u32' });
  }

  number(name: string, otherwise: number): number {
    return this.attribute(name, 'number') ?? otherwise;
  }
  text(name: string, otherwise: string): string {
    return this.attribute(name, 'string') ?? otherwise;
  }
  flag(name: string, otherwise = 0): boolean {
    return this.number(name, otherwise) !== 0;
  }
  list(name: string): number[] | undefined {
    const v = this.node.attributes.get(name);
    return Array.isArray(v) ? [...(v as number[])] : undefined;
  }
  data(name: string): TensorData | undefined {
    const v = this.node.attributes.get(name);
    return typeof v === 'object' && 'type' in v ? v : undefined;
  }
  /** An attribute of older operator sets that became input i. */
  async listOr(name: string, i: number): Promise<number[] | undefined> {
    return this.list(name) ?? this.numbers(i);
  }
  /** Attribute `name` as an axis from the front. */
  axis(otherwise: number, rank = this.shape(0).length, name = 'axis'): number {
    const a = this.number(name, otherwise);
    return a < 0 ? a + rank : a;
  }

  private attribute(name: string, kind: 'number'): number | undefined;
  private attribute(name: string, kind: 'string'): string | undefined;
  private attribute(name: string, kind: 'number' | 'string'): unknown {
    const v = this.node.attributes.get(name);
    return typeof v === kind ? v : undefined;
  }
}
