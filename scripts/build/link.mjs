// SPDX-License-Identifier: MIT
// `// @import "lib/x.wgsl"` lines become the file's text, once each; `// @line FILE:N` comments say where text came from.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const IMPORT = /^\s*\/\/\s*@import\s+"([^"]+)"\s*$/;
const DIRECTIVE = /^\s*(?:enable|requires|diagnostic)\b[^;]*;/;

export class KernelError extends Error {}

/** @returns {string} self-contained WGSL of kernels/FILE */
export function link(root, file) {
  const seen = new Set([file]);
  const hoisted = new Set(); // directives of libraries: WGSL wants them before every declaration
  const text = include(root, file, seen, hoisted, []);
  const lines = text.split('\n');
  if (lines[0] !== '// SPDX-License-Identifier: MIT')
    throw new KernelError(`kernels/${file}:1:1: first line must be \`// SPDX-License-Identifier: MIT\``);
  const own = new Set(lines.filter((l) => DIRECTIVE.test(l)).map((l) => DIRECTIVE.exec(l)[0].trim()));
  const extra = [...hoisted].filter((d) => !own.has(d));
  if (extra.length) lines.splice(1, 0, ...extra, `// @line ${file}:2`);
  return lines.join('\n');
}

function include(root, file, seen, hoisted, stack) {
  const out = [];
  for (const [i, line] of readFileSync(join(root, file), 'utf8').trimEnd().split('\n').entries()) {
    const target = IMPORT.exec(line)?.[1];
    if (!target) {
      const directive = stack.length ? DIRECTIVE.exec(line)?.[0].trim() : undefined;
      if (directive) hoisted.add(directive);
      out.push(directive ? `// ${directive} (moved up)` : line);
      continue;
    }
    if (seen.has(target)) {
      out.push(`// ${target}: above`);
      continue;
    }
    seen.add(target);
    let body;
    try {
      body = include(root, target, seen, hoisted, [...stack, file]);
    } catch (e) {
      if (e.code !== 'ENOENT') throw e;
      throw new KernelError(`kernels/${file}:${i + 1}:1: cannot import "${target}": no such file below kernels/`);
    }
    out.push(`// @line ${target}:1`, body, `// @line ${file}:${i + 2}`);
  }
  return out.join('\n') + (stack.length ? '' : '\n');
}
