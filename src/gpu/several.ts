// SPDX-License-Identifier: MIT
// A kernel several times in one dispatch: the same text with bindings, Params and a range of workgroups for each call. Pure string work;
// what lies on disk stays the kernel of one call.
import type { KernelDef } from './kernel.ts';
import type { Variant } from './pipelines.ts';
import { specialise } from './specialise.ts';

interface Declaration {
  readonly text: string;
  /** Without comments. */
  readonly code: string;
  readonly fn: string | undefined;
  readonly resource: string | undefined;
}

/** The declarations of a module in order, whole lines each: tags behind a `;` stay with it. */
function declarationsOf(wgsl: string): Declaration[] {
  const texts: string[] = [];
  let [depth, from] = [0, 0];
  for (const { 0: token, index } of wgsl.matchAll(/\/\/.*|[{};]/g)) {
    if (token === '{') depth++;
    if (token === '}') depth--;
    if (depth > 0 || (token !== '}' && token !== ';') || index < from) continue;
    const end = wgsl.indexOf('\n', index) + 1 || wgsl.length;
    texts.push(wgsl.slice(from, end));
    from = end;
  }
  return texts.map((text) => {
    const code = text.replace(/\/\/.*/g, '');
    return { text, code, fn: /\bfn (\w+)/.exec(code)?.[1], resource: /@binding\(\d+\) var<[^>]+> (\w+)/.exec(code)?.[1] };
  });
}

const mentions = (code: string, name: string): boolean => new RegExp(`(?<![.\\w])${name}\\b`).test(code);
const upTo16 = (n: number): number => Math.ceil(n / 16) * 16;

/**
 * The name that a binding or a field of Params has for a call of several. Each has `groups_x`, `groups_y`, `groups_z` besides, its
 * workgroups by axis, and `end`, where those of the next begin.
 */
export const nameIn = (call: number, name: string): string => `${name}_${call}`;
/** Which call of several a binding belongs to, and its name there. */
export const callOf = (binding: string): { call: number; name: string } => {
  const at = binding.lastIndexOf('_');
  return { call: Number(binding.slice(at + 1)), name: binding.slice(0, at) };
};

const made = new WeakMap<KernelDef, Map<string, KernelDef>>();

/** A variant as one that is called `times` over, with workgroups in one row: those of the first call first. Its spec is in its text. */
export function several({ def, spec, overrides }: Variant, times: number): Variant {
  const key = JSON.stringify([times, spec]);
  const known = made.get(def) ?? new Map<string, KernelDef>();
  made.set(def, known);
  let found = known.get(key);
  if (!found) known.set(key, (found = make(def, spec, times)));
  return { def: found, spec: {}, overrides };
}

function make(one: KernelDef, chosen: Readonly<Record<string, string>>, times: number): KernelDef {
  const wgsl = specialise(one, chosen).replace(/\/\/ @spec .*/g, ''); // chosen once and for all
  const all = declarationsOf(wgsl);
  const functions = new Map(all.flatMap((d) => (d.fn === undefined ? [] : [[d.fn, d]])));
  const entry = functions.get(one.entry)!;
  const reached = new Set([one.entry]);
  for (const name of reached) for (const other of functions.keys()) if (mentions(functions.get(name)!.code, other)) reached.add(other);
  // What reads or writes memory, or calls what does, each call has for itself.
  const own = new Set([one.entry, ...one.bindings.map(({ name }) => name)]);
  for (let before = 0; before < own.size;) {
    before = own.size;
    for (const fn of reached) if ([...own].some((name) => mentions(functions.get(fn)!.code, name))) own.add(fn);
  }
  const names = new RegExp(`//.*|(?<![.\\w])(${[...own].join('|')})\\b`, 'g');
  const renamed = (text: string, call: number): string =>
    text.replace(names, (found, name?: string) =>
      name === undefined ? found : name === 'params' ? `params.call_${call}` : nameIn(call, name),
    );
  /** The entry point as a function. */
  const called = entry.text.replace(/@compute @workgroup_size\([^)]+\)\s*/, '').replace(/@builtin\(\w+\) /g, '');

  const size = upTo16(one.params?.size ?? 0);
  const fields: Record<string, { offset: number; type: 'u32' | 'i32' | 'f32' }> = {};
  const bindings: KernelDef['bindings'][number][] = [{ name: 'params', binding: 0, kind: 'uniform', type: 'Several' }];
  const members: string[] = [];
  const texts: string[] = [];
  for (let call = 0; call < times; call++) {
    for (const [field, { offset, type }] of Object.entries(one.params?.fields ?? {}))
      fields[nameIn(call, field)] = { offset: call * (size + 16) + offset, type };
    for (const [i, field] of ['groups_x', 'groups_y', 'groups_z', 'end'].entries())
      fields[nameIn(call, field)] = { offset: call * (size + 16) + size + 4 * i, type: 'u32' };
    if (one.params) members.push(`  @align(16) call_${call}: Params,`);
    members.push(`  @align(16) groups_${call}: vec4<u32>,`);
    for (const { name, kind, type } of one.bindings) {
      if (kind === 'uniform') continue;
      const binding = bindings.length;
      bindings.push({ name: nameIn(call, name), binding, kind, type });
      texts.push(`@group(0) @binding(${binding}) var<storage, ${kind}> ${nameIn(call, name)}: ${type};\n`);
    }
    for (const { text, fn } of all)
      if (fn !== undefined && reached.has(fn) && own.has(fn)) texts.push(renamed(text === entry.text ? called : text, call));
  }

  const shared = all.filter(({ fn, resource }) => resource === undefined && (fn === undefined || (reached.has(fn) && !own.has(fn))));
  const name = `${one.entry}_x${times}`;
  return {
    ...one,
    file: `${one.file} (${name} ${JSON.stringify(chosen)})`,
    entry: name,
    wgsl: [
      ...shared.map(({ text }) => text),
      `struct Several {\n${members.join('\n')}\n}\n@group(0) @binding(0) var<uniform> params: Several;\n`,
      ...texts,
      dispatcher(entry.code, one.entry, name, times),
    ].join(''),
    bindings,
    params: { size: times * (size + 16), fields },
    spec: Object.fromEntries(Object.entries(one.spec).map(([key, values]) => [key, [chosen[key] ?? values[0]]])),
  };
}

/** The entry point: finds out whose workgroup it is, and calls as that one. */
function dispatcher(code: string, one: string, entry: string, times: number): string {
  const size = /@workgroup_size\([^)]+\)/.exec(code)![0];
  const takes = [...code.matchAll(/@builtin\((\w+)\) \w+: ([\w<>]+)/g)].map(([, builtin, type]) => ({ builtin, type }));
  const builtins = new Map([
    ['workgroup_id', 'vec3<u32>'],
    ['num_workgroups', 'vec3<u32>'],
    ...takes.map((t) => [t.builtin, t.type] as const),
  ]);
  const calls = Array.from({ length: times }, (_, call) => {
    const groups = `params.groups_${call}`;
    const passed = takes.map(({ builtin }) =>
      builtin === 'workgroup_id'
        ? `workgroup_in(at${call === 0 ? '' : ` - params.groups_${call - 1}.w`}, ${groups})`
        : builtin === 'num_workgroups'
          ? `${groups}.xyz`
          : builtin,
    );
    return `if (at < ${groups}.w) { ${one}_${call}(${passed.join(', ')}); }`;
  });
  return `
fn workgroup_in(at: u32, groups: vec4<u32>) -> vec3<u32> {
  return vec3(at % groups.x, at / groups.x % groups.y, at / (groups.x * groups.y));
}
@compute ${size}
fn ${entry}(${[...builtins].map(([builtin, type]) => `@builtin(${builtin}) ${builtin}: ${type}`).join(', ')}) {
  let at = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  ${calls.join('\n  else ')}
}
`;
}
