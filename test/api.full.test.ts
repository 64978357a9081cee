// SPDX-License-Identifier: MIT
// `npm run docs` makes pages of every docstring without a warning. Its own packages come from the registry.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import { needs } from './needs.ts';

const ping = existsSync('scripts/docs/node_modules') || spawnSync('npm', ['ping'], { shell: process.platform === 'win32' }).status === 0;

needs(ping, "TypeDoc's packages: a registry of npm").it('API pages are made without a warning', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/docs.mjs'], { encoding: 'utf8' });
  expect(`${stdout}${stderr}`).not.toMatch(/warning\]|error\]/);
  expect(status).toBe(0);
  expect(existsSync('docs/api/modules/voxelgrad.html')).toBe(true);
});
