// SPDX-License-Identifier: MIT
// What the generated files say about a linked kernel: per entry point its bindings, Params fields, overrides, specs, workgroup.
import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import { KernelError } from './link.mjs';
import { blankComments, reach, scan } from './scan.mjs';

const SCALARS = ['u32', 'i32', 'f32'];

/** `specs` and `where` come from src/gpu/specialise.ts: tagged lines, and line -> kernels/FILE:line. */
export function reflect(file, wgsl, specs, where) {
  const fail = (line, message) => {
    throw new KernelError(`${line ? where(line) : `kernels/${file}:1`}:1: ${message}`);
  };
  const decls = scan(wgsl);
  let module;
  try {
    // Bodies emptied: layouts and attributes need none, and bodies hold what wgsl_reflect cannot parse (subgroup_matrix).
    module = new WgslReflect(skeleton(wgsl, decls));
  } catch (e) {
    const [, message, line] = /^([\s\S]*?)\.* Line: (\d+)/.exec(e.message ?? e) ?? [0, e.message ?? e, 0];
    fail(Number(line), `wgsl_reflect: ${message}`);
  }
  const values = constants(decls, fail);
  const bindings = new Map();
  for (const r of [...module.uniforms, ...module.storage]) {
    const decl = decls.find((d) => d.kind === 'var' && d.name === r.name);
    const kind = r.resourceType === 0 ? 'uniform' : r.access === 'read_write' ? 'read_write' : 'read';
    if (r.group !== 0) fail(decl.line, `${r.name}: bindings live in @group(0)`);
    bindings.set(r.name, { name: r.name, binding: r.binding, kind, type: /:\s*([^;]+);$/.exec(decl.text)[1].replace(/\s+/g, ' ') });
  }
  const entries = module.entry.compute.map((entry) => {
    const reached = reach(decls, entry.name);
    const decl = decls.find((d) => d.kind === 'fn' && d.name === entry.name);
    const used = [...bindings.values()].filter((b) => reached.has(b.name)).sort((a, b) => a.binding - b.binding);
    used.forEach((b, i) => {
      if (i && used[i - 1].binding === b.binding)
        fail(decl.line, `${entry.name}: bindings ${used[i - 1].name} and ${b.name} have the same number ${b.binding}`);
    });
    const uniforms = used.filter((b) => b.kind === 'uniform');
    if (uniforms.length > 1 || (uniforms[0] && uniforms[0].binding !== 0)) {
      fail(decl.line, `${entry.name}: uses uniforms ${uniforms.map((b) => b.name).join(', ')}, expected one, at @group(0) @binding(0)`);
    }
    const storage = used.length - uniforms.length;
    if (storage > 8 && !limits(wgsl).length)
      fail(decl.line, `${entry.name}: ${storage} storage buffers, expected at most 8 (or a // @limits line)`);
    return {
      entry: entry.name,
      bindings: used,
      params: uniforms[0] ? layout(module, uniforms[0].type, decls, fail) : null,
      workgroup: [entry.attributes.find((a) => a.name === 'workgroup_size')?.value ?? '1'].flat().map(String),
      overrides: Object.fromEntries(
        [...values].filter(([name, v]) => v.override && reached.has(name)).map(([name, v]) => [name, { type: v.type, default: v.value }]),
      ),
      spec: specsOf(
        specs,
        new Set(specs.filter((s) => reached.has(decls.find((d) => d.line <= s.line && s.line <= d.endLine)?.name)).map((s) => s.name)),
      ),
    };
  });
  if (!entries.length) fail(0, 'no @compute entry point');
  return { file, limits: limits(wgsl), entries };
}

// A line that follows another makes its leader count as used.
function specsOf(specs, reached) {
  return Object.fromEntries(specs.filter((s) => !s.follows && reached.has(s.name)).map((s) => [s.name, s.values]));
}

function limits(wgsl) {
  return [...wgsl.matchAll(/^\/\/ @limits\s+(.+)$/gm)].map((m) => m[1].trim());
}

// The text without comments, function bodies, const_asserts and the directives that wgsl_reflect does not know; same lines.
function skeleton(wgsl, decls) {
  let text = blankComments(wgsl);
  const blank = (from, to) => {
    text = text.slice(0, from) + text.slice(from, to).replace(/[^\n]/g, ' ') + text.slice(to);
  };
  for (const d of decls) {
    const end = d.start + d.text.length;
    if (d.kind === 'fn') blank(d.start + d.text.indexOf('{') + 1, end - 1);
    if (d.kind === 'const_assert') blank(d.start, end);
  }
  return text.replace(/^[^\S\n]*(?:enable|requires|diagnostic)\b[^;]*;/gm, (d) => (/^\s*enable (?:f16|subgroups);/.test(d) ? d : ' '));
}

function layout(module, type, decls, fail) {
  const struct = module.structs.find((s) => s.name === type);
  const decl = decls.find((d) => d.name === type);
  if (!struct) fail(decl?.line ?? 0, `params: ${type} is not a struct`);
  for (const m of struct.members)
    if (!SCALARS.includes(m.type.name)) fail(decl.line, `${type}.${m.name}: ${m.type.name}, expected u32, i32 or f32`);
  return { size: struct.size, fields: Object.fromEntries(struct.members.map((m) => [m.name, { offset: m.offset, type: m.type.name }])) };
}

// Values of overrides (and of the constants that they may be made of), from their text: wgsl_reflect does not give defaults.
function constants(decls, fail) {
  const values = new Map();
  for (const d of decls) {
    if (d.kind !== 'override' && d.kind !== 'const') continue;
    const [, declared, init] =
      /\b\w+\s*(?::\s*(\w+)\s*)?(?:=\s*([\s\S]+?)\s*)?;$/.exec(d.text.replace(/^[\s\S]*?\b(?:override|const)\b/, '')) ?? [];
    if (d.kind === 'override' && !init) fail(d.line, `override ${d.name} needs a default`);
    const expression = init
      ?.replace(/\b(\d[\d.]*(?:e[+-]?\d+)?)[uifh]\b/gi, '$1')
      .replace(/\b[A-Za-z_]\w*\b/g, (n) => (values.has(n) ? String(values.get(n).value) : n));
    const plain = expression && /^(?:true|false|[\d\s.eE+\-*/%()<>=!&|])+$/.test(expression);
    if (!plain && d.kind === 'override')
      fail(d.line, `override ${d.name}: default must be made of literals and earlier constants, got ${init}`);
    if (!plain) continue;
    const float = declared === 'f32' || /\d[fh]\b|\.\d|\d\./.test(init);
    // oxlint-disable-next-line typescript/no-implied-eval -- digits and operators alone
    const raw = Function(`return (${expression})`)();
    const value = typeof raw === 'number' && !float ? Math.trunc(raw) : raw;
    const type =
      declared ?? (typeof value === 'boolean' ? 'bool' : float ? 'f32' : /\di\b/.test(init) ? 'i32' : /\du\b/.test(init) ? 'u32' : 'i32');
    values.set(d.name, { override: d.kind === 'override', type, value });
  }
  return values;
}
