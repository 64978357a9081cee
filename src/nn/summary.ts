// SPDX-License-Identifier: MIT
// A network as a table: its modules, the shapes they give, their parameters, and the operations of one pass.
import { expectArguments, instance } from '../check.ts';
import { VoxelgradError } from '../errors.ts';
import { expectSpec, type Spec } from '../engine/dtype.ts';
import { Tensor } from '../engine/tensor.ts';
import { record } from '../engine/trace.ts';
import { Module } from './module.ts';

export interface SummaryRow {
  /** Path below the network; empty for itself. */
  readonly name: string;
  /** Its class. */
  readonly kind: string;
  /** Of what it computes last; null where it computes nothing, or no inputs were given. */
  readonly shape: readonly number[] | null;
  /** Trainable numbers of its own and of modules below it. */
  readonly parameters: number;
  /** Floating-point operations of one pass, a multiplication and an addition being two; of ops that count them. */
  readonly operations: number;
}

export interface Summary {
  readonly rows: readonly SummaryRow[];
  readonly parameters: number;
  readonly operations: number;
  /** The table as text. */
  toString(): string;
}

interface Traced {
  readonly operations: Map<string, number>;
  readonly shapes: Map<string, readonly number[]>;
}

/** Every path above a path, itself included. */
const above = (path: string): string[] => ['', ...path.split('.').map((_, i, parts) => parts.slice(0, i + 1).join('.'))];

function traced(net: Module, inputs: readonly Spec[]): Traced {
  const found: Traced = { operations: new Map(), shapes: new Map() };
  const forward = (net as Partial<{ forward(...x: Tensor[]): unknown }>).forward?.bind(net);
  if (!forward) throw new VoxelgradError('USAGE', `summary: got a ${net.constructor.name} without forward().`, 'Give it no inputs.');
  const { trace } = record(() => {
    forward(...inputs.map((s) => new Tensor(s, null)));
    return null;
  });
  for (const { op, inputs: given, outputs, attrs, label } of trace.nodes) {
    // `conv2d#3 encoder.conv1`: the modules' paths come joined where a module calls another of its own names
    const path = label.split(' ')[1] ?? '';
    const flops = op.flops?.(given, outputs, attrs) ?? 0;
    for (const name of new Set(above(path))) {
      found.operations.set(name, (found.operations.get(name) ?? 0) + flops);
      if (outputs.length > 0) found.shapes.set(name, outputs[0].shape);
    }
  }
  trace.release();
  return found;
}

/**
 * What a network is made of. With `inputs`, the specs of what forward() takes, it is traced, and shapes and operations are told besides;
 * nothing is computed. `console.log(String(summary(net, [spec([1, 32, 32, 1])])))`
 */
export function summary(net: Module, inputs: readonly Spec[] = []): Summary {
  expectArguments('summary', { net: instance('a module', Module) }, [net]);
  inputs.forEach((s, i) => {
    expectSpec(`summary: input ${i}`, s);
  });
  const modules: [string, Module][] = [];
  const paths = new Map<Module, string>();
  const walk = (path: string, module: Module): void => {
    if (paths.has(module)) return;
    paths.set(module, path);
    modules.push([path, module]);
    for (const [key, child] of module.children()) walk(path ? `${path}.${key}` : key, child);
  };
  walk('', net);
  const before = modules.map(([, module]) => module.path);
  for (const [path, module] of modules) module.path = path;
  try {
    const { operations, shapes }: Traced = inputs.length > 0 ? traced(net, inputs) : { operations: new Map(), shapes: new Map() };
    const rows = modules.map(([name, module]) => ({
      name,
      kind: module.constructor.name,
      shape: shapes.get(name) ?? null,
      parameters: module.countParameters(),
      operations: operations.get(name) ?? 0,
    }));
    return { rows, parameters: rows[0].parameters, operations: rows[0].operations, toString: () => table(rows) };
  } finally {
    modules.forEach(([, module], i) => (module.path = before[i]!));
  }
}

const scaled = (n: number): string => {
  const i = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, n)) / 3)));
  return i === 0 ? String(n) : `${(n / 1000 ** i).toPrecision(3)} ${['', 'k', 'M', 'G', 'T'][i]}`;
};

function table(rows: readonly SummaryRow[]): string {
  const cells = rows.map(({ name, kind, shape, parameters, operations }) => [
    `${'  '.repeat(name === '' ? 0 : name.split('.').length)}${name.split('.').at(-1)!}${name ? ': ' : ''}${kind}`,
    shape ? `[${shape.join(', ')}]` : '',
    scaled(parameters),
    scaled(operations),
  ]);
  const all = [['module', 'result', 'parameters', 'operations'], ...cells];
  const widths = all[0].map((_, i) => Math.max(...all.map((line) => line[i].length)));
  return all.map((line) => line.map((text, i) => (i < 2 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join('  ')).join('\n');
}
