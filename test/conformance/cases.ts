// SPDX-License-Identifier: MIT
// A case: a folder with model.onnx and test_data_set_*/{input,output}_*.pb. Run node by node on the engine, compared with
// ONNX's own tolerances.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setCreationHook, type Tensor } from '../../src/engine/tensor.ts';
import { Call, expectType, Skip, toNumbers, type Adapters, type Value } from './call.ts';
import { readModel, readTensor, type GraphNode, type Model, type TensorData } from './onnx.ts';
import { attentionOps } from './ops_attention.ts';
import { elementwise } from './ops_elementwise.ts';
import { indexing } from './ops_indexing.ts';
import { layout } from './ops_layout.ts';
import { losses } from './ops_losses.ts';
import { norms } from './ops_norms.ts';
import { optimisers } from './ops_optimisers.ts';
import { products } from './ops_products.ts';
import { reductions } from './ops_reductions.ts';
import { resizing } from './ops_resizing.ts';
import { sampling } from './ops_sampling.ts';
import { spatial } from './ops_spatial.ts';

const ADAPTERS: Adapters = {
  ...attentionOps,
  ...elementwise,
  ...indexing,
  ...layout,
  ...losses,
  ...norms,
  ...optimisers,
  ...products,
  ...reductions,
  ...resizing,
  ...sampling,
  ...spatial,
};
const DOMAINS = ['', 'ai.onnx', 'ai.onnx.preview.training'];

export interface Outcome {
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly why: string;
}

/** Folders below `dir`, itself included, that hold a case; sorted. */
export function findCases(dir: string): string[] {
  if (existsSync(join(dir, 'model.onnx'))) return [dir];
  return readdirSync(dir, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name)
    .sort()
    .flatMap((name) => findCases(join(dir, name)));
}

/** Never throws: whatever goes wrong is the case's failure. */
export async function runCase(dir: string): Promise<Outcome> {
  const made: Tensor[] = [];
  const before = setCreationHook((t) => {
    made.push(t);
  });
  try {
    const model = readModel(readFileSync(join(dir, 'model.onnx')));
    for (const { type } of [...model.inputs, ...model.outputs]) expectType(type);
    const sets = readdirSync(dir)
      .filter((name) => name.startsWith('test_data_set_'))
      .sort();
    if (sets.length === 0) throw new Error('no test_data_set_* folder');
    for (const set of sets) await runSet(model, join(dir, set), tolerances(dir));
    return { status: 'passed', why: '' };
  } catch (e) {
    return { status: e instanceof Skip ? 'skipped' : 'failed', why: e instanceof Error ? e.message : String(e) };
  } finally {
    setCreationHook(before);
    for (const t of made) t.dispose();
  }
}

const readAll = (dir: string, kind: 'input' | 'output'): TensorData[] => {
  const files = readdirSync(dir).filter((name) => name.startsWith(`${kind}_`) && name.endsWith('.pb'));
  return files.map((_, i) => readTensor(readFileSync(join(dir, `${kind}_${i}.pb`))));
};

async function runSet(model: Model, dir: string, tolerance: Tolerance): Promise<void> {
  const values = new Map<string, Value>(model.constants);
  readAll(dir, 'input').forEach((data, i) => values.set(model.inputs[i].name, data));
  for (const node of model.nodes) await runNode(node, model.opset, values);
  const expected = readAll(dir, 'output');
  if (expected.length !== model.outputs.length) throw new Error(`${expected.length} output files for ${model.outputs.length} outputs`);
  for (const [i, want] of expected.entries()) {
    const got = values.get(model.outputs[i].name);
    if (!got) throw new Error(`output ${i} was not computed`);
    const wrong = difference(got.shape, await toNumbers(got), kindOf(got), want, tolerance);
    if (wrong) throw new Error(`output ${i}: ${wrong}`);
  }
}

async function runNode(node: GraphNode, opset: number, values: Map<string, Value>): Promise<void> {
  const adapter = DOMAINS.includes(node.domain) ? ADAPTERS[node.op] : undefined;
  if (!adapter) throw new Skip(`operator ${node.domain ? `${node.domain}.` : ''}${node.op} that no network here uses`);
  const inputs = node.inputs.map((name) => {
    const v = values.get(name);
    if (name && !v) throw new Error(`${node.op}: input ${name} was not computed`);
    return v;
  });
  const results = await adapter(new Call(node, opset, inputs));
  const list = Array.isArray(results) ? (results as readonly (Value | undefined)[]) : [results as Value];
  node.outputs.forEach((name, i) => {
    const v = list[i];
    if (name && v) values.set(name, v);
  });
}

type Kind = 'float16' | 'float32' | 'integer';
const FLOATS: Readonly<Record<number, Kind>> = { 1: 'float32', 10: 'float16' };
const kindOf = (v: Value): Kind =>
  'type' in v ? (FLOATS[v.type] ?? 'integer') : v.dtype === 'f32' ? 'float32' : v.dtype === 'f16' ? 'float16' : 'integer';

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** onnx/backend/test/loader: these defaults, or the case's data.json. */
function tolerances(dir: string): Tolerance {
  const path = join(dir, 'data.json');
  return { rtol: 1e-3, atol: 1e-7, ...(existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Partial<Tolerance>) : {}) };
}

/** What is wrong, or nothing: numpy's assert_allclose. Integers of any width (indices, masks) count as one type. */
export function difference(
  shape: readonly number[],
  got: readonly number[],
  kind: Kind,
  want: TensorData,
  { rtol, atol }: Tolerance,
): string | undefined {
  if (shape.join() !== want.shape.join()) return `got shape [${shape}], expected [${want.shape}]`;
  const wanted = FLOATS[want.type] ?? 'integer';
  if (kind !== wanted) return `got a ${kind} tensor, expected ${wanted}`;
  let count = 0;
  let first = '';
  got.forEach((g, i) => {
    const w = want.values[i];
    if (Object.is(g, w) || g === w || (Math.abs(g - w) <= atol + rtol * Math.abs(w) && Number.isFinite(w))) return;
    if (count++ === 0) first = `element ${i} is ${g}, expected ${w}`;
  });
  return count === 0 ? undefined : `${count} of ${got.length} differ, ${first}`;
}
