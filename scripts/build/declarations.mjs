// SPDX-License-Identifier: MIT
// dist/types as it is published: what the public entry points reach, and zod's own declarations beside it, since plans are types of zod's.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ENTRIES = ['index.d.ts', 'kernels.d.ts', 'sanet.d.ts', 'sanet.browser.d.ts'];
const IMPORT = /(\b(?:from|import|declare module)\s*\(?\s*)(["'])([^"'\n]+)\2/g;

/** @returns {string | undefined} what went wrong */
export function declare(root, home) {
  const types = join(root, 'dist/types'),
    zod = join(home, 'node_modules/zod');
  rmSync(types, { recursive: true, force: true });
  const tsc = spawnSync(
    process.execPath,
    [join(home, 'node_modules/typescript/bin/tsc'), '-p', join(home, 'scripts/build/tsconfig.types.json')],
    { stdio: 'inherit' },
  );
  if (tsc.status !== 0) return 'declarations: tsc failed';
  const seen = new Set();
  const keep = (source, target) => {
    if (seen.has(target) || !existsSync(source)) return;
    seen.add(target);
    // Zod documents itself elsewhere, nobody reads these files, and messages in other languages are no types of plans.
    const packed = target.startsWith(join(types, 'zod'));
    const whole = readFileSync(source, 'utf8');
    const own = packed ? whole.replace(/\/\*\*[^]*?\*\/\n?|^export \* as locales .*\n|^ +|(?<=[{;])\n/gm, '') : whole;
    const text = own.replace(IMPORT, (found, before, quote, path) => {
      if (path === 'zod') {
        keep(join(zod, 'index.d.ts'), join(types, 'zod/index.d.ts'));
        const to = relative(dirname(target), join(types, 'zod/index.js'));
        return `${before}${quote}${to.startsWith('.') ? to : `./${to}`}${quote}`;
      }
      if (!path.startsWith('.')) return found;
      const stem = path.replace(/\.(?:js|ts)$/, '');
      keep(join(dirname(source), `${stem}.d.ts`), join(dirname(target), `${stem}.d.ts`));
      return `${before}${quote}${stem}.js${quote}`;
    });
    mkdirSync(dirname(target), { recursive: true });
    const generated = target.startsWith(join(types, 'gen'));
    writeFileSync(
      target,
      text.replace(/^(?: {4})+/gm, (indent) => (generated ? '' : '\t'.repeat(indent.length / 4))),
    );
  };
  for (const entry of ENTRIES) keep(join(types, entry), join(types, entry));
  for (const file of readdirSync(types, { recursive: true, encoding: 'utf8' }))
    if (file.endsWith('.d.ts') && !seen.has(join(types, file))) rmSync(join(types, file));
  return undefined;
}
