// SPDX-License-Identifier: MIT
// The tables themselves: every public op has rows, names are unique, goldens and docs/ops.md are up to date.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as api from '../../src/index.ts';
import { rows } from './case.ts';
import { elsewhere } from './elsewhere.ts';
import { families } from './index.ts';
import { readGoldens } from '../golden/ops/row.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
describe('case tables', () => {
  it('name every public op', async () => {
    const covered = new Set(Object.values(families).flatMap((f) => Object.keys(f)));
    const missing: string[] = [];
    for (const file of readdirSync(here('../../src/ops'))) {
      for (const [name, value] of Object.entries((await import(`../../src/ops/${file}`)) as Record<string, unknown>)) {
        const isPublic = typeof value === 'function' && (api as Record<string, unknown>)[name] === value;
        if (isPublic && !covered.has(name) && !(elsewhere[name] && existsSync(here(elsewhere[name].test))))
          missing.push(`${file}: ${name}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('have unique names, and every row its golden', () => {
    for (const [name, family] of Object.entries(families)) {
      const ids = rows(family).map((c) => c.id);
      expect(new Set(ids).size, name).toBe(ids.length);
      const stored = new Set([...readGoldens(name).keys()].map((key) => key.slice(0, key.lastIndexOf('/'))));
      expect([...stored].sort(), `${name}: run test/golden/ops/make.py`).toEqual([...ids].sort());
    }
  });

  it('have goldens below 2 MB', () => {
    const folder = here('../golden/ops');
    const bytes = readdirSync(folder).reduce((s, f) => s + statSync(`${folder}/${f}`).size, 0);
    expect(bytes).toBeLessThan(2 << 20);
  });

  it('are what docs/ops.md shows', () => {
    const { status, stderr } = spawnSync(process.execPath, [here('../../scripts/ops_table.mjs'), '--check'], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('show in docs/ops.md what can be imported, and nothing else', () => {
    const names = [...readFileSync(here('../../docs/ops.md'), 'utf8').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(140);
    expect(names.filter((name) => typeof (api as Record<string, unknown>)[name] !== 'function')).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });
});
