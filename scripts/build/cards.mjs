// SPDX-License-Identifier: MIT
// What a stranger must know of a kernel, on one page: read off its linked text, its reflection and the ops that dispatch it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** What the case tables hold an op's file to, where this is a checkout. @returns {string} */
function proof(root, users) {
  const cases = join(root, 'test/cases');
  if (!existsSync(cases)) return '';
  const named = new Set(users.flatMap((u) => [...readFileSync(join(root, u), 'utf8').matchAll(/^export const (\w+)/gm)].map(([, n]) => n)));
  const tables = readdirSync(cases)
    .map((f) => readFileSync(join(cases, f), 'utf8'))
    .join('\n');
  const ops = [...named].filter((name) => new RegExp(`^  ${name}: \\[`, 'm').test(tables)).sort((a, b) => (a < b ? -1 : 1));
  return ops.length
    ? `Proved by the rows of ${ops.map((op) => `\`${op}\``).join(', ')} in \`test/cases\`, gradients too: normalised mean square ` +
        'error against float64 below 1e-7, below 1e-6 for f16, where a row gives no other bound and its reason.'
    : '';
}

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

const remarkAbove = (lines) => lines.slice(lines.findLastIndex((line) => !/^\/\/ (?!@|SPDX)/.test(line)) + 1).map((line) => line.slice(3));

/** The remark beside a declaration, or above it: a binding's shape, an override's meaning. */
function remark(wgsl, declaration) {
  const lines = wgsl.split('\n');
  const at = lines.findIndex((line) => declaration.test(line.split('//')[0]));
  if (at < 0) return '';
  return /\/\/ (?!@)(.*)$/.exec(lines[at])?.[1] ?? remarkAbove(lines.slice(0, at)).join(' ');
}
export const shapeOf = (wgsl, name) => remark(wgsl, new RegExp(`var<storage[^>]*> ${name}:`));

/**
 * What each field of Params is, from the remark that ends its line; a line of several fields has as many meanings, between semicolons,
 * or one for all of them. @returns {Record<string, string>}
 */
export function meaningsOf(wgsl) {
  const [, body = '', after = ''] = /^struct Params \{([^}]*)\}(.*)$/m.exec(wgsl) ?? [];
  const lines = `${body}${after}`
    .split('\n')
    .map((line) => ({
      fields: [...line.split('//')[0].matchAll(/(\w+): [uif]32/g)].map(([, name]) => name),
      said: /\/\/ (.*)$/.exec(line)?.[1] ?? '',
    }));
  return Object.fromEntries(
    lines.flatMap(({ fields, said }) => {
      const each = said.split('; ');
      return fields.map((name, i) => [name, each.length === fields.length ? each[i] : said]);
    }),
  );
}

/** The remark lines right above an entry point. */
function remarkAt(wgsl, entry) {
  const before = wgsl.slice(0, wgsl.search(new RegExp(`\\n@compute @workgroup_size\\([^\\n]*\\)\\s+fn ${entry}\\(`)) + 1);
  return remarkAbove(before.split('\n').slice(0, -1)).join('\n');
}

/**
 * How many workgroups an entry point takes: said above it, or told by the lane's number and the bound that it is held to. @returns {string}
 */
export function workgroupsOf(wgsl, entry) {
  const said = /Workgroups: ([^\n]*?)\.?(?:\n|$)/.exec(remarkAt(wgsl, entry))?.[1];
  if (said) return said;
  const from = wgsl.search(new RegExp(`\\bfn ${entry}\\(`));
  const body = wgsl.slice(from, wgsl.indexOf('\n}', from));
  if (/let tile = wid\.x \+ wid\.y \* nwg\.x;/.test(body) && /tile (?:>=|<) params\.tiles/.test(body)) return '`tiles`';
  const [, lane, width] = /let (\w+) = (?:\(wid\.x \+ wid\.y \* nwg\.x\) \* (\w+) \+|element\(wid)/.exec(body) ?? [];
  const bound = lane && new RegExp(`if \\(${lane} (?:>=|<) (params\\.[^|&]*?)\\) \\{`).exec(body)?.[1];
  return bound ? `\`ceil(${bound.replace(/params\.|\b(\d+)u/g, '$1')} / ${(width ?? '64').replace(/u$/, '')})\`` : '';
}

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
  const fields = Object.entries(entries.find((e) => e.params)?.params.fields ?? {});
  const meaning = meaningsOf(wgsl);
  const filled = [...wgsl.matchAll(/(?:\/\/ .*\bfilled by (.*)\n)?@group\(0\).*var<storage[^>]*> (\w+):(?:.*\bfilled by (.*))?/g)]
    .filter(([, above, , beside]) => above ?? beside)
    .map(([, above, binding, beside]) => `\`${binding}\` by ${beside ?? above}`);
  const proved = proof(root, [...new Set(entries.flatMap((e) => usersOf(root, file, e.entry)))]);
  return [
    `# ${name}`,
    '',
    `Written by \`node build.mjs\` from \`kernels/${file}\`. Text and layout for an app: \`voxelgrad/wgsl/${file}\` and \`${name}.json\`.`,
    '',
    '```text',
    headOf(root, file),
    '```',
    '',
    `Features: ${features.length ? features.join(', ') : 'none'}${half ? '; `shader-f16` for specs of f16' : ''}. Limits: ` +
      `${limits.length ? limits.join('; ') : "WebGPU's defaults"}.`,
    '',
    ...(filled.length ? [`Filled by another kernel first: ${filled.join('; ')}.`, ''] : []),
    ...(proved ? [proved, ''] : []),
    ...(fields.length ? ['Params, all of them needed:', ''] : []),
    ...table(
      ['param', 'type', 'byte', 'meaning'],
      fields.map(([k, { type, offset }]) => [`\`${k}\``, type, offset, meaning[k]]),
    ),
    ...entries.flatMap((e) => {
      const users = usersOf(root, file, e.entry);
      return [
        `## ${e.entry}`,
        '',
        ...[remarkAt(wgsl, e.entry).replace(/Workgroups: .*/s, '')].filter(Boolean).flatMap((text) => [text, '']),
        (
          `Workgroups: ${workgroupsOf(wgsl, e.entry)}, of ${e.workgroup.join(' x ')} lanes each. ` +
          (users.length
            ? `Params, grid and what must be filled first, from shapes: \`lower\` in ${users.map((u) => `\`${u}\``).join(', ')}, ` +
              `which \`plan()\` asks (docs/kernels.md).`
            : '')
        ).trim(),
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
