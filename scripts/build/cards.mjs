// SPDX-License-Identifier: MIT
// What a stranger must know of a kernel, on one page: read off its linked text, its reflection and the ops that dispatch it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Files of src/ops (and of the engine) that dispatch an entry point: `lower` there says how params and grid follow from shapes. */
export function usersOf(root, file, entry) {
  const from = new RegExp(`import \\{([^}]*)\\} from '(?:\\.\\./)+gen/${basename(file, '.wgsl')}\\.ts'`);
  return ['src/ops', 'src/engine', 'src/losses'].flatMap((folder) =>
    (existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : [])
      .filter((name) => name.endsWith('.ts'))
      .filter((name) => new RegExp(`\\b${entry}\\b`).test(from.exec(readFileSync(join(root, folder, name), 'utf8'))?.[1] ?? ''))
      .map((name) => `${folder}/${name}`)
      .sort(),
  );
}

/** The comment lines that open a kernel's file, without the licence. */
export const headOf = (root, file) =>
  (/^(?:\/\/.*\n)+/.exec(readFileSync(join(root, 'kernels', file), 'utf8'))?.[0] ?? '')
    .split('\n')
    .filter((line) => !/^\/\/ (?:SPDX|@)/.test(line))
    .map((line) => line.replace(/^\/\/ ?/, ''))
    .join('\n')
    .trim();

/** The remark beside a declaration, or above it: a binding's shape, an override's meaning. */
function remark(wgsl, declaration) {
  const lines = wgsl.split('\n');
  const at = lines.findIndex((line) => declaration.test(line.split('//')[0]));
  if (at < 0) return '';
  const beside = /\/\/ (?!@)(.*)$/.exec(lines[at])?.[1];
  return beside ?? /^\/\/ (?!@|SPDX)(.*)$/.exec(lines[at - 1] ?? '')?.[1] ?? '';
}
export const shapeOf = (wgsl, name) => remark(wgsl, new RegExp(`var<storage[^>]*> ${name}:`));

/** Features to ask a device for, whatever the spec. */
export const featuresOf = (wgsl) =>
  [...wgsl.matchAll(/^enable ([^;]+);/gm)]
    .flatMap(([, names]) => names.split(/,\s*/))
    .map((name) => (name === 'f16' ? 'shader-f16' : name.replaceAll('_', '-')));

const cell = (text) => String(text).replaceAll('|', '\\|');
const table = (head, rows) =>
  rows.length
    ? [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows.map((r) => `| ${r.map(cell).join(' | ')} |`), '']
    : [];

/** @returns {string} Markdown */
export function card(root, { file, limits, entries }, wgsl) {
  const name = basename(file, '.wgsl');
  const features = featuresOf(wgsl);
  const half = entries.some((e) =>
    Object.values(e.spec)
      .flat()
      .some((v) => /\bf16\b/.test(v)),
  );
  const struct = /^struct Params \{[^}]*\}.*$/m.exec(wgsl)?.[0];
  const above = struct && /(?:^\/\/ (?!@).*\n)*$/m.exec(wgsl.slice(0, wgsl.indexOf(struct)))?.[0];
  return [
    `# ${name}`,
    '',
    `Written by \`node build.mjs\` from \`kernels/${file}\`. Text and layout for an app: \`voxelgrad/wgsl/${file}\` and \`${name}.json\`.`,
    '',
    '```text',
    headOf(root, file),
    '```',
    '',
    `Features: ${features.length ? features.join(', ') : 'none'}${half ? '; `shader-f16` for specs of f16' : ''}. Limits: ${limits.length ? limits.join('; ') : "WebGPU's defaults"}.`,
    '',
    ...(struct ? ['Params, all of them needed; offsets stand in the JSON:', '', '```wgsl', `${above ?? ''}${struct}`, '```', ''] : []),
    ...entries.flatMap((e) => {
      const users = usersOf(root, file, e.entry);
      return [
        `## ${e.entry}`,
        '',
        `A workgroup has ${e.workgroup.join(' x ')} lanes. ${users.length ? `Params, grid and what must be filled first, from shapes: \`lower\` in ${users.map((u) => `\`${u}\``).join(', ')}, which \`plan()\` asks (docs/kernels.md).` : ''}`.trim(),
        '',
        ...table(
          ['binding', 'name', 'access', 'type', 'shape and meaning'],
          e.bindings.map((b) => [b.binding, `\`${b.name}\``, b.kind, `\`${b.type}\``, b.kind === 'uniform' ? '' : shapeOf(wgsl, b.name)]),
        ),
        ...table(
          ['spec', 'values, the default first'],
          Object.entries(e.spec).map(([k, v]) => [`\`${k}\``, v[0] === '*' ? 'any expression' : v.map((x) => `\`${x}\``).join(' ')]),
        ),
        ...table(
          ['override', 'type', 'default', 'meaning'],
          Object.entries(e.overrides).map(([k, v]) => [`\`${k}\``, v.type, v.default, remark(wgsl, new RegExp(`override ${k}\\b`))]),
        ),
      ];
    }),
  ].join('\n');
}
