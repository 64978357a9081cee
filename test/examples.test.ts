// SPDX-License-Identifier: MIT
// Every program of examples/ is run as a stranger would run it, with the package under its public names.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { scratch } from './data/helpers.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const temporary = scratch();
const out = join(root, 'node_modules/.cache/examples'); // below node_modules, so that packages are found

/** What an example must have printed. */
const PRINTS: Readonly<Record<string, (text: string) => void>> = {
  'own_method.ts': (text) => {
    const [, dice] = /^Dice ([\d.]+) % on 2 unseen phantoms; \d{4,} bytes of report/m.exec(text)!;
    expect(Number(dice)).toBeGreaterThan(50);
  },
};

describe('examples', () => {
  it('are all looked at', () => expect(readdirSync(join(root, 'examples')).filter((f) => f.endsWith('.ts')).sort()).toEqual(Object.keys(PRINTS).sort()));

  it.each(Object.keys(PRINTS))('%s', async (file) => {
    expect(readFileSync(join(root, 'examples', file), 'utf8').split('\n').length - 1).toBeLessThanOrEqual(60);
    mkdirSync(out, { recursive: true });
    const outfile = join(out, `${basename(file, '.ts')}.mjs`);
    await build({
      entryPoints: [join(root, 'examples', file)], outfile, bundle: true, platform: 'node', format: 'esm', target: 'es2022', packages: 'external', logLevel: 'silent',
      alias: { voxelgrad: join(root, 'src/index.ts'), 'voxelgrad/sanet': join(root, 'src/sanet.ts') },
    });
    const { stdout, stderr, status } = spawnSync(process.execPath, [outfile], { encoding: 'utf8', env: { ...process.env, TMPDIR: temporary } });
    expect(stderr.replace(/^Warning: max.*$/gm, '').trim()).toBe('');
    expect(status).toBe(0);
    PRINTS[file]!(stdout);
    console.log(stdout.trim());
  });
});
