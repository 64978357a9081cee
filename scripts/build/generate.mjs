// SPDX-License-Identifier: MIT
// Reflection -> src/gen/FILE.ts (typed definitions), src/gen/kernels.ts (all of them for strangers' devices) and dist/wgsl/FILE.{wgsl,json}
// (for users without TypeScript).
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { featuresOf, headOf, meaningsOf, shapeOf, usersOf, workgroupsOf } from './cards.mjs';

const union = (names) => names.map((n) => `'${n}'`).join(' | ') || 'never';
const quote = (text) => '`' + text.replace(/[\\`]|\$(?=\{)/g, '\\$&') + '`';

export function typescript({ file, entries }, wgsl) {
  const defs = entries.map((e) => {
    const storage = e.bindings.filter((b) => b.kind !== 'uniform').map((b) => b.name);
    const args = [storage, Object.keys(e.params?.fields ?? {}), Object.keys(e.overrides), Object.keys(e.spec)].map(union);
    const { workgroup: _, ...def } = e;
    const fields = Object.entries({ file, ...def })
      .map(([k, v]) => `  ${k}: ${JSON.stringify(v)},\n`)
      .join('');
    const joins = /\bglobal_invocation_id\b/.test(wgsl) ? '' : '  joins: true,\n';
    return `export const ${e.entry}: KernelDef<${args.join(', ')}> = {\n${fields}${joins}  wgsl,\n};\n`;
  });
  return (
    `// SPDX-License-Identifier: MIT\n// Written by build.mjs from kernels/${file}. Do not edit.\nimport type { KernelDef } from ` +
    `'../gpu/kernel.ts';\n\nconst wgsl = ${quote(wgsl)};\n\n${defs.join('\n')}`
  );
}

/** What an editor shows of an entry point; the file's card and its JSON say the rest. */
const docstring = (file, { entry }, wgsl) =>
  `/** \`${entry}\` of kernels/${file}. Workgroups: ${workgroupsOf(wgsl, entry).replaceAll('*/', '* /')} */\n`;

/** Every entry point of every kernel file, for a device of the caller's. */
export function lifted(kernels) {
  const module = (file) => file.replace(/\.wgsl$/, '_file');
  const imports = kernels.map(({ file }) => `import * as ${module(file)} from './${file.replace(/wgsl$/, 'ts')}';\n`);
  const exports = kernels.flatMap(({ file, entries, wgsl }) =>
    entries.map((e) => `${docstring(file, e, wgsl)}export const ${e.entry} = /* @__PURE__ */ kernel(${module(file)}.${e.entry});\n`),
  );
  return (
    '// SPDX-License-Identifier: MIT\n// Written by build.mjs from kernels/. Do not edit.\nimport { kernel } from ' +
    `'../gpu/embed.ts';\n${imports.join('')}\n${exports.join('')}`
  );
}

/** What a card says, for programs; `dispatched_by` names files of the repository. */
export function schema(root, { file, limits, entries }, wgsl) {
  const meaning = meaningsOf(wgsl);
  const said = (fields) => Object.fromEntries(Object.entries(fields).map(([name, f]) => [name, { ...f, meaning: meaning[name] }]));
  const described = entries.map((e) => ({
    ...e,
    params: e.params && { ...e.params, fields: said(e.params.fields) },
    workgroups: workgroupsOf(wgsl, e.entry).replaceAll('`', ''),
    bindings: e.bindings.map((b) => (b.kind === 'uniform' ? b : { ...b, shape: shapeOf(wgsl, b.name) })),
    dispatched_by: usersOf(root, file, e.entry),
  }));
  return JSON.stringify({ file, license: 'MIT', about: headOf(root, file), features: featuresOf(wgsl), limits, entries: described }) + '\n';
}

/** Whole or not at all (others may be reading), and only when it changes (watchers). */
export function writeIfChanged(path, text) {
  try {
    if (readFileSync(path, 'utf8') === text) return false;
  } catch (e) {
    if (e.code !== 'ENOENT') throw e;
  }
  mkdirSync(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, text);
  renameSync(aside, path);
  return true;
}
