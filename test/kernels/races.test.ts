// SPDX-License-Identifier: MIT
// Every kernel with workgroup memory that a row of the case tables dispatches, through wgsl_reflect's race detector: all lanes of
// one workgroup in lockstep, f32, overrides as constants (it cannot size arrays by overrides).
import { afterAll, beforeAll, expect, it } from 'vitest';
import { detectRaces } from 'wgsl_reflect/wgsl_reflect.module.js';
import { backward } from '../../src/engine/autograd.ts';
import { numel, spec } from '../../src/engine/dtype.ts';
import { lowerCall, type Dispatch } from '../../src/engine/op.ts';
import { Tensor, tensor } from '../../src/engine/tensor.ts';
import { record } from '../../src/engine/trace.ts';
import { openDevice, type Device } from '../../src/gpu/device.ts';
import { packParams } from '../../src/gpu/params.ts';
import { specialise } from '../../src/gpu/specialise.ts';

import { add, cast } from '../../src/ops/pointwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { inputValues, rows, type NamedCase } from '../cases/case.ts';
import { families } from '../cases/index.ts';
import { noise } from './harness.ts';

let device: Device;
beforeAll(async () => { device = await openDevice(); });
afterAll(() => device.close());

/** Every dispatch of a row's forward and backward pass. */
function dispatchesOf(c: NamedCase): Dispatch[] {
  const inputs = c.inputs.map((i, at) => tensor(inputValues(c, at), spec(i.shape, i.dtype ?? 'f32')));
  const wanted = (c.grad ?? inputs.map((_, i) => i)).map((i) => inputs[i]!).filter((t) => t.dtype === 'f32');
  const { trace } = record(() => {
    const ys = [c.call(...inputs)].flat() as Tensor[];
    const floats = ys.filter((y) => y.node && (y.dtype === 'f32' || y.dtype === 'f16'));
    if (wanted.length > 0) backward(floats.map((y) => sum(cast(y, 'f32'))).reduce(add), wanted);
  });
  for (const t of inputs) t.dispose();
  return trace.nodes.filter((n) => !n.op.view).flatMap((n) => lowerCall(n.op, n.inputs, n.outputs, n.attrs, device.caps).dispatches);
}

const asConstants = (d: Dispatch, code: string): string => code.replace(/^override (\w+)(: \w+)? = ([^;]+);/gm, (_, name: string, type: string | undefined, value: string) =>
  `const ${name}${type ?? ''} = ${name in d.overrides ? `${d.overrides[name]}${type === ': u32' ? 'u' : ''}` : value};`);

/** Elements past the end: a GPU clamps what tiles read there, the detector does not. */
const SLACK = 1 << 14;

function races(d: Dispatch, code = asConstants(d, specialise(d.def, d.spec))): { races: unknown[]; errors: string[] } {
  const group = Object.fromEntries(d.def.bindings.map((b, i) => {
    if (b.kind === 'uniform') return [b.binding, { uniform: packParams(d.def, d.params) }];
    return [b.binding, noise(numel(d.bindings[b.name]!.shape) + SLACK, i)];
  }));
  return detectRaces(code, d.def.entry, [1, 1, 1], { 0: group });
}

it('lanes of one workgroup do not race', () => {
  const seen = new Map<string, Dispatch>();
  const work = (d: Dispatch): number => Object.values(d.bindings).reduce((s, r) => s + numel(r.shape), 0);
  for (const family of Object.values(families)) {
    for (const c of rows(family)) {
      if (c.half || c.bench) continue;
      for (const d of dispatchesOf(c)) {
        const before = seen.get(`${d.def.file}:${d.def.entry}`);
        if (/var<workgroup>/.test(d.def.wgsl) && (!before || work(d) < work(before))) seen.set(`${d.def.file}:${d.def.entry}`, d);
      }
    }
  }
  expect([...seen.keys()]).toEqual(expect.arrayContaining(['attention.wgsl:attention', 'grad_norm.wgsl:clip_factor', 'graph_conv.wgsl:graph_conv']));
  const needBarriers: string[] = [];
  for (const [name, d] of seen) {
    const found = races(d);
    expect(found.errors, name).toEqual([]);
    expect(found.races, name).toEqual([]);
    const open = asConstants(d, specialise(d.def, d.spec)).replaceAll('workgroupBarrier();', '');
    if (races(d, open).races.length > 0) needBarriers.push(name);
  }
  // The detector sees what a missing barrier does.
  expect(needBarriers).toEqual(expect.arrayContaining(['grad_norm.wgsl:clip_factor', 'graph_conv.wgsl:graph_conv']));
});
